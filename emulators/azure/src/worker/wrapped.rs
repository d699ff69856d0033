//! What a custom handler gets and says when it does not see the HTTP request itself: `Data` and `Metadata` in,
//! `Outputs`, `Logs` and `ReturnValue` out.
//!
//! Source: Azure Functions documentation, "Azure Functions custom handlers" (request and response payload).

use super::messages::{InvocationRequest, InvocationResponse, ParameterBinding, StatusResult};
use super::values::{Data, RpcHttp, TypedData};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub(super) fn request(asked: &InvocationRequest) -> Value {
    let data: Map<String, Value> = asked
        .input_data
        .iter()
        .map(|input| (input.name.clone(), input.data.as_ref().map_or(Value::Null, value)))
        .collect();
    // The trigger's own text is among the data already.
    let metadata =
        asked.trigger_metadata.iter().filter(|(name, _)| !name.to_ascii_lowercase().ends_with("trigger"));
    let metadata: Map<String, Value> = metadata.map(|(name, said)| (name.clone(), value(said))).collect();
    json!({ "Data": data, "Metadata": metadata })
}

fn value(data: &TypedData) -> Value {
    match &data.data {
        None => Value::Null,
        // Text is given as text of JSON, as the host does it.
        Some(Data::String(text)) => Value::String(Value::String(text.clone()).to_string()),
        Some(Data::Json(text)) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) => Value::String(STANDARD.encode(bytes)),
        Some(Data::Http(http)) => of_http(http),
        Some(Data::Int(number)) => json!(number),
        Some(Data::Double(number)) => json!(number),
        Some(Data::CollectionString(all)) => json!(all.string),
        Some(Data::CollectionDouble(all)) => json!(all.double),
        Some(Data::CollectionInt(all)) => json!(all.sint64),
        Some(Data::CollectionBytes(all)) => {
            Value::Array(all.bytes.iter().map(|one| Value::String(STANDARD.encode(one))).collect())
        }
    }
}

fn of_http(http: &RpcHttp) -> Value {
    let headers: Map<String, Value> =
        http.headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let body = http.body.as_ref().and_then(|body| body.data.as_ref()).map(|data| match data {
        Data::Bytes(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        _ => Value::Null,
    });
    json!({
        "Url": http.url,
        "Method": http.method,
        "Query": http.query,
        "Headers": headers,
        "Params": http.params,
        "Identities": [],
        "Body": body,
    })
}

/// `Err` says what is wrong with it.
pub(super) fn response(body: &Bytes) -> Result<InvocationResponse, String> {
    let said: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|error| format!("the handler's answer is no JSON: {error}"))?
    };
    let outputs = said["Outputs"].as_object().into_iter().flatten();
    let output_data = outputs
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| ParameterBinding { name: name.clone(), data: Some(typed(value)) });
    let return_value = Some(&said["ReturnValue"]).filter(|value| !value.is_null()).map(typed);
    Ok(InvocationResponse {
        output_data: output_data.collect(),
        return_value,
        result: Some(StatusResult { status: StatusResult::SUCCESS, exception: None }),
        ..InvocationResponse::default()
    })
}

fn typed(value: &Value) -> TypedData {
    match value {
        Value::String(text) => TypedData::string(text.clone()),
        Value::Object(said) if is_http(said) => TypedData::of(Data::Http(Box::new(http(said)))),
        other => TypedData::json(other),
    }
}

fn is_http(said: &Map<String, Value>) -> bool {
    let keys = ["status", "statuscode", "body", "headers", "cookies"];
    !said.is_empty() && said.keys().all(|key| keys.contains(&key.to_ascii_lowercase().as_str()))
}

fn http(said: &Map<String, Value>) -> RpcHttp {
    let get =
        |name: &str| said.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = get("statusCode").or_else(|| get("status")).map(text).unwrap_or_default();
    let headers = get("headers").and_then(Value::as_object).into_iter().flatten();
    let body = get("body").filter(|body| !body.is_null()).map(|body| match body {
        Value::String(text) => TypedData::string(text.clone()),
        other => TypedData::json(other),
    });
    RpcHttp {
        status_code: status,
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        body: body.map(Box::new),
        ..RpcHttp::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn requests_have_data_and_metadata() {
        let http = RpcHttp {
            method: "POST".into(),
            url: "http://x/api/f?a=1".into(),
            query: BTreeMap::from([("a".into(), "1".into())]),
            body: Some(Box::new(TypedData::of(Data::Bytes(Bytes::from_static(b"hi"))))),
            ..RpcHttp::default()
        };
        let input =
            ParameterBinding { name: "req".into(), data: Some(TypedData::of(Data::Http(Box::new(http)))) };
        let asked = InvocationRequest {
            input_data: vec![input],
            trigger_metadata: BTreeMap::from([
                ("QueueTrigger".into(), TypedData::string("dropped")),
                ("sys".into(), TypedData::json(&json!({"MethodName": "f"}))),
            ]),
            ..InvocationRequest::default()
        };
        let said = request(&asked);
        assert_eq!(said["Data"]["req"]["Body"], "hi");
        assert_eq!(
            (&said["Data"]["req"]["Query"]["a"], &said["Metadata"]),
            (&json!("1"), &json!({"sys": {"MethodName": "f"}}))
        );
    }

    #[test]
    fn answers_are_taken_apart_and_bad_ones_named() {
        let said = response(&Bytes::from_static(
            br#"{"Outputs":{"res":{"statusCode":202,"body":{"a":1},"headers":{"X-Own":"yes"}},"none":null},"ReturnValue":"text"}"#,
        ))
        .unwrap();
        assert_eq!(said.output_data.len(), 1);
        let Some(Data::Http(http)) = said.output_data[0].data.clone().and_then(|data| data.data) else {
            panic!()
        };
        assert_eq!((http.status_code.as_str(), http.headers["X-Own"].as_str()), ("202", "yes"));
        assert_eq!(said.return_value, Some(TypedData::string("text")));
        assert!(response(&Bytes::from_static(b"plain words")).unwrap_err().contains("no JSON"));
        assert!(response(&Bytes::new()).unwrap().return_value.is_none());
    }
}
