//! Model endpoints: names that answer with predictions, whatever is behind each of their variants.
//!
//! A variant is a function, an answer that was written down, or a server elsewhere. Which variant has its turn is no
//! dice but a count ([`turns`]): of ten requests, weights of 0.9 and 0.1 give nine and one, in every run. Each cloud
//! has words of its own for all of this, and asks here.

mod said;
mod turns;

pub use said::{Backend, Endpoint, Variant};

use crate::face::Engine;
use crate::ids::Ids;
use bytes::Bytes;
use mlemu_core::{
    Answer, Boxed, Cause, ChunkSink, Clock, FunctionFailure, FunctionId, InvocationId, Invoke, Refusal,
    Reply, RequestHead, Scope,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use turns::Turns;

/// The kind of resource that a declared endpoint is; its properties are an [`Endpoint`] in JSON.
pub const KIND: &str = "endpoint";

/// What is asked of an endpoint.
#[derive(Clone)]
pub struct Asked {
    /// This variant, whoever's turn it is.
    pub variant: Option<String>,
    /// This one of the endpoint's models.
    pub model: Option<String>,
    pub payload: Bytes,
    pub content_type: Option<String>,
    /// The request, for functions that are called over HTTP.
    pub head: Option<Arc<RequestHead>>,
    pub cause: Cause,
    /// Where an answer goes that its function gives in pieces; without it such an answer is collected.
    pub stream: Option<Arc<dyn ChunkSink>>,
}

/// Whose turn it is to answer a request.
#[derive(Clone, Debug)]
pub struct Turn {
    pub variant: Variant,
    /// It fails this time, because the project wants it to fail so often.
    strikes: bool,
}

/// What an endpoint answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Which variant did.
    pub variant: String,
    pub answer: Answer,
}

/// Why there is no answer.
#[derive(Clone, Debug, Error)]
pub enum Unanswered {
    #[error("there is no endpoint `{0}`")]
    NoEndpoint(String),
    #[error("endpoint `{endpoint}` has no variant `{variant}`")]
    NoVariant { endpoint: String, variant: String },
    #[error("endpoint `{endpoint}` has no model `{model}`")]
    NoModel { endpoint: String, model: String },
    #[error("endpoint `{0}` has several models: the request must say which")]
    WhichModel(String),
    #[error("variant `{variant}`: {refusal}")]
    Refused { variant: String, refusal: Refusal },
    /// The function failed.
    #[error("variant `{variant}` failed")]
    Failed { variant: String, failure: FunctionFailure, invocation: String },
    /// The project wants it to fail so often.
    #[error("variant `{variant}` fails because its `errors` say so")]
    Struck { variant: String },
    #[error("variant `{variant}`: {why}")]
    Unreachable { variant: String, why: String },
    #[error("variant `{variant}` has not answered for {} s", .after.as_secs())]
    Late { variant: String, after: Duration },
}

/// A request to a server elsewhere.
#[derive(Clone, Debug)]
pub struct Posted {
    pub url: String,
    pub body: Bytes,
    pub content_type: Option<String>,
}

/// Why nothing came back from there, in words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// Sends it.
pub type Post = Arc<dyn Fn(Posted) -> Boxed<'static, Result<Answer, NoAnswer>> + Send + Sync>;

/// What endpoints are made of.
pub struct EndpointParts {
    pub engine: Engine,
    pub scope: Arc<Scope>,
    pub clock: Arc<dyn Clock>,
    pub new_id: fn(&Ids) -> InvocationId,
    pub post: Post,
    /// How long an answer may take.
    pub patience: Duration,
}

/// All endpoints of one cloud.
pub struct Endpoints {
    parts: EndpointParts,
    table: Mutex<HashMap<String, Arc<Standing>>>,
}

struct Standing {
    endpoint: Arc<Endpoint>,
    turns: Mutex<Turns>,
}

