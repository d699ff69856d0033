//! What functions get and give beside their trigger's own data: blobs and messages, by paths with expressions in them.
//!
//! [`connection`] says in which account, [`expression`] fills a path with what is known of an invocation, [`pattern`]
//! takes one apart, [`trigger`] feeds functions from a container.
//!
//! Source: Azure Functions documentation, "Azure Functions binding expression patterns".

mod connection;
pub(crate) mod expression;
pub(crate) mod pattern;
pub(crate) mod trigger;

use crate::blob::BlobStorage;
use crate::blob::facts::Facts;
use crate::queue::feed::{self, Manner};
use crate::worker::index::{Binding, Indexed};
use crate::worker::messages::{InvocationResponse, ParameterBinding};
use crate::worker::values::{Data, TypedData};
use bytes::Bytes;
use expression::Known;
use mlemu_core::{Cause, Environment};
use mlemu_engine::objects::{BucketId, Fault as Core, Object, Origin};
use mlemu_engine::queues::{Queues, TopicId};
use serde_json::json;
use std::collections::BTreeMap;

/// Largest message of the worker protocol, in bytes.
const LARGEST: u64 = i32::MAX as u64;

/// Everything that bindings of one app reach.
#[derive(Clone)]
pub(crate) struct Bindings {
    pub queues: Queues,
    pub blobs: BlobStorage,
    /// App settings.
    pub settings: Environment,
    pub manner: Manner,
}

/// A blob as a path names it.
struct Place {
    account: String,
    bucket: BucketId,
    container: String,
    name: String,
}

