//! HTTP APIs and function URLs: events of payload format 2.0 and the answers to them.
//!
//! API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs"; Lambda Developer Guide,
//! "Invoking Lambda function URLs".

use super::answer::{Proxied, Status};
use super::arrived::Arrived;
use bytes::Bytes;
use http::header;
use serde_json::{Map, Value, json};

/// The only stage that the event of a URL or an HTTP API names here.
const STAGE: &str = "$default";

/// What differs between the two that share this format.
pub struct Origin<'a> {
    /// `GET /pets/{id}` or `$default`.
    pub route_key: String,
    pub api_id: &'a str,
    pub account: &'a str,
    pub holes: &'a [(String, String)],
    /// A URL shows its function the cookie header too.
    pub keeps_cookie: bool,
}

/// The event, as the vendor orders it. Members without a value are left out.
pub fn event(arrived: &Arrived, origin: &Origin<'_>) -> Value {
    let (body, is_base64) = arrived.carried_body(is_text(arrived.content_type()));
    let mut event = Map::new();
    event.insert("version".into(), json!("2.0"));
    event.insert("routeKey".into(), json!(origin.route_key));
    event.insert("rawPath".into(), json!(arrived.path));
    event.insert("rawQueryString".into(), json!(arrived.raw_query));
    let cookies = cookies(arrived);
    if !cookies.is_empty() {
        event.insert("cookies".into(), json!(cookies));
    }
    let mut headers = arrived.seen_headers();
    headers.retain(|(name, _)| origin.keeps_cookie || name != "cookie");
    event.insert("headers".into(), Value::Object(joined(&headers)));
    if !arrived.query.0.is_empty() {
        event.insert("queryStringParameters".into(), Value::Object(joined(&arrived.query.0)));
    }
    event.insert("requestContext".into(), context(arrived, origin));
    if !origin.holes.is_empty() {
        event.insert("pathParameters".into(), Value::Object(joined(origin.holes)));
    }
    if let Some(body) = body {
        event.insert("body".into(), json!(body));
    }
    event.insert("isBase64Encoded".into(), json!(is_base64));
    Value::Object(event)
}

fn context(arrived: &Arrived, origin: &Origin<'_>) -> Value {
    json!({
        "accountId": origin.account,
        "apiId": origin.api_id,
        "domainName": arrived.host,
        "domainPrefix": arrived.domain_prefix(),
        "http": {
            "method": arrived.method,
            "path": arrived.path,
            "protocol": "HTTP/1.1",
            "sourceIp": arrived.source_ip,
            "userAgent": arrived.user_agent(),
        },
        "requestId": arrived.id,
        "routeKey": origin.route_key,
        "stage": STAGE,
        "time": arrived.time(),
        "timeEpoch": arrived.at.millis(),
    })
}

/// Reads a function's answer. Whatever has no status code is a body with status 200. `None`: it has one, and
/// the rest makes no sense. `content_type` is for answers that do not say.
pub fn answer(body: &Bytes, content_type: &'static str) -> Option<Proxied> {
    let document = match serde_json::from_slice(body) {
        Ok(Value::Object(document)) if document.contains_key("statusCode") => document,
        Ok(Value::String(text)) => return Some(Proxied::whole(Bytes::from(text))),
        _ => return Some(Proxied::whole(body.clone())),
    };
    let mut proxied = Proxied::new(Status::Optional.read(document.get("statusCode"))?, content_type);
    proxied.set_headers(document.get("headers"))?;
    proxied.set_cookies(document.get("cookies"))?;
    proxied.set_body(document.get("body"), document.get("isBase64Encoded"))?;
    Some(proxied)
}

/// This format knows text by its declared type; everything else is binary, forms too.
fn is_text(content_type: Option<&str>) -> bool {
    let Some(kind) = content_type else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(kind.as_str(), "application/json" | "application/xml" | "application/javascript")
}

fn cookies(arrived: &Arrived) -> Vec<String> {
    let headers = arrived.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = headers.flat_map(|header| header.split(';')).map(|cookie| cookie.trim().to_owned());
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// Each name with its values joined by commas.
fn joined(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut values: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        let text = match values.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.clone(),
        };
        values.insert(name.clone(), json!(text));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Proxied> {
        answer(&Bytes::from(text.to_owned()), "text/plain;charset=UTF-8")
    }

    #[test]
    fn answers_without_a_status_are_bodies() {
        for (answer, body) in [
            (r#"{"message": "hi"}"#, r#"{"message": "hi"}"#),
            (r#""hi""#, "hi"),
            ("null", "null"),
            ("[1]", "[1]"),
            ("not json", "not json"),
        ] {
            let read = read(answer).unwrap();
            assert_eq!((read.status, &read.body[..]), (200, body.as_bytes()));
            assert_eq!(read.headers["content-type"], "application/json");
        }
    }

    #[test]
    fn answers_with_a_status() {
        let full = read(r#"{"statusCode":302,"headers":{"location":"/x"},"cookies":["a=1","b=2"]}"#).unwrap();
        assert_eq!((full.status, full.body.len()), (302, 0));
        assert_eq!(full.headers["location"], "/x");
        assert_eq!(full.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(full.headers["content-type"], "text/plain;charset=UTF-8");
        for wrong in [
            r#"{"statusCode":"no"}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
            r#"{"statusCode":200,"cookies":["a\n"]}"#,
            r#"{"statusCode":200,"body":7}"#,
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn text_by_its_type() {
        for text in
            ["application/json", "text/csv", "application/json; charset=utf-8", "application/geo+json"]
        {
            assert!(is_text(Some(text)), "{text}");
        }
        for binary in
            ["image/jpeg", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
        {
            assert!(!is_text(Some(binary)), "{binary}");
        }
    }
}
