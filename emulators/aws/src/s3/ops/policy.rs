//! Bucket policies: checked, kept and given back.
//!
//! Follows "Policies and permissions in Amazon S3" of the Amazon S3 user guide.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, payload};
use axum::body::Body;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;

const DOCUMENT: &str = "Policy";
/// In bytes.
const LONGEST: usize = 20 * 1024;

fn document(front: &Front, call: &Call) -> Result<Arc<str>, Fault> {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let document = bucket.document(DOCUMENT).cloned();
    document.ok_or_else(|| Fault::new(Code::NoSuchBucketPolicy).with("BucketName", &call.bucket))
}

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let mut response = Response::new(Body::from(document(front, call)?.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Ok(response)
}

pub(in crate::s3) async fn put(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    front.objects().bucket(&bucket)?;
    let text = payload::document(front, call, body).await?;
    let text = std::str::from_utf8(&text).map_err(|_| malformed(NO_JSON))?;
    check(text, &call.bucket)?;
    front.objects().set_document(&bucket, DOCUMENT, Some(text.into()))?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub(in crate::s3) fn delete(front: &Front, call: &Call) -> Answer {
    front.objects().set_document(&call.bucket_id(), DOCUMENT, None)?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

/// Whether the policy lets everybody in.
pub(in crate::s3) fn status(front: &Front, call: &Call) -> Answer {
    let policy: Value = serde_json::from_str(&document(front, call)?).unwrap_or_default();
    let is_public = statements(&policy).any(|statement| {
        let (effect, principal) = (&statement["Effect"], &statement["Principal"]);
        let everybody = one_or_more(principal).chain(one_or_more(&principal["AWS"]));
        effect == "Allow"
            && statement.get("Condition").is_none()
            && everybody.into_iter().any(|who| who == "*")
    });
    let text = format!(
        "{}<PolicyStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsPublic>{is_public}</IsPublic></PolicyStatus>",
        encode::DECLARATION
    );
    Ok(encode::document_of(StatusCode::OK, text))
}

const NO_JSON: &str = "Policies must be valid JSON and the first byte must be '{'";

fn malformed(message: &str) -> Fault {
    Fault::because(Code::MalformedPolicy, message)
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    one_or_more(&policy["Statement"])
}

/// The entries of a list, or the one that stands for a list.
fn one_or_more(value: &Value) -> std::slice::Iter<'_, Value> {
    match value {
        Value::Array(entries) => entries.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn check(text: &str, bucket: &str) -> Result<(), Fault> {
    if text.len() > LONGEST {
        return Err(malformed("Normalized policy document exceeds the maximum allowed size"));
    }
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed(NO_JSON))?;
    if !policy.is_object() || !text.starts_with('{') {
        return Err(malformed(NO_JSON));
    }
    if statements(&policy).next().is_none() {
        return Err(malformed("Missing required field Statement"));
    }
    let arn = format!("arn:aws:s3:::{bucket}");
    for statement in statements(&policy) {
        let has = |name: &str| statement.get(name).is_some();
        for (name, other) in
            [("Action", "NotAction"), ("Principal", "NotPrincipal"), ("Resource", "NotResource")]
        {
            if !has(name) && !has(other) {
                return Err(malformed(&format!("Missing required field {name}")));
            }
        }
        if !["Allow", "Deny"].iter().any(|effect| statement["Effect"] == *effect) {
            return Err(malformed("Invalid effect"));
        }
        let resources = one_or_more(&statement["Resource"]).chain(one_or_more(&statement["NotResource"]));
        let is_ours = |resource: &Value| {
            let rest = resource.as_str().and_then(|text| text.strip_prefix(&arn));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('*'))
        };
        if !resources.into_iter().all(is_ours) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_are_none() {
        let good = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"]}]}"#;
        assert_eq!(check(good, "b"), Ok(()));
        let wrong = [
            "",
            "[]",
            "{}",
            " {}",
            r#"{"Statement": []}"#,
            &good.replace("Allow", "Maybe"),
            &good.replace("Principal", "Who"),
            &good.replace(":::b/", ":::bb/"),
            &good.replace("\"arn:aws:s3:::b\"", "7"),
        ];
        for text in wrong {
            assert_eq!(check(text, "b").unwrap_err().code, Code::MalformedPolicy, "{text}");
        }
    }
}
