//! Which storage account a binding means: its `connection` is the name of an app setting that leads to one. The account
//! that the app has in the cloud, by `AzureWebJobsStorage`, is its own one here.
//!
//! Source: Azure Functions documentation, "Azure Blob storage trigger" (Connections); Azure Storage documentation,
//! "Configure Azure Storage connection strings".

use crate::storage::account::{is_name, primary};
use crate::worker::index::Binding;
use http::Uri;
use mlemu_core::Environment;
use std::net::IpAddr;

/// The setting of bindings that name none, and what the names of others may begin with.
const USUAL: &str = "AzureWebJobsStorage";
const PREFIX: &str = "AzureWebJobs";
/// Behind a setting's name where an identity opens the account, and no string with a key.
const ADDRESSES: [&str; 3] = ["serviceUri", "blobServiceUri", "queueServiceUri"];

/// The account's name; `None`: the app's own. `Err` says what is wrong with the setting.
pub(super) fn account(binding: &Binding, settings: &Environment) -> Result<Option<String>, String> {
    let said = binding.text("connection").unwrap_or_default().trim();
    let name = if said.is_empty() || said == "Storage" { USUAL } else { said };
    let prefixed = format!("{PREFIX}{name}");
    let Some(found) = [prefixed.as_str(), name].into_iter().find_map(|name| led(name, settings)) else {
        // An app without any setting has one account all the same.
        return if name == USUAL { Ok(None) } else { Err(missing(name)) };
    };
    let found = found.map_err(|why| format!("its connection `{name}` {why}"))?;
    Ok(found.filter(|found| Some(found) != own_in_cloud(settings).as_ref()))
}

/// What the app's own account is called in the cloud, if its setting is one of the cloud's.
fn own_in_cloud(settings: &Environment) -> Option<String> {
    let is_here = setting(USUAL, settings).is_some_and(|said| {
        let ends = said.split(';').filter_map(|pair| Some(pair.split_once('=')?.1));
        ends.filter_map(|end| end.trim().parse::<Uri>().ok()).any(|end| end.host().is_some_and(is_local))
    });
    if is_here { None } else { led(USUAL, settings)?.ok()? }
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn missing(name: &str) -> String {
    format!(
        "Storage account connection string '{name}' does not exist: make it an app setting, in `Values` of local.settings.json"
    )
}

/// Where the settings of a name lead; `None`: there are none.
fn led(name: &str, settings: &Environment) -> Option<Result<Option<String>, String>> {
    if let Some(said) = setting(name, settings).filter(|said| !said.trim().is_empty()) {
        return Some(of_string(said.trim()));
    }
    if let Some(said) = setting(&format!("{name}__accountName"), settings) {
        return Some(named(said));
    }
    let address = ADDRESSES.iter().find_map(|end| setting(&format!("{name}__{end}"), settings))?;
    Some(of_address(address))
}

/// As the host reads settings: case does not matter, and `:` is `__`.
fn setting<'a>(name: &str, settings: &'a Environment) -> Option<&'a str> {
    let is_it = |known: &str| known.replace(':', "__").eq_ignore_ascii_case(name);
    settings.iter().find(|(known, _)| is_it(known)).map(|(_, value)| value.as_str())
}

fn of_string(said: &str) -> Result<Option<String>, String> {
    let pairs = said.split(';').filter_map(|pair| pair.split_once('='));
    let value = |wanted: &str| {
        let found = pairs.clone().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    if value("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match (value("AccountName"), value("BlobEndpoint").or(value("QueueEndpoint"))) {
        (Some(name), _) => named(name),
        (None, Some(address)) => of_address(address),
        (None, None) => Err("is no connection string of a storage account".into()),
    }
}

/// The first part of the path at an emulator's address, else the first label of the host.
fn of_address(said: &str) -> Result<Option<String>, String> {
    let uri: Uri = said.parse().map_err(|_| format!("has no address: `{said}`"))?;
    let host = uri.host().unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    if is_name(primary(label))
        && label != host
        && !host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return named(label);
    }
    named(uri.path().trim_start_matches('/').split('/').next().unwrap_or_default())
}

fn named(name: &str) -> Result<Option<String>, String> {
    let name = primary(name.trim());
    if is_name(name) { Ok(Some(name.to_owned())) } else { Err(format!("names no storage account: `{name}`")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(connection: &str, settings: &[(&str, &str)]) -> Result<Option<String>, String> {
        let said = json!({ "type": "queue", "name": "out", "connection": connection });
        let binding = Binding::of(said.as_object().unwrap().clone());
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        account(&binding.unwrap(), &settings.collect())
    }

    #[test]
    fn settings_lead_to_accounts() {
        let own = "UseDevelopmentStorage=true";
        let mine =
            "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5;EndpointSuffix=core.windows.net";
        let shared = "BlobEndpoint=https://shared.blob.core.windows.net/;SharedAccessSignature=sv=2024";
        let here = "QueueEndpoint=http://127.0.0.1:10001/other;SharedAccessSignature=sv=2024";
        let account = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(of("", &[]), Ok(None), "nothing is said at all");
        assert_eq!(of("", &[("AzureWebJobsStorage", own)]), Ok(None));
        let local = "AccountName=mine;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/mine";
        assert_eq!(of("Storage", &[("azurewebjobsstorage", local)]), account("mine"));
        for name in ["Storage", "AzureWebJobsStorage", "", "Photos"] {
            let both = [("AzureWebJobsStorage", mine), ("Photos", mine)];
            assert_eq!(
                of(name, &both),
                Ok(None),
                "the cloud's own account of the app is its own here: {name}"
            );
        }
        assert_eq!(of("Photos", &[("AzureWebJobsStorage", shared), ("Photos", mine)]), account("mine"));
        assert_eq!(of("Photos", &[("Photos", mine), ("AzureWebJobsStorage", own)]), account("mine"));
        assert_eq!(of("Photos", &[("AzureWebJobsPhotos", shared), ("Photos", mine)]), account("shared"));
        assert_eq!(of("Photos", &[("Photos", here)]), account("other"));
        assert_eq!(of("Photos", &[("Photos__accountName", "mine")]), account("mine"));
        let uri = "https://mine.queue.core.windows.net";
        assert_eq!(of("Photos", &[("Photos:queueServiceUri", uri)]), account("mine"));
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        assert!(of("Photos", &[]).unwrap_err().contains("'Photos' does not exist"));
        assert!(of("Photos", &[("Photos", "")]).unwrap_err().contains("does not exist"));
        for bad in ["nothing", "AccountName=No_Name", "BlobEndpoint=http://127.0.0.1:10000/"] {
            assert!(of("Photos", &[("Photos", bad)]).is_err(), "{bad}");
        }
    }
}
