//! REST APIs: events of payload format 1.0 and the answers to them.
//!
//! API Gateway Developer Guide, "Set up Lambda proxy integrations in API Gateway".

use super::answer::{Proxied, Status};
use super::arrived::Arrived;
use super::table::Route;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The stage that templates deploy to when they do not say.
pub const STAGE: &str = "Prod";

/// The event, as the vendor orders it.
pub fn event(arrived: &Arrived, route: &Route, holes: &[(String, String)], account: &str) -> Value {
    let headers: Vec<_> =
        arrived.seen_headers().into_iter().map(|(name, value)| (capital(&name), value)).collect();
    let path = &arrived.path;
    // What is not text can only travel as base64.
    let (body, is_base64) = arrived.carried_body(!is_media(arrived.content_type()));
    json!({
        "resource": route.path.text,
        "path": path,
        "httpMethod": arrived.method,
        "headers": last_values(&headers),
        "multiValueHeaders": all_values(&headers),
        "queryStringParameters": last_values(&arrived.query.0),
        "multiValueQueryStringParameters": all_values(&arrived.query.0),
        "pathParameters": last_values(holes),
        "stageVariables": null,
        "requestContext": {
            "resourceId": resource_id(route),
            "resourcePath": route.path.text,
            "httpMethod": arrived.method,
            "extendedRequestId": arrived.id.replace('-', "")[..15].to_owned() + "=",
            "requestTime": arrived.time(),
            "path": format!("/{STAGE}{path}"),
            "accountId": account,
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": arrived.domain_prefix(),
            "requestTimeEpoch": arrived.at.millis(),
            "requestId": arrived.id,
            "identity": identity(arrived),
            "domainName": arrived.host,
            "apiId": route.api.id,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn identity(arrived: &Arrived) -> Value {
    json!({
        "cognitoIdentityPoolId": null,
        "accountId": null,
        "cognitoIdentityId": null,
        "caller": null,
        "sourceIp": arrived.source_ip,
        "principalOrgId": null,
        "accessKey": null,
        "cognitoAuthenticationType": null,
        "cognitoAuthenticationProvider": null,
        "userArn": null,
        "userAgent": arrived.user_agent(),
        "user": null,
    })
}

/// Reads a function's answer. `None`: it is not one that the gateway understands.
pub fn answer(body: &Bytes) -> Option<Proxied> {
    let document: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut proxied = Proxied::new(Status::Required.read(document.get("statusCode"))?, "application/json");
    proxied.set_headers(document.get("headers"))?;
    proxied.add_headers(document.get("multiValueHeaders"))?;
    proxied.set_body(document.get("body"), document.get("isBase64Encoded"))?;
    Some(proxied)
}

/// Pictures, sounds and archives are never text, even if their bytes could be.
fn is_media(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        ["image/", "audio/", "video/", "application/octet-stream", "application/zip", "application/gzip"]
            .iter()
            .any(|media| kind.starts_with(media))
            && !kind.starts_with("image/svg")
    })
}

/// `user-agent` as `User-Agent`: this kind of API keeps the case that clients use.
fn capital(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect::<Vec<_>>().join("-")
}

/// Each name with the last of its values; nothing at all is null.
fn last_values(pairs: &[(String, String)]) -> Value {
    let values: Map<String, Value> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if values.is_empty() { Value::Null } else { Value::Object(values) }
}

fn all_values(pairs: &[(String, String)]) -> Value {
    let mut values = Map::new();
    for (name, value) in pairs {
        if let Value::Array(list) = values.entry(name.clone()).or_insert_with(|| json!([])) {
            list.push(json!(value));
        }
    }
    if values.is_empty() { Value::Null } else { Value::Object(values) }
}

fn resource_id(route: &Route) -> String {
    let digest = Sha256::digest(format!("{}{}", route.api.name, route.path.text));
    format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_written_as_clients_write_them() {
        assert_eq!(capital("user-agent"), "User-Agent");
        assert_eq!(capital("x-amzn-trace-id"), "X-Amzn-Trace-Id");
        assert_eq!(capital("x--y"), "X--Y");
    }

    #[test]
    fn answers() {
        let read = |text: &str| answer(&Bytes::from(text.to_owned()));
        let good = read(
            r#"{"statusCode":"201","headers":{"X-A":"1","X-N":5},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"body":"hi"}"#,
        );
        let good = good.unwrap();
        assert_eq!((good.status, &good.body[..]), (201, &b"hi"[..]));
        assert_eq!(good.headers["x-a"], "1");
        assert_eq!(good.headers["x-n"], "5");
        assert_eq!(good.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(good.headers["content-type"], "application/json");
        let binary = read(r#"{"statusCode":200,"body":"AP8=","isBase64Encoded":true}"#).unwrap();
        assert_eq!(&binary.body[..], b"\x00\xff");
        for wrong in [
            "null",
            "\"text\"",
            "[]",
            "{}",
            r#"{"body":"no status"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":100}"#,
            r#"{"statusCode":1000}"#,
            r#"{"statusCode":200,"body":{"not":"text"}}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"x"}}"#,
            r#"{"statusCode":200,"headers":{"a":"x\r\ny: z"}}"#,
            r#"{"statusCode":200,"headers":{"a":{}}}"#,
            r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#,
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
