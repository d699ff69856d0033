//! From what an operation found to the answer on the wire.

use super::catalog::{Entry, Facts, Which};
use super::fault::Fault;
use super::settings::Settings;
use super::target::{LATEST, Target};
use super::wire;
use crate::profile::MIB;
use crate::runtime_api;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::{Revision, Source, Timestamp};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One version of a function with all that a document about it needs.
#[derive(Clone, Debug)]
pub struct Described {
    pub name: String,
    pub arn: String,
    /// `$LATEST` or a number.
    pub label: String,
    pub facts: Facts,
    pub revision: Arc<Revision>,
}

impl Described {
    /// The version that `target` means; `latest` is the engine's newest. `None`: there is no such version.
    pub fn of(entry: &Entry, target: &Target, latest: Arc<Revision>, settings: &Settings) -> Option<Self> {
        let name = entry.id.name.to_string();
        let arn = settings.arn(&name, target.qualifier.as_deref());
        Some(match entry.which(target)? {
            Which::Latest => {
                Self { name, arn, label: LATEST.into(), facts: entry.latest.clone(), revision: latest }
            }
            Which::Number(number) => {
                let version = entry.versions.get(&number)?;
                Self {
                    name,
                    arn,
                    label: number.to_string(),
                    facts: version.facts.clone(),
                    revision: version.revision.clone(),
                }
            }
        })
    }

    /// `code_size` in bytes.
    pub fn configuration(self, code_size: u64) -> wire::FunctionConfiguration {
        let Self { name, arn, label, facts, revision } = self;
        let env = revision.env.clone();
        let cannot =
            runtime_api::can_run(&revision.runtime).err().map(|unsupported| match &unsupported.hint {
                Some(hint) => format!("{unsupported}; {hint}"),
                None => unsupported.to_string(),
            });
        wire::FunctionConfiguration {
            function_arn: arn,
            runtime: revision.runtime.clone(),
            role: facts.role,
            handler: revision.handler.clone(),
            code_size,
            description: facts.description,
            timeout: revision.limits.timeout.as_secs().max(1),
            memory_size: revision.limits.memory / MIB,
            last_modified: changed_at(facts.modified),
            code_sha256: code_sha256(&revision),
            version: label,
            environment: (!env.is_empty()).then_some(wire::Environment { variables: env }),
            revision_id: facts.revision_id,
            state: if cannot.is_some() { "Failed" } else { "Active" },
            state_reason_code: cannot.is_some().then_some("InvalidRuntime"),
            state_reason: cannot,
            last_update_status: "Successful",
            package_type: "Zip",
            architectures: facts.architectures,
            ephemeral_storage: wire::EphemeralStorage { size: (revision.limits.tmp / MIB) as i64 },
            kept: told(&name, facts.kept),
            function_name: name,
        }
    }
}

/// Kept members with the vendor's defaults beneath them.
fn told(name: &str, kept: wire::Kept) -> wire::Kept {
    let mut told = wire::Kept::new();
    told.insert("TracingConfig".into(), json!({ "Mode": "PassThrough" }));
    told.insert("SnapStart".into(), json!({ "ApplyOn": "None", "OptimizationStatus": "Off" }));
    told.insert(
        "LoggingConfig".into(),
        json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") }),
    );
    for (member, value) in kept {
        match (told.get_mut(&member), value) {
            (Some(serde_json::Value::Object(defaults)), serde_json::Value::Object(own)) => {
                defaults.extend(own);
            }
            (_, value) => {
                told.insert(member, value);
            }
        }
    }
    told
}

/// Of the package; a folder in place has none and gets one for each of its revisions.
pub fn code_sha256(revision: &Revision) -> String {
    match &revision.source {
        Source::Unpacked { sha256, .. } => sha256.clone(),
        Source::Folder(folder) => {
            BASE64.encode(Sha256::digest(format!("{}\n{}", folder.display(), revision.number)))
        }
    }
}

/// `2026-01-01T00:00:00.000+0000`, as functions tell times.
pub fn changed_at(at: Timestamp) -> String {
    civil(at, "+0000")
}

/// `2026-01-01T00:00:00.000Z`, as function URLs tell times.
pub fn created_at(at: Timestamp) -> String {
    civil(at, "Z")
}

fn civil(at: Timestamp, zone: &str) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    format!("{}{zone}", at.strftime("%Y-%m-%dT%H:%M:%S.%3f"))
}

pub fn json(status: u16, document: &impl Serialize) -> Result<Response, Fault> {
    let body = serde_json::to_vec(document)
        .map_err(|error| Fault::new(super::fault::Code::Service, error.to_string()))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The end of a log in base64, as `LogType=Tail` gives it: its last 4 KB.
pub fn log_tail(lines: &[String]) -> String {
    const TAIL: usize = 4096;
    // No more lines than can matter are looked at.
    let mut size = 0;
    let needed = lines.iter().rev().take_while(|line| {
        let before = size;
        size += line.len() + 1;
        before < TAIL
    });
    let first = lines.len() - needed.count();
    let mut text = String::new();
    for line in &lines[first..] {
        text.push_str(line);
        text.push('\n');
    }
    let bytes = text.as_bytes();
    BASE64.encode(&bytes[bytes.len().saturating_sub(TAIL)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = Timestamp(1_767_225_600_123_456);
        assert_eq!(changed_at(at), "2026-01-01T00:00:00.123+0000");
        assert_eq!(created_at(at), "2026-01-01T00:00:00.123Z");
    }

    #[test]
    fn a_tail_is_the_last_four_kilobytes() {
        let tail = |lines: &[String]| String::from_utf8(BASE64.decode(log_tail(lines)).unwrap()).unwrap();
        assert_eq!(tail(&["a".into(), "b\tc".into()]), "a\nb\tc\n");
        assert_eq!(tail(&[]), "");
        let long = tail(&["x".repeat(9000), "end".into()]);
        assert_eq!(long.len(), 4096);
        assert!(long.ends_with("x\nend\n"));
        let many: Vec<String> = (0..2000).map(|n| format!("line {n}")).collect();
        let last = tail(&many);
        assert_eq!(last.len(), 4096);
        assert!(last.ends_with("line 1999\n"));
    }

    #[test]
    fn what_is_kept_covers_the_defaults() {
        let mut kept = wire::Kept::new();
        kept.insert("LoggingConfig".into(), json!({ "LogFormat": "JSON" }));
        kept.insert("KMSKeyArn".into(), json!("arn:k"));
        let told = told("f", kept);
        assert_eq!(told["LoggingConfig"], json!({ "LogFormat": "JSON", "LogGroup": "/aws/lambda/f" }));
        assert_eq!(told["TracingConfig"], json!({ "Mode": "PassThrough" }));
        assert_eq!(told["KMSKeyArn"], "arn:k");
    }
}
