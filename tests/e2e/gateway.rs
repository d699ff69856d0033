//! Routes of a SAM template: API Gateway's REST (payload 1.0) and HTTP (payload 2.0) APIs, function URLs beside.

use super::house::House;
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Handler: app.handler, Timeout: 30 }
  HttpApi:
    CorsConfiguration:
      AllowOrigins: ['http://localhost:3000']
      AllowMethods: [GET, POST]
      AllowHeaders: [content-type]
Resources:
  Rest:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        One: { Type: Api, Properties: { Path: '/items/{id}', Method: get } }
        Two: { Type: Api, Properties: { Path: /items, Method: post } }
        All: { Type: Api, Properties: { Path: '/files/{proxy+}', Method: any } }
  Http:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        One: { Type: HttpApi, Properties: { Path: '/v2/items/{id}', Method: GET } }
        Two: { Type: HttpApi, Properties: { Path: /v2/items, Method: POST } }
        All: { Type: HttpApi, Properties: { Path: '/v2/files/{proxy+}', Method: ANY } }
";

/// Answers with the event, or as the event's query says.
const APP: &str = r#"
import base64, json

def handler(event, context):
    how = (event.get("queryStringParameters") or {}).get("how")
    if how == "binary":
        body = base64.b64encode(bytes(range(256))).decode()
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": body, "isBase64Encoded": True}
    if how == "cookies":
        return {"statusCode": 204, "cookies": ["a=1", "b=2"], "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
    if how == "teapot":
        return {"statusCode": 418, "headers": {"X-Kind": "tea"}, "body": "short and stout"}
    if how == "raise":
        raise RuntimeError("told to")
    if how == "nonsense":
        return {"statusCode": "many"}
    if how == "plain":
        return {"just": "json"}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(event)}
"#;

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

