//! Credentials and signatures of requests.
//!
//! By default any credentials are good: the access key only chooses the account. With known keys a
//! signature can be verified. Follows "Signature Version 4" of the IAM user guide.

mod version2;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use mlemu_core::Timestamp;
use mlemu_engine::objects::hex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use thiserror::Error;

/// Everything but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &STRICT.remove(b'/');

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// How far a signed request's date may be off, in seconds.
const SKEW: i64 = 15 * 60;

/// Why a signature is not good. Each service has its own words for these.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthFault {
    #[error("the request is not signed")]
    Missing,
    #[error("there is no access key `{access_key}`")]
    UnknownKey { access_key: String },
    #[error("the signature does not match")]
    Mismatch { access_key: String, string_to_sign: String, provided: String },
    #[error("{why}")]
    Malformed { why: String },
    #[error("the request's date is too far off")]
    Skewed,
}

fn malformed(why: impl Into<String>) -> AuthFault {
    AuthFault::Malformed { why: why.into() }
}

/// Known access keys and their secrets, for those who want signatures verified.
#[derive(Clone, Default)]
pub struct Keys {
    known: BTreeMap<String, Known>,
    /// The secret of every access key that is an account's number.
    of_accounts: Option<String>,
}

#[derive(Clone)]
struct Known {
    secret: String,
    /// `None`: the account that requests belong to which name none.
    account: Option<String>,
}

impl Keys {
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = pairs.into_iter().map(|(key, secret)| (key, Known { secret, account: None }));
        Self { known: known.collect(), of_accounts: None }
    }

    /// Gives one more access key, which belongs to an account of its own.
    #[must_use]
    pub fn and(mut self, access_key: &str, secret: &str, account: &str) -> Self {
        let known = Known { secret: secret.into(), account: Some(account.into()) };
        self.known.insert(access_key.into(), known);
        self
    }

    /// Every access key that is an account's number has this secret.
    #[must_use]
    pub fn and_accounts(mut self, secret: &str) -> Self {
        self.of_accounts = Some(secret.into());
        self
    }

    fn secret(&self, access_key: &str) -> Result<&str, AuthFault> {
        let known = self.known.get(access_key).map(|known| known.secret.as_str());
        let of_account = || account_of(access_key).and(self.of_accounts.as_deref());
        known.or_else(of_account).ok_or_else(|| AuthFault::UnknownKey { access_key: access_key.into() })
    }

    /// The account that an access key belongs to, if it says or is known to.
    pub fn account<'a>(&'a self, access_key: &'a str) -> Option<&'a str> {
        let known = self.known.get(access_key).and_then(|known| known.account.as_deref());
        known.or_else(|| account_of(access_key))
    }
}

/// A request as its signature sees it.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    pub method: &'a str,
    /// As it was sent, percent-encoded, without the query.
    pub path: &'a str,
    /// Decoded, in the order in which it was sent.
    pub query: &'a [(String, String)],
    pub headers: &'a HeaderMap,
}

impl Signable<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it says nothing about who sends it.
    pub fn is_unsigned(&self) -> bool {
        self.header("authorization").is_none_or(|header| header.trim().is_empty())
            && self.parameter("X-Amz-Signature").is_none()
            && self.parameter("Signature").is_none()
    }

    /// The access key that was used, however the request was signed and whether it is known or not.
    pub fn access_key(&self) -> Option<&str> {
        let from_credential = |credential: &str| credential.split('/').next().map(str::len);
        if let Some(header) = self.header("authorization") {
            let rest = header.split_once(' ').map_or("", |(_, rest)| rest);
            return match rest.split_once("Credential=") {
                Some((_, credential)) => credential.get(..from_credential(credential)?),
                None => rest.split(':').next(),
            };
        }
        if let Some(credential) = self.parameter("X-Amz-Credential") {
            return credential.get(..from_credential(credential)?);
        }
        self.parameter("AWSAccessKeyId")
    }
}

/// The account that an access key names: twelve digits are one.
pub fn account_of(access_key: &str) -> Option<&str> {
    (access_key.len() == 12 && access_key.bytes().all(|byte| byte.is_ascii_digit())).then_some(access_key)
}