impl Endpoints {
    pub fn new(parts: EndpointParts) -> Self {
        Self { parts, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<Standing>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it exist, or be as it is declared now. Turns begin anew when its variants changed.
    pub fn declare(&self, endpoint: Endpoint) {
        let mut table = self.table();
        if table.get(&endpoint.name).is_some_and(|known| *known.endpoint == endpoint) {
            return;
        }
        let turns = Mutex::new(Turns::of(&endpoint.variants));
        let name = endpoint.name.clone();
        table.insert(name, Arc::new(Standing { endpoint: Arc::new(endpoint), turns }));
    }

    pub fn forget(&self, name: &str) {
        self.table().remove(name);
    }

    pub fn get(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.table().get(name).map(|standing| standing.endpoint.clone())
    }

    /// In order of their names.
    pub fn all(&self) -> Vec<Arc<Endpoint>> {
        let mut all: Vec<_> = self.table().values().map(|standing| standing.endpoint.clone()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Whose turn it is. Asking for it takes it.
    pub fn turn(&self, name: &str, asked: &Asked) -> Result<Turn, Unanswered> {
        let standing = self.table().get(name).cloned();
        let standing = standing.ok_or_else(|| Unanswered::NoEndpoint(name.to_owned()))?;
        let (chosen, strikes) = standing.choose(asked)?;
        Ok(Turn { variant: chosen.clone(), strikes })
    }

    /// One prediction.
    pub async fn ask(&self, name: &str, asked: Asked) -> Result<Answered, Unanswered> {
        let turn = self.turn(name, &asked)?;
        self.take(turn, asked).await
    }

    /// The prediction of the variant whose turn it is.
    pub async fn take(&self, turn: Turn, asked: Asked) -> Result<Answered, Unanswered> {
        let Turn { variant: chosen, strikes } = turn;
        if !chosen.latency().is_zero() {
            self.parts.clock.sleep(chosen.latency()).await;
        }
        let variant = chosen.name.clone();
        if strikes {
            return Err(Unanswered::Struck { variant });
        }
        let patience = self.parts.patience;
        tokio::select! {
            answered = self.answer(&chosen, asked) => answered.map(|answer| Answered { variant, answer }),
            () = self.parts.clock.sleep(patience) => Err(Unanswered::Late { variant: chosen.name.clone(), after: patience }),
        }
    }

    async fn answer(&self, chosen: &Variant, asked: Asked) -> Result<Answer, Unanswered> {
        match &chosen.backend {
            Backend::Function(name) => self.call(&chosen.name, name, asked).await,
            Backend::Reply { body, content_type } => Ok(Answer {
                body: Bytes::copy_from_slice(body.as_bytes()),
                content_type: Some(content_type.clone()),
                ..Answer::default()
            }),
            Backend::Http(url) => {
                let posted =
                    Posted { url: url.clone(), body: asked.payload, content_type: asked.content_type };
                let sent = (self.parts.post)(posted).await;
                sent.map_err(|NoAnswer(why)| Unanswered::Unreachable { variant: chosen.name.clone(), why })
            }
        }
    }

    async fn call(&self, variant: &str, function: &str, asked: Asked) -> Result<Answer, Unanswered> {
        let engine = &self.parts.engine;
        let id = (self.parts.new_id)(engine.ids());
        let invocation = id.0.to_string();
        let target = FunctionId::new(self.parts.scope.clone(), function);
        let call = Invoke {
            head: asked.head,
            stream: asked.stream,
            ..Invoke::of(id, target, asked.payload, asked.cause)
        };
        let variant = variant.to_owned();
        match engine.invoke(call).await {
            Ok(Reply::Done(outcome)) => {
                outcome.result.map_err(|failure| Unanswered::Failed { variant, failure, invocation })
            }
            Ok(Reply::Accepted | Reply::WouldRun) => Ok(Answer::default()),
            Err(refusal) => Err(Unanswered::Refused { variant, refusal }),
        }
    }
}

impl Standing {
    /// Who answers, and whether it is to fail this time.
    fn choose(&self, asked: &Asked) -> Result<(&Variant, bool), Unanswered> {
        let endpoint = &self.endpoint;
        let name = || endpoint.name.clone();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match &asked.variant {
            Some(wanted) => endpoint
                .variants
                .iter()
                .position(|variant| variant.name == *wanted)
                .ok_or_else(|| Unanswered::NoVariant { endpoint: name(), variant: wanted.clone() })?,
            None => turns.next(),
        };
        let variant = &endpoint.variants[at];
        let strikes = turns.strikes(at, variant.errors);
        match (&asked.model, endpoint.models.is_empty()) {
            (None, true) => Ok((variant, strikes)),
            (None, false) => Err(Unanswered::WhichModel(name())),
            (Some(model), _) => {
                let found = endpoint.models.iter().find(|one| one.name == *model);
                let found =
                    found.ok_or_else(|| Unanswered::NoModel { endpoint: name(), model: model.clone() });
                found.map(|found| (found, strikes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(text: &str) -> Standing {
        let endpoint: Endpoint = serde_json::from_str(text).unwrap();
        let turns = Mutex::new(Turns::of(&endpoint.variants));
        Standing { endpoint: Arc::new(endpoint), turns }
    }

    fn asked(variant: Option<&str>, model: Option<&str>) -> Asked {
        Asked {
            variant: variant.map(Into::into),
            model: model.map(Into::into),
            payload: Bytes::new(),
            content_type: None,
            head: None,
            cause: Cause::Mlemu,
            stream: None,
        }
    }

    const TWO: &str = r#"{"name": "e", "variants": [
        {"name": "blue", "weight": 3, "backend": {"function": "f"}},
        {"name": "green", "weight": 1, "errors": 0.5, "backend": {"reply": {"body": "1", "content_type": "text/plain"}}}]}"#;

    #[test]
    fn weights_are_kept_exactly_and_a_named_variant_is_taken() {
        let standing = standing(TWO);
        let names: Vec<_> =
            (0..8).map(|_| standing.choose(&asked(None, None)).unwrap().0.name.clone()).collect();
        assert_eq!(names.iter().filter(|name| *name == "green").count(), 2, "{names:?}");
        assert_eq!(standing.choose(&asked(Some("green"), None)).unwrap().0.name, "green");
        let unknown = standing.choose(&asked(Some("red"), None)).unwrap_err();
        assert!(matches!(unknown, Unanswered::NoVariant { variant, .. } if variant == "red"));
    }

    #[test]
    fn errors_come_as_often_as_they_are_asked_for() {
        let standing = standing(TWO);
        let struck = (0..10).filter(|_| standing.choose(&asked(Some("green"), None)).unwrap().1).count();
        assert_eq!(struck, 5);
        assert!((0..10).all(|_| !standing.choose(&asked(Some("blue"), None)).unwrap().1));
    }

    #[test]
    fn an_endpoint_of_many_models_wants_to_know_which() {
        let standing = standing(
            r#"{"name": "e", "variants": [{"name": "v", "backend": {"function": "f"}}],
                "models": [{"name": "m1.tar.gz", "backend": {"function": "g"}}]}"#,
        );
        assert!(matches!(standing.choose(&asked(None, None)), Err(Unanswered::WhichModel(_))));
        assert_eq!(standing.choose(&asked(None, Some("m1.tar.gz"))).unwrap().0.name, "m1.tar.gz");
        assert!(matches!(standing.choose(&asked(None, Some("m2"))), Err(Unanswered::NoModel { .. })));
    }
}
