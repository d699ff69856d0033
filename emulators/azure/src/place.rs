//! Where this cloud is: the subscription, the region, and the address of its listener.

use mlemu_core::Scope;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// The name of this cloud in scopes and declarations.
pub const CLOUD: &str = "azure";

/// Shared by all services. Clones share the address, which is known once the listener is bound.
#[derive(Clone, Debug)]
pub struct Place {
    pub scope: Arc<Scope>,
    address: Arc<OnceLock<SocketAddr>>,
    /// Before the paths of this scope of the daemon; empty for the first.
    prefix: Arc<str>,
}

impl Place {
    pub fn new(subscription: &str, region: &str, prefix: &str) -> Self {
        let scope = Arc::new(Scope::new(CLOUD, subscription, region));
        Self { scope, address: Arc::default(), prefix: prefix.into() }
    }

    /// Tells where the listener is. Only the first call counts.
    pub fn set_address(&self, address: SocketAddr) {
        let _ = self.address.set(address);
    }

    /// `host:port` as tools print it.
    pub fn authority(&self) -> String {
        let port = self.address.get().map_or(crate::PORT, SocketAddr::port);
        format!("localhost:{port}")
    }

    /// Before the paths of this scope of the daemon; empty for the first.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where paths begin, e.g. `http://localhost:7071`.
    pub fn base(&self) -> String {
        format!("http://{}{}", self.authority(), self.prefix)
    }
}