/// The account that a request names by its access key.
pub fn account(parts: &http::request::Parts) -> Option<&str> {
    let text = match parts.headers.get(http::header::AUTHORIZATION) {
        Some(header) => header.to_str().ok()?.split_once("Credential=")?.1,
        None => parts.uri.query()?.split_once("X-Amz-Credential=")?.1,
    };
    text.get(..12).filter(|_| matches!(text.as_bytes().get(12), Some(b'/' | b'%'))).and_then(account_of)
}

/// `<access key>/<date>/<region>/<service>/aws4_request`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Credential {
    access_key: String,
    date: String,
    region: String,
    service: String,
}

impl Credential {
    fn parse(text: &str) -> Result<Self, AuthFault> {
        // An access key may hold a slash; the rest may not.
        let parts: Vec<&str> = text.rsplitn(5, '/').collect();
        let ["aws4_request", service, region, date, access_key] = parts[..] else {
            return Err(malformed(
                "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
            ));
        };
        let own = str::to_owned;
        Ok(Self { access_key: own(access_key), date: own(date), region: own(region), service: own(service) })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn signing_key(&self, secret: &str) -> Vec<u8> {
        let parts = [&self.date, &self.region, &self.service, "aws4_request"];
        let first = format!("AWS4{secret}").into_bytes();
        parts.iter().fold(first, |key, part| keyed(&key, part.as_bytes()))
    }
}

fn mac(key: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key).ok()
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    mac(key).map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()).unwrap_or_default()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Compares in constant time.
fn is_signature(key: &[u8], text: &str, signature: &str) -> bool {
    let (Some(mac), Some(signature)) = (mac(key), unhex(signature)) else { return false };
    mac.chain_update(text).verify_slice(&signature).is_ok()
}

/// A verified request's key material, with which the chunks of its body are signed in turn.
#[derive(Clone, Debug)]
pub struct Verified {
    pub access_key: String,
    key: Vec<u8>,
    date: String,
    scope: String,
    signature: String,
}

impl Verified {
    /// Checks the signature of one chunk, or of the trailer when `kind` is `TRAILER`, and goes on to the next.
    pub(crate) fn next_chunk(&mut self, kind: &str, sha256: &[u8], signature: &str) -> bool {
        let (date, scope, before) = (&self.date, &self.scope, &self.signature);
        let empty =
            if kind == "PAYLOAD" { format!("{}\n", hex(&Sha256::digest(b""))) } else { String::new() };
        let text = format!("{ALGORITHM}-{kind}\n{date}\n{scope}\n{before}\n{empty}{}", hex(sha256));
        let good = is_signature(&self.key, &text, signature);
        signature.clone_into(&mut self.signature);
        good
    }
}

/// The parts of a signature of version 4, from wherever it was.
struct Version4 {
    credential: Credential,
    signed_headers: Vec<String>,
    signature: String,
    date: String,
    payload_hash: String,
}

/// Verifies a request's signature, whichever way it was signed. `bucket_resource`: `/bucket/key` as
/// version 2 signs it.
pub fn verify(
    request: Signable<'_>,
    keys: &Keys,
    now: Timestamp,
    bucket_resource: &str,
) -> Result<Option<Verified>, AuthFault> {
    if request.parameter("Signature").is_some() {
        return version2::verify_query(request, keys, bucket_resource).map(|()| None);
    }
    if request.header("authorization").is_some_and(|header| header.starts_with("AWS ")) {
        let sent = version2::verify_header(request, keys, bucket_resource)?;
        let sent = http_date(&sent).ok_or_else(|| malformed("the date is not a date"))?;
        return if (sent.0 - now.0).abs() > SKEW * 1_000_000 { Err(AuthFault::Skewed) } else { Ok(None) };
    }
    let parts = if request.parameter("X-Amz-Signature").is_some() {
        Version4::from_query(request)?
    } else {
        let parts = Version4::from_header(request)?;
        let date = date(&parts.date).ok_or_else(|| malformed("the date is not a date"))?;
        if (date.0 - now.0).abs() > SKEW * 1_000_000 {
            return Err(AuthFault::Skewed);
        }
        parts
    };
    verify_v4(request, keys, parts).map(Some)
}

