//! What a custom handler gets and says when it does not see the HTTP request itself: `Data` and `Metadata` in,
//! `Outputs`, `Logs` and `ReturnValue` out.
//!
//! Source: Azure Functions documentation, "Azure Functions custom handlers" (request and response payload); and how the
//! host behaves, where that says nothing.

use super::index::{Binding, Indexed};
use super::messages::{InvocationRequest, InvocationResponse, ParameterBinding, StatusResult};
use super::values::{Data, RpcHttp, TypedData};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::{Map, Value, json};

/// The binding that takes what a function returns.
const RETURN: &str = "$return";
/// Base64 as .NET reads it: bits that are too many do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
/// Names in a spelling of their own.
const SPELLED: [(&str, &str); 6] = [
    ("baggage", "baggage"),
    ("content-md5", "Content-MD5"),
    ("dnt", "DNT"),
    ("te", "TE"),
    ("traceparent", "traceparent"),
    ("tracestate", "tracestate"),
];

pub(super) fn request(function: &Indexed, asked: &InvocationRequest) -> Value {
    let nothing = TypedData::default();
    let inputs = asked.input_data.iter().map(|input| {
        let binding = function.others.iter().find(|other| other.name == input.name && !other.is_out);
        let data = input.data.as_ref().unwrap_or(&nothing);
        (input.name.clone(), value(data, is_binary(binding.unwrap_or(&function.trigger))))
    });
    let data: Map<String, Value> = inputs.collect();
    // The trigger's own text is among the data already.
    let metadata =
        asked.trigger_metadata.iter().filter(|(name, _)| !name.to_ascii_lowercase().ends_with("trigger"));
    let metadata: Map<String, Value> =
        metadata.map(|(name, said)| (name.clone(), value(said, false))).collect();
    json!({ "Data": data, "Metadata": metadata })
}

/// Documents and times are given as they are, and everything else as the text of its JSON.
fn value(data: &TypedData, is_binary: bool) -> Value {
    match &data.data {
        None => quoted(&Value::Null),
        Some(Data::String(text)) if is_binary => Value::String(STANDARD.encode(text)),
        Some(Data::String(text)) => quoted(text),
        Some(Data::Json(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(document)) => Value::Object(document),
            Ok(Value::String(time)) => date(&time).map_or_else(|| quoted(&time), Value::String),
            Ok(other) => quoted(&other),
            Err(_) => quoted(text),
        },
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) if is_binary => Value::String(STANDARD.encode(bytes)),
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) => quoted(&String::from_utf8_lossy(bytes)),
        Some(Data::Http(http)) => of_http(http),
        Some(Data::Int(number)) => quoted(number),
        Some(Data::Double(number)) => quoted(number),
        Some(Data::CollectionString(all)) => quoted(&all.string),
        Some(Data::CollectionDouble(all)) => quoted(&all.double),
        Some(Data::CollectionInt(all)) => quoted(&all.sint64),
        Some(Data::CollectionBytes(all)) => {
            quoted(&all.bytes.iter().map(|one| STANDARD.encode(one)).collect::<Vec<_>>())
        }
    }
}

fn quoted(value: &(impl serde::Serialize + ?Sized)) -> Value {
    Value::String(json!(value).to_string())
}

/// As .NET writes it, to the second.
fn date(text: &str) -> Option<String> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

fn is_binary(binding: &Binding) -> bool {
    binding.text("dataType").is_some_and(|kind| kind.eq_ignore_ascii_case("binary"))
}

fn of_http(http: &RpcHttp) -> Value {
    let headers: Map<String, Value> =
        http.headers.iter().map(|(name, value)| (spelled(name), json!([value]))).collect();
    let kind = http.headers.get("content-type").map(|kind| kind.trim().to_ascii_lowercase());
    let mut said = json!({
        "Url": http.url,
        "Method": http.method,
        "Query": http.query,
        "Headers": headers,
        "Params": http.params,
        "Identities": [anonymous()],
    });
    if let Some(Data::Bytes(bytes)) = http.body.as_ref().and_then(|body| body.data.as_ref()) {
        said["Body"] = if kind.is_some_and(|kind| is_raw(&kind)) {
            Value::String(STANDARD.encode(bytes))
        } else {
            Value::String(String::from_utf8_lossy(bytes).into_owned())
        };
    }
    said
}

/// Whether a body of this type is given in base64.
fn is_raw(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim_end();
    kind == "application/octet-stream" || kind.contains("multipart/")
}

