//! Checksums, all computed in one pass over the bytes.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChecksumKind {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    Xxh64,
    Xxh3,
    Xxh128,
}

impl ChecksumKind {
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            ChecksumKind::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumKind::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            ChecksumKind::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            _ => None,
        }
    }

    /// Whether the checksum of a whole follows from those of its pieces.
    pub fn joins(self) -> bool {
        self.crc().is_some()
    }

    /// Length of a value in bytes.
    pub fn width(self) -> usize {
        match self {
            ChecksumKind::Crc32 | ChecksumKind::Crc32c => 4,
            ChecksumKind::Crc64Nvme | ChecksumKind::Xxh64 | ChecksumKind::Xxh3 => 8,
            ChecksumKind::Md5 | ChecksumKind::Xxh128 => 16,
            ChecksumKind::Sha1 => 20,
            ChecksumKind::Sha256 => 32,
            ChecksumKind::Sha512 => 64,
        }
    }

    /// The checksum of `bytes` alone.
    pub fn of(self, bytes: &[u8]) -> Bytes {
        let mut hash = Hash::new(self);
        hash.update(bytes);
        hash.finish()
    }

    /// The checksum of two pieces laid end to end, from theirs. `None`: this kind has no such sum.
    pub fn join(self, first: &[u8], second: &[u8], second_len: u64) -> Option<Bytes> {
        let joined =
            crc_fast::checksum_combine(self.crc()?, from_bytes(first), from_bytes(second), second_len);
        Some(to_bytes(joined, self.width()))
    }
}

fn from_bytes(value: &[u8]) -> u64 {
    value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn to_bytes(value: u64, width: usize) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes()[8 - width..])
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A checksum in big-endian bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub kind: ChecksumKind,
    pub value: Bytes,
    /// It is the checksum of the checksums of the parts, not of the bytes.
    pub of_parts: bool,
}

/// MD5 and the checksums that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    pub md5: [u8; 16],
    pub checksums: Vec<Checksum>,
}

enum Hash {
    Crc(crc_fast::Digest, usize),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Md5(Md5),
    Xxh64(Xxh64),
    /// Both widths come from the same rounds.
    Xxh3(Box<Xxh3>, usize),
}

impl Hash {
    fn new(kind: ChecksumKind) -> Self {
        let crc = |algorithm| Hash::Crc(crc_fast::Digest::new(algorithm), kind.width());
        match kind {
            ChecksumKind::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumKind::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumKind::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumKind::Sha1 => Hash::Sha1(Sha1::new()),
            ChecksumKind::Sha256 => Hash::Sha256(Sha256::new()),
            ChecksumKind::Sha512 => Hash::Sha512(Sha512::new()),
            ChecksumKind::Md5 => Hash::Md5(Md5::new()),
            ChecksumKind::Xxh64 => Hash::Xxh64(Xxh64::new(0)),
            ChecksumKind::Xxh3 | ChecksumKind::Xxh128 => Hash::Xxh3(Box::new(Xxh3::new()), kind.width()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Crc(hash, _) => hash.update(bytes),
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Sha512(hash) => hash.update(bytes),
            Hash::Md5(hash) => hash.update(bytes),
            Hash::Xxh64(hash) => hash.update(bytes),
            Hash::Xxh3(hash, _) => hash.update(bytes),
        }
    }

    fn finish(self) -> Bytes {
        match self {
            Hash::Crc(hash, width) => to_bytes(hash.finalize(), width),
            Hash::Sha1(hash) => Bytes::copy_from_slice(&hash.finalize()),
            Hash::Sha256(hash) => Bytes::copy_from_slice(&hash.finalize()),
            Hash::Sha512(hash) => Bytes::copy_from_slice(&hash.finalize()),
            Hash::Md5(hash) => Bytes::copy_from_slice(&hash.finalize()),
            Hash::Xxh64(hash) => Bytes::copy_from_slice(&hash.digest().to_be_bytes()),
            Hash::Xxh3(hash, 8) => Bytes::copy_from_slice(&hash.digest().to_be_bytes()),
            Hash::Xxh3(hash, _) => Bytes::copy_from_slice(&hash.digest128().to_be_bytes()),
        }
    }
}

/// Computes [`Digests`] while bytes go by.
pub(super) struct Hasher {
    md5: Md5,
    others: Vec<(ChecksumKind, Hash)>,
}

impl Hasher {
    pub fn new(kinds: &[ChecksumKind]) -> Self {
        Self { md5: Md5::new(), others: kinds.iter().map(|kind| (*kind, Hash::new(*kind))).collect() }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        for (_, hash) in &mut self.others {
            hash.update(bytes);
        }
    }

    pub fn finish(self) -> Digests {
        let sum = |(kind, hash): (_, Hash)| Checksum { kind, value: hash.finish(), of_parts: false };
        Digests { md5: self.md5.finalize().into(), checksums: self.others.into_iter().map(sum).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_nine_digits() {
        assert_eq!(hex(&ChecksumKind::Crc32.of(b"123456789")), "cbf43926");
        assert_eq!(hex(&ChecksumKind::Crc32c.of(b"123456789")), "e3069283");
        assert_eq!(hex(&ChecksumKind::Crc64Nvme.of(b"123456789")), "ae8b14860a799888");
        assert_eq!(hex(&ChecksumKind::Sha1.of(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&ChecksumKind::Md5.of(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        // As the reference implementation has them, without a seed.
        assert_eq!(hex(&ChecksumKind::Xxh64.of(b"")), "ef46db3751d8e999");
        assert_eq!(hex(&ChecksumKind::Xxh64.of(b"abc")), "44bc2cf5ad770999");
        assert_eq!(hex(&ChecksumKind::Xxh3.of(b"")), "2d06800538d394c2");
        assert_eq!(hex(&ChecksumKind::Xxh128.of(b"")), "99aa06d3014798d86001c324468d497f");
        for kind in [ChecksumKind::Sha256, ChecksumKind::Sha512, ChecksumKind::Xxh3, ChecksumKind::Xxh128] {
            assert_eq!(kind.of(b"abc").len(), kind.width(), "{kind:?}");
        }
    }

    #[test]
    fn joined_sums_equal_the_sum_of_the_whole() {
        for kind in [ChecksumKind::Crc32, ChecksumKind::Crc32c, ChecksumKind::Crc64Nvme] {
            let joined = kind.join(&kind.of(b"one half, "), &kind.of(b"the other"), 9);
            assert_eq!(joined, Some(kind.of(b"one half, the other")), "{kind:?}");
        }
        assert_eq!(ChecksumKind::Sha1.join(b"", b"", 0), None);
    }
}