impl Version4 {
    fn from_header(request: Signable<'_>) -> Result<Self, AuthFault> {
        let header = request.header("authorization").ok_or(AuthFault::Missing)?;
        let rest = header
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| malformed("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."))?;
        let fields: BTreeMap<&str, &str> =
            rest.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| {
            fields.get(name).copied().ok_or_else(|| malformed(format!("the {name} component is missing")))
        };
        let date = request.header("x-amz-date").or_else(|| request.header("date")).unwrap_or_default();
        let payload = request.header("x-amz-content-sha256").map(str::to_owned);
        Ok(Self {
            credential: Credential::parse(field("Credential")?)?,
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("Signature")?.to_owned(),
            date: date.to_owned(),
            payload_hash: payload.unwrap_or_else(|| hex(&Sha256::digest(b""))),
        })
    }

    fn from_query(request: Signable<'_>) -> Result<Self, AuthFault> {
        let field = |name: &str| {
            request.parameter(name).ok_or_else(|| malformed(format!("the {name} parameter is missing")))
        };
        let payload = request.header("x-amz-content-sha256").unwrap_or(UNSIGNED);
        Ok(Self {
            credential: Credential::parse(field("X-Amz-Credential")?)?,
            signed_headers: field("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("X-Amz-Signature")?.to_owned(),
            date: field("X-Amz-Date")?.to_owned(),
            payload_hash: payload.to_owned(),
        })
    }

    fn canonical(&self, request: Signable<'_>) -> String {
        let path = percent_decode_str(request.path).collect::<Vec<u8>>();
        let path = percent_encoding::percent_encode(&path, PATH);
        let encode = |text: &str| utf8_percent_encode(text, STRICT).to_string();
        let pairs = request.query.iter().filter(|(name, _)| name != "X-Amz-Signature");
        let mut query: Vec<String> =
            pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        query.sort();
        let mut text = format!("{}\n{path}\n{}\n", request.method, query.join("&"));
        for name in &self.signed_headers {
            let values: Vec<String> = request.headers.get_all(name).iter().map(canonical_value).collect();
            let _ = writeln!(text, "{name}:{}", values.join(","));
        }
        let _ = write!(text, "\n{}\n{}", self.signed_headers.join(";"), self.payload_hash);
        text
    }
}

fn canonical_value(value: &http::HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn verify_v4(request: Signable<'_>, keys: &Keys, parts: Version4) -> Result<Verified, AuthFault> {
    let secret = keys.secret(&parts.credential.access_key)?;
    let (key, scope) = (parts.credential.signing_key(secret), parts.credential.scope());
    let canonical = hex(&Sha256::digest(parts.canonical(request)));
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{canonical}", parts.date);
    let Version4 { credential, signature, date, .. } = parts;
    if !is_signature(&key, &text, &signature) {
        return Err(AuthFault::Mismatch {
            access_key: credential.access_key,
            string_to_sign: text,
            provided: signature,
        });
    }
    Ok(Verified { access_key: credential.access_key, key, date, scope, signature })
}

/// Verifies the policy of a form upload, signed in version 4 or 2. `field` gives the form's fields.
pub fn verify_policy<'a>(
    field: impl Fn(&str) -> Option<&'a str>,
    policy: &str,
    keys: &Keys,
) -> Result<(), AuthFault> {
    let mismatch = |access_key: &str, provided: &str| AuthFault::Mismatch {
        access_key: access_key.into(),
        string_to_sign: policy.into(),
        provided: provided.into(),
    };
    if let (Some(credential), Some(signature)) = (field("x-amz-credential"), field("x-amz-signature")) {
        let credential = Credential::parse(credential)?;
        let key = credential.signing_key(keys.secret(&credential.access_key)?);
        let good = is_signature(&key, policy, signature);
        return if good { Ok(()) } else { Err(mismatch(&credential.access_key, signature)) };
    }
    let (access_key, signature) =
        (field("awsaccesskeyid").ok_or(AuthFault::Missing)?, field("signature").unwrap_or_default());
    let good = version2::is_signature(keys.secret(access_key)?, policy, signature);
    if good { Ok(()) } else { Err(mismatch(access_key, signature)) }
}

/// Of `Tue, 27 Mar 2007 19:36:42 GMT` or with an offset.
fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(parsed.as_microsecond()))
}

