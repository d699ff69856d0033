//! A batch of messages as the function sees it, and what its answer means.

use crate::pattern::Pattern;
use crate::sqs::event;
use bytes::Bytes;
use mlemu_core::Answer;
use mlemu_engine::queues::{Received, TopicId};
use mlemu_engine::sources::{BatchShape, Verdict};
use serde_json::{Value, json};

pub struct SqsBatch {
    pub queue: TopicId,
    /// One of them must fit, if there are any.
    pub filters: Vec<Pattern>,
    pub partial: bool,
}

impl BatchShape for SqsBatch {
    fn wants(&self, one: &Received) -> bool {
        self.filters.is_empty() || {
            let plain = event::record(one, &self.queue);
            self.filters.iter().any(|filter| fits(filter, &plain))
        }
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        let records: Vec<Value> = batch.iter().map(|one| event::record(one, &self.queue)).collect();
        json!({ "Records": records }).to_string().into()
    }

    fn verdict(&self, batch: &[Received], answer: &Answer) -> Verdict {
        if !self.partial {
            return Verdict::Done;
        }
        let ids: Vec<&str> = batch.iter().map(|one| &*one.message.id).collect();
        verdict(&ids, &answer.body)
    }
}

/// A body is taken as JSON when the filter wants an object there; plain text and JSON never fit each other.
fn fits(filter: &Pattern, record: &Value) -> bool {
    let Some(wants_object) = filter.wants_object("body") else { return filter.fits(record) };
    let text = record["body"].as_str().unwrap_or_default();
    let parsed = serde_json::from_str::<Value>(text).ok().filter(|body| body.is_object() || body.is_array());
    match (wants_object, parsed) {
        (true, Some(body)) => {
            let mut record = record.clone();
            record["body"] = body;
            filter.fits(&record)
        }
        (false, None) => filter.fits(record),
        _ => false,
    }
}

/// Reads `batchItemFailures`. Nothing at all is a success; anything that cannot be understood fails the whole
/// batch.
fn verdict(ids: &[&str], answer: &[u8]) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return if answer.iter().all(u8::is_ascii_whitespace) { Verdict::Done } else { Verdict::Failed };
    };
    let failures = match &answer {
        Value::Null => return Verdict::Done,
        Value::Array(items) if items.is_empty() => return Verdict::Done,
        Value::String(text) if text.is_empty() => return Verdict::Done,
        Value::Object(members) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => return Verdict::Done,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Verdict::Failed,
        },
        _ => return Verdict::Failed,
    };
    let place = |failure: &Value| {
        let id = failure.get("itemIdentifier")?.as_str()?;
        ids.iter().position(|known| *known == id)
    };
    match failures.iter().map(place).collect::<Option<Vec<usize>>>() {
        Some(places) if places.is_empty() => Verdict::Done,
        Some(places) => Verdict::Partly(places),
        None => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &str) -> Verdict {
        verdict(&["a", "b"], answer.as_bytes())
    }

    #[test]
    fn answers_of_every_kind() {
        for success in [
            "",
            "null",
            "{}",
            "[]",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"other":1}"#,
        ] {
            assert_eq!(of(success), Verdict::Done, "{success}");
        }
        for failure in [
            "{",
            "7",
            r#""text""#,
            "[1]",
            r#"{"batchItemFailures":"b"}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"id":"b"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"other"}]}"#,
            r#"{"batchItemFailures":["b"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"other"}]}"#,
        ] {
            assert_eq!(of(failure), Verdict::Failed, "{failure}");
        }
        let one = r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(of(one), Verdict::Partly(vec![1]));
    }

    #[test]
    fn bodies_and_filters_of_two_kinds() {
        let record = |body: &str| json!({ "body": body, "attributes": { "SenderId": "me" } });
        let object = Pattern::compile(r#"{"body":{"kind":["x"]}}"#).unwrap();
        let plain = Pattern::compile(r#"{"body":["text"]}"#).unwrap();
        let other = Pattern::compile(r#"{"attributes":{"SenderId":["me"]}}"#).unwrap();
        assert!(fits(&object, &record(r#"{"kind":"x"}"#)) && !fits(&object, &record(r#"{"kind":"y"}"#)));
        assert!(!fits(&object, &record("text")) && fits(&plain, &record("text")));
        assert!(!fits(&plain, &record(r#"{"kind":"x"}"#)));
        assert!(fits(&other, &record("text")) && fits(&other, &record("{}")));
    }
}
