//! Where this cloud is: the project, the region, and the address of its one listener.

use mlemu_core::Scope;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// The name of this cloud in scopes and declarations.
pub const CLOUD: &str = "gcp";

/// Shared by all services. Clones share the address, which is known once the listener is bound.
#[derive(Clone, Debug)]
pub struct Place {
    pub scope: Arc<Scope>,
    address: Arc<OnceLock<SocketAddr>>,
    /// Before the paths of this scope of the daemon; empty for the first.
    prefix: Arc<str>,
}

impl Place {
    pub fn new(project: &str, region: &str) -> Self {
        let scope = Arc::new(Scope::new(CLOUD, project, region));
        Self { scope, address: Arc::default(), prefix: "".into() }
    }

    /// The same place behind a prefix of every path.
    pub fn behind(self, prefix: &str) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where links lead that no request is answered with; empty until the listener is bound.
    pub fn base(&self) -> String {
        self.address().map_or_else(String::new, |address| format!("http://{address}{}", self.prefix))
    }

    pub fn project(&self) -> &str {
        &self.scope.account
    }

    pub fn region(&self) -> &str {
        &self.scope.region
    }

    /// Tells where the listener is. Only the first call counts.
    pub fn set_address(&self, address: SocketAddr) {
        let _ = self.address.set(address);
    }

    pub fn address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    /// Where a function is reached by HTTP, e.g. `http://127.0.0.1:8085/demo-mlemu/us-central1/score`.
    pub fn url_of(&self, function: &str) -> String {
        let port = self.address().map_or(0, |address| address.port());
        format!("http://127.0.0.1:{port}{}", self.path_of(function))
    }

    /// The path of the same.
    pub fn path_of(&self, function: &str) -> String {
        format!("/{}/{}/{function}", self.project(), self.region())
    }
}
