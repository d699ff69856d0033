//! What becomes of asynchronous invocations: how often and how long they are tried, and who is told in the end.
//!
//! Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation", "Capturing records
//! of Lambda asynchronous invocations" and "Adding a dead-letter queue". The tries themselves are the engine's.

use super::catalog::QueuedConfig;
use super::target::LATEST;
use super::{Lambda, ending};
use crate::reach::{Detail, Letter, Reach};
use bytes::Bytes;
use mlemu_core::{Boxed, Invoke, Outcome, Subject, Timestamp, What};
use mlemu_engine::care::{Care, End, Patience, Verdict};
use mlemu_engine::queues::{Attribute, BackOff};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often a failed call is tried again when nobody says.
const RETRIES: u32 = 2;
/// Six hours, in seconds.
const AGE: u32 = 21_600;
const AFTER_FAILURE: BackOff = BackOff { first: Duration::from_secs(60), longest: Duration::from_secs(120) };
const AFTER_THROTTLE: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };
/// Longest `ErrorMessage` of a dead letter, in bytes.
const ERROR_MESSAGE: usize = 1024;

/// Cares for the queued calls of one Lambda.
pub struct Aftermath {
    lambda: Weak<Lambda>,
    reach: Arc<dyn Reach>,
}

impl Aftermath {
    pub fn new(lambda: Weak<Lambda>, reach: Arc<dyn Reach>) -> Arc<Self> {
        Arc::new(Self { lambda, reach })
    }

    fn config(&self, invoke: &Invoke) -> QueuedConfig {
        let Some(lambda) = self.lambda.upgrade() else { return QueuedConfig::default() };
        let catalog = lambda.catalog();
        let place = invoke.qualifier.as_deref().unwrap_or(LATEST);
        let found = catalog.get(&invoke.target.name).and_then(|entry| entry.queued.get(place));
        found.cloned().unwrap_or_default()
    }

    /// The dead-letter queue or topic of the version that was called.
    fn dead_letters(&self, invoke: &Invoke) -> Option<String> {
        let lambda = self.lambda.upgrade()?;
        let catalog = lambda.catalog();
        let facts = catalog.get(&invoke.target.name)?.facts(invoke.qualifier.as_deref())?;
        let arn = facts.kept.get("DeadLetterConfig")?.get("TargetArn")?.as_str()?;
        (!arn.is_empty()).then(|| arn.to_owned())
    }

    async fn tell(&self, end: &End, arn: &str, letter: Letter) {
        let Err(lost) = self.reach.send(arn, letter).await else { return };
        let Some(lambda) = self.lambda.upgrade() else { return };
        let subject = Subject {
            function: Some(end.invoke.target.clone()),
            invocation: Some(end.invoke.id.clone()),
            cause: Some(end.invoke.cause.clone()),
            ..Subject::default()
        };
        let text = format!("{arn} was not told how an invocation of {} ended: {lost}", end.invoke.target);
        lambda.functions.record(subject, What::Warning { text });
    }

    async fn settle(&self, end: End) {
        let Some(lambda) = self.lambda.upgrade() else { return };
        let config = self.config(&end.invoke);
        let went_well = end.verdict == Verdict::Done;
        let dead_letters = if went_well { None } else { self.dead_letters(&end.invoke) };
        if let Some(arn) = dead_letters {
            self.tell(&end, &arn, dead_letter(&end)).await;
        }
        let Some(arn) = (if went_well { config.on_success } else { config.on_failure }) else { return };
        let qualifier = end.invoke.qualifier.as_deref().unwrap_or(LATEST);
        let function = lambda.settings.arn(&end.invoke.target.name, Some(qualifier));
        let document = document(&end, &function, lambda.functions.clock().now());
        let word = if went_well { "Success" } else { "Failure" };
        let detail = Detail {
            source: "lambda".into(),
            kind: format!("Lambda Function Invocation Result - {word}"),
            resources: vec![arn.clone(), function],
        };
        let (now, id) = (lambda.functions.clock().now(), lambda.functions.ids().fresh("record").uuid());
        let key = Some(key(&end.invoke.target.name, now, &id));
        let letter = Letter { detail: Some(detail), key, ..Letter::of(document, end.invoke.cause.clone()) };
        self.tell(&end, &arn, letter).await;
    }
}

