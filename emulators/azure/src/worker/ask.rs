//! One event as the request that a worker gets: the trigger's data, and what is said beside it.
//!
//! Source: Azure Functions documentation, the pages of each trigger ("Message metadata", "Trigger metadata").

use super::index::{Binding, Indexed};
use super::messages::{InvocationRequest, ParameterBinding, RetryContext, RpcTraceContext};
use super::requested::Requested;
use super::values::{Data, NullableString, RpcHttp, TypedData};
use crate::app::App;
use crate::bindings::expression::Known;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use mlemu_core::Mode;
use mlemu_core::runtime::Delivery;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The worker is asked for its functions only.
pub(crate) const INDEX: &str = "index";
/// The whole address of an HTTP request.
pub(crate) const URL: &str = "url";
/// What a route captured, as a JSON object.
pub(crate) const PARAMS: &str = "params";

/// A request, ready to be sent.
pub(super) struct Question {
    pub(super) request: InvocationRequest,
    /// What paths of outputs may name.
    pub(super) known: Known,
}

/// `streams`: the worker serves requests by HTTP itself, and is told here only what it does not see there. `Err` says
/// which of the function's inputs cannot be had.
pub(super) async fn question(
    function: &Indexed,
    delivery: &Delivery,
    app: &App,
    streams: bool,
) -> Result<Question, String> {
    let invoke = &delivery.invoke;
    let trigger = &function.trigger;
    let kind = trigger.kind.to_ascii_lowercase();
    let mut asked = BTreeMap::new();
    let (data, mut metadata) = match kind.as_str() {
        "httptrigger" => {
            let requested = Requested::of(function, delivery, app);
            // Only paths of other bindings name any of it.
            if function.others.iter().any(|binding| !binding.is("http")) {
                asked = of_request(&requested);
            }
            if streams { proxied(&requested) } else { (http(requested, delivery), BTreeMap::new()) }
        }
        "timertrigger" => (timer(&invoke.payload, delivery.deadline.millis()), BTreeMap::new()),
        "queuetrigger" => queue(trigger.text("queueName").unwrap_or_default(), &invoke.payload, app),
        "blobtrigger" => blob(trigger, &invoke.payload, app).await?,
        _ => (text(&invoke.payload), of_document(&invoke.payload)),
    };
    let guid = app.ids().fresh("guid").uuid();
    let sys = json!({
        "MethodName": function.name,
        "UtcNow": stamp(delivery.deadline.millis() - i64::try_from(delivery.left.as_millis()).unwrap_or(0)),
        "RandGuid": guid,
    });
    let mut known = Known::of(&metadata, delivery.begun, guid);
    known.values.extend(asked);
    metadata.insert("sys".into(), TypedData::json(&sys));
    let mut input_data = vec![ParameterBinding { name: trigger.name.clone(), data: Some(data) }];
    input_data.extend(app.bindings.inputs(function, &known).await?);
    let id = app.ids().fresh("trace");
    let trace = RpcTraceContext {
        trace_parent: format!("00-{}-{:016x}-00", id.hex(), id.number()),
        trace_state: String::new(),
    };
    let request = InvocationRequest {
        invocation_id: invoke.id.0.to_string(),
        function_id: function.id.clone(),
        input_data,
        trigger_metadata: metadata,
        trace_context: Some(trace),
        retry_context: Some(retried(function, delivery, app)),
    };
    Ok(Question { request, known })
}

/// Which of its tries a call is at. Workers want to be told where there is only one, too.
fn retried(function: &Indexed, delivery: &Delivery, app: &App) -> RetryContext {
    match app.policy(function).filter(|_| delivery.invoke.mode == Mode::Queue) {
        Some(policy) => RetryContext {
            retry_count: app.tries.begin(&delivery.invoke.id),
            max_retry_count: policy.count(),
        },
        None => RetryContext::default(),
    }
}

