//! What came to be predicted, before it is known what the model takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Json(Value),
    /// Anything else: a picture, a sound, CSV.
    Bytes(Bytes),
}

impl Event {
    /// JSON where it is JSON, else bytes.
    pub fn read(body: Bytes) -> Self {
        match serde_json::from_slice(&body) {
            Ok(value) => Event::Json(value),
            Err(_) => Event::Bytes(body),
        }
    }

    /// What a path of names and numbers leads to, e.g. `images.0`.
    pub(crate) fn at(&self, path: Option<&str>) -> Option<&Value> {
        let Event::Json(value) = self else { return None };
        let mut names = path.unwrap_or_default().split('.').filter(|name| !name.is_empty());
        names.try_fold(value, |value, name| match value {
            Value::Object(entries) => entries.get(name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Its bytes: as they came, or out of base64 in a text of JSON (also in a `data:` URL).
    pub(crate) fn bytes(&self, path: Option<&str>) -> Result<Bytes, String> {
        if let Event::Bytes(bytes) = self {
            return Ok(bytes.clone());
        }
        let place = path.map_or("the event".to_owned(), |path| format!("`{path}` of the event"));
        let Some(Value::String(text)) = self.at(path).or_else(|| self.at(None)) else {
            return Err(format!("{place} must be a text in base64, or the bytes must come by themselves"));
        };
        let text = text.rsplit_once(";base64,").map_or(text.as_str(), |(_, data)| data);
        let read = STANDARD.decode(text.trim()).map_err(|error| format!("{place} is no base64: {error}"))?;
        Ok(read.into())
    }

    /// Its text.
    pub(crate) fn text(&self, path: Option<&str>) -> Result<String, String> {
        match self {
            Event::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Event::Json(_) => match self.at(path).or_else(|| self.at(None)) {
                Some(Value::String(text)) => Ok(text.clone()),
                _ => Err(format!("{} must be a text", path.unwrap_or("the event"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let event = Event::read(r#"{"a":{"b":[1,{"c":2}]}}"#.into());
        assert_eq!(event.at(Some("a.b.1.c")), Some(&json!(2)));
        assert_eq!(event.at(Some("a.b.7")), None);
        assert_eq!(event.at(Some("a.b.c.d")), None);
    }

    #[test]
    fn bytes_come_as_they_are_or_in_base64() {
        assert_eq!(Event::read("\u{0}x".into()).bytes(None), Ok("\u{0}x".into()));
        let event = Event::Json(json!({"image": "data:image/png;base64,aGk="}));
        assert_eq!(event.bytes(Some("image")), Ok("hi".into()));
        assert!(event.bytes(None).is_err());
        assert!(Event::Json(json!("@@")).bytes(None).is_err_and(|why| why.contains("no base64")));
    }
}