impl Bindings {
    /// Whether the function's own file or an app setting turns it off.
    pub fn is_disabled(&self, function: &Indexed) -> bool {
        let name = format!("AzureWebJobs.{}.Disabled", function.name);
        let also = name.replace('.', "__");
        let said = self
            .settings
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name) || known.eq_ignore_ascii_case(&also));
        let by_setting =
            said.is_some_and(|(_, value)| matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "1"));
        function.disabled || by_setting
    }

    /// The account that a binding means. `Err` says why there is none.
    fn account(&self, binding: &Binding) -> Result<String, String> {
        let named = connection::account(binding, &self.settings)?;
        Ok(named.unwrap_or_else(|| self.blobs.accounts.own().to_owned()))
    }

    /// The queue of that name in a binding's account.
    pub fn topic(&self, binding: &Binding, queue: &str) -> Result<TopicId, String> {
        Ok(TopicId::new(&self.blobs.accounts.scope(&self.account(binding)?), queue))
    }

    /// The container of that name in a binding's account.
    pub fn bucket(&self, binding: &Binding, container: &str) -> Result<BucketId, String> {
        Ok(self.blobs.bucket(&self.account(binding)?, container))
    }

    /// Whether a binding of this kind is here.
    pub fn knows(binding: &Binding) -> bool {
        binding.is("http") || binding.is("blob") || (binding.is("queue") && binding.is_out)
    }

    /// What the function gets beside its trigger's data. `Err` says which input cannot be had.
    pub async fn inputs(&self, function: &Indexed, known: &Known) -> Result<Vec<ParameterBinding>, String> {
        let mut inputs = Vec::new();
        for binding in function.others.iter().filter(|binding| !binding.is_out) {
            let data =
                if binding.is("blob") { self.blob(binding, known).await } else { Ok(TypedData::default()) };
            let data = data.map_err(|why| format!("{}: {why}", binding.name))?;
            inputs.push(ParameterBinding { name: binding.name.clone(), data: Some(data) });
        }
        Ok(inputs)
    }

    /// Hands on what a function gave to its output bindings. `Err` says which could not be.
    pub async fn give(
        &self,
        function: &Indexed,
        response: &InvocationResponse,
        known: &Known,
        cause: &Cause,
    ) -> Result<(), String> {
        let outputs = function.others.iter().filter(|binding| binding.is_out && !binding.is("http"));
        for binding in outputs {
            let named = response.output_data.iter().find(|output| output.name == binding.name);
            let returned = if binding.name == "$return" { response.return_value.as_ref() } else { None };
            let Some(data) = named.and_then(|output| output.data.as_ref()).or(returned) else { continue };
            if data.data.is_none() {
                continue;
            }
            let given = match binding.kind.to_ascii_lowercase().as_str() {
                "queue" => self.send(binding, data, known, cause),
                "blob" => self.write(binding, data, known, cause).await,
                // It was said at the start that these go nowhere.
                _ => Ok(()),
            };
            given.map_err(|why| format!("{}: {why}", binding.name))?;
        }
        Ok(())
    }

    /// The bytes of a trigger's blob, and what is said of it; `None`: there is none of that path.
    pub async fn triggered(
        &self,
        trigger: &Binding,
        path: &str,
    ) -> Result<Option<(Bytes, BTreeMap<String, TypedData>)>, String> {
        let Some((container, name)) = path.split_once('/') else { return Ok(None) };
        let bucket = self.bucket(trigger, container)?;
        let Ok(object) = self.blobs.objects.get(&bucket, name) else { return Ok(None) };
        let mut metadata = self.told_of(trigger, path);
        let facts = Facts::of(&object.attributes);
        let said = |name: &str| object.attributes.headers.get(name).cloned();
        let properties = json!({
            "CacheControl": said("cache-control"),
            "ContentDisposition": said("content-disposition"),
            "ContentEncoding": said("content-encoding"),
            "ContentLanguage": said("content-language"),
            "ContentType": said("content-type"),
            "ContentHash": said("content-md5"),
            "ContentLength": object.content.size(),
            "Length": object.content.size(),
            "ETag": format!("\"{}\"", facts.etag),
            "LastModified": jiff::Timestamp::from_microsecond(facts.modified.0).unwrap_or_default().to_string(),
            "CreatedOn": jiff::Timestamp::from_microsecond(facts.created.0).unwrap_or_default().to_string(),
            "BlobType": facts.kind as u8,
        });
        metadata.insert("Properties".to_owned(), TypedData::json(&properties));
        metadata.insert("Metadata".to_owned(), TypedData::json(&json!(object.attributes.metadata)));
        Ok(Some((bytes(&object).await?, metadata)))
    }

    /// A blob's path and address, and what the trigger's path captures of it.
    pub fn told_of(&self, trigger: &Binding, path: &str) -> BTreeMap<String, TypedData> {
        let own_path = trigger.text("path").unwrap_or_default();
        let settled = expression::settled(own_path, &self.settings).unwrap_or_default();
        let name = path.split_once('/').map_or("", |(_, name)| name);
        let captured = pattern::Pattern::read(&settled).ok().and_then(|pattern| pattern.captures(name));
        let captured = captured.unwrap_or_default().into_iter();
        let mut metadata: BTreeMap<String, TypedData> =
            captured.map(|(name, value)| (name, TypedData::string(value))).collect();
        metadata.insert("BlobTrigger".to_owned(), TypedData::string(path));
        metadata.insert("Uri".to_owned(), TypedData::string(format!("{}/{path}", self.address(trigger))));
        metadata
    }

    /// Where blobs of a binding's account are.
    fn address(&self, binding: &Binding) -> String {
        let (base, own) = (self.blobs.base(), self.blobs.accounts.own());
        match (self.account(binding), base.strip_suffix(own)) {
            (Ok(account), Some(root)) => format!("{root}{account}"),
            _ => base,
        }
    }

    fn send(&self, binding: &Binding, data: &TypedData, known: &Known, cause: &Cause) -> Result<(), String> {
        let queue = expression::filled(binding.text("queueName").unwrap_or_default(), &self.settings, known)?;
        let topic = self.topic(binding, &queue)?;
        let sent = feed::send(&self.queues, &topic, data, self.manner, cause);
        sent.map_err(|fault| fault.to_string())
    }

    fn place(&self, binding: &Binding, known: &Known) -> Result<Place, String> {
        let path = expression::filled(binding.text("path").unwrap_or_default(), &self.settings, known)?;
        let (container, name) = path
            .split_once('/')
            .ok_or_else(|| format!("`{path}` is no path of a blob: write container/name"))?;
        let account = self.account(binding)?;
        let bucket = self.blobs.bucket(&account, container);
        Ok(Place { account, bucket, container: container.into(), name: name.into() })
    }

    /// A blob as an input; one that is not there is nothing.
    async fn blob(&self, binding: &Binding, known: &Known) -> Result<TypedData, String> {
        let place = self.place(binding, known)?;
        match self.blobs.objects.get(&place.bucket, &place.name) {
            Ok(object) => Ok(TypedData::of(Data::Bytes(bytes(&object).await?))),
            Err(Core::NoObject { .. } | Core::NoBucket { .. }) => Ok(TypedData::default()),
            Err(fault) => Err(fault.to_string()),
        }
    }

    async fn write(
        &self,
        binding: &Binding,
        data: &TypedData,
        known: &Known,
        cause: &Cause,
    ) -> Result<(), String> {
        let place = self.place(binding, known)?;
        let bucket =
            self.blobs.ensure(&place.account, &place.container).map_err(|fault| fault.to_string())?;
        let (body, kind) = content(data);
        let content = self.blobs.taken(body).await.map_err(|fault| fault.to_string())?;
        let request_id = self.queues.ids().fresh("blob request").uuid();
        let origin = Origin { cause: cause.clone(), source_ip: "127.0.0.1".into(), request_id };
        self.blobs.store(&bucket, &place.name, content, kind, origin).map_err(|fault| fault.to_string())
    }
}

/// Read whole, as a worker gets it.
async fn bytes(object: &Object) -> Result<Bytes, String> {
    let size = object.content.size();
    if size > LARGEST {
        return Err(format!("the blob has {size} bytes, and a worker takes up to {LARGEST} in a message"));
    }
    object.content.body.bytes().await.map_err(|error| format!("the blob cannot be read: {error}"))
}

/// What a blob is made of a value, and what it is.
fn content(data: &TypedData) -> (Bytes, &'static str) {
    let (text, json) = ("text/plain; charset=utf-8", "application/json; charset=utf-8");
    match &data.data {
        None => (Bytes::new(), "application/octet-stream"),
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) => (bytes.clone(), "application/octet-stream"),
        Some(Data::String(said)) => (said.clone().into(), text),
        Some(Data::Json(said)) => (said.clone().into(), json),
        Some(Data::Int(number)) => (number.to_string().into(), text),
        Some(Data::Double(number)) => (number.to_string().into(), text),
        Some(Data::CollectionString(all)) => (json!(all.string).to_string().into(), json),
        Some(Data::CollectionDouble(all)) => (json!(all.double).to_string().into(), json),
        Some(Data::CollectionInt(all)) => (json!(all.sint64).to_string().into(), json),
        Some(Data::CollectionBytes(all)) => (all.bytes.concat().into(), "application/octet-stream"),
        Some(Data::Http(http)) => {
            let body = http.body.as_deref().cloned().unwrap_or_default();
            content(&body)
        }
    }
}
