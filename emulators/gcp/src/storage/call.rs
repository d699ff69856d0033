//! One request: its parameters, its headers and who asked.

use super::fault::Fault;
use super::trouble::Instruction;
use axum::extract::Query;
use http::request::Parts;
use http::{HeaderMap, header};
use mlemu_core::Cause;
use mlemu_engine::ids::Id;
use mlemu_engine::objects::Origin;
use std::sync::Arc;

pub(super) struct Call {
    query: Vec<(String, String)>,
    pub headers: HeaderMap,
    id: String,
    /// Before the paths of this scope.
    prefix: Arc<str>,
    /// What a test asked for: an upload ends early.
    pub cut: Option<Instruction>,
}

impl Call {
    pub fn read(parts: &Parts, prefix: &str, id: Id) -> Result<Self, Fault> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Fault::invalid("The query cannot be read."))?;
        let id = id.hex();
        Ok(Self { query: query.0, headers: parts.headers.clone(), id, prefix: prefix.into(), cut: None })
    }

    pub fn cut(self, cut: Option<Instruction>) -> Self {
        Self { cut, ..self }
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter says yes, in whatever case a client's language has it.
    pub fn wants(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|said| said.eq_ignore_ascii_case("true"))
    }

    /// Every value of a parameter.
    pub fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number. Fails when it is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(text) = self.parameter(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Fault::invalid(format!("Invalid value for {name}: {text}")))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where the client found us: what is built for it must be found there, too.
    pub fn base(&self) -> String {
        let host = self.header(header::HOST.as_str()).unwrap_or("127.0.0.1");
        format!("http://{host}{}", self.prefix)
    }

    pub fn origin(&self) -> Origin {
        Origin {
            cause: Cause::Request(self.id.as_str().into()),
            source_ip: "127.0.0.1".into(),
            request_id: self.id.clone(),
        }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn id(&self) -> &str {
        &self.id
    }
}
