//! Where this Lambda is: account, region, and the port that its URLs name.

use crate::profile;
use mlemu_core::Scope;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Letters of a function URL's id.
const ID_LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[derive(Debug)]
pub struct Settings {
    pub account: String,
    pub region: String,
    pub scope: Arc<Scope>,
    port: AtomicU16,
}

impl Settings {
    pub fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            scope: Arc::new(Scope::new("aws", account, region)),
            port: AtomicU16::new(0),
        }
    }

    /// Tells on which port the listener is, once it is bound.
    pub fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    /// 0 as long as nothing is bound.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    pub fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let (region, account) = (&self.region, &self.account);
        match qualifier {
            Some(qualifier) => format!("arn:aws:lambda:{region}:{account}:function:{name}:{qualifier}"),
            None => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        }
    }

    pub fn mapping_arn(&self, uuid: &str) -> String {
        format!("arn:aws:lambda:{}:{}:event-source-mapping:{uuid}", self.region, self.account)
    }

    /// The role of functions that were declared without one.
    pub fn default_role(&self) -> String {
        format!("arn:aws:iam::{}:role/lambda-role", self.account)
    }

    /// The id in a function's URL: the same for the same function, always.
    pub fn url_id(&self, name: &str) -> String {
        let digest = Sha256::digest(self.arn(name, None));
        digest.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte % 32)])).collect()
    }

    /// Host of a function's URL, without port.
    pub fn url_host(&self, name: &str) -> String {
        format!("{}.lambda-url.{}.localhost", self.url_id(name), self.region)
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}:{}/", self.url_host(name), self.port())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(profile::ACCOUNT, profile::REGION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_stable_and_its_functions_own() {
        let settings = Settings::default();
        settings.set_port(4566);
        let url = settings.url("score");
        assert_eq!(url, settings.url("score"));
        assert_ne!(url, settings.url("other"));
        assert!(url.ends_with(".lambda-url.us-east-1.localhost:4566/"), "{url}");
        let id = settings.url_id("score");
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    }

    #[test]
    fn arns() {
        let settings = Settings::default();
        assert_eq!(settings.arn("f", None), "arn:aws:lambda:us-east-1:000000000000:function:f");
        assert_eq!(settings.arn("f", Some("7")), "arn:aws:lambda:us-east-1:000000000000:function:f:7");
    }
}
