//! The query of a signed URL, of either version.

use super::{AHEAD, Claim, Keys, LONGEST, credential, early, expired, invalid, moment, sha256, unhex};
use crate::storage::fault::Fault;
use crate::storage::wire::encoded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use mlemu_core::Timestamp;
use percent_encoding::percent_decode_str;

/// Whether the request is signed at all; fails where what it says of that does not hold. `path`: as its signer knew it.
pub(in crate::storage) fn check(
    parts: &Parts,
    path: &str,
    now: Timestamp,
    keys: &Keys<'_>,
) -> Result<bool, Fault> {
    let query = Query::read(parts.uri.query().unwrap_or_default());
    let request = Request { method: parts.method.as_str(), path, headers: &parts.headers, query: &query };
    if query.get("X-Goog-Signature").is_some() || query.get("X-Goog-Algorithm").is_some() {
        return request.fourth(now, keys).map(|()| true);
    }
    if query.get("GoogleAccessId").is_some() {
        return request.second(now, keys).map(|()| true);
    }
    Ok(false)
}

/// Decoded pairs. A plus is a plus.
struct Query(Vec<(String, String)>);

impl Query {
    fn read(text: &str) -> Self {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn needs(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| invalid(format!("The query lacks {name}.")))
    }

    /// Without the signature, in order.
    fn canonical(&self) -> String {
        let signed = self.0.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("X-Goog-Signature"));
        let mut pairs: Vec<(String, String)> =
            signed.map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}

struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a HeaderMap,
    query: &'a Query,
}

impl Request<'_> {
    fn fourth(&self, now: Timestamp, keys: &Keys<'_>) -> Result<(), Fault> {
        let algorithm = self.query.needs("X-Goog-Algorithm")?;
        if !["GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"].contains(&algorithm) {
            return Err(invalid(format!("{algorithm} is no algorithm of signatures.")));
        }
        let date = self.query.needs("X-Goog-Date")?;
        let begins =
            moment(date).ok_or_else(|| invalid(format!("{date} is no date like 20260102T030405Z.")))?;
        let (signer, scope) = credential(self.query.needs("X-Goog-Credential")?, date)?;
        let seconds = self.query.needs("X-Goog-Expires")?.parse::<u64>().ok();
        let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(seconds));
        let seconds = seconds.ok_or_else(|| invalid("X-Goog-Expires must be 1 to 604800 seconds."))?;
        let ends = Timestamp(begins.0 + i64::try_from(seconds).unwrap_or_default() * 1_000_000);
        if now >= ends {
            return Err(expired(ends));
        }
        if begins.0 > now.0 + AHEAD {
            return Err(early());
        }
        let signature = unhex(self.query.needs("X-Goog-Signature")?);
        let signature = signature.ok_or_else(|| invalid("X-Goog-Signature is not in hexadecimal digits."))?;
        let names = self.query.needs("X-Goog-SignedHeaders")?;
        let hosts = self.hosts();
        let texts = hosts.iter().map(|host| {
            let canonical = self.canonical(names, host)?;
            Ok(format!("{algorithm}\n{date}\n{scope}\n{}", sha256(canonical.as_bytes())))
        });
        let texts: Vec<String> = texts.collect::<Result<_, Fault>>()?;
        Claim { signer, scope, signature: &signature }.verify(keys, &texts)
    }

    /// A client may have signed its host with the port or without: one of the vendor's own leaves it out.
    fn hosts(&self) -> Vec<String> {
        let host = self.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        vec![host.to_owned(), name.to_owned()]
    }

    fn canonical(&self, names: &str, host: &str) -> Result<String, Fault> {
        if !names.split(';').any(|name| name == "host") {
            return Err(invalid("host must be among X-Goog-SignedHeaders."));
        }
        let mut headers = String::new();
        for name in names.split(';') {
            let value = if name == "host" { host.to_owned() } else { self.header(name)? };
            headers.push_str(&format!("{name}:{value}\n"));
        }
        let is_signed = names.split(';').any(|name| name == "x-goog-content-sha256");
        let payload =
            if is_signed { self.header("x-goog-content-sha256")? } else { "UNSIGNED-PAYLOAD".into() };
        let query = self.query.canonical();
        Ok(format!("{}\n{}\n{query}\n{headers}\n{names}\n{payload}", self.method, self.path))
    }

    /// All values of a header, each without more blanks than needed.
    fn header(&self, name: &str) -> Result<String, Fault> {
        let values = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let values: Vec<String> =
            values.map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
        if values.is_empty() {
            let message = "Your request has a malformed header.";
            let fault = Fault::coded(StatusCode::BAD_REQUEST, "MalformedSecurityHeader", message);
            return Err(fault
                .because(format!("Header was included in signedheaders, but not in the request: {name}")));
        }
        Ok(values.join(","))
    }

    fn second(&self, now: Timestamp, keys: &Keys<'_>) -> Result<(), Fault> {
        let expires = self.query.needs("Expires")?;
        let seconds: i64 = expires.parse().map_err(|_| invalid("Expires is no number of seconds."))?;
        let ends = Timestamp(seconds.saturating_mul(1_000_000));
        if now >= ends {
            return Err(expired(ends));
        }
        let signature = STANDARD.decode(self.query.needs("Signature")?);
        let signature = signature.map_err(|_| invalid("Signature is not in base64."))?;
        let value =
            |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let text = |kind: &str| {
            let (method, md5, extensions) = (self.method, value("content-md5"), self.extensions());
            format!("{method}\n{md5}\n{kind}\n{expires}\n{extensions}{}", self.path)
        };
        let signer = self.query.needs("GoogleAccessId")?;
        // A client that has no type to send may still have a library that sends one.
        let texts = [text(value("content-type")), text("")];
        Claim { signer, scope: "", signature: &signature }.verify(keys, &texts)
    }

    /// The vendor's own headers, in order.
    fn extensions(&self) -> String {
        let mut names: Vec<&str> = self.headers.keys().map(header::HeaderName::as_str).collect();
        names.retain(|name| name.starts_with("x-goog-") && !name.starts_with("x-goog-encryption-key"));
        names.sort_unstable();
        names.iter().filter_map(|name| Some(format!("{name}:{}\n", self.header(name).ok()?))).collect()
    }
}
