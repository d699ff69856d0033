//! `host.json`: what an app says of itself as a whole.
//!
//! Source: Azure Functions documentation, "host.json reference for Azure Functions 2.x and later".

use crate::queue::feed::Manner;
use crate::retry::Retry;
use http::{HeaderName, HeaderValue};
use mlemu_core::Environment;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;

/// Begins app settings that say what `host.json` could.
const OVERRIDE: &str = "AzureFunctionsJobHost__";
/// A function's time is at least this.
const SHORTEST: Duration = Duration::from_secs(1);
/// Messages that the host takes at a time where nothing is said.
const BATCH: u64 = 16;
/// Requests that an instance of the Consumption plan takes at a time where nothing is said.
const AT_ONCE: u32 = 100;
/// Blobs that a function works on at once where nothing is said: eight for each core, of which the plan has one.
const BLOBS: usize = 8;
/// How often a blob is tried where nothing is said.
const TRIES: u32 = 5;

/// As far as mlemu follows it. What it does not know is passed over, as the host does.
#[derive(Clone, Debug, PartialEq)]
pub struct HostFile {
    /// The functions that run; empty: all.
    pub functions: Vec<String>,
    /// What every answer of a function by HTTP says besides.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Most requests that wait or run, beyond which callers are told to come again; `None`: as many as come.
    pub most_outstanding: Option<usize>,
    /// Before every route; `None`: `api`.
    pub route_prefix: Option<String>,
    /// [`Duration::MAX`]: none at all.
    pub timeout: Option<Duration>,
    /// The process that takes the place of a language worker.
    pub custom: Option<CustomHandler>,
    pub queues: Manner,
    /// How often a blob is tried before it is put aside.
    pub blob_tries: u32,
    /// Most blobs that a function works on at once.
    pub blobs_at_once: usize,
    /// Most calls that a worker has at a time.
    pub at_once: u32,
    /// For functions that have no policy of their own.
    pub retry: Option<Retry>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomHandler {
    pub description: Description,
    /// The function gets the HTTP request as it came.
    pub enable_forwarding_http_request: bool,
    pub enable_proxying_http_request: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Description {
    pub default_executable_path: String,
    pub working_directory: String,
    pub arguments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("host.json is no JSON: {0}")]
    Json(String),
    #[error("host.json: version `{0}` is not supported; it must be \"2.0\"")]
    Version(String),
    #[error("host.json: `{0}` is no functionTimeout; write it like \"00:05:00\", at least \"00:00:01\"")]
    Timeout(String),
    #[error("host.json: customHandler: {0}")]
    CustomHandler(String),
    #[error("host.json: {0}")]
    Retry(String),
}

impl Default for HostFile {
    fn default() -> Self {
        Self {
            functions: Vec::new(),
            headers: Vec::new(),
            most_outstanding: None,
            route_prefix: None,
            timeout: None,
            custom: None,
            queues: Manner::default(),
            blob_tries: TRIES,
            blobs_at_once: BLOBS,
            at_once: AT_ONCE,
            retry: None,
        }
    }
}

impl HostFile {
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        Self::read_with(text, &Environment::new())
    }

    /// With what app settings say in place of the file, as `AzureFunctionsJobHost__extensions__queues__batchSize`.
    pub fn read_with(text: &str, settings: &Environment) -> Result<Self, Unreadable> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut said: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(text).map_err(|error| Unreadable::Json(error.to_string()))?
        };
        for (name, value) in settings {
            let begins = name.get(..OVERRIDE.len()).is_some_and(|start| start.eq_ignore_ascii_case(OVERRIDE));
            if begins {
                put(&mut said, &name[OVERRIDE.len()..], value);
            }
        }
        match &said["version"] {
            Value::Null => {}
            Value::String(version) if version == "2.0" => {}
            other => return Err(Unreadable::Version(other.to_string())),
        }
        let timeout = match said["functionTimeout"].as_str() {
            None => None,
            Some("-1") => Some(Duration::MAX),
            Some(text) => {
                let read = span(text).filter(|span| *span >= SHORTEST);
                Some(read.ok_or_else(|| Unreadable::Timeout(text.to_owned()))?)
            }
        };
        let custom = match &said["customHandler"] {
            Value::Null => None,
            custom => {
                let read = CustomHandler::deserialize(custom);
                Some(read.map_err(|error| Unreadable::CustomHandler(error.to_string()))?)
            }
        };
        let http = &said["extensions"]["http"];
        let prefix = http["routePrefix"].as_str();
        let route_prefix = prefix.map(|prefix| prefix.trim_matches('/').to_owned());
        let most = http["maxConcurrentRequests"].as_u64();
        let most = most.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
        let blobs = said["extensions"]["blobs"]["maxDegreeOfParallelism"].as_u64();
        let blobs = blobs.and_then(|blobs| usize::try_from(blobs).ok()).filter(|blobs| *blobs > 0);
        let tries = said["extensions"]["blobs"]["poisonBlobThreshold"].as_u64();
        let tries = tries.and_then(|tries| u32::try_from(tries).ok()).filter(|tries| *tries > 0);
        let outstanding = http["maxOutstandingRequests"].as_u64();
        let functions = said["functions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            functions: functions.map(str::to_owned).collect(),
            headers: headers(&http["customHeaders"]),
            // -1: as many as come.
            most_outstanding: outstanding.and_then(|most| usize::try_from(most).ok()),
            route_prefix,
            timeout,
            custom,
            queues: manner(&said["extensions"]["queues"]),
            blob_tries: tries.unwrap_or(TRIES),
            blobs_at_once: blobs.unwrap_or(BLOBS),
            at_once: most.unwrap_or(AT_ONCE),
            retry: Retry::read(&said["retry"]).map_err(Unreadable::Retry)?,
        })
    }

    pub fn runs(&self, function: &str) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|known| known.eq_ignore_ascii_case(function))
    }

    pub fn prefix(&self) -> &str {
        self.route_prefix.as_deref().unwrap_or("api")
    }
}

