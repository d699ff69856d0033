//! Values of the worker protocol: what a function is given and what it gives back.

use bytes::Bytes;
use prost::{Message, Oneof};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub struct TypedData {
    #[prost(oneof = "Data", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Data {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(string, tag = "2")]
    Json(String),
    #[prost(bytes = "bytes", tag = "3")]
    Bytes(Bytes),
    #[prost(bytes = "bytes", tag = "4")]
    Stream(Bytes),
    #[prost(message, boxed, tag = "5")]
    Http(Box<RpcHttp>),
    #[prost(sint64, tag = "6")]
    Int(i64),
    #[prost(double, tag = "7")]
    Double(f64),
    #[prost(message, tag = "8")]
    CollectionBytes(CollectionBytes),
    #[prost(message, tag = "9")]
    CollectionString(CollectionString),
    #[prost(message, tag = "10")]
    CollectionDouble(CollectionDouble),
    #[prost(message, tag = "11")]
    CollectionInt(CollectionInt),
}

#[derive(Clone, PartialEq, Message)]
pub struct CollectionBytes {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub bytes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CollectionString {
    #[prost(string, repeated, tag = "1")]
    pub string: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CollectionDouble {
    #[prost(double, repeated, tag = "1")]
    pub double: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CollectionInt {
    #[prost(sint64, repeated, tag = "1")]
    pub sint64: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcHttp {
    #[prost(string, tag = "1")]
    pub method: String,
    #[prost(string, tag = "2")]
    pub url: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub headers: BTreeMap<String, String>,
    #[prost(message, optional, boxed, tag = "4")]
    pub body: Option<Box<TypedData>>,
    #[prost(btree_map = "string, string", tag = "10")]
    pub params: BTreeMap<String, String>,
    #[prost(string, tag = "12")]
    pub status_code: String,
    #[prost(btree_map = "string, string", tag = "15")]
    pub query: BTreeMap<String, String>,
    #[prost(bool, tag = "16")]
    pub enable_content_negotiation: bool,
    #[prost(message, repeated, tag = "19")]
    pub cookies: Vec<RpcHttpCookie>,
    #[prost(btree_map = "string, message", tag = "20")]
    pub nullable_headers: BTreeMap<String, NullableString>,
    #[prost(btree_map = "string, message", tag = "21")]
    pub nullable_params: BTreeMap<String, NullableString>,
    #[prost(btree_map = "string, message", tag = "22")]
    pub nullable_query: BTreeMap<String, NullableString>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcHttpCookie {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(message, optional, tag = "3")]
    pub domain: Option<NullableString>,
    #[prost(message, optional, tag = "4")]
    pub path: Option<NullableString>,
    #[prost(message, optional, tag = "5")]
    pub expires: Option<NullableTimestamp>,
    #[prost(message, optional, tag = "6")]
    pub secure: Option<NullableBool>,
    #[prost(message, optional, tag = "7")]
    pub http_only: Option<NullableBool>,
    /// 0 not said, 1 lax, 2 strict, 3 none.
    #[prost(int32, tag = "8")]
    pub same_site: i32,
    #[prost(message, optional, tag = "9")]
    pub max_age: Option<NullableDouble>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NullableString {
    #[prost(string, optional, tag = "1")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NullableBool {
    #[prost(bool, optional, tag = "1")]
    pub value: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NullableDouble {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NullableTimestamp {
    #[prost(message, optional, tag = "1")]
    pub value: Option<Seconds>,
}

/// A `google.protobuf.Timestamp` without its fraction.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Seconds {
    /// Since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
}

impl TypedData {
    pub fn of(data: Data) -> Self {
        Self { data: Some(data) }
    }

    pub fn string(text: impl Into<String>) -> Self {
        Self::of(Data::String(text.into()))
    }

    pub fn json(document: &serde_json::Value) -> Self {
        Self::of(Data::Json(document.to_string()))
    }
}