/// Of `20130524T000000Z`.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// The example keys of the vendor's own pages.
    fn keys() -> Keys {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        Keys::new([("AKIAIOSFODNN7EXAMPLE".to_owned(), secret.to_owned())])
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

    fn example() -> HeaderMap {
        headers(&[
            ("host", "examplebucket.s3.amazonaws.com"),
            ("range", "bytes=0-9"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("authorization", SIGNED),
        ])
    }

    #[test]
    fn the_documented_get_verifies_and_a_changed_one_does_not() {
        let headers = example();
        let request = Signable { method: "GET", path: "/test.txt", query: &[], headers: &headers };
        let now = date("20130524T000500Z").unwrap();
        assert!(verify(request, &keys(), now, "").unwrap().is_some());
        assert_eq!(request.access_key(), Some("AKIAIOSFODNN7EXAMPLE"));
        let other = Signable { path: "/other.txt", ..request };
        assert!(matches!(verify(other, &keys(), now, ""), Err(AuthFault::Mismatch { .. })));
        let late = date("20130524T001501Z").unwrap();
        assert_eq!(verify(request, &keys(), late, "").unwrap_err(), AuthFault::Skewed);
        assert!(matches!(verify(request, &Keys::default(), now, ""), Err(AuthFault::UnknownKey { .. })));
    }

    #[test]
    fn the_documented_presigned_get_verifies() {
        let pairs = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"),
            ("X-Amz-Date", "20130524T000000Z"),
            ("X-Amz-Expires", "86400"),
            ("X-Amz-SignedHeaders", "host"),
            ("X-Amz-Signature", "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
        ];
        let query: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let headers = headers(&[("host", "examplebucket.s3.amazonaws.com")]);
        let request = Signable { method: "GET", path: "/test.txt", query: &query, headers: &headers };
        assert!(verify(request, &keys(), Timestamp(0), "").unwrap().is_some());
        assert_eq!(request.access_key(), Some("AKIAIOSFODNN7EXAMPLE"));
    }

    #[test]
    fn subresources_are_signed_with_version_2() {
        let now = date("20070327T193642Z").unwrap();
        let verified = |resource: &str, subresource: Option<&str>, signature: &str| {
            let authorization = format!("AWS AKIAIOSFODNN7EXAMPLE:{signature}");
            let headers =
                headers(&[("date", "Tue, 27 Mar 2007 19:36:42 +0000"), ("authorization", &authorization)]);
            let query: Vec<_> =
                subresource.map(|name| (name.to_owned(), String::new())).into_iter().collect();
            let request = Signable { method: "GET", path: "/", query: &query, headers: &headers };
            verify(request, &keys(), now, resource)
        };
        let documented = "bWq2s1WEIj+Ydj0vQ697zp+IXMU=";
        assert_eq!(verified("/johnsmith/photos/puppy.jpg", None, documented).err(), None);
        assert!(verified("/johnsmith/photos/kitten.jpg", None, documented).is_err());
        for (name, signature) in [
            ("cors", "AMCybnK+rNaGl6PThTnxopOPf3s="),
            ("website", "5Lvw2sWRvCun6OAI3spInzi58ng="),
            ("replication", "+DZba485EUnCH956SkWrYPnXoGE="),
            ("torrent", "1LvU+S2URoiRW5e8lgI6+I1BVSg="),
            ("restore", "Qbys6Cn7ro4VVU+xxNkdwqBifbI="),
        ] {
            assert_eq!(verified("/johnsmith/", Some(name), signature).err(), None, "{name}");
        }
    }

    #[test]
    fn accounts_are_twelve_digits() {
        assert_eq!(account_of("123456789012"), Some("123456789012"));
        assert_eq!(account_of("AKIAIOSFODNN"), None);
        assert_eq!(account_of("1234"), None);
    }

    #[test]
    fn nonsense_is_refused_not_feared() {
        for text in
            ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a,Signature=é", "AWS a:b", "Basic x"]
        {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_bytes(text.as_bytes()).unwrap());
            let request = Signable { method: "GET", path: "/", query: &[], headers: &headers };
            assert!(verify(request, &keys(), Timestamp(0), "").is_err());
            let _ = request.access_key();
        }
        assert_eq!(unhex("é"), None);
        assert_eq!(unhex("abc"), None);
    }
}
