//! What a function returned as an answer: an HTTP response in each of its shapes, or the bare value.
//!
//! Source: Azure Functions documentation, "Azure Functions HTTP output bindings".

use super::index::{Binding, Indexed};
use super::messages::InvocationResponse;
use super::values::{Data, RpcHttp, RpcHttpCookie, TypedData};
use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use mlemu_core::{Answer, ResponseHead};
use serde_json::json;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// How bindings are called that take what the function returns.
const RETURN: &str = "$return";

pub(super) fn answer(function: &Indexed, response: InvocationResponse) -> Answer {
    let by_http = function.trigger.is("httpTrigger");
    let out = function.others.iter().find(|binding| binding.is_out && binding.is("http"));
    let value = value_of(out, response);
    if !by_http {
        let (body, kind) = plain(value.and_then(|value| value.data));
        return Answer { body, content_type: kind.map(str::to_owned), ..Answer::default() };
    }
    let head = |status, headers| Some(ResponseHead { status, headers });
    match value.and_then(|value| value.data) {
        None => Answer { head: head(StatusCode::NO_CONTENT, HeaderMap::new()), ..Answer::default() },
        Some(Data::Http(http)) => of_http(*http),
        Some(data) => {
            let (body, kind) = plain(Some(data));
            let kind = kind.unwrap_or(TEXT);
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            Answer {
                body,
                content_type: Some(kind.into()),
                head: head(StatusCode::OK, headers),
                streamed: false,
            }
        }
    }
}

/// Of the binding for HTTP; where that has another name than the return value's, it is among the outputs.
fn value_of(out: Option<&Binding>, response: InvocationResponse) -> Option<TypedData> {
    let InvocationResponse { output_data, return_value, .. } = response;
    let name = out.map_or(RETURN, |out| out.name.as_str());
    let output = output_data.into_iter().find(|output| output.name == name).and_then(|output| output.data);
    if name == RETURN { return_value.or(output) } else { output.or(return_value) }
}

/// Bytes of a value, and what they are.
fn plain(data: Option<Data>) -> (Bytes, Option<&'static str>) {
    match data {
        None => (Bytes::new(), None),
        Some(Data::String(text)) => (Bytes::from(text), Some(TEXT)),
        Some(Data::Json(text)) => (Bytes::from(text), Some(JSON)),
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) => (bytes, Some(BYTES)),
        Some(Data::Int(number)) => (Bytes::from(number.to_string()), Some(JSON)),
        Some(Data::Double(number)) => (Bytes::from(json!(number).to_string()), Some(JSON)),
        Some(Data::CollectionString(all)) => (Bytes::from(json!(all.string).to_string()), Some(JSON)),
        Some(Data::CollectionDouble(all)) => (Bytes::from(json!(all.double).to_string()), Some(JSON)),
        Some(Data::CollectionInt(all)) => (Bytes::from(json!(all.sint64).to_string()), Some(JSON)),
        Some(Data::CollectionBytes(all)) => (all.bytes.concat().into(), Some(BYTES)),
        Some(Data::Http(http)) => plain(http.body.and_then(|body| body.data)),
    }
}

fn of_http(http: RpcHttp) -> Answer {
    let status = match http.status_code.trim() {
        "" => Some(StatusCode::OK),
        code => code.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok()),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &http.headers {
        let pair = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        // What the server alone may say is left to it.
        if let (Ok(name), Ok(value)) = pair
            && !matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION)
        {
            headers.append(name, value);
        }
    }
    for cookie in &http.cookies {
        if let Ok(value) = HeaderValue::from_str(&spelled(cookie)) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    let (body, kind) = plain(http.body.and_then(|body| body.data));
    if let (false, Some(kind)) = (headers.contains_key(header::CONTENT_TYPE), kind) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer { body, content_type, head: Some(ResponseHead { status, headers }), streamed: false }
}

