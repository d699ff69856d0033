//! Wire tests: the text of a request in, the answer out.

mod access;
mod bodies;
mod buckets;
mod configurations;
mod forms;
mod locks;
mod multipart;
mod notifications;
mod objects;
mod versions;

use super::*;
use crate::reach::fake::Mailbox;
use crate::reach::{Letter, Lost};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use mlemu_core::{Boxed, InvocationId, Invoke, Record, Refusal, Reply as Invoked};
use mlemu_engine::queues::Queues;
use mlemu_engine::triggers::{Invoker, TriggerParts};
use mlemu_engine::{Journal, SystemClock};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// An S3 with a bucket `pics` and a function `score`.
struct World {
    s3: S3,
    sqs: Sqs,
    /// What topics and buses were told.
    mailbox: Arc<Mailbox>,
    triggers: Triggers,
    journal: Arc<Journal>,
    invoked: mpsc::UnboundedReceiver<Invoke>,
    folder: TempDir,
}

/// Queues, and a mailbox for whatever else.
struct Told {
    sqs: Sqs,
    others: Arc<Mailbox>,
}

impl Reach for Told {
    fn has(&self, arn: &str) -> bool {
        self.others.has(arn)
    }

    fn send<'a>(&'a self, arn: &'a str, letter: Letter) -> Boxed<'a, Result<(), Lost>> {
        match crate::reach::service(arn) {
            "sqs" => self.sqs.send(arn, letter),
            _ => self.others.send(arn, letter),
        }
    }
}

struct Stub(mpsc::UnboundedSender<Invoke>);

impl Invoker for Stub {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, Refusal> {
        self.0.send(invoke).unwrap();
        Ok(Invoked::Accepted)
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    fn element(&self, name: &str) -> &str {
        let after = self.body.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
        after.split_once(&format!("</{name}>")).map_or("", |(text, _)| text)
    }

    fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = self.body.split(&open).skip(1);
        parts.map(|part| part.split_once(&close).unwrap().0).collect()
    }

    fn code(&self) -> (u16, &str) {
        (self.status.as_u16(), self.element("Code"))
    }
}

fn settings() -> Settings {
    let keys = Keys::new([("key".to_owned(), "secret".to_owned())]);
    Settings {
        region: "us-east-1".into(),
        account: "000000000000".into(),
        event_version: None,
        strict_auth: false,
        keys,
    }
}

fn world() -> World {
    world_with(settings())
}

fn world_with(settings: Settings) -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let objects = Objects::new(folder.path().into(), clock.clone());
    let triggers = Triggers::new(objects.clone());
    let journal = Arc::new(Journal::new(100));
    let mailbox = Mailbox::new();
    let (sender, invoked) = mpsc::unbounded_channel();
    let parts = TriggerParts {
        invoker: Stub(sender),
        clock: clock.clone(),
        sink: journal.clone(),
        new_id: |_| InvocationId("i".into()),
    };
    tokio::spawn(triggers.run(parts));
    let functions: Resolve = Arc::new(|arn| {
        let scope = Arc::new(Scope::new("aws", "000000000000", "us-east-1"));
        arn.contains(":function:score").then(|| FunctionId::new(scope, "score"))
    });
    let sqs = Sqs::new(crate::sqs::Parts {
        queues: Queues::new(clock.clone()),
        sink: journal.clone(),
        region: settings.region.clone(),
        account: settings.account.clone(),
    });
    let parts = Parts {
        objects,
        triggers: triggers.clone(),
        clock,
        sink: journal.clone(),
        functions,
        sqs: sqs.clone(),
        shelf: mlemu_engine::Shelf::default(),
        reach: Arc::new(Told { sqs: sqs.clone(), others: mailbox.clone() }),
        settings,
    };
    let s3 = S3::new(parts);
    s3.declare_bucket("pics");
    World { s3, sqs, mailbox, triggers, journal, invoked, folder }
}

impl World {
    /// `text`: a request line, headers, an empty line, a body. A missing length is added.
    async fn send(&self, text: &str) -> Reply {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        self.send_with(head, body.as_bytes().to_vec()).await
    }

    async fn send_with(&self, head: &str, body: Vec<u8>) -> Reply {
        let mut lines = head.lines().map(str::trim);
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:4566".parse().unwrap());
        headers.insert("content-length", body.len().into());
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers.insert(name.parse::<http::HeaderName>().unwrap(), value.trim().parse().unwrap());
        }
        request.headers_mut().unwrap().extend(headers);
        let response = self.s3.handle(request.body(Body::from(body)).unwrap()).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// The events that functions received until now.
    async fn events(&mut self) -> Vec<serde_json::Value> {
        self.triggers.settled().await;
        let mut events = Vec::new();
        while let Ok(invoke) = self.invoked.try_recv() {
            let event: serde_json::Value = serde_json::from_slice(&invoke.payload).unwrap();
            events.push(event["Records"][0].clone());
        }
        events
    }

    fn records(&self) -> Vec<Arc<Record>> {
        self.journal.past()
    }
}
