//! One event as the request that a worker gets: the trigger's data, and what is said beside it.
//!
//! Source: Azure Functions documentation, the pages of each trigger ("Message metadata", "Trigger metadata").

use super::index::{Binding, Indexed};
use super::messages::NullableString;
use super::messages::{
    Data, InvocationRequest, ParameterBinding, RetryContext, RpcHttp, RpcTraceContext, TypedData,
};
use crate::app::App;
use crate::bindings::expression::Known;
use bytes::Bytes;
use http::{HeaderMap, Method};
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

/// `Err` says which of the function's inputs cannot be had.
pub(super) async fn question(function: &Indexed, delivery: &Delivery, app: &App) -> Result<Question, String> {
    let invoke = &delivery.invoke;
    let trigger = &function.trigger;
    let kind = trigger.kind.to_ascii_lowercase();
    let (data, mut metadata) = match kind.as_str() {
        "httptrigger" => (http(function, delivery, app), BTreeMap::new()),
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
    if kind == "httptrigger" {
        known.values.extend(of_request(delivery));
    }
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
        retry_context: Some(RetryContext::default()),
    };
    Ok(Question { request, known })
}

/// What paths may name of an HTTP request: what its route captured, the fields of its document, its query and headers.
fn of_request(delivery: &Delivery) -> BTreeMap<String, Value> {
    let invoke = &delivery.invoke;
    let mut known: BTreeMap<String, Value> = match serde_json::from_slice(&invoke.payload) {
        Ok(Value::Object(fields)) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    if let Some(head) = &invoke.head {
        let query = head.target.query().map(pairs).unwrap_or_default();
        known.insert("Query".into(), json!(query));
        known.insert("Headers".into(), json!(spelled(&head.headers)));
    }
    let params = attribute(delivery, PARAMS).and_then(|text| serde_json::from_str(text).ok());
    let params: BTreeMap<String, Value> = params.unwrap_or_default();
    known.extend(params);
    known
}

fn attribute<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    let attributes = &delivery.invoke.attributes;
    attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// The request as it came, or one that a person would make of an event.
fn http(function: &Indexed, delivery: &Delivery, app: &App) -> TypedData {
    let invoke = &delivery.invoke;
    let (method, target, headers) = match &invoke.head {
        Some(head) => (head.method.clone(), head.target.to_string(), head.headers.clone()),
        None => by_hand(function, &invoke.payload, app),
    };
    let query: BTreeMap<String, String> =
        target.split_once('?').map(|(_, query)| pairs(query)).unwrap_or_default();
    let params =
        attribute(delivery, PARAMS).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let url = attribute(delivery, URL).map_or_else(|| format!("http://localhost{target}"), str::to_owned);
    let headers = spelled(&headers);
    let nullable = |map: &BTreeMap<String, String>| {
        map.iter()
            .map(|(name, value)| (name.clone(), NullableString { value: Some(value.clone()) }))
            .collect()
    };
    let params: BTreeMap<String, String> = params;
    let body =
        (!invoke.payload.is_empty()).then(|| Box::new(TypedData::of(Data::Bytes(invoke.payload.clone()))));
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

fn by_hand(function: &Indexed, payload: &Bytes, app: &App) -> (Method, String, HeaderMap) {
    let methods = function.trigger.said.get("methods").and_then(Value::as_array);
    let takes = |method: &str| {
        methods.is_none_or(|all| {
            all.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(method))
        })
    };
    let first =
        methods.and_then(|all| all.first()).and_then(Value::as_str).unwrap_or("POST").to_ascii_uppercase();
    let method = if takes("POST") && (!payload.is_empty() || !takes("GET")) { "POST".into() } else { first };
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
    let mut headers = HeaderMap::new();
    if serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    }
    let route = function.trigger.text("route").unwrap_or(&function.name);
    (method, format!("/{}/{route}", app.host.prefix()), headers)
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
        ("DequeueCount".to_owned(), TypedData::string("1")),
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
    let own_path = trigger.text("path").unwrap_or_default();
    let path = by_message.or_else(by_path).unwrap_or_default();
    if let Some((body, metadata)) = app.bindings.triggered(own_path, &path).await? {
        return Ok((TypedData::of(Data::Bytes(body)), metadata));
    }
    let mut metadata = app.bindings.told_of(own_path, own_path);
    metadata.insert("Properties".to_owned(), TypedData::json(&json!({ "Length": payload.len() })));
    metadata.insert("Metadata".to_owned(), TypedData::json(&json!({})));
    Ok((TypedData::of(Data::Bytes(payload.clone())), metadata))
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