/// What paths may name of an HTTP request: what its route captured, the fields of its document, its query and headers.
fn of_request(requested: &Requested) -> BTreeMap<String, Value> {
    let mut known: BTreeMap<String, Value> = match serde_json::from_slice(&requested.body) {
        Ok(Value::Object(fields)) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    known.insert("Query".into(), json!(query(requested)));
    known.insert("Headers".into(), json!(spelled(&requested.headers)));
    known.extend(requested.params.iter().map(|(name, value)| (name.clone(), json!(value))));
    known
}

fn query(requested: &Requested) -> BTreeMap<String, String> {
    requested.target.split_once('?').map(|(_, query)| pairs(query)).unwrap_or_default()
}

pub(super) fn attribute<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    let attributes = &delivery.invoke.attributes;
    attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// What goes beside a request that the worker serves itself.
fn proxied(requested: &Requested) -> (TypedData, BTreeMap<String, TypedData>) {
    let params = requested.params.clone();
    let mut metadata: BTreeMap<String, TypedData> =
        params.iter().map(|(name, value)| (name.clone(), TypedData::string(value.clone()))).collect();
    metadata.insert("Headers".into(), TypedData::json(&json!(spelled(&requested.headers))));
    metadata.insert("Query".into(), TypedData::json(&json!(query(requested))));
    let http = RpcHttp { nullable_params: nullable(&params), params, ..RpcHttp::default() };
    (TypedData::of(Data::Http(Box::new(http))), metadata)
}

fn nullable(map: &BTreeMap<String, String>) -> BTreeMap<String, NullableString> {
    map.iter().map(|(name, value)| (name.clone(), NullableString { value: Some(value.clone()) })).collect()
}

fn http(requested: Requested, delivery: &Delivery) -> TypedData {
    let query = query(&requested);
    let Requested { method, target, headers, body, params } = requested;
    let url = attribute(delivery, URL).map_or_else(|| format!("http://localhost{target}"), str::to_owned);
    let headers = spelled(&headers);
    let body = (!body.is_empty()).then(|| Box::new(TypedData::of(Data::Bytes(body))));
    TypedData::of(Data::Http(Box::new(RpcHttp {
        method: method.to_string(),
        url,
        nullable_headers: nullable(&headers),
        nullable_params: nullable(&params),
        nullable_query: nullable(&query),
        headers,
        params,
        query,
        body,
        ..RpcHttp::default()
    })))
}

/// Names in lower case; values of a name that comes again after a comma.
fn spelled(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut spelled = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let said = spelled.entry(name.as_str().to_owned()).or_default();
        if !said.is_empty() {
            said.push(',');
        }
        said.push_str(&value);
    }
    spelled
}

/// A query's pairs; values of a name that comes again after a comma.
fn pairs(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut pairs = BTreeMap::<String, String>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        match pairs.get_mut(&name) {
            Some(said) => {
                said.push(',');
                said.push_str(&value);
            }
            None => {
                pairs.insert(name, value);
            }
        }
    }
    pairs
}

/// A run that is in time, with what was given in its place.
fn timer(payload: &Bytes, millis: i64) -> TypedData {
    let mut document = timer_event(millis, millis, false);
    if let (Ok(Value::Object(given)), Some(all)) = (serde_json::from_slice(payload), document.as_object_mut())
    {
        all.extend(given);
    }
    TypedData::json(&document)
}

/// What a function of a timer is told.
pub(crate) fn timer_event(last: i64, next: i64, is_past_due: bool) -> Value {
    json!({
        "Schedule": { "AdjustForDST": true },
        "ScheduleStatus": { "Last": stamp(last), "Next": stamp(next), "LastUpdated": stamp(last) },
        "IsPastDue": is_past_due,
    })
}

/// A time of day as .NET writes it.
fn stamp(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default().to_string()
}

/// A payload as text, as JSON where it is a document.
fn text(payload: &Bytes) -> TypedData {
    let text = String::from_utf8_lossy(payload).into_owned();
    let is_document =
        serde_json::from_str::<Value>(&text).is_ok_and(|said| said.is_object() || said.is_array());
    TypedData::of(if is_document { Data::Json(text) } else { Data::String(text) })
}

/// The fields of a document are binding data, as those of an Event Grid event.
fn of_document(payload: &Bytes) -> BTreeMap<String, TypedData> {
    let said = serde_json::from_slice::<Value>(payload).ok();
    let fields = said.as_ref().and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => TypedData::string(text.clone()),
                other => TypedData::json(other),
            };
            (name.clone(), value)
        })
        .collect()
}

