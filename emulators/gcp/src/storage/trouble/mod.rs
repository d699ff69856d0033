//! Trouble that a test asks for: answers that fail, break off or stall, so that retries can be tried out.
//!
//! Either `x-goog-emulator-instructions` on a single request, or a list by operation: `POST /retry_test` with
//! `{"instructions": {"storage.objects.get": ["return-503"]}}` gives an id, and requests that carry it as
//! `x-retry-test-id` meet with the trouble of their operation, each once and in order.
//!
//! Source: the read-me file of googleapis/storage-testbench.

mod instruction;
mod names;
mod spoil;

pub(super) use instruction::Instruction;
pub(super) use spoil::{cut_upload, spoilt, torn};

use super::fault::{Fault, json};
use super::routes::Op;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use mlemu_engine::Ids;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) const PATH: &str = "/retry_test";
const LARGEST: usize = 1024 * 1024;
/// Most lists at once: the oldest make room.
const MOST: usize = 1000;

/// By operation.
type Plan = BTreeMap<String, VecDeque<String>>;

/// The lists that were asked for.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    plans: Mutex<BTreeMap<String, Asked>>,
}

#[derive(Clone, Debug)]
struct Asked {
    plan: Plan,
    /// `HTTP` or `GRPC`; the latter never comes to pass here.
    transport: String,
}

impl Asked {
    fn shown(&self, id: &str) -> Value {
        let completed = self.plan.values().all(VecDeque::is_empty);
        json!({ "id": id, "instructions": self.plan, "transport": self.transport, "completed": completed })
    }
}

impl Trouble {
    fn plans(&self) -> MutexGuard<'_, BTreeMap<String, Asked>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request shall meet with. One that concerns only uploads past a point waits for the request that gets there.
    pub fn of(
        &self,
        headers: &HeaderMap,
        op: &Op,
        reaches: impl Fn(&Instruction) -> bool,
    ) -> Option<Instruction> {
        let said = |name: &str| headers.get(name)?.to_str().ok();
        let header = said("x-goog-emulator-instructions").or_else(|| said("x-goog-testbench-instructions"));
        if let Some(instruction) = header.and_then(Instruction::of_header) {
            return reaches(&instruction).then_some(instruction);
        }
        let id = said("x-retry-test-id")?;
        let mut plans = self.plans();
        let asked = plans.get_mut(id).filter(|asked| asked.transport == "HTTP")?;
        let list = asked.plan.get_mut(names::name(op)?)?;
        let next = Instruction::read(list.front()?)?;
        if !reaches(&next) {
            return None;
        }
        list.pop_front();
        Some(next)
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
                let all: Vec<Value> = self.plans().iter().map(|(id, asked)| asked.shown(id)).collect();
                Ok(json(StatusCode::OK, &json!({ "retry_test": all })))
            }
            (&Method::GET, id) => {
                let plans = self.plans();
                let asked = plans.get(id).ok_or_else(Fault::no_retry_test)?;
                Ok(json(StatusCode::OK, &asked.shown(id)))
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
            #[serde(default)]
            transport: Option<String>,
        }
        let ask: Ask = serde_json::from_slice(body).map_err(|error| Fault::invalid(error.to_string()))?;
        let transport = ask.transport.unwrap_or_else(|| "HTTP".into());
        if !["HTTP", "GRPC"].contains(&transport.as_str()) {
            return Err(Fault::invalid(format!("`{transport}` is no transport: HTTP or GRPC")));
        }
        if let Some(unknown) = ask.instructions.keys().find(|name| !names::is_known(name)) {
            return Err(Fault::invalid(format!(
                "`{unknown}` is no operation; write it like storage.objects.get"
            )));
        }
        let all = ask.instructions.values().flatten();
        if let Some(unknown) = all.into_iter().find(|text| Instruction::read(text).is_none()) {
            return Err(Fault::invalid(format!("`{unknown}` is no instruction that mlemu knows")));
        }
        let id = ids.fresh("plan").hex();
        let asked = Asked { plan: ask.instructions, transport };
        let answer = json(StatusCode::OK, &asked.shown(&id));
        let mut plans = self.plans();
        if plans.len() >= MOST {
            plans.pop_first();
        }
        plans.insert(id, asked);
        Ok(answer)
    }
}
