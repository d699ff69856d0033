//! The environment of a command under test: it reaches the emulated clouds, and never the developer's own.
//!
//! A forgotten profile, a session token of this morning or a service account's key file must not turn a test
//! run into requests to a real account. So everything that any vendor's SDK would find credentials by is taken
//! away or pointed at nothing, before our own variables are set.

use mlemu_core::Environment;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Variables that begin so decide which real account an SDK would speak to.
const PREFIXES: [&str; 8] =
    ["AWS_", "AZURE_", "ARM_", "CLOUDSDK_", "GOOGLE_", "GCLOUD_", "AzureWebJobs", "MLEMU_FUNCTION_"];
/// Single ones of that kind.
const NAMES: [&str; 6] = [
    "GCP_PROJECT",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "STORAGE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "BOTO_CONFIG",
];
/// Those that begin so and concern no account.
const HARMLESS: [&str; 4] =
    ["AWS_PAGER", "AWS_CLI_AUTO_PROMPT", "AWS_MAX_ATTEMPTS", "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE"];

/// Hosts that a proxy of the developer's has nothing to do with.
const OURS: &str = "127.0.0.1,localhost,::1";

/// What is changed in an inherited environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub set: Environment,
    pub unset: Vec<OsString>,
}

/// Where a command under test finds its daemon.
#[derive(Clone, Debug)]
pub struct Target {
    /// What points the vendors' SDKs at the daemon.
    pub clouds: Environment,
    /// `http://127.0.0.1:PORT` of the control API.
    pub control: String,
    pub token: String,
    /// The account, project or subscription that the test lives in.
    pub scope: String,
    /// Functions and where they are invoked.
    pub functions: Vec<(String, String)>,
}

impl Surroundings {
    /// `inherited`: the environment as it is now. `nothing`: an empty folder of ours.
    pub fn of(
        target: &Target,
        nothing: &Path,
        inherited: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut unset = Vec::new();
        let mut unproxied = Vec::new();
        for (name, value) in inherited {
            if decides_the_account(&name) {
                unset.push(name);
            } else if name.eq_ignore_ascii_case("no_proxy") {
                unproxied.push(value.to_string_lossy().into_owned());
            }
        }
        let mut set = nowhere(nothing, &target.control);
        set.extend(target.clouds.clone());
        set.extend(own(target));
        unproxied.push(OURS.into());
        for name in ["NO_PROXY", "no_proxy"] {
            set.insert(name.into(), unproxied.join(","));
        }
        unset.retain(|name| !name.to_str().is_some_and(|name| set.contains_key(name)));
        Self { set, unset }
    }
}

fn decides_the_account(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let begins = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    (begins && !HARMLESS.contains(&&*name)) || NAMES.contains(&&*name)
}

/// Where SDKs look for credentials beside the environment: files in the home folder, and servers of a machine
/// in the cloud.
fn nowhere(nothing: &Path, control: &str) -> Environment {
    let folder = nothing.display().to_string();
    let here = control.trim_start_matches("http://").to_owned();
    let pairs = [
        ("AWS_CONFIG_FILE", "/dev/null".into()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("CLOUDSDK_CONFIG", folder.clone()),
        ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1".into()),
        // Answers at once that it is no metadata server; the real one's address would be waited for.
        ("GCE_METADATA_HOST", here.clone()),
        ("GCE_METADATA_IP", here),
        // The prefix by which Google's own tools know a project that does not exist.
        ("GOOGLE_CLOUD_PROJECT", "demo-mlemu".into()),
        ("GCLOUD_PROJECT", "demo-mlemu".into()),
        ("AZURE_CONFIG_DIR", folder),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn own(target: &Target) -> Environment {
    let mut set = Environment::new();
    set.insert("MLEMU".into(), "1".into());
    set.insert("MLEMU_URL".into(), target.control.clone());
    set.insert("MLEMU_TOKEN".into(), target.token.clone());
    set.insert("MLEMU_SCOPE".into(), target.scope.clone());
    for (name, url) in &target.functions {
        set.insert(format!("MLEMU_FUNCTION_{}_URL", shouted(name)), url.clone());
    }
    set
}

/// `which-flower` as a part of a variable's name: `WHICH_FLOWER`.
fn shouted(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(inherited: &[(&str, &str)]) -> Surroundings {
        let target = Target {
            clouds: Environment::from([("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:1".into())]),
            control: "http://127.0.0.1:2".into(),
            token: "t".into(),
            scope: "000000000000".into(),
            functions: vec![("which-flower".into(), "http://127.0.0.1:1/f".into())],
        };
        let inherited = inherited.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Surroundings::of(&target, Path::new("/nothing"), inherited)
    }

    #[test]
    fn nothing_that_leads_to_a_real_account_is_inherited() {
        let real = [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ROLE_ARN",
            "AWS_ENDPOINT_URL_S3",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "CLOUDSDK_AUTH_ACCESS_TOKEN",
            "AZURE_CLIENT_SECRET",
            "AZURE_STORAGE_CONNECTION_STRING",
            "AzureWebJobsStorage",
            "ARM_CLIENT_SECRET",
            "PUBSUB_EMULATOR_HOST",
        ];
        let inherited: Vec<_> = real.iter().map(|name| (*name, "real")).collect();
        let surroundings = surroundings(&inherited);
        for name in real {
            assert!(surroundings.unset.contains(&name.into()), "{name}");
        }
    }

    #[test]
    fn what_concerns_no_account_stays() {
        let surroundings = surroundings(&[("PATH", "/bin"), ("AWS_PAGER", ""), ("HOME", "/home/me")]);
        assert!(surroundings.unset.is_empty(), "{surroundings:?}");
        assert!(!surroundings.set.contains_key("HOME"));
    }

    #[test]
    fn what_is_set_points_here_or_at_nothing() {
        let inherited = [("AWS_ENDPOINT_URL", "https://real"), ("NO_PROXY", "corp.example")];
        let Surroundings { set, unset } = surroundings(&inherited);
        assert!(unset.is_empty(), "what is set need not be unset: {unset:?}");
        assert_eq!(set["AWS_ENDPOINT_URL"], "http://127.0.0.1:1");
        assert_eq!(set["AWS_CONFIG_FILE"], "/dev/null");
        assert_eq!(set["GCE_METADATA_HOST"], "127.0.0.1:2");
        assert_eq!(set["CLOUDSDK_CONFIG"], "/nothing");
        assert_eq!(set["NO_PROXY"], "corp.example,127.0.0.1,localhost,::1");
        assert_eq!(set["MLEMU_FUNCTION_WHICH_FLOWER_URL"], "http://127.0.0.1:1/f");
        assert_eq!((&*set["MLEMU_URL"], &*set["MLEMU_TOKEN"]), ("http://127.0.0.1:2", "t"));
    }
}
