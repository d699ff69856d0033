//! The messages of the worker protocol, as far as mlemu reads or writes them. `worker.proto` beside this file has
//! the same in the protocol's own language, for the workers.

use super::values::TypedData;
use prost::{Message, Oneof};
use std::collections::BTreeMap;

/// Either way on the one stream.
#[derive(Clone, PartialEq, Message)]
pub struct StreamingMessage {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(oneof = "Content", tags = "2, 4, 5, 8, 9, 14, 16, 17, 20, 25, 26, 29, 30")]
    pub content: Option<Content>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Content {
    #[prost(message, tag = "2")]
    RpcLog(RpcLog),
    #[prost(message, tag = "4")]
    InvocationRequest(InvocationRequest),
    #[prost(message, tag = "5")]
    InvocationResponse(InvocationResponse),
    #[prost(message, tag = "8")]
    FunctionLoadRequest(FunctionLoadRequest),
    #[prost(message, tag = "9")]
    FunctionLoadResponse(FunctionLoadResponse),
    #[prost(message, tag = "14")]
    WorkerTerminate(WorkerTerminate),
    #[prost(message, tag = "16")]
    WorkerInitResponse(WorkerInitResponse),
    #[prost(message, tag = "17")]
    WorkerInitRequest(WorkerInitRequest),
    #[prost(message, tag = "20")]
    StartStream(StartStream),
    #[prost(message, tag = "25")]
    FunctionEnvironmentReloadRequest(FunctionEnvironmentReloadRequest),
    #[prost(message, tag = "26")]
    FunctionEnvironmentReloadResponse(FunctionEnvironmentReloadResponse),
    #[prost(message, tag = "29")]
    FunctionsMetadataRequest(FunctionsMetadataRequest),
    #[prost(message, tag = "30")]
    FunctionMetadataResponse(FunctionMetadataResponse),
}