#[track_caller]
fn event(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn rest_routes_with_payload_1_0() {
    let house = house();
    let headers = [("X-Own", "yes"), ("User-Agent", "test")];
    let seen = event(&http::send(house.aws(), "GET /items/a%20b?x=1&x=2&y=%C3%A9", &headers, b""));
    assert_eq!(seen["resource"], "/items/{id}");
    assert_eq!(seen["httpMethod"], "GET");
    assert_eq!(
        seen["pathParameters"]["id"].as_str().map(|id| id.replace("%20", " ")).as_deref(),
        Some("a b")
    );
    assert_eq!(seen["queryStringParameters"], json!({"x": "2", "y": "é"}));
    assert_eq!(seen["multiValueQueryStringParameters"], json!({"x": ["1", "2"], "y": ["é"]}));
    assert_eq!(seen["headers"]["X-Own"], "yes");
    assert_eq!(seen["multiValueHeaders"]["X-Own"], json!(["yes"]));
    assert_eq!((&seen["body"], &seen["isBase64Encoded"]), (&Value::Null, &json!(false)));
    assert_eq!(seen["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert!(seen.get("version").is_none_or(|version| version == "1.0"));

    let posted = event(&http::send(
        house.aws(),
        "POST /items",
        &[("Content-Type", "application/json")],
        br#"{"a":1}"#,
    ));
    assert_eq!(posted["body"], r#"{"a":1}"#);
    let deep = event(&http::send(house.aws(), "DELETE /files/a/b/c.txt", &[], b""));
    assert_eq!(deep["pathParameters"], json!({"proxy": "a/b/c.txt"}));
    assert_eq!((&deep["resource"], &deep["httpMethod"]), (&json!("/files/{proxy+}"), &json!("DELETE")));
}

#[test]
fn http_routes_with_payload_2_0() {
    let house = house();
    let headers = [("X-Own", "yes"), ("Cookie", "c=1; d=2")];
    let seen = event(&http::send(house.aws(), "GET /v2/items/7?x=1&x=2", &headers, b""));
    assert_eq!((&seen["version"], &seen["routeKey"]), (&json!("2.0"), &json!("GET /v2/items/{id}")));
    assert_eq!((&seen["rawPath"], &seen["rawQueryString"]), (&json!("/v2/items/7"), &json!("x=1&x=2")));
    assert_eq!(seen["pathParameters"], json!({"id": "7"}));
    assert_eq!(seen["queryStringParameters"], json!({"x": "1,2"}));
    assert_eq!(seen["cookies"], json!(["c=1", "d=2"]));
    assert_eq!(seen["headers"]["x-own"], "yes");
    assert_eq!(seen["requestContext"]["http"]["method"], "GET");
    assert!(seen.get("body").is_none());

    let posted =
        event(&http::send(house.aws(), "POST /v2/items", &[("Content-Type", "image/png")], &[0, 255]));
    assert_eq!((&posted["body"], &posted["isBase64Encoded"]), (&json!("AP8="), &json!(true)));
    let deep = event(&http::send(house.aws(), "PATCH /v2/files/a/b", &[], b""));
    assert_eq!(deep["pathParameters"], json!({"proxy": "a/b"}));
    // HTTP APIs make an answer of what has no status.
    let plain = http::send(house.aws(), "GET /v2/items/7?how=plain", &[], b"");
    assert_eq!((plain.status, plain.json()), (200, json!({"just": "json"})));
}

#[test]
fn answers_of_every_kind() {
    let house = house();
    for root in ["/items/1", "/v2/items/1"] {
        let ask = |how: &str| {
            http::send(house.aws(), &format!("GET {root}?how={how}"), &[("Accept", "image/png")], b"")
        };
        let binary = ask("binary");
        assert_eq!((binary.status, binary.header("content-type")), (200, Some("image/png")), "{root}");
        assert_eq!(binary.body, (0..=255).collect::<Vec<u8>>(), "{root}");
        let cookies: Vec<_> =
            ask("cookies").headers.into_iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(cookies.len(), 2, "{root}: {cookies:?}");
        let teapot = ask("teapot");
        assert_eq!(
            (teapot.status, teapot.header("x-kind"), teapot.text().as_str()),
            (418, Some("tea"), "short and stout")
        );
        for how in ["raise", "nonsense"] {
            let failed = ask(how);
            assert!([500, 502].contains(&failed.status), "{root} {how}: {}", failed.status);
            assert!(failed.text().to_lowercase().contains("internal server error"), "{}", failed.text());
        }
    }
}

#[test]
fn cors_lets_in_whom_the_template_names() {
    let house = house();
    let ask = |method: &str, origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Content-Type", "application/json"),
        ];
        http::send(house.aws(), &format!("{method} /v2/items"), &headers, b"")
    };
    let preflight = ask("OPTIONS", "http://localhost:3000");
    assert!([200, 204].contains(&preflight.status), "{}", preflight.status);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert!(preflight.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    let asked = ask("POST", "http://localhost:3000");
    assert_eq!(
        (asked.status, asked.header("access-control-allow-origin")),
        (200, Some("http://localhost:3000"))
    );
    for method in ["OPTIONS", "POST"] {
        let refused = ask(method, "http://evil.example");
        assert_eq!(refused.status, 403, "{method}");
        assert!(refused.header("access-control-allow-origin").is_none());
    }
    // The REST API of this template names nobody.
    let refused = http::send(house.aws(), "GET /items/1", &[("Origin", "http://localhost:3000")], b"");
    assert_eq!(refused.status, 403);
}

#[test]
fn what_no_route_names_is_not_answered_by_a_function() {
    let house = house();
    // Everything that is no route may be a bucket: S3 says that it is none.
    let answer = http::send(house.aws(), "GET /v2/unknown", &[], b"");
    assert_eq!(answer.status, 404, "{}", answer.text());
    let unsigned = http::send(house.aws(), "PUT /items", &[], b"");
    assert_eq!((unsigned.status, unsigned.json()), (403, json!({"message": "Missing Authentication Token"})));
    // Clients of S3 sign: a bucket may have the name of a route.
    let signed =
        "AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";
    let headers = [
        ("Authorization", signed),
        ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
        ("X-Amz-Date", "20260101T000000Z"),
    ];
    let put = http::send(house.aws(), "PUT /items", &headers, b"");
    assert_eq!(put.status, 200, "{}", put.text());
}