/// The text of a message, or all that is known of one: a document that says so.
fn queue(queue: &str, payload: &Bytes, app: &App) -> (TypedData, BTreeMap<String, TypedData>) {
    let text = String::from_utf8_lossy(payload).into_owned();
    let known: Option<Value> = serde_json::from_slice(payload).ok();
    if let Some(text) = known
        .as_ref()
        .filter(|known| known["Id"].is_string())
        .and_then(|known| known["QueueTrigger"].as_str())
    {
        let mut metadata = of_document(&Bytes::from(text.to_owned()));
        metadata.extend(of_document(payload));
        for name in ["InsertionTime", "ExpirationTime", "NextVisibleTime"] {
            if let Some(time) = known.as_ref().map(|known| &known[name]) {
                metadata.insert(name.to_owned(), TypedData::json(time));
            }
        }
        return (TypedData::of(Data::String(text.to_owned())), metadata);
    }
    let mut metadata = of_document(payload);
    metadata.extend([
        ("QueueTrigger".to_owned(), TypedData::string(text.clone())),
        ("Id".to_owned(), TypedData::string(app.ids().fresh("message").uuid())),
        ("DequeueCount".to_owned(), TypedData::json(&json!(1))),
        ("PopReceipt".to_owned(), TypedData::string(queue)),
    ]);
    (TypedData::of(Data::String(text)), metadata)
}

/// The blob that a payload names, as a message of a trigger or by its path; otherwise the payload is the blob itself.
async fn blob(
    trigger: &Binding,
    payload: &Bytes,
    app: &App,
) -> Result<(TypedData, BTreeMap<String, TypedData>), String> {
    let said: Option<Value> = serde_json::from_slice(payload).ok();
    let by_message = said.as_ref().and_then(|said| said["BlobTrigger"].as_str().map(str::to_owned));
    let by_path = || std::str::from_utf8(payload).ok().map(|text| text.trim().trim_matches('"').to_owned());
    if let Some(blob) = said.as_ref().and_then(|said| described(said, trigger, app)) {
        return Ok(blob);
    }
    let path = by_message.or_else(by_path).unwrap_or_default();
    if let Some((body, metadata)) = app.bindings.triggered(trigger, &path).await? {
        return Ok((TypedData::of(Data::Bytes(body)), metadata));
    }
    let mut metadata = app.bindings.told_of(trigger, trigger.text("path").unwrap_or_default());
    metadata.insert("Properties".to_owned(), TypedData::json(&json!({ "Length": payload.len() })));
    metadata.insert("Metadata".to_owned(), TypedData::json(&json!({})));
    Ok((TypedData::of(Data::Bytes(payload.clone())), metadata))
}

/// A blob that an event describes, with its content. `None`: it names one, at most.
fn described(said: &Value, trigger: &Binding, app: &App) -> Option<(TypedData, BTreeMap<String, TypedData>)> {
    let content = STANDARD.decode(said["Content"].as_str()?).ok()?;
    let mut metadata = app.bindings.told_of(trigger, said["BlobTrigger"].as_str()?);
    if let Some(uri) = said["Uri"].as_str() {
        metadata.insert("Uri".to_owned(), TypedData::string(uri));
    }
    let mut properties = said["Properties"].as_object().cloned().unwrap_or_default();
    properties.insert("Length".to_owned(), content.len().into());
    metadata.insert("Properties".to_owned(), TypedData::json(&Value::Object(properties)));
    let own = said["Metadata"].as_object().cloned().unwrap_or_default();
    metadata.insert("Metadata".to_owned(), TypedData::json(&Value::Object(own)));
    Some((TypedData::of(Data::Bytes(content.into())), metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_joined() {
        let said = pairs("a=1&b=x%20y+z&a=2&&c");
        let of = |name: &str| said.get(name).map(String::as_str);
        assert_eq!((of("a"), of("b"), of("c"), said.len()), (Some("1,2"), Some("x y z"), Some(""), 3));
    }

    #[test]
    fn documents_are_binding_data() {
        let data = of_document(&Bytes::from_static(br#"{"subject":"x","data":{"url":"u"}}"#));
        assert_eq!(data["subject"], TypedData::string("x"));
        assert_eq!(data["data"], TypedData::of(Data::Json(r#"{"url":"u"}"#.into())));
        assert!(of_document(&Bytes::from_static(b"no json")).is_empty());
    }
}
