//! Requests in, events seen, answers out: over functions that run nothing.

use super::*;
use crate::lambda::fake::{self, FakeFunctions, outcome, says};
use bytes::Bytes;
use http_body_util::BodyExt;
use mlemu_core::declare::{Cors, Provenance, TriggerDeclaration};
use mlemu_core::{Answer, FunctionFailure, Refusal, Throttle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn http(form: HttpForm, method: &str, path: &str, cors: Option<Cors>) -> TriggerDeclaration {
    TriggerDeclaration::Http { api: "api".into(), method: method.into(), path: path.into(), form, cors }
}

pub fn function(name: &str, triggers: Vec<TriggerDeclaration>) -> FunctionDeclaration {
    FunctionDeclaration {
        cloud: "aws".into(),
        name: name.into(),
        alias: None,
        runtime: "python3.12".into(),
        handler: "app.handler".into(),
        source: "/project".into(),
        memory: None,
        timeout: None,
        tmp: None,
        env: BTreeMap::new(),
        concurrency: None,
        triggers,
        options: std::collections::BTreeMap::new(),
        from: Provenance::default(),
    }
}

struct Bench {
    functions: Arc<FakeFunctions>,
    gateway: Gateway,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Bench {
    fn new(triggers: Vec<TriggerDeclaration>) -> Self {
        let functions = FakeFunctions::new();
        let lambda = fake::lambda(&functions);
        let declared = function("f", triggers);
        let revision = lambda.declare(&declared, true);
        let gateway = Gateway::new(lambda);
        gateway.declare(&revision.function, &declared);
        Self { functions, gateway }
    }

    fn says(&self, body: &str) {
        let body = body.to_owned();
        self.functions.ends(move |invoke| Ok(outcome(invoke, Ok(says(&body)))));
    }

    async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Option<Got> {
        let request = request(method, uri, headers, body);
        let (parts, body) = request.into_parts();
        let matched = self.gateway.matches(&parts)?;
        let response = self.gateway.handle(matched, Request::from_parts(parts, body)).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Some(Got { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    async fn get(&self, uri: &str) -> Got {
        self.send("GET", uri, &[], "").await.unwrap()
    }

    fn allows(&self, uri: &str, origin: &str) -> bool {
        let (parts, _) = request("GET", uri, &[("origin", origin)], "").into_parts();
        self.gateway.origin_allowed(&parts)
    }

    fn url(&self) -> String {
        self.gateway.lambda.settings().url("f")
    }
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if uri.starts_with('/') {
        request = request.header("host", "127.0.0.1:4566");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn local_cors() -> Cors {
    Cors {
        origins: vec!["http://localhost:3000".into()],
        methods: vec!["GET".into()],
        headers: vec!["content-type".into()],
        credentials: false,
        max_age: Some(60),
    }
}

#[tokio::test]
async fn a_rest_event_is_api_gateways() {
    let bench = Bench::new(vec![http(HttpForm::Rest, "POST", "/flowers/{name}", None)]);
    bench.says(r#"{"statusCode":200}"#);
    let headers = [("user-agent", "curl/8"), ("accept", "a"), ("accept", "b"), ("x-amzn-trace-id", "Root=1")];
    bench.send("POST", "/flowers/a%20b?url=x%2Fy&tag=1&tag=2", &headers, "text").await.unwrap();
    let event = bench.functions.event();
    let expected = json!({
        "resource": "/flowers/{name}", "path": "/flowers/a%20b", "httpMethod": "POST",
        "queryStringParameters": { "url": "x/y", "tag": "2" },
        "multiValueQueryStringParameters": { "url": ["x/y"], "tag": ["1", "2"] },
        "pathParameters": { "name": "a b" }, "stageVariables": null, "body": "text", "isBase64Encoded": false
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(event[member], *value, "{member}");
    }
    assert_eq!(event["headers"]["Accept"], "b");
    assert_eq!(event["multiValueHeaders"]["Accept"], json!(["a", "b"]));
    assert_eq!(event["headers"]["X-Amzn-Trace-Id"], "Root=1");
    assert_eq!(event["headers"]["X-Forwarded-Port"], "4566");
    let context = &event["requestContext"];
    assert_eq!(context["path"], "/Prod/flowers/a%20b");
    assert_eq!(context["requestTime"], "01/Jan/2026:00:00:00 +0000");
    assert_eq!(context["requestTimeEpoch"], 1_767_225_600_123_u64);
    assert_eq!(context["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(context["identity"]["userAgent"], "curl/8");
    let trace = bench.functions.invoked.lock().unwrap()[0].attributes.clone();
    assert_eq!(trace, [("Lambda-Runtime-Trace-Id", "Root=1".to_owned())]);
}

#[tokio::test]
async fn empty_parts_of_a_rest_event_are_null() {
    let bench = Bench::new(vec![http(HttpForm::Rest, "GET", "/which_flower", None)]);
    bench.says(r#"{"statusCode":200}"#);
    bench.get("/which_flower").await;
    let event = bench.functions.event();
    for member in ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"] {
        assert_eq!(event.get(member), Some(&Value::Null), "{member}");
    }
}

#[tokio::test]
async fn a_lean_event_is_api_gateways() {
    let bench = Bench::new(vec![http(HttpForm::Lean, "ANY", "/files/{proxy+}", None)]);
    bench.says("{}");
    let headers = [("cookie", "a=1; b=2"), ("content-type", "application/json"), ("x-m", "1"), ("x-m", "2")];
    bench.send("PUT", "/files/a/b?x=1&x=2&y=%20", &headers, "{}").await.unwrap();
    let event = bench.functions.event();
    let expected = json!({
        "version": "2.0", "routeKey": "ANY /files/{proxy+}", "rawPath": "/files/a/b", "rawQueryString": "x=1&x=2&y=%20",
        "cookies": ["a=1", "b=2"], "queryStringParameters": { "x": "1,2", "y": " " },
        "pathParameters": { "proxy": "a/b" }, "body": "{}", "isBase64Encoded": false
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(event[member], *value, "{member}");
    }
    assert_eq!(event["headers"]["x-m"], "1,2");
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    assert_eq!(event["requestContext"]["stage"], "$default");
    bench.get("/files/c").await;
    let bare = bench.functions.event();
    for member in ["cookies", "queryStringParameters", "body"] {
        assert_eq!(bare.get(member), None, "{member}");
    }
}

#[tokio::test]
async fn binary_bodies_travel_as_base64_both_ways() {
    for form in [HttpForm::Rest, HttpForm::Lean] {
        let bench = Bench::new(vec![http(form, "POST", "/", None)]);
        bench.says(r#"{"statusCode":200,"headers":{"Content-Type":"image/png"},"body":"AP8=","isBase64Encoded":true}"#);
        let got = bench.send("POST", "/", &[("content-type", "image/jpeg")], vec![0xff, 0xd8]).await.unwrap();
        assert_eq!(
            (&got.body[..], &got.headers["content-type"]),
            (&b"\x00\xff"[..], &"image/png".parse().unwrap())
        );
        let event = bench.functions.event();
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/9g="), &json!(true)));
    }
}

#[tokio::test]
async fn events_are_those_of_the_public_types() {
    use aws_lambda_events::event::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
    use aws_lambda_events::event::lambda_function_urls::LambdaFunctionUrlRequest;
    let rest = Bench::new(vec![http(HttpForm::Rest, "GET", "/a/{x}", None)]);
    rest.get("/a/1?q=2").await;
    let event: ApiGatewayProxyRequest = serde_json::from_value(rest.functions.event()).unwrap();
    assert_eq!(event.path_parameters["x"], "1");
    let lean = Bench::new(vec![http(HttpForm::Lean, "GET", "/a/{x}", None)]);
    lean.get("/a/1?q=2").await;
    let event: ApiGatewayV2httpRequest = serde_json::from_value(lean.functions.event()).unwrap();
    assert_eq!(event.route_key.unwrap(), "GET /a/{x}");
    let url = Bench::new(vec![TriggerDeclaration::Url { cors: None, streaming: false }]);
    url.get(&url.url()).await;
    let event: LambdaFunctionUrlRequest = serde_json::from_value(url.functions.event()).unwrap();
    assert_eq!(event.request_context.account_id.unwrap(), "anonymous");
}

#[tokio::test]
async fn failures_at_each_door() {
    let url = TriggerDeclaration::Url { cors: None, streaming: false };
    let rest = Bench::new(vec![http(HttpForm::Rest, "GET", "/a", None), url]);
    let lean = Bench::new(vec![http(HttpForm::Lean, "GET", "/a", None)]);
    let failed = |bench: &Bench| {
        bench.functions.ends(|invoke| {
            Ok(outcome(invoke, Err(FunctionFailure::TimedOut { after: Duration::from_secs(3) })))
        });
    };
    failed(&rest);
    failed(&lean);
    let text = |got: &Got| (got.status, String::from_utf8(got.body.to_vec()).unwrap());
    assert_eq!(text(&rest.get("/a").await), (502, r#"{"message":"Internal server error"}"#.into()));
    assert_eq!(text(&lean.get("/a").await), (500, r#"{"message":"Internal Server Error"}"#.into()));
    assert_eq!(text(&rest.get(&rest.url()).await), (502, "Internal Server Error".into()));
    rest.says(r#"{"no":"status"}"#);
    assert_eq!(rest.get("/a").await.status, 502);
    lean.says(r#"{"statusCode":"bad"}"#);
    assert_eq!(lean.get("/a").await.status, 500);
    rest.functions.ends(|_| Err(Refusal::Throttled(Throttle::Reserved)));
    assert_eq!(rest.get(&rest.url()).await.status, 429);
    lean.functions.ends(|_| Err(Refusal::Throttled(Throttle::Reserved)));
    assert_eq!(text(&lean.get("/a").await), (503, r#"{"message":"Service Unavailable"}"#.into()));
}

#[tokio::test(start_paused = true)]
async fn the_gateway_does_not_wait_for_ever() {
    for (form, status) in [(HttpForm::Rest, 504), (HttpForm::Lean, 503)] {
        let bench = Bench::new(vec![http(form, "GET", "/a", None)]);
        bench.functions.script(|_| Box::pin(std::future::pending()));
        assert_eq!(bench.get("/a").await.status, status);
    }
}

#[tokio::test]
async fn bodies_that_are_too_long() {
    for (form, text) in [(HttpForm::Rest, "Request Too Long"), (HttpForm::Lean, "Request Entity Too Large")] {
        let bench = Bench::new(vec![http(form, "POST", "/a", None)]);
        let got = bench.send("POST", "/a", &[], vec![b'x'; 10 * 1024 * 1024 + 1]).await.unwrap();
        assert_eq!((got.status, &got.body[..]), (413, json!({ "message": text }).to_string().as_bytes()));
        assert!(bench.functions.invoked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_route() {
    let rest = Bench::new(vec![http(HttpForm::Rest, "GET", "/a", None)]);
    let got = rest.send("POST", "/a", &[], "").await.unwrap();
    assert_eq!((got.status, &got.body[..]), (403, &br#"{"message":"Missing Authentication Token"}"#[..]));
    let lean = Bench::new(vec![http(HttpForm::Lean, "GET", "/a", None)]);
    let got = lean.send("POST", "/a", &[], "").await.unwrap();
    assert_eq!((got.status, &got.body[..]), (404, &br#"{"message":"Not Found"}"#[..]));
    assert!(rest.send("GET", "/bucket/key", &[], "").await.is_none());
}

#[tokio::test]
async fn a_route_for_everything_leaves_signed_requests_alone() {
    let bench = Bench::new(vec![http(HttpForm::Lean, "ANY", "$default", None)]);
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    assert!(bench.send("GET", "/bucket/key", &[("authorization", scope)], "").await.is_none());
    assert!(bench.send("GET", "/bucket/key?X-Amz-Signature=0", &[], "").await.is_none());
    for elsewhere in
        ["/2015-03-31/functions/f/invocations", "/_mlemu/reset", "http://photos.localhost:4566/a"]
    {
        assert!(bench.send("POST", elsewhere, &[], "").await.is_none(), "{elsewhere}");
    }
    assert!(bench.send("GET", "/page", &[], "").await.is_some());
    assert!(bench.send("GET", "http://[::1]:4566/page", &[], "").await.is_some());
    assert!(bench.send("GET", "/page", &[("authorization", "Bearer x")], "").await.is_some());
}

#[tokio::test]
async fn apis_by_their_own_host() {
    let bench = Bench::new(vec![http(HttpForm::Rest, "GET", "/a", None)]);
    bench.says(r#"{"statusCode":200}"#);
    let id = bench.gateway.table().routes()[0].api.id.clone();
    let at = |path: &str| format!("http://{id}.execute-api.us-east-1.localhost:4566{path}");
    assert_eq!(bench.get(&at("/Prod/a")).await.status, 200);
    assert_eq!(bench.functions.event()["path"], "/a");
    assert_eq!(bench.get(&at("/a")).await.status, 403);
    assert_eq!(bench.get(&at("/Prod/none")).await.status, 403);
}

#[tokio::test]
async fn cross_origin_rules_of_routes() {
    let preflight = [("origin", "http://localhost:3000"), ("access-control-request-method", "GET")];
    let lean = Bench::new(vec![
        http(HttpForm::Lean, "GET", "/a", Some(local_cors())),
        http(HttpForm::Lean, "GET", "/b", None),
    ]);
    let got = lean.send("OPTIONS", "/a", &preflight, "").await.unwrap();
    assert_eq!(got.status, 204);
    assert_eq!(got.headers["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(got.headers["access-control-max-age"], "60");
    let foreign = [("origin", "http://evil"), ("access-control-request-method", "GET")];
    let got = lean.send("OPTIONS", "/a", &foreign, "").await.unwrap();
    assert!(!got.headers.contains_key("access-control-allow-origin"));
    lean.says(r#"{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*"}}"#);
    let got = lean.send("GET", "/a", &[("origin", "http://localhost:3000")], "").await.unwrap();
    assert_eq!(got.headers["access-control-allow-origin"], "http://localhost:3000");
    let rest = Bench::new(vec![http(HttpForm::Rest, "ANY", "/a", Some(local_cors()))]);
    let got = rest.send("OPTIONS", "/a", &preflight, "").await.unwrap();
    assert_eq!((got.status, &got.headers["access-control-allow-methods"]), (200, &"GET".parse().unwrap()));
    for bench in [&lean, &rest] {
        assert!(bench.allows("/a", "http://localhost:3000"));
        for origin in ["http://evil", "null"] {
            assert!(!bench.allows("/a", origin));
        }
    }
    assert!(!lean.allows("/b", "http://localhost:3000"));
    let any = Cors { origins: vec!["*".into()], ..Cors::default() };
    let all = Bench::new(vec![http(HttpForm::Lean, "ANY", "$default", Some(any))]);
    assert!(all.allows("/page", "http://anywhere"));
    assert!(!all.allows("/2015-03-31/functions/f/invocations", "http://anywhere"));
}

#[tokio::test]
async fn a_url_answers() {
    let bench = Bench::new(vec![TriggerDeclaration::Url { cors: Some(local_cors()), streaming: false }]);
    bench.says(r#"{"hello":"you"}"#);
    let url = format!("{}some/path?q=1", bench.url());
    let got = bench
        .send("POST", &url, &[("cookie", "a=1"), ("origin", "http://localhost:3000")], "x")
        .await
        .unwrap();
    assert_eq!((got.status, &got.body[..]), (200, &br#"{"hello":"you"}"#[..]));
    assert_eq!(got.headers["access-control-allow-origin"], "http://localhost:3000");
    let event = bench.functions.event();
    assert_eq!((&event["routeKey"], &event["rawPath"]), (&json!("$default"), &json!("/some/path")));
    assert_eq!(event["headers"]["cookie"], "a=1");
    let prefix = bench.gateway.lambda.settings().url_id("f");
    assert_eq!(event["requestContext"]["domainPrefix"], json!(prefix));
    let aws = format!("http://{prefix}.lambda-url.us-east-1.on.aws/");
    assert_eq!(bench.get(&aws).await.status, 200);
    let none = bench.get(&aws.replace(&prefix, "nobody")).await;
    assert_eq!((none.status, &none.body[..]), (403, &br#"{"Message":"Forbidden"}"#[..]));
    assert!(bench.allows(&bench.url(), "http://localhost:3000"));
    assert!(!bench.allows(&bench.url(), "http://evil"));
}

#[tokio::test]
async fn a_url_streams() {
    let bench = Bench::new(vec![TriggerDeclaration::Url { cors: None, streaming: true }]);
    bench.functions.script(|invoke| {
        Box::pin(async move {
            let sink = invoke.stream.clone().unwrap();
            sink.head(prelude::CONTENT_TYPE);
            let head = "{\"statusCode\":202,\"headers\":{\"content-type\":\"text/plain\"}}\0\0\0";
            for part in [head, "\0\0\0\0\0on", "e", "two"] {
                sink.chunk(Bytes::from_static(part.as_bytes())).await;
            }
            Ok(outcome(&invoke, Ok(Answer { streamed: true, ..Answer::default() })))
        })
    });
    let got = bench.get(&bench.url()).await;
    assert_eq!((got.status, &got.body[..]), (202, &b"onetwo"[..]));
    assert_eq!(got.headers["content-type"], "text/plain");
    bench.says(r#"{"statusCode":201,"body":"whole"}"#);
    let got = bench.get(&bench.url()).await;
    assert_eq!((got.status, &got.body[..]), (201, &b"whole"[..]));
    bench.functions.ends(|invoke| Ok(outcome(invoke, Err(FunctionFailure::Stopped))));
    assert_eq!(bench.get(&bench.url()).await.status, 502);
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_look_whole() {
    let bench = Bench::new(vec![TriggerDeclaration::Url { cors: None, streaming: true }]);
    bench.functions.script(|invoke| {
        Box::pin(async move {
            invoke.stream.clone().unwrap().chunk(Bytes::from_static(b"half")).await;
            Ok(outcome(&invoke, Err(FunctionFailure::OutOfMemory { limit: 1 })))
        })
    });
    let request = request("GET", &bench.url(), &[], "");
    let (parts, body) = request.into_parts();
    let matched = bench.gateway.matches(&parts).unwrap();
    let response = bench.gateway.handle(matched, Request::from_parts(parts, body)).await;
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_streaming_function_behind_a_url_that_does_not() {
    let bench = Bench::new(vec![TriggerDeclaration::Url { cors: None, streaming: false }]);
    bench.functions.ends(|invoke| {
        let body = Bytes::from_static(b"{\"statusCode\":418}\0\0\0\0\0\0\0\0tea");
        let content_type = Some(prelude::CONTENT_TYPE.to_owned());
        Ok(outcome(invoke, Ok(Answer { body, content_type, ..Answer::default() })))
    });
    let got = bench.get(&bench.url()).await;
    assert_eq!((got.status, &got.body[..]), (418, &b"tea"[..]));
}

#[tokio::test]
async fn routes_for_people() {
    let bench = Bench::new(vec![http(HttpForm::Rest, "get", "which_flower/", None)]);
    let routes = bench.gateway.routes();
    assert_eq!((routes[0].method.as_str(), routes[0].path.as_str()), ("GET", "/which_flower"));
    bench.gateway.forget(&routes[0].function);
    assert!(bench.gateway.routes().is_empty());
}