/// Each word with a capital, as well-known names have it and clients write others.
fn spelled(name: &str) -> String {
    if let Some((_, own)) = SPELLED.iter().find(|(known, _)| *known == name) {
        return (*own).to_owned();
    }
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<Vec<_>>().join("-")
}

/// Somebody of whom nothing is known.
fn anonymous() -> Value {
    json!({
        "AuthenticationType": null,
        "IsAuthenticated": false,
        "Actor": null,
        "BootstrapContext": null,
        "Claims": [],
        "Label": null,
        "Name": null,
        "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    })
}

/// What a handler answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) logs: Vec<String>,
    outputs: Option<Map<String, Value>>,
    returned: Value,
}

impl Said {
    /// `Err` says what is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let said: Map<String, Value> = if body.is_empty() {
            Map::new()
        } else {
            serde_json::from_slice(body)
                .map_err(|error| format!("the handler's answer is no JSON object ({error})"))?
        };
        let get = |name: &str| get(&said, name).cloned().unwrap_or_default();
        let outputs = match get("outputs") {
            Value::Null => None,
            Value::Object(outputs) => Some(outputs),
            _ => return Err("the handler's `Outputs` are no object".into()),
        };
        let logs = match get("logs") {
            Value::Null => Vec::new(),
            Value::Array(logs) => logs.iter().map(text).collect(),
            _ => return Err("the handler's `Logs` are no array".into()),
        };
        Ok(Self { logs, outputs, returned: get("returnvalue") })
    }

    /// Each value as its binding takes it. `Err` says which is wrong.
    pub(super) fn response(&self, function: &Indexed) -> Result<InvocationResponse, String> {
        let (mut output_data, mut to) = (Vec::new(), None);
        for binding in function.others.iter().filter(|binding| binding.is_out) {
            if binding.name == RETURN {
                to = Some(binding);
            } else {
                let data = self.output(binding)?;
                output_data.push(ParameterBinding { name: binding.name.clone(), data });
            }
        }
        if let (None, Value::Object(returned)) = (to, &self.returned) {
            for output in &mut output_data {
                if let Some(value) = returned.get(&output.name) {
                    output.data = plain(value);
                }
            }
        }
        let return_value = match to {
            Some(binding) if binding.is("http") => decoded(binding, &self.returned).map(sniffed),
            Some(binding) => decoded(binding, &self.returned),
            None => plain(&self.returned),
        };
        Ok(InvocationResponse {
            output_data,
            return_value,
            result: Some(StatusResult { status: StatusResult::SUCCESS, exception: None }),
            ..InvocationResponse::default()
        })
    }

    fn output(&self, binding: &Binding) -> Result<Option<TypedData>, String> {
        let Some(outputs) = &self.outputs else { return Ok(None) };
        let output = outputs.get(&binding.name);
        if !binding.is("http") {
            return Ok(output.and_then(|value| decoded(binding, value)));
        }
        let Some(output) = output else { return Ok(Some(TypedData::string("{}"))) };
        let document = match output {
            Value::Object(document) => Some(document.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        let document =
            document.ok_or_else(|| format!("the handler's output `{}` is no HTTP response", binding.name))?;
        // The host looks for `status` only where it has no place for `statusCode`.
        Ok(Some(http(&document, get(&document, "statusCode"))))
    }
}

/// Of what a function returned: an HTTP response by convention, where it is a document with a `body`.
fn sniffed(data: TypedData) -> TypedData {
    let document: Map<String, Value> = match &data.data {
        Some(Data::String(text) | Data::Json(text)) => match serde_json::from_str(text) {
            Ok(document) => document,
            Err(_) => return TypedData::string(text.clone()),
        },
        _ => return data,
    };
    let status = get(&document, "statusCode").or_else(|| get(&document, "status"));
    match get(&document, "body") {
        Some(_) => http(&document, status),
        None => TypedData::string(Value::Object(document).to_string()),
    }
}

/// What it does not know is left out.
fn http(said: &Map<String, Value>, status: Option<&Value>) -> TypedData {
    let status = status.map(text).and_then(|status| status.trim().parse::<u16>().ok());
    let headers = get(said, "headers").and_then(Value::as_object).into_iter().flatten();
    let body = get(said, "body").map(text).unwrap_or_default();
    TypedData::of(Data::Http(Box::new(RpcHttp {
        status_code: status.map(|status| status.to_string()).unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        body: Some(Box::new(TypedData::string(body))),
        ..RpcHttp::default()
    })))
}

/// By its own name, or the first that differs by case alone.
fn get<'a>(said: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let alike = || said.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    said.get(name).or_else(alike)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text that happens to be base64 is taken for it, unless the binding is of bytes: so the host does it.
fn decoded(binding: &Binding, value: &Value) -> Option<TypedData> {
    if let Value::String(text) = value
        && !is_binary(binding)
    {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
        if let Ok(bytes) = LENIENT.decode(bare) {
            return Some(TypedData::of(Data::Bytes(bytes.into())));
        }
    }
    plain(value)
}

fn plain(value: &Value) -> Option<TypedData> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(TypedData::string(text.clone())),
        other => Some(TypedData::json(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::collections::BTreeMap;

    fn function(bindings: Value) -> Indexed {
        let read = |said: &Value| Binding::of(said.as_object().unwrap().clone()).unwrap();
        let mut bindings: Vec<Binding> = bindings.as_array().unwrap().iter().map(read).collect();
        let trigger = bindings.remove(0);
        Indexed { trigger, others: bindings, ..Indexed::of_request("f") }
    }

    fn http_request(kind: &str, body: &'static [u8]) -> Value {
        let http = RpcHttp {
            method: "POST".into(),
            url: "http://x/api/f?a=1".into(),
            headers: BTreeMap::from([
                ("content-type".into(), kind.into()),
                ("te".into(), "trailers".into()),
                ("x-own".into(), "yes".into()),
            ]),
            query: BTreeMap::from([("a".into(), "1".into())]),
            body: (!body.is_empty()).then(|| Box::new(TypedData::of(Data::Bytes(Bytes::from_static(body))))),
            ..RpcHttp::default()
        };
        let data = Some(TypedData::of(Data::Http(Box::new(http))));
        let input_data = vec![ParameterBinding { name: "req".into(), data }];
        let asked = InvocationRequest { input_data, ..InvocationRequest::default() };
        request(&Indexed::of_request("f"), &asked)["Data"]["req"].clone()
    }

    #[test]
    fn requests_of_http_keep_their_bytes_and_names() {
        let said = http_request("text/plain", b"hi");
        assert_eq!((&said["Body"], &said["Query"]["a"]), (&json!("hi"), &json!("1")));
        let headers = json!({"Content-Type": ["text/plain"], "TE": ["trailers"], "X-Own": ["yes"]});
        assert_eq!(said["Headers"], headers);
        assert_eq!(
            (&said["Identities"][0]["IsAuthenticated"], &said["Identities"][0]["Claims"]),
            (&json!(false), &json!([]))
        );
        for kind in ["Application/Octet-Stream; x=y", "multipart/form-data; boundary=b"] {
            assert_eq!(http_request(kind, b"\xff\x00")["Body"], "/wA=", "{kind}");
        }
        assert!(http_request("text/plain", b"").get("Body").is_none());
    }

    #[test]
    fn what_is_no_document_is_given_as_text_of_json() {
        let function = function(json!([
            {"type": "queueTrigger", "name": "item", "direction": "in"},
            {"type": "blob", "name": "text", "direction": "in"},
            {"type": "blob", "name": "bytes", "direction": "in", "dataType": "binary"},
            {"type": "blob", "name": "missing", "direction": "in"},
        ]));
        let blob = TypedData::of(Data::Bytes(Bytes::from_static(b"rose")));
        let inputs = [
            ("item", Some(TypedData::string("{}"))),
            ("text", Some(blob.clone())),
            ("bytes", Some(blob)),
            ("missing", Some(TypedData::default())),
        ];
        let asked = InvocationRequest {
            input_data: inputs.map(|(name, data)| ParameterBinding { name: name.into(), data }).into(),
            trigger_metadata: BTreeMap::from([
                ("QueueTrigger".into(), TypedData::string("dropped")),
                ("Id".into(), TypedData::string("i")),
                ("DequeueCount".into(), TypedData::json(&json!(1))),
                ("InsertionTime".into(), TypedData::json(&json!("2026-11-21T10:00:00.25Z"))),
                ("list".into(), TypedData::json(&json!([1]))),
                ("sys".into(), TypedData::json(&json!({"MethodName": "f"}))),
            ]),
            ..InvocationRequest::default()
        };
        let said = json!({
            "Data": {"item": "\"{}\"", "text": "\"rose\"", "bytes": "cm9zZQ==", "missing": "null"},
            "Metadata": {
                "DequeueCount": "1", "Id": "\"i\"", "InsertionTime": "2026-11-21T10:00:00+00:00",
                "list": "[1]", "sys": {"MethodName": "f"},
            },
        });
        assert_eq!(request(&function, &asked), said);
    }

    fn told(bindings: Value, said: Value) -> Result<Vec<Option<TypedData>>, String> {
        let mut bindings = bindings;
        bindings.as_array_mut().unwrap().insert(0, json!({"type": "httpTrigger", "name": "req"}));
        for binding in bindings.as_array_mut().unwrap().iter_mut().skip(1) {
            binding["direction"] = json!("out");
        }
        let response = Said::read(said.to_string().as_bytes())?.response(&function(bindings))?;
        let outputs = response.output_data.into_iter().map(|output| output.data);
        Ok(outputs.chain([response.return_value]).collect())
    }

    fn of(status: &str, body: &str) -> TypedData {
        TypedData::of(Data::Http(Box::new(RpcHttp {
            status_code: status.into(),
            body: Some(Box::new(TypedData::string(body))),
            ..RpcHttp::default()
        })))
    }

    #[test]
    fn outputs_are_what_their_bindings_take() {
        let bindings = json!([{"type": "http", "name": "res"}, {"type": "queue", "name": "item"}]);
        let document = json!({"status": "done"});
        let outputs = json!({"res": {"StatusCode": 202, "isRaw": true, "body": {"a": 1}}, "item": document});
        let said = told(bindings.clone(), json!({ "outputs": outputs })).unwrap();
        assert_eq!(said, [Some(of("202", r#"{"a":1}"#)), Some(TypedData::json(&document)), None]);
        let said = told(bindings.clone(), json!({"Outputs": {"res": r#"{"status": 404}"#}})).unwrap();
        assert_eq!(said, [Some(of("", "")), None, None], "of a named output, only statusCode is a status");
        assert_eq!(told(bindings.clone(), json!({})).unwrap(), [None, None, None]);
        let by_name = json!({"ReturnValue": {"res": "hi", "item": "rose"}});
        let said = told(bindings.clone(), by_name.clone()).unwrap();
        assert_eq!(said[..2], [Some(TypedData::string("hi")), Some(TypedData::string("rose"))]);
        let why = told(bindings, json!({"Outputs": {"res": "SomeBlah"}})).unwrap_err();
        assert!(why.contains("`res` is no HTTP response"), "{why}");
    }

    #[test]
    fn text_that_is_base64_is_bytes_unless_its_binding_is_binary() {
        let bindings = json!([{"type": "blob", "name": "a"}, {"type": "blob", "name": "b", "dataType": "binary"},
            {"type": "queue", "name": "$return"}]);
        let said = json!({"Outputs": {"a": "/w\nB=", "b": "/wA="}, "ReturnValue": "red rose"});
        let bytes = Some(TypedData::of(Data::Bytes(Bytes::from_static(b"\xff\x00"))));
        let said = told(bindings, said).unwrap();
        assert_eq!(said, [bytes, Some(TypedData::string("/wA=")), Some(TypedData::string("red rose"))]);
    }

    #[test]
    fn a_return_is_a_response_by_its_body() {
        let returned = |value: Value| {
            let bindings = json!([{"type": "http", "name": "$return"}]);
            told(bindings, json!({"ReturnValue": value, "Outputs": {"$return": "not asked for"}})).unwrap()
        };
        assert_eq!(
            returned(json!({"status": 201, "Body": "made", "isRaw": true})),
            [Some(of("201", "made"))]
        );
        assert_eq!(returned(json!({"status": "done"})), [Some(TypedData::string(r#"{"status":"done"}"#))]);
        assert_eq!(returned(json!(r#"{"statusCode": 418, "body": null}"#)), [Some(of("418", ""))]);
        assert_eq!(returned(json!("words of text")), [Some(TypedData::string("words of text"))]);
        assert_eq!(returned(Value::Null), [None]);
    }

    #[test]
    fn logs_are_lines_and_bad_answers_are_named() {
        let said = Said::read(br#"{"logs": ["one", 2], "Outputs": null}"#).unwrap();
        assert_eq!(said.logs, ["one", "2"]);
        for (bad, why) in [
            ("plain words", "no JSON object"),
            (r#"{"Outputs":[]}"#, "`Outputs`"),
            (r#"{"Logs":"x"}"#, "`Logs`"),
        ] {
            assert!(Said::read(bad.as_bytes()).unwrap_err().contains(why), "{bad}");
        }
        assert!(Said::read(b"").unwrap().response(&Indexed::of_request("f")).unwrap().return_value.is_none());
    }
}
