//! How records are spelled: self-describing, every member by its name, so that one may be added later.
//!
//! A change that an older mlemu would misread raises the format of the folder.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The records are ours: what cannot be spelled is a slip of ours, which a test of the round trip shows.
pub(crate) fn encode(record: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(record).unwrap_or_default()
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

/// The first key behind all that begin with `prefix`, which ends with a zero.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    if let Some(last) = after.last_mut() {
        *last += 1;
    }
    after
}

/// Words of a dialect's own code, which are static there, and are again when they come back.
pub(crate) mod names {
    use serde::{Deserialize, Deserializer};
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Arc, Mutex, PoisonError};

    /// Facts by such words.
    type Notes = Arc<[(&'static str, String)]>;

    /// Each word is kept once, for as long as the process lives; there are as many as the code has.
    fn word(text: &str) -> &'static str {
        static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return known;
        }
        let word: &'static str = Box::leak(text.into());
        words.insert(word);
        word
    }

    pub fn map<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, String>, D::Error> {
        let read = BTreeMap::<String, String>::deserialize(from)?;
        Ok(read.into_iter().map(|(name, value)| (word(&name), value)).collect())
    }

    pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Notes, D::Error> {
        let read = Vec::<(String, String)>::deserialize(from)?;
        Ok(read.into_iter().map(|(name, value)| (word(&name), value)).collect())
    }
}
