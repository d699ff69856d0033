//! What Blob and Queue Storage have in common: accounts, who may do what, and how answers look.
//!
//! [`account`] knows the accounts and their keys, [`address`] reads whom a request is for, [`allow`] decides whether it
//! may, by [`signature`] or [`sas`] and the policies of [`policy`]; [`fault`] has the vendor's errors, [`names`] what may be called how, [`answer`] what
//! every answer carries, [`cors`] what web pages may.
//!
//! Source: Azure Storage documentation, "Authorize requests to Azure Storage".

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod allow;
pub(crate) mod answer;
pub(crate) mod cors;
pub(crate) mod fault;
pub(crate) mod names;
pub(crate) mod policy;
pub(crate) mod properties;
pub(crate) mod sas;
pub(crate) mod signature;

use crate::place::Place;
use account::Accounts;
use mlemu_engine::Ground;

/// What a project says of accounts of its own: `name:key` pairs.
pub const ACCOUNTS: &str = "accounts";

pub(crate) fn accounts(ground: &Ground) -> Accounts {
    let place = Place::new(&ground.account, &ground.region, &ground.prefix);
    Accounts::new(place, ground.options.get(ACCOUNTS).map_or("", String::as_str))
}

/// What points an SDK to this machine's storage.
pub(crate) fn connection(ground: &Ground) -> String {
    let at = |front| ground.fronts.get(front).copied();
    accounts(ground).connection(at(crate::BLOB_FRONT), at(crate::QUEUE_FRONT))
}
