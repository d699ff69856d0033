//! Storage accounts: the one that every SDK knows, and any other by its name.

use crate::place::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Scope;
use sha2::{Digest as _, Sha512};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The account that every SDK knows for an emulator, and its published key.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Where reads go of an account whose copy elsewhere is meant.
const SECONDARY: &str = "-secondary";

/// The accounts of one scope of the daemon.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    place: Place,
    /// The account that stands for the scope itself.
    own: Arc<str>,
    /// Keys that a project gives to accounts of its own, in base64.
    said: Arc<BTreeMap<String, String>>,
}

impl Accounts {
    /// `said`: a project's own accounts as `name:key`, several after semicolons.
    pub fn new(place: Place, said: &str) -> Self {
        let account = &place.scope.account;
        let own: Arc<str> = if is_name(account) { account.clone() } else { ACCOUNT.into() };
        let pairs = said.split(';').filter_map(|pair| pair.trim().split_once(':'));
        let said = pairs.map(|(name, key)| (name.to_owned(), key.to_owned())).collect();
        Self { place, own, said: Arc::new(said) }
    }

    pub fn own(&self) -> &str {
        &self.own
    }

    /// Before the paths of this scope of the daemon, which clients sign too.
    pub fn prefix(&self) -> &str {
        self.place.prefix()
    }

    /// Where the account's things are.
    pub fn scope(&self, account: &str) -> Arc<Scope> {
        let account = primary(account);
        let is_scope = self.prefix().strip_suffix(account).is_some_and(|before| before.ends_with('/'));
        if account == ACCOUNT || *account == *self.own || is_scope {
            return self.place.scope.clone();
        }
        Arc::new(Scope::new(&self.place.scope.cloud, account, &self.place.scope.region))
    }

    /// In base64. Every name has one: that of accounts that nobody gave a key to follows from it.
    pub fn key(&self, account: &str) -> String {
        let account = primary(account);
        if account == ACCOUNT {
            return KEY.into();
        }
        self.said.get(account).cloned().unwrap_or_else(|| derived(account))
    }

    /// What points an SDK here.
    pub fn connection(&self, blob: Option<SocketAddr>, queue: Option<SocketAddr>) -> String {
        let (own, prefix) = (&self.own, self.prefix());
        let end = |what: &str, at: Option<SocketAddr>| {
            at.map(|at| format!("{what}Endpoint=http://{at}{prefix}/{own};")).unwrap_or_default()
        };
        let ends = [end("Blob", blob), end("Queue", queue)].concat();
        format!("DefaultEndpointsProtocol=http;AccountName={own};AccountKey={};{ends}", self.key(own))
    }
}

/// The account without the mark of its copy elsewhere.
pub(crate) fn primary(account: &str) -> &str {
    account.strip_suffix(SECONDARY).unwrap_or(account)
}

/// 3 to 24 lower-case letters and digits.
pub(crate) fn is_name(account: &str) -> bool {
    (3..=24).contains(&account.len())
        && account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn derived(account: &str) -> String {
    STANDARD.encode(Sha512::digest(format!("mlemu storage account {account}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_scopes_and_keys() {
        let accounts = Accounts::new(Place::new("00000000-0000", "local", ""), "mine:a2V5;other:b3RoZXI=");
        assert_eq!(accounts.own(), ACCOUNT);
        assert_eq!(accounts.scope("devstoreaccount1-secondary"), accounts.scope(ACCOUNT));
        assert_ne!(accounts.scope("mine"), accounts.scope(ACCOUNT));
        assert_eq!((accounts.key("mine").as_str(), accounts.key(ACCOUNT).as_str()), ("a2V5", KEY));
        assert_eq!(accounts.key("third").len(), KEY.len());
        let scoped = Accounts::new(Place::new("912345678901", "local", "/ns/a"), "");
        let text = scoped.connection(Some(([127, 0, 0, 1], 10_000).into()), None);
        assert!(text.contains("AccountName=912345678901;") && !text.contains("Queue"), "{text}");
        assert!(text.ends_with("BlobEndpoint=http://127.0.0.1:10000/ns/a/912345678901;"), "{text}");
    }
}
