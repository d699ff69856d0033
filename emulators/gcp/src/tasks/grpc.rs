//! The gRPC side, which the vendor's clients speak unless they are told otherwise: each message becomes the document
//! that REST has for it, and each answer becomes a message again.

use super::Tasks;
use super::routes::{self, Op};
use crate::functions::fault::Fault;
use crate::rpc;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::{Value, json};
use std::sync::LazyLock;
use tonic::{Code, Status};

const SERVICE: &str = "/google.cloud.tasks.v2.CloudTasks/";
const FILE: &str = "cloudtasks.proto";
const SOURCE: &str = include_str!("cloudtasks.proto");
const EMPTY: &str = "google.protobuf.Empty";
/// Of a request's message, in bytes: the largest task with what goes around it.
const LARGEST: usize = 4 * 1024 * 1024;

/// A method: what it runs, its messages, and the path that REST has for it.
struct Method {
    name: &'static str,
    op: Op,
    asks: &'static str,
    says: &'static str,
    path: fn(&Value) -> String,
    /// The document that REST has for the body.
    body: fn(Value) -> Value,
}

fn named(said: &Value) -> String {
    said["name"].as_str().unwrap_or_default().to_owned()
}

fn below(said: &Value, what: &str) -> String {
    format!("{}/{what}", said["parent"].as_str().unwrap_or_default())
}

fn nothing(_: Value) -> Value {
    json!({})
}

const fn on_name(name: &'static str, op: Op, says: &'static str) -> Method {
    Method { name, op, asks: "NameRequest", says, path: named, body: nothing }
}

const METHODS: [Method; 13] = [
    Method {
        name: "ListQueues",
        op: Op::ListQueues,
        asks: "ListQueuesRequest",
        says: "ListQueuesResponse",
        path: |said| below(said, "queues"),
        body: nothing,
    },
    Method {
        name: "CreateQueue",
        op: Op::CreateQueue,
        asks: "CreateQueueRequest",
        says: "Queue",
        path: |said| below(said, "queues"),
        body: |mut said| said["queue"].take(),
    },
    Method {
        name: "UpdateQueue",
        op: Op::PatchQueue,
        asks: "UpdateQueueRequest",
        says: "Queue",
        path: |said| named(&said["queue"]),
        body: |mut said| said["queue"].take(),
    },
    Method {
        name: "ListTasks",
        op: Op::ListTasks,
        asks: "ListTasksRequest",
        says: "ListTasksResponse",
        path: |said| below(said, "tasks"),
        body: nothing,
    },
    Method {
        name: "CreateTask",
        op: Op::CreateTask,
        asks: "CreateTaskRequest",
        says: "Task",
        path: |said| below(said, "tasks"),
        body: |said| said,
    },
    on_name("GetQueue", Op::GetQueue, "Queue"),
    on_name("DeleteQueue", Op::DeleteQueue, EMPTY),
    on_name("PurgeQueue", Op::Purge, "Queue"),
    on_name("PauseQueue", Op::Pause, "Queue"),
    on_name("ResumeQueue", Op::Resume, "Queue"),
    on_name("GetTask", Op::GetTask, "Task"),
    on_name("DeleteTask", Op::DeleteTask, EMPTY),
    on_name("RunTask", Op::RunTask, "Task"),
];

/// The one file that is compiled.
struct Own;

impl FileResolver for Own {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == FILE { File::from_source(name, SOURCE) } else { Err(protox::Error::file_not_found(name)) }
    }
}

/// All messages; none where the file could not be compiled, which a test would tell.
static MESSAGES: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut files = ChainFileResolver::new();
    files.add(Own);
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true);
    compiler.open_file(FILE).map(|compiled| compiled.descriptor_pool()).unwrap_or_default()
});

fn message(name: &str) -> Result<MessageDescriptor, Fault> {
    let whole = if name.contains('.') { name.to_owned() } else { format!("google.cloud.tasks.v2.{name}") };
    MESSAGES.get_message_by_name(&whole).ok_or_else(|| Fault::failed(format!("there is no message {whole}")))
}

fn read(name: &str, bytes: Bytes) -> Result<Value, Fault> {
    let read = DynamicMessage::decode(message(name)?, bytes);
    let read = read.map_err(|error| Fault::invalid(format!("Malformed request: {error}")))?;
    serde_json::to_value(&read).map_err(|error| Fault::failed(error.to_string()))
}

/// Without what the message has no field for.
fn written(name: &str, document: Value) -> Result<Bytes, Fault> {
    let lenient = DeserializeOptions::new().deny_unknown_fields(false);
    let read = DynamicMessage::deserialize_with_options(message(name)?, document, &lenient);
    read.map(|message| message.encode_to_vec().into()).map_err(|error| Fault::failed(error.to_string()))
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        Status::new(Code::from(i32::try_from(fault.number()).unwrap_or(2)), fault.message)
    }
}

impl Tasks {
    pub fn is_grpc(path: &str) -> bool {
        path.starts_with(SERVICE)
    }

    pub async fn grpc(&self, request: Request<Body>) -> Response {
        let name = request.uri().path().trim_start_matches(SERVICE).to_owned();
        let answered = |request: tonic::Request<Bytes>| {
            let said = self.call(&name, request.into_inner());
            std::future::ready(said.map(tonic::Response::new).map_err(Status::from))
        };
        let service = tower::service_fn(answered);
        let mut server = rpc::server(LARGEST);
        let answer: http::Response<tonic::body::Body> = server.unary(service, request).await;
        answer.map(Body::new)
    }

    fn call(&self, name: &str, message: Bytes) -> Result<Bytes, Fault> {
        let method = METHODS.iter().find(|method| method.name == name);
        let method = method.ok_or_else(|| Fault::unimplemented(&format!("{SERVICE}{name}")))?;
        let said = read(method.asks, message)?;
        let path = format!("/v2/{}", (method.path)(&said));
        let wrong =
            || Fault::invalid(format!("`{}` is no name of a queue or task", path.trim_start_matches("/v2/")));
        let target = routes::target(&path).ok_or_else(wrong)?;
        written(method.says, self.run(method.op, &target, (method.body)(said))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_messages() {
        for method in &METHODS {
            assert!(message(method.asks).is_ok() && message(method.says).is_ok(), "{}", method.name);
        }
    }

    #[test]
    fn documents_become_messages_and_come_back() {
        let task = json!({
            "name": "projects/p/locations/l/queues/q/tasks/t", "view": "BASIC", "scheduleTime": "2026-01-02T03:04:05Z",
            "httpRequest": { "url": "http://127.0.0.1:1/", "httpMethod": "PUT", "body": "AAE=", "headers": { "a": "b" } },
            "somethingNew": 1,
        });
        let bytes = written("Task", task.clone()).unwrap();
        let back = read("Task", bytes).unwrap();
        assert_eq!((&back["name"], &back["httpRequest"]), (&task["name"], &task["httpRequest"]));
        assert_eq!(back["scheduleTime"], task["scheduleTime"]);
        assert!(read("Task", Bytes::from_static(b"\xff\xff")).is_err());
    }
}
