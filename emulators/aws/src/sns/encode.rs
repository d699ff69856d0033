//! From what an operation found to XML: lists have a `member` each, maps an `entry`.

use super::call::Call;
use super::fault::Fault;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use quick_xml::escape::escape;
use serde_json::Value;

const SPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// Members that are maps; every other object is a structure.
const MAPS: [&str; 1] = ["Attributes"];

/// An operation's result; `null` where it has nothing to say.
pub fn answer(call: &Call, result: &Value) -> Response {
    let name = &call.action;
    let mut inside = String::new();
    if !result.is_null() {
        inside.push_str(&format!("<{name}Result>"));
        members(&mut inside, result);
        inside.push_str(&format!("</{name}Result>"));
    }
    inside.push_str("<ResponseMetadata>");
    text(&mut inside, "RequestId", &call.request_id);
    inside.push_str("</ResponseMetadata>");
    respond(call, 200, format!("<{name}Response xmlns=\"{SPACE}\">{inside}</{name}Response>"))
}

pub fn fault(call: &Call, fault: &Fault) -> Response {
    let blame = if fault.code.status() < 500 { "Sender" } else { "Receiver" };
    let mut inside = String::from("<Error>");
    text(&mut inside, "Type", blame);
    text(&mut inside, "Code", fault.code.word());
    text(&mut inside, "Message", &fault.text);
    inside.push_str("</Error>");
    text(&mut inside, "RequestId", &call.request_id);
    respond(call, fault.code.status(), format!("<ErrorResponse xmlns=\"{SPACE}\">{inside}</ErrorResponse>"))
}

fn respond(call: &Call, status: u16, body: String) -> Response {
    let mut response = Response::new(Body::from(format!("<?xml version=\"1.0\"?>\n{body}")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn members(out: &mut String, value: &Value) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if !member.is_null() {
            out.push_str(&format!("<{name}>"));
            inside(out, name, member);
            out.push_str(&format!("</{name}>"));
        }
    }
}

fn inside(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                out.push_str("<member>");
                inside(out, "member", item);
                out.push_str("</member>");
            }
        }
        Value::Object(pairs) if MAPS.contains(&name) => {
            for (key, value) in pairs {
                out.push_str("<entry>");
                text(out, "key", key);
                text(out, "value", value.as_str().unwrap_or_default());
                out.push_str("</entry>");
            }
        }
        Value::Object(_) => members(out, value),
        Value::String(content) => out.push_str(&clean(content)),
        other => out.push_str(&other.to_string()),
    }
}

fn text(out: &mut String, name: &str, content: &str) {
    out.push_str(&format!("<{name}>{}</{name}>", clean(content)));
}

/// Characters that no document may hold are left out.
fn clean(content: &str) -> String {
    let allowed = |letter: &char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    escape(content.chars().filter(allowed).collect::<String>()).into_owned()
}
