//! TagResource, UntagResource, ListTags. Only functions have tags here.

use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::Fault;
use super::super::target::Target;
use super::super::{Lambda, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;

/// Most tags of one resource.
const MOST: usize = 50;

pub async fn add(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = resource(lambda, call)?;
    let request: wire::TagSet = decode::document(body, "TagResource").await?;
    lambda.with_entry_mut(&target, |entry| {
        let mut tags = entry.tags.clone();
        tags.extend(request.tags);
        if tags.len() > MOST {
            return Err(Fault::parameter(format!("Number of tags exceeds resource tag limit of {MOST}.")));
        }
        entry.tags = tags;
        Ok(())
    })?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub fn remove(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = resource(lambda, call)?;
    lambda.with_entry_mut(&target, |entry| {
        for name in call.query.all("tagKeys") {
            entry.tags.remove(name);
        }
        Ok(())
    })?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = resource(lambda, call)?;
    let tags = lambda.with_entry(&target, |entry| entry.tags.clone())?;
    encode::json(200, &wire::TagSet { tags })
}

fn resource(lambda: &Lambda, call: &Call<'_>) -> Result<Target, Fault> {
    let arn = call.path.first().map_or("", String::as_str);
    if !arn.starts_with("arn:") {
        let expected = "Member must satisfy regular expression pattern: \
                        arn:(aws[a-zA-Z-]*):lambda:[a-z0-9-]+:\\d{12}:function:[a-zA-Z0-9-_]+";
        return Err(Fault::constraint(arn, "resource", expected));
    }
    Target::read(arn, None, &lambda.settings)
}
