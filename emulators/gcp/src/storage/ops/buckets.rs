//! Buckets: made, shown, changed, locked, removed.

use super::acl::shown_of_bucket;
use crate::storage::call::Call;
use crate::storage::fault::{Fault, json, nothing};
use crate::storage::settings::{Said, Words, own_words};
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::{BucketView, Fault as Core};
use serde_json::{Value, json};

/// Most entries of one page.
const PAGE: u64 = 1000;

impl Storage {
    pub(in crate::storage) fn list_buckets(&self, call: &Call) -> Result<Response, Fault> {
        of_a_project(call)?;
        let prefix = call.parameter("prefix").unwrap_or_default();
        let limit = call.number("maxResults")?.unwrap_or(PAGE).clamp(1, PAGE) as usize;
        let after = super::list::token(call)?.unwrap_or_default();
        let mut views = self.objects.buckets(&self.place.scope);
        views.retain(|view| view.id.name().starts_with(prefix) && **view.id.name() > *after);
        let next = (views.len() > limit).then(|| super::list::to_token(views[limit - 1].id.name()));
        let items: Vec<Value> = views.iter().take(limit).map(|view| shown(call, view)).collect();
        let mut list = json!({ "kind": "storage#buckets", "items": items });
        if let Some(next) = next {
            list["nextPageToken"] = next.into();
        }
        Ok(json(StatusCode::OK, &list))
    }

    pub(in crate::storage) async fn insert_bucket(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        of_a_project(call)?;
        let words = body::said(body).await?;
        let name = words.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !is_name(&name) {
            return Err(Fault::invalid(format!("Invalid bucket name: '{name}'")));
        }
        let mut said = Said::default();
        said.change(words.clone(), false);
        said.check()?;
        let _saying = self.saying();
        let id = self.objects.create_bucket(&self.place.scope, &name)?;
        let brought = self.bring_lists(call, &name, &Value::Object(words));
        if let Err(fault) = brought {
            self.objects.delete_bucket(&id)?;
            return Err(fault);
        }
        self.say(&id, said)?;
        Ok(json(StatusCode::OK, &shown(call, &self.objects.bucket(&id)?)))
    }

    pub(in crate::storage) fn get_bucket(&self, call: &Call, name: &str) -> Result<Response, Fault> {
        let view = self.objects.bucket(&self.bucket_id(name))?;
        metageneration(call, &view, Fault::not_modified)?;
        Ok(json(StatusCode::OK, &shown(call, &view)))
    }

    /// What `gcloud` asks before it removes a bucket: nobody can make any here.
    pub(in crate::storage) fn managed_folders(&self, name: &str) -> Result<Response, Fault> {
        if self.said(name)?.is_uniform() {
            return Ok(json(StatusCode::OK, &json!({ "kind": "storage#managedFolders" })));
        }
        Err(Fault::not_uniform())
    }

    /// What `gcloud` asks before it moves objects: buckets have no folders here.
    pub(in crate::storage) fn layout(&self, name: &str) -> Result<Response, Fault> {
        let view = self.objects.bucket(&self.bucket_id(name))?;
        let bucket = wire::bucket(&view, &Said::of(&view), "");
        let document = json!({
            "kind": "storage#storageLayout",
            "bucket": name,
            "location": bucket["location"],
            "locationType": bucket["locationType"],
            "hierarchicalNamespace": { "enabled": false },
        });
        Ok(json(StatusCode::OK, &document))
    }

    pub(in crate::storage) async fn patch_bucket(
        &self,
        call: &Call,
        name: &str,
        replaces: bool,
        body: Body,
    ) -> Result<Response, Fault> {
        let words = body::said(body).await?;
        let id = self.bucket_id(name);
        let _saying = self.saying();
        let view = self.objects.bucket(&id)?;
        metageneration(call, &view, Fault::condition)?;
        let mut said = Said::of(&view);
        keep_the_lock(&said, &words)?;
        self.bring_lists(call, name, &Value::Object(words.clone()))?;
        said.change(own_words(words), replaces);
        said.check()?;
        said.metageneration += 1;
        said.updated = Some(wire::time(self.clock.now()));
        self.say(&id, said)?;
        Ok(json(StatusCode::OK, &shown(call, &self.objects.bucket(&id)?)))
    }

