//! What the writers know: what was acknowledged, and what nobody knows.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A body of this seed, or no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted(pub Option<u64>);

/// One key. A value is the seed of its body; `None`: no object.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub known: Option<u64>,
    /// What was asked for and not answered.
    pub open: Option<Wanted>,
}

impl Cell {
    /// Takes over what is there, if it may be.
    pub fn settle(&mut self, found: Option<u64>) -> Result<(), String> {
        if found == self.known || Some(Wanted(found)) == self.open {
            (self.known, self.open) = (found, None);
            return Ok(());
        }
        Err(format!("found {found:?}, but {self:?}"))
    }
}

/// The body of a seed: some small, some large enough to be a file.
pub fn body(seed: u64) -> Vec<u8> {
    let len = if seed.is_multiple_of(5) { 40_000 + seed % 90_000 } else { 20 + seed % 3_000 };
    let mut body = format!("{seed:020}").into_bytes();
    body.resize(len as usize, (seed % 251) as u8);
    body
}

/// The seed of a body, which must be whole.
pub fn seed(found: &[u8]) -> Result<u64, String> {
    let text = found.get(..20).and_then(|head| std::str::from_utf8(head).ok());
    let seed = text.and_then(|text| text.parse().ok()).ok_or("a body of nobody")?;
    if body(seed) == found {
        Ok(seed)
    } else {
        Err(format!("half of the body {seed}: {} bytes", found.len()))
    }
}

/// Messages by their ids.
#[derive(Default)]
pub struct Messages {
    pub sent: BTreeSet<String>,
    /// Bodies that were sent without an answer.
    pub sending: BTreeSet<String>,
    pub deleted: BTreeSet<String>,
    pub deleting: BTreeSet<String>,
    /// With their receipts.
    pub leased: BTreeMap<String, String>,
    /// Of the keys that were sent once.
    pub once: BTreeMap<String, String>,
}

impl Messages {
    /// Compares with what is there, and takes it over. Gives how many leases nobody was told of.
    pub fn settle(&mut self, found: &[Value]) -> Result<usize, String> {
        let text = |message: &Value, name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let there: BTreeMap<String, &Value> = found.iter().map(|one| (text(one, "id"), one)).collect();
        let sent: Vec<String> = self.sent.iter().cloned().collect();
        for id in sent {
            let (is_there, is_deleted) = (there.contains_key(&id), self.deleted.contains(&id));
            if is_deleted && is_there {
                return Err(format!("{id} was deleted and is back"));
            }
            if !is_deleted && !is_there && !self.deleting.contains(&id) {
                return Err(format!("{id} was sent and is lost"));
            }
            if !is_there {
                self.sent.remove(&id);
                self.leased.remove(&id);
            }
        }
        let mut untold = 0;
        for (id, message) in there {
            if !self.sent.contains(&id) && !self.sending.contains(&text(message, "body")) {
                return Err(format!("{id} came from nowhere: {message}"));
            }
            let sight = text(message, "sight");
            if self.leased.contains_key(&id) && sight != "leased" {
                return Err(format!("{id} was lent out and is {sight}"));
            }
            untold += usize::from(!self.leased.contains_key(&id) && sight == "leased");
            self.sent.insert(id);
        }
        self.sending.clear();
        self.deleting.clear();
        self.deleted.clear();
        Ok(untold)
    }
}
