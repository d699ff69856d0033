//! What of the clouds a daemon makes as it is there: which profiles its functions live by, and how strictly.

use super::StartError;
use crate::clouds;
use crate::config::{Settings, nearest};
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::profile::{Load, Measure};
use mlemu_core::{ColdStarts, Profile, Terms};
use mlemu_engine::Simulation;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How strictly. Nothing of it when nothing is said: a daemon for tests is there to be fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulating {
    /// Functions get the CPU that goes with their memory.
    pub cpu: bool,
    pub cold_starts: ColdStarts,
    /// What is simulated is also waited for.
    pub sleeps: bool,
}

impl Simulating {
    /// The clouds' terms, with the project's own figures in them.
    pub(super) fn made(self, settings: &Settings) -> Result<Simulation, StartError> {
        let profiles = profiles(settings).map_err(|why| StartError::Profile { why })?;
        let mut terms: BTreeMap<String, Terms> = BTreeMap::new();
        for profile in &profiles {
            terms.entry(profile.name.clone()).or_insert_with(|| Terms::of(profile));
        }
        for (own, other) in &settings.simulate.profiles {
            let cloud = find(&profiles, own, None).map_err(|why| StartError::Profile { why })?.cloud.clone();
            let taken = find(&profiles, other, Some(&cloud)).map_err(|why| StartError::Profile { why })?;
            terms.insert(own.clone(), Terms::of(taken));
        }
        let Self { cpu, cold_starts, sleeps } = self;
        Ok(Simulation { cpu, cold_starts, sleeps, terms: Arc::new(terms) })
    }
}

/// What is known of all clouds' products, with the project's own figures in their places.
///
/// # Errors
/// In words, when a figure is of no profile.
pub fn profiles(settings: &Settings) -> Result<Vec<Profile>, String> {
    let mut profiles = clouds::profiles().map_err(|error| error.to_string())?;
    for (name, sections) in &settings.figures {
        find(&profiles, name, None)?;
        for profile in profiles.iter_mut().filter(|profile| profile.name == *name) {
            for (section, figures) in sections {
                for (figure, value) in figures {
                    profile.set(section, figure, value.clone(), crate::config::FILE);
                }
            }
            let unread = Terms::of(profile).unreadable;
            if let Some(figure) = unread.first() {
                return Err(format!(
                    "[profiles.{name}.simulation]: `{figure}` cannot be read as what it is for"
                ));
            }
        }
    }
    Ok(profiles)
}

/// What a function's own cloud would say to a source folder of so many bytes, in its own words; `None`: nothing.
pub fn refusal(profiles: &[Profile], function: &FunctionDeclaration, unzipped: u64) -> Option<String> {
    let profile = profiles.iter().find(|profile| is_of(profile, function))?;
    let findings = profile.judge(&Load { unzipped, ..Load::default() });
    let refused =
        findings.into_iter().find(|found| found.what == Measure::Unzipped && found.refuses && !found.fits)?;
    let says = refused.says.unwrap_or_else(|| "the package is too large".into());
    let megabytes = unzipped as f64 / 1_048_576.0;
    Some(format!(
        "{} would not be taken by {}: {says} ({megabytes:.0} MB without what it installs; see `mlemu fit`)",
        function.name, profile.name
    ))
}

/// Whether a function is declared for the product that a profile is of; the second generation is usual.
pub fn is_of(profile: &Profile, function: &FunctionDeclaration) -> bool {
    let declared = function.options.get("generation").and_then(|said| said.parse().ok()).unwrap_or(2);
    !profile.on_request
        && profile.cloud == function.cloud
        && profile.generation.is_none_or(|generation| generation == declared)
}

