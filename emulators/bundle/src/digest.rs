//! Content hashes: names of things in the cache.

use base64::Engine;
use sha2::{Digest as _, Sha256};
use std::fmt::Write;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of several parts, such that moving text from one to the next changes the hash.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The first 20 hexadecimal digits: enough for a name in the cache, short enough for a `#!` line.
    pub fn short(&self) -> String {
        self.hex()[..20].to_owned()
    }

    pub fn base64(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert!(Digest::of_parts(["ab", "c"]) != Digest::of_parts(["a", "bc"]));
        assert!(Digest::of_parts(["ab"]) != Digest::of(b"ab"));
    }

    #[test]
    fn the_two_spellings() {
        let empty = Digest::of(b"");
        assert!(empty.hex().starts_with("e3b0c44298fc1c14"));
        assert_eq!(empty.short().len(), 20);
        assert!(empty.base64().starts_with("47DEQpj8HBSa+"));
    }
}
