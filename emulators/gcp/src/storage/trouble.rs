//! Trouble that a test asks for: answers that fail, break off or stall, so that retries can be tried out.
//!
//! Either `x-goog-emulator-instructions` on a single request, or a list by operation: `POST /retry_test` with
//! `{"instructions": {"storage.objects.get": ["return-503"]}}` gives an id, and requests that carry it as
//! `x-retry-test-id` meet with the trouble of their operation, each once and in order.
//!
//! Source: the read-me file of googleapis/storage-testbench.

use super::fault::{Fault, json};
use super::routes::Op;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use mlemu_engine::Ids;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) const PATH: &str = "/retry_test";
const LARGEST: usize = 1024 * 1024;
const HALF: u64 = 256 * 1024;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Nothing is done, and the answer is this status.
    Status(StatusCode),
    /// The connection breaks off without an answer to speak of.
    Reset,
    /// The answer breaks off after so many bytes.
    Broken(u64),
    /// The answer stops after so many bytes and never goes on.
    Stalled(u64),
    /// The first byte of the answer is another.
    Corrupted,
}

impl Instruction {
    /// `None`: there is no such instruction.
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "return-reset-connection" => Instruction::Reset,
            "return-broken-stream" => Instruction::Broken(HALF),
            "return-corrupted-data" => Instruction::Corrupted,
            "stall-always" => Instruction::Stalled(0),
            "stall-at-256KiB" => Instruction::Stalled(HALF),
            _ => {
                if let Some(rest) = text.strip_prefix("return-broken-stream-final-chunk-after-") {
                    return Some(Instruction::Broken(bytes(rest)?));
                }
                let code = text.strip_prefix("return-")?;
                let status = StatusCode::from_bytes(code.as_bytes()).ok()?;
                return (status.as_u16() >= 400).then_some(Instruction::Status(status));
            }
        })
    }
}

/// `100B`, `256K`
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match (text.strip_suffix('K'), text.strip_suffix('B')) {
        (Some(number), _) => (number, 1024),
        (_, Some(number)) => (number, 1),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

type Plan = BTreeMap<String, VecDeque<String>>;

/// The lists that were asked for.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    plans: Mutex<BTreeMap<String, Plan>>,
}

impl Trouble {
    fn plans(&self) -> MutexGuard<'_, BTreeMap<String, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request shall meet with.
    pub fn of(&self, headers: &HeaderMap, op: &Op) -> Option<Instruction> {
        let said = |name: &str| headers.get(name)?.to_str().ok();
        if let Some(instruction) = said("x-goog-emulator-instructions").and_then(Instruction::read) {
            return Some(instruction);
        }
        let id = said("x-retry-test-id")?;
        let mut plans = self.plans();
        let next = plans.get_mut(id)?.get_mut(name(op)?)?.pop_front()?;
        Instruction::read(&next)
    }

    /// The lists themselves: made, shown, removed.
    pub async fn administer(
        &self,
        method: &Method,
        path: &str,
        body: Body,
        ids: &Ids,
    ) -> Result<Response, Fault> {
        let id = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
        match (method, id) {
            (&Method::POST, "") => {
                let body = http_body_util::Limited::new(body, LARGEST).collect().await;
                let body = body.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
                self.plan(&body, ids)
            }
            (&Method::GET, "") => {
                let all: Vec<Value> = self.plans().iter().map(|(id, plan)| shown(id, plan)).collect();
                Ok(json(StatusCode::OK, &json!({ "retry_test": all })))
            }
            (&Method::GET, id) => {
                let plans = self.plans();
                let plan = plans.get(id).ok_or_else(Fault::no_retry_test)?;
                Ok(json(StatusCode::OK, &shown(id, plan)))
            }
            (&Method::DELETE, id) => {
                self.plans().remove(id).ok_or_else(Fault::no_retry_test)?;
                Ok(json(StatusCode::OK, &json!({ "id": id })))
            }
            _ => Err(Fault::not_implemented(&format!("{method} {path}"))),
        }
    }