    /// A retention policy that can only be prolonged from here on.
    pub(in crate::storage) fn lock_retention(&self, call: &Call, name: &str) -> Result<Response, Fault> {
        let id = self.bucket_id(name);
        let _saying = self.saying();
        let view = self.objects.bucket(&id)?;
        if call.parameter("ifMetagenerationMatch").is_none() {
            return Err(Fault::required("Required parameter: ifMetagenerationMatch"));
        }
        metageneration(call, &view, Fault::condition)?;
        let mut said = Said::of(&view);
        let policy = said.words.get_mut("retentionPolicy").and_then(Value::as_object_mut);
        let policy = policy.ok_or_else(|| Fault::invalid("The bucket has no retention policy."))?;
        policy.insert("isLocked".into(), true.into());
        said.metageneration += 1;
        self.say(&id, said)?;
        Ok(json(StatusCode::OK, &shown(call, &self.objects.bucket(&id)?)))
    }

    pub(in crate::storage) fn delete_bucket(&self, call: &Call, name: &str) -> Result<Response, Fault> {
        let id = self.bucket_id(name);
        metageneration(call, &self.objects.bucket(&id)?, Fault::condition)?;
        self.objects.delete_bucket(&id)?;
        Ok(nothing())
    }

    /// Fails when there is no such bucket.
    pub(in crate::storage) fn must_exist(&self, bucket: &str) -> Result<(), Core> {
        self.objects.bucket(&self.bucket_id(bucket)).map(drop)
    }
}

fn shown(call: &Call, view: &BucketView) -> Value {
    let base = call.base();
    let mut shown = wire::bucket(view, &Said::of(view), &base);
    if call.parameter("projection") == Some("full") && !Said::of(view).is_uniform() {
        for (key, list) in shown_of_bucket(view, &base) {
            shown[key] = list;
        }
        shown["owner"] = json!({ "entity": "project-owners-0" });
    }
    shown
}

/// Whose buckets they are must be said; everybody's are here.
fn of_a_project(call: &Call) -> Result<(), Fault> {
    let is_said = call.parameter("project").is_some_and(|project| !project.is_empty());
    if is_said { Ok(()) } else { Err(Fault::required("Required parameter: project")) }
}

/// What the request wants of the bucket's metageneration. `unchanged`: what to say to one that is as it was known.
fn metageneration(call: &Call, view: &BucketView, unchanged: fn() -> Fault) -> Result<(), Fault> {
    let is = Said::of(view).metageneration;
    if call.number("ifMetagenerationMatch")?.is_some_and(|wanted| wanted != is) {
        return Err(Fault::condition());
    }
    if call.number("ifMetagenerationNotMatch")?.is_some_and(|unwanted| unwanted == is) {
        return Err(unchanged());
    }
    Ok(())
}

/// A locked policy is neither taken back nor made shorter.
fn keep_the_lock(held: &Said, words: &Words) -> Result<(), Fault> {
    let Some(policy) = words.get("retentionPolicy") else { return Ok(()) };
    let is_locked = held.words.get("retentionPolicy").is_some_and(|policy| policy["isLocked"] == true);
    let wanted = crate::storage::settings::number(&policy["retentionPeriod"]);
    if is_locked && wanted < held.retention() {
        let message = "Cannot reduce retention duration of a locked Retention Policy for bucket.";
        return Err(Fault::forbidden("retentionPolicyNotMet", message));
    }
    Ok(())
}

/// 3 to 63 characters, up to 222 with dots: Cloud Storage, "About buckets", "Bucket names".
pub(in crate::storage) fn is_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let most = if name.contains('.') { 222 } else { 63 };
    (3..=most).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(byte))
}
