//! A service account's key file, and the signatures that were made with it.
//!
//! Source: RFC 8017, "RSASSA-PKCS1-v1_5"; RFC 5208, "Private-Key Information Syntax".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// What stands before a SHA-256 in a signature: the name of the algorithm, in DER.
const NAMED: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Who signs, and the public half of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Account {
    pub email: String,
    modulus: BigUint,
    exponent: BigUint,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
}

impl Account {
    /// Reads a key file as the vendor's console writes them. Fails with what is wrong, for people.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let body: String = file.private_key.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body.trim()).map_err(|error| format!("private_key: {error}"))?;
        let (modulus, exponent) = public_half(&der).ok_or("private_key is no RSA key in PKCS #8")?;
        Ok(Self { email: file.client_email, modulus, exponent })
    }

    #[cfg(test)]
    pub fn of(email: &str, modulus: &[u8]) -> Self {
        Self { email: email.into(), modulus: BigUint::from_bytes_be(modulus), exponent: 65537_u32.into() }
    }

    /// Whether this account signed `text`.
    pub fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let width = self.modulus.bits().div_ceil(8) as usize;
        let number = BigUint::from_bytes_be(signature);
        let tail = NAMED.len() + 32;
        if signature.len() != width || number >= self.modulus || width < tail + 11 {
            return false;
        }
        let mut expected = vec![0xff; width - tail];
        expected[0] = 0;
        expected[1] = 1;
        expected[width - tail - 1] = 0;
        expected.extend(NAMED);
        expected.extend(Sha256::digest(text));
        number.modpow(&self.exponent, &self.modulus) == BigUint::from_bytes_be(&expected)
    }
}

/// Modulus and public exponent of a private key.
fn public_half(der: &[u8]) -> Option<(BigUint, BigUint)> {
    let (outer, _) = element(0x30, der)?;
    let (_version, rest) = element(0x02, outer)?;
    let (_algorithm, rest) = element(0x30, rest)?;
    let (inner, _) = element(0x04, rest)?;
    let (key, _) = element(0x30, inner)?;
    let (_version, rest) = element(0x02, key)?;
    let (modulus, rest) = element(0x02, rest)?;
    let (exponent, _) = element(0x02, rest)?;
    Some((BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent)))
}

/// The content of a DER element of that tag, and what follows it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let digits = rest.get(..count).filter(|_| count <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), &rest[count..])
    };
    (found == tag && rest.len() >= length).then(|| rest.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        let with = |key: &[u8]| {
            let key = format!("-----BEGIN X-----\n{}\n-----END X-----", STANDARD.encode(key));
            Account::read(&serde_json::json!({ "client_email": "a", "private_key": key }).to_string())
        };
        assert!(Account::read("").is_err() && Account::read("{}").is_err());
        for hostile in
            [&b""[..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80, 0], &[0x30, 3, 2, 9, 0]]
        {
            assert!(with(hostile).is_err(), "{hostile:?}");
        }
    }
}
