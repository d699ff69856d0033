//! From what an operation found to the answer, in the protocol of the request.

use super::fault::Fault;
use super::{Call, Operation};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_engine::Ids;
use serde::Serialize;
use serde_json::{Value, json};

const SPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0.
    Json,
    /// Names and values in, XML out.
    Query,
}

pub fn new_request_id(ids: &Ids) -> String {
    ids.fresh("request").uuid()
}

/// An operation's result.
pub fn answer(call: &Call, operation: Operation, result: &impl Serialize) -> Response {
    let body = match call.protocol {
        // Plain strings, numbers and lists always serialize.
        Protocol::Json => serde_json::to_vec(result).unwrap_or_default(),
        Protocol::Query => {
            let value = serde_json::to_value(result).unwrap_or_default();
            document(call, operation.name(), &value).into_bytes()
        }
    };
    respond(call, 200, body)
}

/// The answer of an operation that has nothing to say.
pub fn done(call: &Call, operation: Operation) -> Response {
    let body = match call.protocol {
        Protocol::Json => Vec::new(),
        Protocol::Query => document(call, operation.name(), &Value::Null).into_bytes(),
    };
    respond(call, 200, body)
}

pub fn fault(call: &Call, fault: &Fault) -> Response {
    let blame = if fault.code.is_senders() { "Sender" } else { "Receiver" };
    let body = match call.protocol {
        Protocol::Json => {
            let kind = format!("com.amazonaws.sqs#{}", fault.code.json());
            json!({ "__type": kind, "message": fault.text }).to_string()
        }
        Protocol::Query => {
            let mut inside = String::from("<Error>");
            text(&mut inside, "Type", blame);
            text(&mut inside, "Code", fault.code.query());
            text(&mut inside, "Message", &fault.text);
            inside.push_str("<Detail/></Error>");
            text(&mut inside, "RequestId", &call.request_id);
            format!("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"{SPACE}\">{inside}</ErrorResponse>")
        }
    };
    let mut response = respond(call, fault.code.status(), body.into_bytes());
    if call.protocol == Protocol::Json
        && let Ok(value) = HeaderValue::from_str(&format!("{};{blame}", fault.code.query()))
    {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

fn respond(call: &Call, status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = match call.protocol {
        Protocol::Json => "application/x-amz-json-1.0",
        Protocol::Query => "text/xml",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn document(call: &Call, name: &str, result: &Value) -> String {
    let mut out = format!("<?xml version=\"1.0\"?><{name}Response xmlns=\"{SPACE}\">");
    if !result.is_null() {
        out.push_str(&format!("<{name}Result>"));
        members(&mut out, name, result);
        out.push_str(&format!("</{name}Result>"));
    }
    out.push_str("<ResponseMetadata>");
    text(&mut out, "RequestId", &call.request_id);
    out.push_str(&format!("</ResponseMetadata></{name}Response>"));
    out
}

/// How XML spells a member of many values: the element that is repeated.
fn element(operation: &str, member: &str) -> String {
    match member {
        "Successful" => format!("{operation}ResultEntry"),
        "Failed" => "BatchResultErrorEntry".into(),
        "Results" => "ListMessageMoveTasksResultEntry".into(),
        "queueUrls" => "QueueUrl".into(),
        other => other.strip_suffix('s').unwrap_or(other).into(),
    }
}

fn members(out: &mut String, operation: &str, value: &Value) {
    for (name, member) in value.as_object().into_iter().flatten() {
        match member {
            Value::Null => {}
            Value::Array(items) => {
                let name = element(operation, name);
                for item in items {
                    node(out, operation, &name, item);
                }
            }
            Value::Object(pairs) if matches!(&**name, "Attributes" | "MessageAttributes" | "Tags") => {
                let key = if name == "Tags" { "Key" } else { "Name" };
                let name = element(operation, name);
                for (word, content) in pairs {
                    out.push_str(&format!("<{name}>"));
                    text(out, key, word);
                    node(out, operation, "Value", content);
                    out.push_str(&format!("</{name}>"));
                }
            }
            other => node(out, operation, name, other),
        }
    }
}

fn node(out: &mut String, operation: &str, name: &str, value: &Value) {
    match value {
        Value::Object(_) => {
            out.push_str(&format!("<{name}>"));
            members(out, operation, value);
            out.push_str(&format!("</{name}>"));
        }
        Value::String(content) => text(out, name, content),
        other => text(out, name, &other.to_string()),
    }
}

/// An element around text. A carriage return is written out, or parsers would make it a line feed.
fn text(out: &mut String, name: &str, content: &str) {
    out.push_str(&format!("<{name}>"));
    for letter in content.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => out.push(letter),
            // No document may hold it; only a fault's text can.
            _ => {}
        }
    }
    out.push_str(&format!("</{name}>"));
}
