//! Names, ARNs and URLs of queues.

use super::fault::{Code, Fault};
use mlemu_core::Scope;
use mlemu_engine::queues::TopicId;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// How the names of FIFO queues end.
pub const FIFO: &str = ".fifo";
/// Longest name, the ending included.
const LONGEST: usize = 80;

/// Where a queue's URL leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub account: Option<&'a str>,
    pub name: &'a str,
}

/// Reads a queue URL of any host: what counts is how its path ends. A bare name is a queue of the default
/// account.
pub fn place(url: &str) -> Option<Place<'_>> {
    let path =
        url.split_once("://").map_or(url, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let mut parts = path.trim_matches('/').rsplit('/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    Some(Place { account: parts.next().filter(|account| is_account(account)), name })
}

/// Whether a path is that of a queue's URL.
pub fn is_queue_path(path: &str) -> bool {
    place(path).is_some_and(|place| place.account.is_some() && is_name(place.name))
}

pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(FIFO).unwrap_or(name);
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !stem.is_empty() && name.len() <= LONGEST && stem.bytes().all(letters)
}

pub fn check(name: &str, fifo: bool) -> Result<(), Fault> {
    if fifo && !(is_name(name) && name.ends_with(FIFO)) {
        let text = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    if !is_name(name) || (!fifo && name.ends_with(FIFO)) {
        let text = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    Ok(())
}

pub fn url(origin: &str, id: &TopicId) -> String {
    format!("{origin}/{}/{}", id.scope.account, id.name)
}

/// The ARN of a queue.
pub fn arn_of(id: &TopicId) -> String {
    format!("arn:aws:sqs:{}:{}:{}", id.scope.region, id.scope.account, id.name)
}

/// `scope` lends what an ARN does not say. `None`: that is no queue's ARN, or one of another region.
pub fn from_arn(arn: &str, scope: &Arc<Scope>) -> Option<TopicId> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, "sqs", region, account, name] = parts[..] else { return None };
    let here = *region == *scope.region && is_account(account) && is_name(name);
    here.then(|| TopicId::new(&Arc::new(Scope::new(&scope.cloud, account, region)), name))
}

/// A path as a client sent it, decoded.
pub fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_every_kind() {
        for url in [
            "http://127.0.0.1:4566/000000000000/q",
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
            "http://localhost:4566/queue/us-east-1/000000000000/q",
            "https://sqs.eu-west-1.amazonaws.com/000000000000/q/",
            "/000000000000/q",
        ] {
            assert_eq!(place(url), Some(Place { account: Some("000000000000"), name: "q" }), "{url}");
        }
        assert_eq!(place("q"), Some(Place { account: None, name: "q" }));
        for nothing in ["", "/", "http://localhost", "http://localhost/"] {
            assert_eq!(place(nothing), None, "{nothing}");
        }
        assert!(is_queue_path("/000000000000/q.fifo") && !is_queue_path("/bucket/key"));
    }

    #[test]
    fn names() {
        assert!(check("a-b_9", false).is_ok() && check("q.fifo", true).is_ok());
        for (name, fifo) in [("", false), ("a b", false), ("q.fifo", false), ("q", true), (".fifo", true)] {
            assert!(check(name, fifo).is_err(), "{name}");
        }
        assert!(check(&"x".repeat(80), false).is_ok() && check(&"x".repeat(81), false).is_err());
    }
}
