//! From host and path to bucket and key, in path style and in virtual-host style.
//!
//! Follows "Virtual hosting of buckets" of the Amazon S3 user guide, plus the `localhost` forms that local
//! tools use.

use super::fault::{Code, Fault};
use percent_encoding::percent_decode_str;

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub bucket: Option<String>,
    pub key: Option<String>,
}

const BASES: [&str; 4] = ["localhost.localstack.cloud", "localhost", "amazonaws.com", "amazonaws.com.cn"];
/// Hosts under `localhost` that belong to other services.
const OTHERS: [&str; 10] =
    ["lambda", "lambda-url", "execute-api", "sqs", "sns", "sts", "iam", "events", "logs", "runtime"];
const LONGEST_KEY: usize = 1024;

/// Whether a request to this host, with or without a port, is one to S3 whatever its path says.
pub fn is_s3_host(host: &str) -> bool {
    host_kind(host) != HostKind::Other
}

#[derive(Debug, PartialEq, Eq)]
enum HostKind {
    /// Not known to be S3's: the path decides.
    Other,
    Service,
    Bucket(String),
}

fn host_kind(host: &str) -> HostKind {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let name = name.to_ascii_lowercase();
    let Some((rest, base)) =
        BASES.iter().find_map(|base| Some((name.strip_suffix(base)?.strip_suffix('.')?, *base)))
    else {
        return HostKind::Other;
    };
    let labels: Vec<&str> = rest.split('.').collect();
    let service = labels.iter().rposition(|label| *label == "s3" || label.starts_with("s3-"));
    match service {
        Some(0) if labels.len() <= 3 => HostKind::Service,
        Some(at) if labels.len() - at <= 3 && at > 0 => HostKind::Bucket(labels[..at].join(".")),
        _ if base == "localhost" && !labels.iter().any(|label| OTHERS.contains(label)) => {
            HostKind::Bucket(rest.to_owned())
        }
        _ => HostKind::Other,
    }
}

/// `path` as it was sent, percent-encoded.
pub(super) fn address(host: &str, path: &str) -> Result<Address, Fault> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match host_kind(host) {
        HostKind::Bucket(bucket) => (bucket, path),
        HostKind::Service | HostKind::Other => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decoded(bucket)?, key)
        }
    };
    let key = decoded(key)?;
    if key.len() > LONGEST_KEY {
        return Err(key_too_long(&key));
    }
    Ok(Address { bucket: non_empty(bucket), key: non_empty(key) })
}

pub(super) fn key_too_long(key: &str) -> Fault {
    Fault::new(Code::KeyTooLongError)
        .with("Size", key.len().to_string())
        .with("MaxSizeAllowed", LONGEST_KEY.to_string())
}

pub(super) fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > LONGEST_KEY { Err(key_too_long(key)) } else { Ok(()) }
}

fn decoded(text: &str) -> Result<String, Fault> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Code::InvalidURI)?;
    Ok(text.into_owned())
}

fn non_empty(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

/// The rules for names of general purpose buckets.
pub(super) fn is_bucket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-' || *byte == b'.')
        && bytes.first().is_some_and(|byte| plain(*byte))
        && bytes.last().is_some_and(|byte| plain(*byte))
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str, path: &str) -> (String, String) {
        let address = address(host, path).unwrap();
        (address.bucket.unwrap_or_default(), address.key.unwrap_or_default())
    }

    #[test]
    fn both_styles_find_bucket_and_key() {
        let table = [
            ("127.0.0.1:4566", "/b/k/l", "b", "k/l"),
            ("localhost:4566", "/b", "b", ""),
            ("localhost", "/b/", "b", ""),
            ("localhost", "/", "", ""),
            ("s3.localhost:4566", "/b//k", "b", "/k"),
            ("s3.eu-west-1.amazonaws.com", "/b/k", "b", "k"),
            ("my-pics.localhost:4566", "/k", "my-pics", "k"),
            ("my.pics.s3.localhost:1", "/", "my.pics", ""),
            ("b.s3.us-east-1.localhost:4566", "/a/b", "b", "a/b"),
            ("b.s3.us-east-1.localhost.localstack.cloud:4566", "/a", "b", "a"),
            ("b.s3.dualstack.us-east-1.amazonaws.com", "/a", "b", "a"),
            ("b.s3-eu-west-1.amazonaws.com", "/a%20b+c", "b", "a b+c"),
            ("s3.s3.localhost", "/a", "s3", "a"),
            ("[::1]:4566", "/b/k", "b", "k"),
        ];
        for (host, path, bucket, key) in table {
            assert_eq!(parts(host, path), (bucket.into(), key.into()), "{host}{path}");
        }
    }

    #[test]
    fn keys_are_opaque() {
        for key in ["../../x", "a/../../b", "%2e%2e", "%00", ".", "CON", "e%CC%81", "%C3%A9", "x/"] {
            let expected = percent_decode_str(key).decode_utf8().unwrap();
            assert_eq!(parts("h", &format!("/b/{key}")).1, expected);
        }
        let long = format!("/b/{}", "k".repeat(1025));
        assert_eq!(address("h", &long).unwrap_err().code, Code::KeyTooLongError);
        assert_eq!(address("h", "/b/%ff").unwrap_err().code, Code::InvalidURI);
    }

    #[test]
    fn hosts_of_other_services_are_left_alone() {
        let ours = ["s3.localhost", "b.localhost:99", "b.s3.localhost", "s3.us-east-1.amazonaws.com"];
        let others =
            ["localhost", "127.0.0.1:4566", "[::1]", "x.lambda-url.us-east-1.localhost", "sqs.localhost"];
        assert!(ours.iter().all(|host| is_s3_host(host)));
        assert!(!others.iter().any(|host| is_s3_host(host)));
    }

    #[test]
    fn names_of_buckets() {
        let good = ["abc", "a.b-c", "1-2"];
        let bad = ["ab", "Abc", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--a", "b--x-s3", "hot reload"];
        assert!(good.iter().all(|name| is_bucket_name(name)));
        assert!(!bad.iter().any(|name| is_bucket_name(name)));
    }
}