/// Those that are headers.
fn headers(said: &Value) -> Vec<(HeaderName, HeaderValue)> {
    let pairs = said.as_object().into_iter().flatten();
    let read = pairs.map(|(name, value)| Some((name.parse().ok()?, value.as_str()?.parse().ok()?)));
    read.flatten().collect()
}

/// Puts a value where a path of names leads, in any case; what is a number or a truth is one.
fn put(said: &mut Value, path: &str, value: &str) {
    let mut at = said;
    for name in path.split("__") {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        let Some(fields) = at.as_object_mut() else { return };
        let known = fields.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
        at = fields.entry(known.unwrap_or_else(|| name.to_owned())).or_insert(Value::Null);
    }
    let read = serde_json::from_str(value).ok().filter(|read: &Value| read.is_number() || read.is_boolean());
    *at = read.unwrap_or_else(|| Value::String(value.to_owned()));
}

fn manner(said: &Value) -> Manner {
    let usual = Manner::default();
    let most =
        said["maxDequeueCount"].as_u64().and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
    let batch = said["batchSize"].as_u64().filter(|batch| (1..=32).contains(batch)).unwrap_or(BATCH);
    let more = said["newBatchThreshold"].as_u64().unwrap_or(batch / 2);
    Manner {
        at_once: usize::try_from(batch + more).unwrap_or(usize::MAX),
        base64: !said["messageEncoding"]
            .as_str()
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("none")),
        most_dequeues: most.unwrap_or(usual.most_dequeues),
        visibility: said["visibilityTimeout"].as_str().and_then(span).unwrap_or(usual.visibility),
    }
}

/// `hh:mm:ss`, with days before a point and a fraction behind one, as .NET writes spans of time.
pub fn span(text: &str) -> Option<Duration> {
    let (days, rest) = match text.split_once('.') {
        Some((days, rest)) if rest.contains(':') => (days.parse::<u64>().ok()?, rest),
        _ => (0, text),
    };
    let mut parts = rest.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds: f64 = seconds.parse().ok()?;
    if hours > 23 || minutes > 59 || !(0.0..60.0).contains(&seconds) || days > 100_000 {
        return None;
    }
    Some(Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60) + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_and_what_is_not() {
        let read = |text: &str| HostFile::read(text);
        let host = read(
            r#"{"version":"2.0","functionTimeout":"00:05:00","extensions":{"http":{"routePrefix":"/v1/"}},"own":1}"#,
        )
        .unwrap();
        assert_eq!((host.prefix(), host.timeout), ("v1", Some(Duration::from_secs(300))));
        assert_eq!(read("{}").unwrap().prefix(), "api");
        let none = read(r#"{"extensions":{"http":{"routePrefix":""}}}"#).unwrap();
        assert_eq!(none.prefix(), "");
        let said = read(
            r#"{"functions":["One"],"extensions":{"http":{"customHeaders":{"X-Own":"yes","bad name":"x"},"maxOutstandingRequests":7}}}"#,
        );
        let said = said.unwrap();
        assert!(said.runs("one") && !said.runs("two") && none.runs("two"));
        assert_eq!(
            (said.headers.len(), said.headers[0].0.as_str(), said.most_outstanding),
            (1, "x-own", Some(7))
        );
        let no_time = r#"{"functionTimeout":"00:00:00"}"#;
        for bad in
            ["{", r#"{"version":"1.0"}"#, r#"{"functionTimeout":"5m"}"#, r#"{"customHandler":3}"#, no_time]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn app_settings_say_what_the_file_could() {
        let settings = Environment::from([
            ("AzureFunctionsJobHost__extensions__Queues__batchSize".to_owned(), "1".to_owned()),
            ("AzureFunctionsJobHost__extensions__queues__newBatchThreshold".to_owned(), "0".to_owned()),
            ("azurefunctionsjobhost__functionTimeout".to_owned(), "00:01:00".to_owned()),
            ("Other".to_owned(), "x".to_owned()),
        ]);
        let host = HostFile::read_with(r#"{"extensions":{"queues":{"batchSize":8}}}"#, &settings).unwrap();
        assert_eq!((host.queues.at_once, host.timeout), (1, Some(Duration::from_secs(60))));
        assert_eq!(HostFile::read("{}").unwrap().queues.at_once, 24);
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(span("1.00:00:01.5"), Some(Duration::from_millis(86_401_500)));
        for bad in ["", "5", "00:61:00", "24:00:00", "00:00:-1", "00:00:00:00", "x:y:z"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
