//! Objects made of others: copies and compositions. Neither copies bytes.

use super::objects::{Found, show};
use super::upload::Target;
use crate::storage::acl::Of;
use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json};
use crate::storage::routes::Name;
use crate::storage::settings::number;
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Body as Stored, Checksum, ChecksumKind, Content, NewObject, Object};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most sources of one composition.
const MOST_SOURCES: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composition {
    #[serde(default)]
    source_objects: Vec<Source>,
    #[serde(default)]
    destination: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    #[serde(default)]
    generation: Option<Value>,
    #[serde(default)]
    object_preconditions: Preconditions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preconditions {
    if_generation_match: Option<Value>,
}

impl Storage {
    pub(in crate::storage) async fn copy(
        &self,
        call: &Call,
        from: &Name,
        to: &Name,
        rewrites: bool,
        body: Body,
    ) -> Result<Response, Fault> {
        // A copy is done at once: nobody was given a token.
        if call.parameter("rewriteToken").is_some() {
            return Err(Fault::invalid("The rewrite token is not valid."));
        }
        let document = body::said(body).await?;
        let source = Conditions::of_source(call)?;
        let object = self.find(from, &source)?;
        source.check(Some(&object))?;
        let mut attributes = wire::said(&object.attributes);
        if !document.is_empty() {
            attributes.metadata.clear();
            wire::describe(&mut attributes, &document)?;
        }
        let list = self.list_for(call, &to.bucket, &Value::Object(document))?;
        attributes.documents.extend(list.map(|list| (Of::Object.document().into(), list)));
        let conditions = Conditions::of_target(call)?;
        let new = NewObject {
            key: to.object.as_str().into(),
            content: object.content.clone(),
            attributes,
            how: Created::Copy,
            origin: call.origin(),
        };
        let copied = self.commit(&to.bucket, new, &conditions)?;
        let shown = show(call, &to.bucket, &self.said(&to.bucket)?, &copied, None);
        let size = copied.content.size().to_string();
        let document = if rewrites {
            json!({ "kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": true, "resource": shown })
        } else {
            shown
        };
        Ok(json(StatusCode::OK, &document))
    }

    /// An object under another name of its bucket.
    pub(in crate::storage) fn rename(&self, call: &Call, from: &Name, to: &Name) -> Result<Response, Fault> {
        let source = Conditions::of_source(call)?;
        let object = self.find(from, &source)?;
        source.check(Some(&object))?;
        let new = NewObject {
            key: to.object.as_str().into(),
            content: object.content.clone(),
            attributes: wire::said(&object.attributes),
            how: Created::Copy,
            origin: call.origin(),
        };
        let moved = self.commit(&to.bucket, new, &Conditions::of_target(call)?)?;
        self.remove(call, from, &Conditions::default().of_generation(Some(wire::generation(&object))))?;
        self.answer_with(call, &to.bucket, &Found { object: moved, hidden: None })
    }

    pub(in crate::storage) async fn compose(
        &self,
        call: &Call,
        name: &Name,
        body: Body,
    ) -> Result<Response, Fault> {
        let said = Value::Object(body::said(body).await?);
        let wanted: Composition = serde_json::from_value(said).map_err(|_| Fault::invalid("Parse Error"))?;
        if wanted.source_objects.is_empty() || wanted.source_objects.len() > MOST_SOURCES {
            let message = format!("The number of source components provided must be 1 to {MOST_SOURCES}.");
            return Err(Fault::invalid(message));
        }
        let sources: Vec<Arc<Object>> = wanted
            .source_objects
            .iter()
            .map(|source| self.component(&name.bucket, source))
            .collect::<Result<_, _>>()?;
        let mut metadata = self.describe_new(call, &name.bucket, wanted.destination)?;
        let first = sources.first().and_then(|object| object.attributes.headers.get("contentType"));
        metadata.default_type(first.map(String::as_str));
        let count: u64 = sources.iter().map(|object| components(object)).sum();
        metadata.attributes.headers.insert(wire::COMPONENTS, count.to_string());
        let contents: Vec<&Content> = sources.iter().map(|object| &object.content).collect();
        let content = laid_end_to_end(&contents).ok_or_else(|| Fault::invalid("Nothing to compose."))?;
        let conditions = Conditions::of_target(call)?;
        let target = Target {
            bucket: &name.bucket,
            object: &name.object,
            conditions: &conditions,
            how: Created::Multipart,
        };
        self.store(call, target, metadata, content)
    }

    fn component(&self, bucket: &str, source: &Source) -> Result<Arc<Object>, Fault> {
        let name = Name { bucket: bucket.to_owned(), object: source.name.clone() };
        let generation = source.generation.as_ref().and_then(number);
        let object = self.find(&name, &Conditions::default().of_generation(generation))?;
        let wanted = &source.object_preconditions.if_generation_match;
        if wanted.as_ref().is_some_and(|wanted| !means(wanted, &object)) {
            return Err(Fault::condition());
        }
        Ok(object)
    }
}

/// Clients write a generation as a number or as text.
fn means(named: &Value, object: &Object) -> bool {
    let generation = wire::generation(object);
    named.is_null() || *named == generation || *named == generation.to_string().as_str()
}

fn components(object: &Object) -> u64 {
    object.attributes.headers.get(wire::COMPONENTS).and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Contents laid end to end. Such an object has no MD5, and its CRC follows from theirs. `None`: there are none.
pub(in crate::storage) fn laid_end_to_end(sources: &[&Content]) -> Option<Content> {
    let kind = ChecksumKind::Crc32c;
    let (first, rest) = sources.split_first()?;
    let mut content = Content::clone(first);
    let mut sum = content.checksum(kind).map(|sum| sum.value.clone());
    for source in rest {
        let next = source.checksum(kind).map(|sum| sum.value.clone());
        sum = sum.zip(next).and_then(|(sum, next)| kind.join(&sum, &next, source.size()));
    }
    content.body = Stored::join(sources.iter().map(|source| &source.body));
    content.md5 = None;
    content.checksums = sum.into_iter().map(|value| Checksum { kind, value, of_parts: false }).collect();
    Some(content)
}