/// A profile by its name, and its cloud where several have one of that name.
fn find<'a>(profiles: &'a [Profile], name: &str, cloud: Option<&str>) -> Result<&'a Profile, String> {
    let fits = |profile: &&Profile| profile.name == name && cloud.is_none_or(|cloud| profile.cloud == cloud);
    profiles.iter().find(fits).ok_or_else(|| {
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        let meant = nearest(name, &names).map(|meant| format!("; did you mean `{meant}`?"));
        format!(
            "there is no profile `{name}`{}",
            meant.unwrap_or_else(|| format!("; there are {}", names.join(", ")))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    const MIB: u64 = 1 << 20;

    fn settings(profile: &str, figure: &str, value: serde_json::Value) -> Settings {
        let figures = BTreeMap::from([(figure.to_owned(), value)]);
        let sections = BTreeMap::from([("simulation".to_owned(), figures)]);
        Settings { figures: BTreeMap::from([(profile.to_owned(), sections)]), ..Settings::default() }
    }

    #[test]
    fn every_product_grants_cpu_and_keeps_instances() {
        let simulation = Simulating::default().made(&Settings::default()).expect("profiles");
        for name in ["aws-lambda", "gcf-gen1", "gcf-gen2", "azure-consumption", "azure-flex"] {
            let terms = &simulation.terms[name];
            assert!(terms.shares(512 * MIB).is_some(), "{name} has CPU");
            assert!(terms.keep_alive(0.5).is_some_and(|keep| keep >= Duration::from_mins(5)), "{name}");
            assert!(terms.placement("python3.12", 0.5) > Duration::from_millis(50), "{name}");
            assert!(terms.unreadable.is_empty(), "{name}: {:?}", terms.unreadable);
        }
        let shares = simulation.terms["aws-lambda"].shares(1769 * MIB).expect("known");
        assert!((shares.then - 1.0).abs() < 0.001 && (shares.init - 1.0).abs() < 0.001, "{shares:?}");
    }

    #[test]
    fn a_figure_of_the_project_replaces_ours() {
        let own = settings("aws-lambda", "fetch_ms_per_mb", json!(100));
        let simulation = Simulating::default().made(&own).expect("understood");
        assert_eq!(simulation.terms["aws-lambda"].fetch(10 * MIB), Duration::from_secs(1));
    }

    #[test]
    fn figures_that_mean_nothing_are_refused() {
        let said = |settings: &Settings| profiles(settings).expect_err("refused");
        assert!(said(&settings("aws-lamda", "vcpu", json!(1))).contains("did you mean `aws-lambda`?"));
        assert!(said(&settings("aws-lambda", "vcpu", json!("much"))).contains("`vcpu` cannot be read"));
    }

    #[test]
    fn a_source_that_is_too_large_is_refused_in_its_clouds_words() {
        let profiles = clouds::profiles().expect("profiles");
        let loaded = |cloud: &str| FunctionDeclaration {
            cloud: cloud.into(),
            name: "score".into(),
            alias: None,
            runtime: "python3.12".into(),
            handler: "app.score".into(),
            source: ".".into(),
            memory: None,
            timeout: None,
            tmp: None,
            env: mlemu_core::Environment::new(),
            concurrency: None,
            triggers: Vec::new(),
            options: BTreeMap::new(),
            from: mlemu_core::declare::Provenance::default(),
        };
        let said = refusal(&profiles, &loaded("aws"), 300 * MIB).expect("refused");
        assert!(said.contains("Unzipped size must be smaller than 262144000 bytes"), "{said}");
        assert_eq!(refusal(&profiles, &loaded("aws"), 200 * MIB), None);
        assert_eq!(
            refusal(&profiles, &loaded("gcp"), 300 * MIB),
            None,
            "the second generation has no such limit"
        );
    }

    #[test]
    fn another_profile_can_be_taken() {
        let mut settings = Settings::default();
        settings.simulate.profiles.insert("azure-consumption".into(), "azure-flex".into());
        let terms = Simulating::default().made(&settings).expect("there").terms;
        assert_eq!(terms["azure-consumption"].profile, "azure-flex");
        settings.simulate.profiles.insert("azure-consumption".into(), "gcf-gen1".into());
        assert!(Simulating::default().made(&settings).is_err(), "of another cloud");
    }
}
