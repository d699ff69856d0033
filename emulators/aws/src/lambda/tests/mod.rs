//! The Lambda API on the wire, over functions that run nothing.

mod deploy;
mod invoke;
mod manage;
mod streams;

use super::Lambda;
use super::fake::{self, FakeFunctions};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;

const ROLE: &str = "arn:aws:iam::000000000000:role/r";

struct Bench {
    functions: Arc<FakeFunctions>,
    lambda: Arc<Lambda>,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The error's name and text.
    fn fault(&self) -> (u16, String, String) {
        let document = self.json();
        let text = document["message"].as_str().or(document["Message"].as_str()).unwrap().to_owned();
        (self.status, self.headers["x-amzn-errortype"].to_str().unwrap().to_owned(), text)
    }
}

impl Bench {
    fn new() -> Self {
        let functions = FakeFunctions::new();
        Self { lambda: fake::lambda(&functions), functions }
    }

    /// One with a function `f`.
    async fn with_f() -> Self {
        let bench = Self::new();
        let got = bench.post("/2015-03-31/functions", &creation("f")).await;
        assert_eq!(got.status, 201, "{:?}", got.body);
        bench
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Got {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.lambda.handle(request.body(body.into()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(parts.headers.contains_key("x-amzn-requestid"));
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[], "").await
    }

    async fn delete(&self, path: &str) -> Got {
        self.send("DELETE", path, &[], "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.send("POST", path, &[], body.to_string()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Got {
        self.send("PUT", path, &[], body.to_string()).await
    }
}

fn zip(text: &str) -> String {
    BASE64.encode(format!("PK {text}"))
}

fn creation(name: &str) -> Value {
    json!({
        "FunctionName": name, "Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler",
        "Code": { "ZipFile": zip("one") }
    })
}

/// A request to create `f` that differs in some members; `null` takes one away.
fn creation_with(changes: Value) -> Value {
    let mut request = creation("f");
    for (member, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => request.as_object_mut().unwrap().remove(member),
            value => request.as_object_mut().unwrap().insert(member.clone(), value.clone()),
        };
    }
    request
}