/// As `Set-Cookie` has it.
fn spelled(cookie: &RpcHttpCookie) -> String {
    let mut text = format!("{}={}", cookie.name, cookie.value);
    let expires = cookie.expires.as_ref().and_then(|expires| expires.value);
    if let Some(at) = expires.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok()) {
        text.push_str(&at.strftime("; expires=%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    if let Some(age) = cookie.max_age.as_ref().and_then(|age| age.value) {
        text.push_str(&format!("; max-age={}", age as i64));
    }
    let named = [("domain", &cookie.domain), ("path", &cookie.path)];
    for (name, value) in
        named.into_iter().filter_map(|(name, said)| Some((name, said.as_ref()?.value.as_ref()?)))
    {
        text.push_str(&format!("; {name}={value}"));
    }
    if cookie.secure.as_ref().and_then(|secure| secure.value) == Some(true) {
        text.push_str("; secure");
    }
    match cookie.same_site {
        1 => text.push_str("; samesite=lax"),
        2 => text.push_str("; samesite=strict"),
        3 => text.push_str("; samesite=none"),
        _ => {}
    }
    if cookie.http_only.as_ref().and_then(|only| only.value) == Some(true) {
        text.push_str("; httponly");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::messages::ParameterBinding;
    use crate::worker::values::{NullableBool, NullableDouble, NullableString};
    use serde_json::Value;

    fn function(bindings: Value) -> Indexed {
        let read = |said: &Value| Binding::of(said.as_object().unwrap().clone()).unwrap();
        let mut bindings: Vec<Binding> = bindings.as_array().unwrap().iter().map(read).collect();
        let trigger = bindings.remove(0);
        Indexed {
            name: "f".into(),
            id: String::new(),
            script_file: String::new(),
            entry_point: String::new(),
            directory: String::new(),
            language: String::new(),
            trigger,
            others: bindings,
            disabled: false,
            retry: None,
            fault: None,
        }
    }

    fn told(value: Option<Data>) -> (u16, Option<String>, String) {
        let function = function(json!([
            {"type": "httpTrigger", "name": "req"},
            {"type": "http", "direction": "OUT", "name": "$return"},
        ]));
        let return_value = value.map(TypedData::of);
        let answer = answer(&function, InvocationResponse { return_value, ..InvocationResponse::default() });
        let head = answer.head.unwrap();
        (head.status.as_u16(), answer.content_type, String::from_utf8_lossy(&answer.body).into_owned())
    }

    #[test]
    fn every_shape_of_a_return() {
        assert_eq!(told(None), (204, None, String::new()));
        assert_eq!(told(Some(Data::String("hi".into()))), (200, Some(TEXT.into()), "hi".into()));
        assert_eq!(told(Some(Data::Json("{}".into()))), (200, Some(JSON.into()), "{}".into()));
        assert_eq!(told(Some(Data::Int(-3))), (200, Some(JSON.into()), "-3".into()));
        assert_eq!(told(Some(Data::Bytes(Bytes::from_static(b"b")))), (200, Some(BYTES.into()), "b".into()));
        let http = |status: &str, kind: Option<&str>| {
            let headers = kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())).into_iter().collect();
            let body = Some(Box::new(TypedData::of(Data::String("x".into()))));
            told(Some(Data::Http(Box::new(RpcHttp {
                status_code: status.into(),
                headers,
                body,
                ..RpcHttp::default()
            }))))
        };
        assert_eq!(http("", None), (200, Some(TEXT.into()), "x".into()));
        assert_eq!(http("418", Some("text/html")), (418, Some("text/html".into()), "x".into()));
        assert_eq!(http("many", None).0, 500);
    }

    #[test]
    fn an_output_of_another_name_is_found_among_the_outputs() {
        let function = function(json!([
            {"type": "httpTrigger", "name": "req"},
            {"type": "http", "direction": "out", "name": "res"},
        ]));
        let output = ParameterBinding { name: "res".into(), data: Some(TypedData::string("out")) };
        let response = InvocationResponse {
            output_data: vec![output],
            return_value: Some(TypedData::string("returned")),
            ..InvocationResponse::default()
        };
        assert_eq!(answer(&function, response).body, "out");
    }

    #[test]
    fn cookies_with_all_their_attributes() {
        let cookie = RpcHttpCookie {
            name: "a".into(),
            value: "b".into(),
            path: Some(NullableString { value: Some("/".into()) }),
            secure: Some(NullableBool { value: Some(true) }),
            http_only: Some(NullableBool { value: Some(false) }),
            max_age: Some(NullableDouble { value: Some(60.0) }),
            same_site: 2,
            ..RpcHttpCookie::default()
        };
        assert_eq!(spelled(&cookie), "a=b; max-age=60; path=/; secure; samesite=strict");
    }
}
