//! Requests to a daemon that may end at any moment: an answer that did not come whole is none.

use crate::http::{self, Answer};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// `None`: nobody knows what became of it.
pub fn attempt(to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(to).ok()?;
    let mut head = format!("{line} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let answer = http::rest(stream)?;
    let promised = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    (promised.is_none_or(|length| length == answer.body.len())).then_some(answer)
}

/// Asks a daemon that lives, also while the machine has no connections to give.
#[track_caller]
pub fn surely(to: SocketAddr, line: &str) -> Answer {
    let mut tries = (0..50).filter_map(|_| attempt(to, line, &[], b""));
    tries.next().unwrap_or_else(|| panic!("no answer to {line}"))
}

/// One operation; `None`: nobody knows. What is refused is a failure of the test.
pub fn sqs(to: SocketAddr, operation: &str, body: &Value) -> Option<Value> {
    let target = format!("AmazonSQS.{operation}");
    let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.0")];
    let answer = attempt(to, "POST /", &headers, body.to_string().as_bytes())?;
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    if answer.body.is_empty() { Some(Value::Null) } else { Some(answer.json()) }
}

/// A message that was received.
pub struct Taken {
    pub id: String,
    pub receipt: String,
}

/// A queue, wherever its daemon listens now.
pub struct Queue {
    pub url: String,
}

impl Queue {
    pub fn create(to: SocketAddr, name: &str, attributes: &Value) -> Self {
        let made = sqs(to, "CreateQueue", &json!({ "QueueName": name, "Attributes": attributes }));
        let url = made.expect("a queue")["QueueUrl"].as_str().expect("its URL").to_owned();
        Self { url }
    }

    fn id(answer: &Value) -> String {
        answer["MessageId"].as_str().expect("an id").to_owned()
    }

    pub fn send(&self, to: SocketAddr, body: &str) -> Option<String> {
        let sent = sqs(to, "SendMessage", &json!({ "QueueUrl": self.url, "MessageBody": body }));
        sent.map(|sent| Self::id(&sent))
    }

    pub fn send_once(&self, to: SocketAddr, body: &str, key: &str) -> Option<String> {
        let message = json!({
            "QueueUrl": self.url,
            "MessageBody": body,
            "MessageGroupId": "g",
            "MessageDeduplicationId": key,
        });
        sqs(to, "SendMessage", &message).map(|sent| Self::id(&sent))
    }

    /// One message at most. `None`: nobody knows. `wait` and `lease` in seconds.
    pub fn receive(&self, to: SocketAddr, lease: u64, wait: u64) -> Option<Vec<Taken>> {
        let want = json!({ "QueueUrl": self.url, "VisibilityTimeout": lease, "WaitTimeSeconds": wait });
        let received = sqs(to, "ReceiveMessage", &want)?;
        let taken = |message: &Value| {
            let text = |name: &str| message[name].as_str().expect("text").to_owned();
            Taken { id: text("MessageId"), receipt: text("ReceiptHandle") }
        };
        Some(received["Messages"].as_array().into_iter().flatten().map(taken).collect())
    }

    pub fn delete(&self, to: SocketAddr, receipt: &str) -> Option<Value> {
        sqs(to, "DeleteMessage", &json!({ "QueueUrl": self.url, "ReceiptHandle": receipt }))
    }
}