#[derive(Clone, PartialEq, Message)]
pub struct StartStream {
    #[prost(string, tag = "2")]
    pub worker_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct WorkerInitRequest {
    #[prost(string, tag = "1")]
    pub host_version: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub capabilities: BTreeMap<String, String>,
    #[prost(string, tag = "4")]
    pub worker_directory: String,
    #[prost(string, tag = "5")]
    pub function_app_directory: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct WorkerInitResponse {
    #[prost(btree_map = "string, string", tag = "2")]
    pub capabilities: BTreeMap<String, String>,
    #[prost(message, optional, tag = "3")]
    pub result: Option<StatusResult>,
}

/// Makes a placeholder the worker of an app.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionEnvironmentReloadRequest {
    #[prost(btree_map = "string, string", tag = "1")]
    pub environment_variables: BTreeMap<String, String>,
    #[prost(string, tag = "2")]
    pub function_app_directory: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct FunctionEnvironmentReloadResponse {
    #[prost(btree_map = "string, string", tag = "2")]
    pub capabilities: BTreeMap<String, String>,
    #[prost(message, optional, tag = "3")]
    pub result: Option<StatusResult>,
}

#[derive(Clone, PartialEq, Message)]
pub struct StatusResult {
    #[prost(message, optional, tag = "2")]
    pub exception: Option<RpcException>,
    /// 0 failure, 1 success, 2 cancelled.
    #[prost(int32, tag = "4")]
    pub status: i32,
}

impl StatusResult {
    pub const SUCCESS: i32 = 1;
}

#[derive(Clone, PartialEq, Message)]
pub struct WorkerTerminate {
    #[prost(message, optional, tag = "1")]
    pub grace_period: Option<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub struct FunctionsMetadataRequest {
    #[prost(string, tag = "1")]
    pub function_app_directory: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct FunctionMetadataResponse {
    #[prost(message, repeated, tag = "1")]
    pub function_metadata_results: Vec<RpcFunctionMetadata>,
    #[prost(message, optional, tag = "2")]
    pub result: Option<StatusResult>,
    /// The worker leaves it to the host to read each `function.json`.
    #[prost(bool, tag = "3")]
    pub use_default_metadata_indexing: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct FunctionLoadRequest {
    #[prost(string, tag = "1")]
    pub function_id: String,
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<RpcFunctionMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub struct FunctionLoadResponse {
    #[prost(string, tag = "1")]
    pub function_id: String,
    #[prost(message, optional, tag = "2")]
    pub result: Option<StatusResult>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcFunctionMetadata {
    #[prost(string, tag = "1")]
    pub directory: String,
    #[prost(string, tag = "2")]
    pub script_file: String,
    #[prost(string, tag = "3")]
    pub entry_point: String,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(btree_map = "string, message", tag = "6")]
    pub bindings: BTreeMap<String, BindingInfo>,
    #[prost(string, tag = "9")]
    pub language: String,
    /// Each is a JSON object as in `function.json`.
    #[prost(string, repeated, tag = "10")]
    pub raw_bindings: Vec<String>,
    #[prost(string, tag = "13")]
    pub function_id: String,
    #[prost(message, optional, tag = "15")]
    pub retry_options: Option<RpcRetryOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcRetryOptions {
    /// Less than zero: for ever.
    #[prost(int32, tag = "2")]
    pub max_retry_count: i32,
    #[prost(message, optional, tag = "3")]
    pub delay_interval: Option<Span>,
    #[prost(message, optional, tag = "4")]
    pub minimum_interval: Option<Span>,
    #[prost(message, optional, tag = "5")]
    pub maximum_interval: Option<Span>,
    /// 0 exponential back-off, 1 fixed delay.
    #[prost(int32, tag = "6")]
    pub retry_strategy: i32,
}

impl RpcRetryOptions {
    pub const FIXED_DELAY: i32 = 1;
}

/// A `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Span {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct BindingInfo {
    #[prost(string, tag = "2")]
    pub kind: String,
    /// 0 in, 1 out, 2 both.
    #[prost(int32, tag = "3")]
    pub direction: i32,
    /// 0 not said, 1 string, 2 binary, 3 stream.
    #[prost(int32, tag = "4")]
    pub data_type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct InvocationRequest {
    #[prost(string, tag = "1")]
    pub invocation_id: String,
    #[prost(string, tag = "2")]
    pub function_id: String,
    #[prost(message, repeated, tag = "3")]
    pub input_data: Vec<ParameterBinding>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub trigger_metadata: BTreeMap<String, TypedData>,
    #[prost(message, optional, tag = "5")]
    pub trace_context: Option<RpcTraceContext>,
    #[prost(message, optional, tag = "6")]
    pub retry_context: Option<RetryContext>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcTraceContext {
    #[prost(string, tag = "1")]
    pub trace_parent: String,
    #[prost(string, tag = "2")]
    pub trace_state: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct RetryContext {
    #[prost(int32, tag = "1")]
    pub retry_count: i32,
    #[prost(int32, tag = "2")]
    pub max_retry_count: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct InvocationResponse {
    #[prost(string, tag = "1")]
    pub invocation_id: String,
    #[prost(message, repeated, tag = "2")]
    pub output_data: Vec<ParameterBinding>,
    #[prost(message, optional, tag = "3")]
    pub result: Option<StatusResult>,
    #[prost(message, optional, tag = "4")]
    pub return_value: Option<TypedData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ParameterBinding {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub data: Option<TypedData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcLog {
    #[prost(string, tag = "1")]
    pub invocation_id: String,
    #[prost(string, tag = "2")]
    pub category: String,
    #[prost(int32, tag = "3")]
    pub level: i32,
    #[prost(string, tag = "4")]
    pub message: String,
    /// 0 the app's, 1 the worker's own, 2 a metric.
    #[prost(int32, tag = "8")]
    pub log_category: i32,
}

impl RpcLog {
    pub const INFORMATION: i32 = 2;
    pub const WARNING: i32 = 3;
    pub const ERROR: i32 = 4;

    /// A line of one call of a function.
    pub fn of(function: &str, invocation: &str, level: i32, message: String) -> Self {
        let category = format!("Function.{function}");
        Self { invocation_id: invocation.to_owned(), category, level, message, ..Self::default() }
    }

    /// Whether it is for whoever wrote the app: what the app says, and what goes wrong in its worker.
    pub fn is_for_people(&self) -> bool {
        match self.log_category {
            0 => self.level >= Self::INFORMATION,
            1 => self.level >= Self::WARNING,
            _ => false,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcException {
    #[prost(string, tag = "1")]
    pub stack_trace: String,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(string, tag = "3")]
    pub source: String,
    #[prost(string, tag = "5")]
    pub kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::values::{Data, NullableDouble, NullableTimestamp, RpcHttp, RpcHttpCookie, Seconds};
    use bytes::Bytes;
    use prost_reflect::{DescriptorPool, DynamicMessage};

    /// What the workers read by the descriptor is what was written by the structs.
    #[test]
    fn both_spellings_are_one() {
        let set = crate::worker::proto::descriptor().unwrap();
        let pool = DescriptorPool::decode(set.as_slice()).unwrap();
        let descriptor = pool.get_message_by_name("AzureFunctionsRpcMessages.StreamingMessage").unwrap();
        let http = RpcHttp {
            method: "POST".into(),
            headers: BTreeMap::from([("a".into(), "b".into())]),
            body: Some(Box::new(TypedData::of(Data::Bytes(Bytes::from_static(b"\0\xff"))))),
            cookies: vec![RpcHttpCookie {
                name: "c".into(),
                same_site: 2,
                max_age: Some(NullableDouble { value: Some(0.0) }),
                expires: Some(NullableTimestamp { value: Some(Seconds { seconds: 5 }) }),
                ..RpcHttpCookie::default()
            }],
            ..RpcHttp::default()
        };
        let response = InvocationResponse {
            invocation_id: "1".into(),
            return_value: Some(TypedData::of(Data::Http(Box::new(http)))),
            result: Some(StatusResult { status: StatusResult::SUCCESS, exception: None }),
            output_data: vec![ParameterBinding {
                name: "out".into(),
                data: Some(TypedData::of(Data::Int(-3))),
            }],
        };
        let message =
            StreamingMessage { request_id: "r".into(), content: Some(Content::InvocationResponse(response)) };
        let bytes = message.encode_to_vec();
        let dynamic = DynamicMessage::decode(descriptor, bytes.as_slice()).unwrap();
        assert!(dynamic.unknown_fields().next().is_none());
        let text = serde_json::to_string(&dynamic).unwrap();
        for part in
            [r#""invocationResponse""#, r#""sameSite":"Strict""#, r#""int":"-3""#, r#""status":"Success""#]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(StreamingMessage::decode(dynamic.encode_to_vec().as_slice()).unwrap(), message);
    }
}