    fn plan(&self, body: &Bytes, ids: &Ids) -> Result<Response, Fault> {
        #[derive(serde::Deserialize)]
        struct Ask {
            instructions: Plan,
        }
        let ask: Ask = serde_json::from_slice(body).map_err(|error| Fault::invalid(error.to_string()))?;
        let all = ask.instructions.values().flatten();
        if let Some(unknown) = all.into_iter().find(|text| Instruction::read(text).is_none()) {
            return Err(Fault::invalid(format!("`{unknown}` is no instruction that mlemu knows")));
        }
        let id = ids.fresh("plan").hex();
        let answer = json(StatusCode::OK, &shown(&id, &ask.instructions));
        self.plans().insert(id, ask.instructions);
        Ok(answer)
    }
}

fn shown(id: &str, plan: &Plan) -> Value {
    json!({ "id": id, "instructions": plan, "completed": plan.values().all(VecDeque::is_empty) })
}

/// What lists call an operation.
fn name(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::ListBuckets => "storage.buckets.list",
        Op::InsertBucket => "storage.buckets.insert",
        Op::GetBucket { .. } => "storage.buckets.get",
        Op::PatchBucket { replaces: false, .. } => "storage.buckets.patch",
        Op::PatchBucket { .. } => "storage.buckets.update",
        Op::DeleteBucket { .. } => "storage.buckets.delete",
        Op::ListObjects { .. } => "storage.objects.list",
        Op::Get { .. } => "storage.objects.get",
        Op::Patch { replaces: false, .. } => "storage.objects.patch",
        Op::Patch { .. } => "storage.objects.update",
        Op::Delete { .. } => "storage.objects.delete",
        Op::Upload { .. } | Op::Resume { .. } => "storage.objects.insert",
        Op::Compose { .. } => "storage.objects.compose",
        Op::Copy { rewrites: true, .. } => "storage.objects.rewrite",
        Op::Copy { .. } => "storage.objects.copy",
        Op::Policy => "storage.buckets.getIamPolicy",
        Op::ListNotifications { .. } => "storage.notifications.list",
        Op::InsertNotification { .. } => "storage.notifications.insert",
        Op::GetNotification { .. } => "storage.notifications.get",
        Op::DeleteNotification { .. } => "storage.notifications.delete",
        Op::Cancel | Op::Unsupported { .. } => return None,
    })
}

/// The answer as the trouble leaves it.
pub(super) fn spoilt(answer: Response, instruction: Instruction) -> Response {
    let (parts, body) = answer.into_parts();
    let body = match instruction {
        Instruction::Status(_) => body,
        Instruction::Reset => Body::from_stream(stream::iter([Err::<Bytes, _>(broken())])),
        Instruction::Broken(after) => cut(body, after, stream::iter([Err(broken())]).boxed()),
        Instruction::Stalled(after) => cut(body, after, stream::pending().boxed()),
        Instruction::Corrupted => {
            let chunks = body.into_data_stream().enumerate().map(|(at, chunk)| match chunk {
                Ok(bytes) if at == 0 && !bytes.is_empty() => {
                    let mut bytes = bytes.to_vec();
                    bytes[0] ^= 0xff;
                    Ok(Bytes::from(bytes))
                }
                chunk => chunk,
            });
            Body::from_stream(chunks)
        }
    };
    let mut answer = Response::from_parts(parts, body);
    if instruction == Instruction::Reset {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
    }
    answer
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// The first bytes of a body, and then something else.
fn cut(body: Body, after: u64, end: stream::BoxStream<'static, Result<Bytes, io::Error>>) -> Body {
    let chunks = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
    let mut left = usize::try_from(after).unwrap_or(usize::MAX);
    let first = chunks.scan((), move |(), chunk| {
        let Ok(mut bytes) = chunk else { return std::future::ready(None) };
        if left == 0 {
            return std::future::ready(None);
        }
        bytes.truncate(left);
        left -= bytes.len();
        std::future::ready(Some(Ok(bytes)))
    });
    Body::from_stream(first.chain(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions() {
        assert_eq!(
            Instruction::read("return-503"),
            Some(Instruction::Status(StatusCode::SERVICE_UNAVAILABLE))
        );
        assert_eq!(
            Instruction::read("return-broken-stream-final-chunk-after-2K"),
            Some(Instruction::Broken(2048))
        );
        assert_eq!(Instruction::read("stall-at-256KiB"), Some(Instruction::Stalled(HALF)));
        for wrong in ["", "return-", "return-200", "return-x", "stall"] {
            assert_eq!(Instruction::read(wrong), None, "{wrong}");
        }
    }
}
