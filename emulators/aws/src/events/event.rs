//! An event as rules see it and as targets get it.
//!
//! Amazon EventBridge user guide, "AWS service event metadata".

use crate::lambda::Settings;
use crate::reach::Detail;
use mlemu_core::Timestamp;
use mlemu_engine::ids::Id;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    /// Everything, for patterns and paths.
    pub document: Value,
    /// The detail as it was written: numbers keep their digits.
    detail: String,
}

impl Event {
    /// `detail` is the text of a JSON object.
    pub fn new(id: Id, settings: &Settings, at: Timestamp, said: &Detail, detail: String) -> Self {
        let id = id.uuid();
        let parsed: Value = serde_json::from_str(&detail).unwrap_or_default();
        let document = json!({
            "version": "0",
            "id": id,
            "detail-type": said.kind,
            "source": said.source,
            "account": settings.account,
            "time": iso(at),
            "region": settings.region,
            "resources": said.resources,
            "detail": parsed,
        });
        Self { id, document, detail }
    }

    /// What a target gets that asked for nothing else.
    pub fn text(&self) -> String {
        let order = ["version", "id", "detail-type", "source", "account", "time", "region", "resources"];
        let members = order.iter().map(|name| format!("\"{name}\":{}", self.document[*name]));
        format!("{{{},\"detail\":{}}}", members.collect::<Vec<_>>().join(","), self.detail)
    }
}

/// `2026-01-01T00:00:00Z`
pub fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_keeps_its_digits() {
        let said = Detail { source: "my.app".into(), kind: "Done".into(), resources: vec!["r".into()] };
        let event = Event::new(
            mlemu_engine::Ids::default().fresh("event"),
            &Settings::default(),
            Timestamp(0),
            &said,
            "{\"n\": 1.10}".into(),
        );
        let text = event.text();
        assert!(text.starts_with("{\"version\":\"0\",\"id\":\""), "{text}");
        assert!(text.ends_with(
            "\"detail-type\":\"Done\",\"source\":\"my.app\",\"account\":\"000000000000\",\"time\":\"1970-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"resources\":[\"r\"],\"detail\":{\"n\": 1.10}}"
        ), "{text}");
    }
}
