//! Keys: who may call what, where that is asked for.
//!
//! Source: Azure Functions documentation, "Work with access keys in Azure Functions".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::request::Parts;
use mlemu_engine::ids::unguessable;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const HEADER: &str = "x-functions-key";
const QUERY: &str = "code";

/// What a caller must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Anonymous,
    Function,
    Admin,
}

/// Which keys, in the spelling of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ring {
    /// Open every function of the app.
    Host,
    /// Open the webhooks of extensions.
    System,
    /// Open one function.
    Function(String),
}

/// All keys of the host. They live as long as it does.
pub(super) struct Keys {
    master: String,
    rings: Mutex<BTreeMap<Ring, BTreeMap<String, String>>>,
}

/// The key that opens everything, among those of the system. It stays as it is for as long as the host lives.
pub(super) const MASTER: &str = "_master";

/// What has keys of its own among those of the system.
const EXTENSIONS: [&str; 2] = ["blobs_extension", "eventgrid_extension"];

fn fresh() -> String {
    URL_SAFE.encode(format!("{}{}", unguessable(), unguessable()))
}

impl Keys {
    pub(super) fn new() -> Self {
        let host = BTreeMap::from([("default".to_owned(), fresh())]);
        let system = EXTENSIONS.map(|name| (name.to_owned(), fresh())).into();
        let rings = BTreeMap::from([(Ring::Host, host), (Ring::System, system)]);
        Self { master: fresh(), rings: Mutex::new(rings) }
    }

    pub(super) fn master(&self) -> &str {
        &self.master
    }

    fn rings(&self) -> MutexGuard<'_, BTreeMap<Ring, BTreeMap<String, String>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may call a function of that level. The header wins over the query.
    pub(super) fn admit(&self, parts: &Parts, function: &str, level: Level) -> bool {
        if level == Level::Anonymous {
            return true;
        }
        let Some(key) = shown(parts) else { return false };
        if same(&key, &self.master) {
            return true;
        }
        let rings = self.rings();
        let opens =
            |ring: &Ring| rings.get(ring).is_some_and(|keys| keys.values().any(|known| same(known, &key)));
        level == Level::Function && (opens(&Ring::Host) || opens(&Ring::Function(function.to_owned())))
    }

    /// Whether a request has the key of that name, or the one that opens everything.
    pub(super) fn opens(&self, parts: &Parts, ring: &Ring, name: &str) -> bool {
        let Some(key) = shown(parts) else { return false };
        let known = self.rings().get(ring).and_then(|keys| keys.get(name).cloned());
        same(&key, &self.master) || known.is_some_and(|known| same(&known, &key))
    }

    /// As the API lists them.
    pub(super) fn list(&self, ring: &Ring) -> Value {
        let rings = self.rings();
        let keys = rings.get(ring).into_iter().flatten();
        let keys: Vec<Value> = keys.map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({ "keys": keys })
    }

    pub(super) fn get(&self, ring: &Ring, name: &str) -> Option<Value> {
        let master = (*ring == Ring::System && name == MASTER).then(|| self.master.clone());
        let found = master.or_else(|| self.rings().get(ring)?.get(name).cloned())?;
        Some(json!({ "name": name, "value": found }))
    }

    /// A key of a given value, or of a new one; and whether it is new itself.
    pub(super) fn set(&self, ring: Ring, name: &str, value: Option<String>) -> (Value, bool) {
        let value = value.unwrap_or_else(fresh);
        let before = self.rings().entry(ring).or_default().insert(name.to_owned(), value.clone());
        (json!({ "name": name, "value": value }), before.is_none())
    }

    /// `false`: there was none.
    pub(super) fn delete(&self, ring: &Ring, name: &str) -> bool {
        self.rings().get_mut(ring).is_some_and(|keys| keys.remove(name).is_some())
    }
}

fn shown(parts: &Parts) -> Option<String> {
    if let Some(key) = parts.headers.get(HEADER) {
        return key.to_str().ok().map(str::to_owned);
    }
    let query = parts.uri.query()?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, said) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(QUERY))?;
    Some(percent_decode_str(said).decode_utf8_lossy().into_owned())
}

/// Takes as long whatever the difference is.
fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(keys: &Keys, uri: &str, header: Option<&str>, level: Level) -> bool {
        let mut request = http::Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header(HEADER, header);
        }
        keys.admit(&request.body(()).unwrap().into_parts().0, "score", level)
    }

    #[test]
    fn each_level_opens_for_its_keys() {
        let keys = Keys::new();
        keys.set(Ring::Function("score".into()), "default", Some("own key".into()));
        keys.set(Ring::Function("other".into()), "default", Some("other".into()));
        assert!(asked(&keys, "/", None, Level::Anonymous));
        assert!(!asked(&keys, "/", None, Level::Function));
        assert!(asked(&keys, "/?a=b&code=own%20key", None, Level::Function));
        assert!(asked(&keys, "/?Code=own%20key", None, Level::Function));
        assert!(!asked(&keys, "/?code=other", None, Level::Function), "of another function");
        assert!(!asked(&keys, "/?code=own%20key", Some("wrong"), Level::Function), "the header wins");
        assert!(!asked(&keys, "/?code=own%20key", None, Level::Admin));
        let master = keys.master().to_owned();
        assert!(asked(&keys, "/", Some(&master), Level::Admin));
        assert!(!asked(&keys, "/", Some(""), Level::Function));
    }

    #[test]
    fn keys_are_made_shown_and_deleted() {
        let keys = Keys::new();
        let (made, is_new) = keys.set(Ring::System, "blobs", None);
        assert!(is_new && !keys.set(Ring::System, "blobs", made["value"].as_str().map(str::to_owned)).1);
        assert_eq!(keys.get(&Ring::System, "blobs"), Some(made));
        assert!(keys.delete(&Ring::System, "blobs") && !keys.delete(&Ring::System, "blobs"));
        assert_eq!(keys.list(&Ring::Host)["keys"][0]["name"], "default");
        assert_eq!(keys.get(&Ring::System, MASTER).unwrap()["value"], keys.master());
        assert_eq!(keys.get(&Ring::Host, MASTER), None);
    }
}
