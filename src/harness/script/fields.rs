//! What can be said of the things that expectations are about: the one list for the reader of files and for their
//! schema.
//!
//! A field of a few is a document, and a path of dots leads into it: `result.body.label`. Whatever else stands at
//! the beginning of a key is a slip of the pen.

use super::matching::OPERATORS;
use crate::config::nearest;
use serde_json::Value;

/// One kind of thing that is looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    /// Which one is meant.
    pub chosen_by: &'static [&'static str],
    /// Values.
    pub plain: &'static [&'static str],
    /// Documents, which paths lead into.
    pub deep: &'static [&'static str],
}

const LAST: Fields = Fields {
    chosen_by: &["function", "fn"],
    plain: &[
        "account",
        "arrived",
        "cause",
        "cloud",
        "cold",
        "duration",
        "ended",
        "handler_ms",
        "id",
        "instance",
        "log",
        "log_lost",
        "max_memory",
        "number",
        "peak_memory",
        "revision",
        "status",
        "trace",
    ],
    deep: &["event", "phases", "result", "usage"],
};
const INVOCATIONS: Fields =
    Fields { chosen_by: &["function", "fn", "status"], plain: &["count"], deep: &["all"] };
const OBJECT: Fields = Fields {
    chosen_by: &["bucket", "key"],
    plain: &["base64", "body", "etag", "exists", "size"],
    deep: &["json"],
};
const BUCKET: Fields = Fields { chosen_by: &["name", "prefix"], plain: &["objects"], deep: &["keys"] };
const QUEUE: Fields =
    Fields { chosen_by: &["name"], plain: &["delayed", "depth", "leased", "visible"], deep: &["messages"] };
/// What is said of a log is an operator.
const LOGS: Fields =
    Fields { chosen_by: &["function", "fn"], plain: &["contains", "like", "not_contains"], deep: &[] };

/// Of the thing that an expectation calls so.
pub fn of(about: &str) -> &'static Fields {
    match about {
        "last" => &LAST,
        "invocations" => &INVOCATIONS,
        "object" => &OBJECT,
        "bucket" => &BUCKET,
        "queue" => &QUEUE,
        _ => &LOGS,
    }
}

impl Fields {
    /// Whether a key can be said of it. `Err`: what is wrong, and what may have been meant.
    pub fn check(&self, about: &str, key: &str) -> Result<(), (String, String)> {
        let (first, path) = key.split_once('.').map_or((key, None), |(first, path)| (first, Some(path)));
        let known = [self.chosen_by, self.plain, self.deep].concat();
        if !known.contains(&first) {
            let hint = match nearest(first, &known) {
                Some(meant) => format!("did you mean `{}`?", key.replacen(first, meant, 1)),
                None => format!("there are: {}", known.join(", ")),
            };
            return Err((format!("`{about}` has no `{first}`"), hint));
        }
        if path.is_some() && !self.deep.contains(&first) {
            let deep = self.deep.join(", ");
            let hint =
                if deep.is_empty() { "there is none".into() } else { format!("paths lead into: {deep}") };
            return Err((format!("`{first}` is no document that a path could lead into"), hint));
        }
        Ok(())
    }

    /// Whether something can be wanted of a key: of a value there are a value and operators.
    pub fn check_wanted(&self, key: &str, wanted: &Value) -> Result<(), (String, String)> {
        let Some(map) = wanted.as_object().filter(|_| self.plain.contains(&key)) else { return Ok(()) };
        let known = [&OPERATORS[..], &["snapshot"]].concat();
        let Some(wrong) = map.keys().find(|operator| !known.contains(&operator.as_str())) else {
            return Ok(());
        };
        let hint = match nearest(wrong, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are: {}", known.join(", ")),
        };
        Err((format!("`{key}` is a value, and `{wrong}` no operator"), hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_told_from_paths() {
        let last = of("last");
        for good in ["status", "result", "result.body.label", "event.Records.0", "fn", "cause"] {
            assert_eq!(last.check("last", good), Ok(()), "{good}");
        }
        for (wrong, meant) in
            [("statsu", "`status`"), ("resutl.body", "`result.body`"), ("max_memroy", "`max_memory`")]
        {
            let (_, hint) = last.check("last", wrong).expect_err(wrong);
            assert!(hint.contains(meant), "{hint}");
        }
        assert!(last.check("last", "status.code").is_err_and(|(_, hint)| hint.contains("result")));
        assert!(of("logs").check("logs", "contain").is_err_and(|(_, hint)| hint.contains("`contains`")));
    }

    #[test]
    fn values_are_compared_by_operators_only() {
        let wanted = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let last = of("last");
        assert_eq!(last.check_wanted("max_memory", &wanted(r#"{ "lt": "256MB" }"#)), Ok(()));
        assert!(last.check_wanted("max_memory", &wanted(r#"{ "lte": "256MB" }"#)).is_err());
        assert_eq!(last.check_wanted("result", &wanted(r#"{ "lte": 1 }"#)), Ok(()), "a document is as it is");
    }
}