impl Care for Aftermath {
    fn patience(&self, invoke: &Invoke) -> Patience {
        let config = self.config(invoke);
        Patience {
            runs: 1 + config.retries.unwrap_or(RETRIES),
            age: Duration::from_secs(config.age.unwrap_or(AGE).into()),
            after_failure: AFTER_FAILURE,
            after_refusal: AFTER_THROTTLE,
        }
    }

    fn ended(&self, end: End) -> Boxed<'_, ()> {
        Box::pin(self.settle(end))
    }
}

fn condition(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "Success",
        Verdict::Exhausted => "RetriesExhausted",
        Verdict::TooOld => "EventAgeExceeded",
        Verdict::NoRoom => "ZeroReservedConcurrency",
    }
}

/// The name of a record in a bucket.
fn key(function: &str, now: Timestamp, id: &str) -> String {
    let now = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    let (day, moment) = (now.strftime("%Y/%m/%d"), now.strftime("%Y-%m-%dT%H.%M.%S"));
    format!("aws/lambda/async/{function}/{day}/{moment}-{id}")
}

/// What the last run answered, as the caller of Invoke would have got it.
fn answer(outcome: &Outcome) -> Bytes {
    match &outcome.result {
        Ok(answer) if answer.body.is_empty() => Bytes::from_static(b"null"),
        Ok(answer) => answer.body.clone(),
        Err(failure) => ending::body(failure, &outcome.id.0),
    }
}

/// The record that a destination gets. Payloads stay as they are, digit by digit.
fn document(end: &End, function: &str, now: Timestamp) -> String {
    let head = json!({
        "requestId": &*end.invoke.id.0,
        "functionArn": function,
        "condition": condition(end.verdict),
        "approximateInvokeCount": end.runs,
    });
    let mut document = format!(
        "{{\"version\":\"1.0\",\"timestamp\":\"{}\",\"requestContext\":{head},\"requestPayload\":{}",
        super::encode::created_at(now),
        as_json(&end.invoke.payload),
    );
    if let Some(outcome) = &end.outcome {
        let mut context = json!({ "statusCode": 200, "executedVersion": outcome.revision });
        if outcome.result.is_err() {
            context["functionError"] = "Unhandled".into();
        }
        let answer = as_json(&answer(outcome));
        document.push_str(&format!(",\"responseContext\":{context},\"responsePayload\":{answer}"));
    }
    document.push('}');
    document
}

/// What is no JSON stands as a string.
fn as_json(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    if serde_json::from_str::<IgnoredAny>(&text).is_ok() {
        text.into_owned()
    } else {
        Value::String(text.into_owned()).to_string()
    }
}

/// The event itself, with why it died in attributes.
fn dead_letter(end: &End) -> Letter {
    let (code, message) = match &end.outcome {
        Some(outcome) => ("200", error_message(outcome)),
        None => ("429", "Rate Exceeded.".to_owned()),
    };
    let attribute = |name: &str, kind: &str, value: String| Attribute {
        name: name.into(),
        kind: kind.into(),
        value: value.into(),
    };
    let attributes = vec![
        attribute("RequestID", "String", end.invoke.id.to_string()),
        attribute("ErrorCode", "Number", code.to_owned()),
        attribute("ErrorMessage", "String", message),
    ];
    Letter { attributes, ..Letter::of(end.invoke.payload.clone(), end.invoke.cause.clone()) }
}

