//! What a project says about the daemon rather than about its functions.

pub use super::model::{BudgetTable, CpuHeld, Durability, Figures, Passing, Ports, SimulateTable, Starts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Account and region where nothing says otherwise: what every local AWS tool uses.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// AWS region.
    pub region: String,
    /// AWS account: twelve digits.
    pub account: String,
    /// Google Cloud's project and region.
    pub gcp: Place,
    /// The key file of the service account that signs URLs of Cloud Storage.
    pub service_account: Option<PathBuf>,
    /// What is said to Azure's services, by their options.
    pub azure: BTreeMap<String, String>,
    pub ports: Ports,
    /// The version that S3's events name, where the project says one.
    pub s3_event_version: Option<String>,
    /// Patterns of files whose changes are no new code, as in `.gitignore`.
    pub watch_ignore: Vec<String>,
    /// Where state is kept; `None`: it ends with the daemon.
    pub persist: Option<PathBuf>,
    pub durability: Durability,
    pub simulate: SimulateTable,
    /// The project's own figures in the clouds' profiles.
    pub figures: Figures,
    /// By function.
    pub budgets: BTreeMap<String, BudgetTable>,
}

/// Where a cloud's resources are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Account, project or subscription.
    pub account: String,
    pub region: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { account: mlemu_gcp::profile::PROJECT.into(), region: mlemu_gcp::profile::REGION.into() }
    }
}

impl Settings {
    /// What is said to `cloud` alone.
    pub fn options(&self, cloud: &str) -> BTreeMap<String, String> {
        if cloud.starts_with("azure") {
            return self.azure.clone();
        }
        let version = self.s3_event_version.clone().filter(|_| cloud == "aws");
        let account = self.service_account.as_ref().filter(|_| cloud == "gcp");
        let account = account.map(|file| file.to_string_lossy().into_owned());
        let said = [("s3_event_version", version), ("service_account", account)];
        said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    /// Where the resources of `cloud` are.
    pub fn place(&self, cloud: &str) -> Place {
        match cloud {
            "gcp" => self.gcp.clone(),
            "azure" | mlemu_azure::BLOB_FRONT | mlemu_azure::QUEUE_FRONT => Place {
                account: mlemu_azure::profile::SUBSCRIPTION.into(),
                region: mlemu_azure::profile::REGION.into(),
            },
            _ => Place { account: self.account.clone(), region: self.region.clone() },
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: REGION.into(),
            account: ACCOUNT.into(),
            gcp: Place::default(),
            service_account: None,
            azure: BTreeMap::new(),
            ports: Ports::default(),
            s3_event_version: None,
            watch_ignore: Vec::new(),
            persist: None,
            durability: Durability::default(),
            simulate: SimulateTable::default(),
            figures: Figures::new(),
            budgets: BTreeMap::new(),
        }
    }
}