fn error_message(outcome: &Outcome) -> String {
    let document: Value = serde_json::from_slice(&answer(outcome)).unwrap_or_default();
    let said = document["errorMessage"].as_str().filter(|said| !said.is_empty());
    let mut message = said.or_else(|| document["errorType"].as_str()).unwrap_or("Unhandled").to_owned();
    message.truncate(message.floor_char_boundary(ERROR_MESSAGE));
    message
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, FakeFunctions, NOW, says};
    use super::*;
    use crate::reach::fake::Mailbox;
    use mlemu_core::outcome::Phase;
    use mlemu_core::{Cause, FunctionFailure, InvocationId, Mode, Reply};

    fn invoke(lambda: &Lambda, payload: &'static str) -> Invoke {
        let id = InvocationId("ID".into());
        Invoke { mode: Mode::Queue, ..Invoke::of(id, lambda.id_of("f"), payload, Cause::Mlemu) }
    }

    fn outcome(invoke: &Invoke, result: Result<mlemu_core::Answer, FunctionFailure>) -> Option<Box<Outcome>> {
        match fake::outcome(invoke, result) {
            Reply::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn failed() -> FunctionFailure {
        let body = Bytes::from_static(br#"{"errorMessage": "no", "errorType": "ValueError"}"#);
        FunctionFailure::Reported { body, kind: Some("ValueError".into()), phase: Phase::Invoke }
    }

    #[test]
    fn the_record_of_a_failure_is_lambdas() {
        let lambda = fake::lambda(&FakeFunctions::new());
        let invoke = invoke(&lambda, r#"{"n": 1.10}"#);
        let outcome = outcome(&invoke, Err(failed()));
        let end = End { invoke, verdict: Verdict::Exhausted, runs: 3, outcome };
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
        assert_eq!(
            document(&end, arn, NOW),
            r#"{"version":"1.0","timestamp":"2026-01-01T00:00:00.123Z","requestContext":{"requestId":"ID","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":{"n": 1.10},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage": "no", "errorType": "ValueError"}}"#
        );
        let letter = dead_letter(&end);
        assert_eq!(letter.body, r#"{"n": 1.10}"#);
        let told: Vec<_> = letter.attributes.iter().map(|one| (&*one.name, &one.value[..])).collect();
        let expected: [(&str, &[u8]); 3] =
            [("RequestID", b"ID"), ("ErrorCode", b"200"), ("ErrorMessage", b"no")];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_never_ran_has_no_response() {
        let lambda = fake::lambda(&FakeFunctions::new());
        let end = End { invoke: invoke(&lambda, "7"), verdict: Verdict::NoRoom, runs: 0, outcome: None };
        let document: Value = serde_json::from_str(&document(&end, "arn", NOW)).unwrap();
        assert_eq!(document["requestContext"]["condition"], "ZeroReservedConcurrency");
        assert!(document.get("responseContext").is_none() && document.get("responsePayload").is_none());
        assert_eq!(&dead_letter(&end).attributes[1].value[..], b"429");
    }

    #[test]
    fn an_answer_that_is_no_json_stands_as_text() {
        assert_eq!(as_json(b"a \"b\""), r#""a \"b\"""#);
        assert_eq!(as_json(b"[1, 2]"), "[1, 2]");
    }

    #[tokio::test]
    async fn who_is_told_and_how_long_it_is_tried() {
        let functions = FakeFunctions::new();
        let lambda = fake::lambda(&functions);
        let mailbox = Mailbox::new();
        let aftermath = Aftermath::new(Arc::downgrade(&lambda), mailbox.clone());
        let declared = lambda.id_of("f");
        let facts = lambda.facts(String::new(), String::new(), None, super::super::wire::Kept::new());
        lambda.catalog().insert(super::super::catalog::Entry::new(declared, facts));
        let call = invoke(&lambda, "{}");
        let patience = aftermath.patience(&call);
        assert_eq!((patience.runs, patience.age), (3, Duration::from_secs(21_600)));
        let config = QueuedConfig {
            retries: Some(0),
            age: Some(60),
            on_success: Some("arn:aws:sqs:us-east-1:000000000000:good".into()),
            on_failure: Some("arn:aws:sns:us-east-1:000000000000:bad".into()),
            modified: NOW,
        };
        let dead = json!({ "TargetArn": "arn:aws:sqs:r:a:dead" });
        let target = super::super::target::Target { name: "f".into(), qualifier: None };
        let configured = lambda.with_entry_mut(&target, |entry| {
            entry.queued.insert(LATEST.into(), config);
            entry.latest.kept.insert("DeadLetterConfig".into(), dead);
            Ok(())
        });
        configured.unwrap();
        let patience = aftermath.patience(&call);
        assert_eq!((patience.runs, patience.age), (1, Duration::from_secs(60)));
        let good = outcome(&call, Ok(says("1")));
        let end = End { invoke: call.clone(), verdict: Verdict::Done, runs: 1, outcome: good };
        aftermath.ended(end).await;
        let bad = outcome(&call, Err(failed()));
        aftermath.ended(End { invoke: call, verdict: Verdict::Exhausted, runs: 1, outcome: bad }).await;
        let sent: Vec<_> = mailbox.take().into_iter().map(|(arn, _)| arn).collect();
        let expected = [
            "arn:aws:sqs:us-east-1:000000000000:good",
            "arn:aws:sqs:r:a:dead",
            "arn:aws:sns:us-east-1:000000000000:bad",
        ];
        assert_eq!(sent, expected);
    }
}
