//! One object: found, shown, described anew, removed.

use super::acl;
use crate::storage::acl::Of;
use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json, nothing};
use crate::storage::routes::Name;
use crate::storage::settings::Said;
use crate::storage::{Storage, body, holds, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_core::Timestamp;
use mlemu_core::occurrence::Described;
use mlemu_engine::objects::{BucketView, Deletion, Fault as Core, NewObject, Object, Version, Versioning};
use serde_json::Value;
use std::sync::Arc;

/// An object, and since when it is no more what its key stands for.
pub(in crate::storage) struct Found {
    pub object: Arc<Object>,
    pub hidden: Option<Timestamp>,
}

impl Storage {
    /// The object as it is now, or the generation that the request names.
    pub(in crate::storage) fn find(
        &self,
        name: &Name,
        conditions: &Conditions,
    ) -> Result<Arc<Object>, Fault> {
        self.look(name, conditions).map(|found| found.object)
    }

    pub(in crate::storage) fn look(&self, name: &Name, conditions: &Conditions) -> Result<Found, Fault> {
        let bucket = self.bucket_id(&name.bucket);
        let missing = || Fault::no_object(&name.bucket, &name.object);
        if conditions.exactly().is_none() {
            return match self.objects.get(&bucket, &name.object) {
                Ok(object) => Ok(Found { object, hidden: None }),
                Err(Core::NoObject { .. }) => Err(missing()),
                Err(fault) => Err(fault.into()),
            };
        }
        let history = self.objects.history(&bucket, &name.object)?;
        let object = history.iter().filter_map(Version::object).find(|object| conditions.names(object));
        let object = object.cloned().ok_or_else(missing)?;
        let hidden = hidden_since(&history, object.sequence);
        Ok(Found { object, hidden })
    }

    pub(in crate::storage) fn answer_with(
        &self,
        call: &Call,
        bucket: &str,
        found: &Found,
    ) -> Result<Response, Fault> {
        let said = self.said(bucket)?;
        Ok(json(StatusCode::OK, &show(call, bucket, &said, &found.object, found.hidden)))
    }

    pub(in crate::storage) fn get(&self, call: &Call, name: &Name, media: bool) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let found = self.look(name, &conditions)?;
        conditions.check_read(&found.object)?;
        if media || call.parameter("alt") == Some("media") {
            return super::download::answer(call, &found.object);
        }
        self.answer_with(call, &name.bucket, &found)
    }

    /// Puts an object where the bucket's way of keeping generations wants it, if nothing holds what is there.
    pub(in crate::storage) fn commit(
        &self,
        bucket: &str,
        mut new: NewObject,
        conditions: &Conditions,
    ) -> Result<Arc<Object>, Fault> {
        let id = self.bucket_id(bucket);
        let view = self.objects.bucket(&id)?;
        let said = Said::of(&view);
        if said.words.get("defaultEventBasedHold").is_some_and(|hold| *hold == true) {
            new.attributes.headers.entry("eventBasedHold").or_insert_with(|| "true".into());
        }
        let check = |current: Option<&Object>| {
            conditions.check(current)?;
            current.map_or(Ok(()), |object| self.part_with(&view, &said, object))
        };
        if view.versioning == Versioning::Suspended {
            self.objects.supplant(&id, new, check)
        } else {
            self.objects.put(&id, new, check)
        }
    }

    /// An object is about to be replaced or removed: it must not be held, and its events shall know what it was.
    fn part_with(&self, view: &BucketView, said: &Said, object: &Object) -> Result<(), Fault> {
        let bucket = view.id.name();
        // What is archived stays.
        if view.versioning != Versioning::Enabled {
            holds::check(said, bucket, object, self.clock.now())?;
        }
        if self.subscriptions.listens(&view.id) {
            self.farewells.keep(object.sequence, wire::object(bucket, object, &self.place.base()));
        }
        Ok(())
    }

    /// `replaces`: what is not repeated is forgotten.
    pub(in crate::storage) async fn patch(
        &self,
        call: &Call,
        name: &Name,
        replaces: bool,
        body: Body,
    ) -> Result<Response, Fault> {
        let document = Value::Object(body::said(body).await?);
        let grants = acl::brought(call, "predefinedAcl", &document, Of::Object)?;
        let Value::Object(document) = document else { return Err(Fault::invalid("Parse Error")) };
        let conditions = Conditions::read(call)?;
        let found = self.look(name, &conditions)?;
        conditions.check(Some(&found.object))?;
        let (bucket, now) = (self.bucket_id(&name.bucket), self.clock.now());
        let amended = Some(Described::Amended);
        let object =
            self.objects.describe_version(&bucket, &found.object, amended, call.origin(), |attributes| {
                holds::may_change(attributes, &document, call, now)?;
                if replaces {
                    attributes.metadata.clear();
                    attributes
                        .headers
                        .retain(|key, _| !wire::PROPERTIES.iter().any(|(property, _)| property == key));
                }
                wire::describe(attributes, &document)?;
                if let Some(grants) = grants {
                    attributes
                        .documents
                        .insert(Of::Object.document().into(), serde_json::json!(grants).to_string().into());
                }
                wire::touch(attributes, now);
                Ok::<_, Fault>(())
            })?;
        self.answer_with(call, &name.bucket, &Found { object, hidden: found.hidden })
    }

    pub(in crate::storage) fn delete(&self, call: &Call, name: &Name) -> Result<Response, Fault> {
        self.remove(call, name, &Conditions::read(call)?)
    }

    pub(in crate::storage) fn remove(
        &self,
        call: &Call,
        name: &Name,
        conditions: &Conditions,
    ) -> Result<Response, Fault> {
        let missing = || Fault::no_object(&name.bucket, &name.object);
        let id = self.bucket_id(&name.bucket);
        let view = self.objects.bucket(&id)?;
        let said = Said::of(&view);
        if conditions.exactly().is_some() || view.versioning == Versioning::Suspended {
            let found = self.look(name, conditions)?;
            let gone =
                self.objects.expunge(&id, &name.object, found.object.version, call.origin(), |object| {
                    conditions.check(Some(object))?;
                    holds::check(&said, &name.bucket, object, self.clock.now())?;
                    self.part_with(&view, &said, object)
                })?;
            return if matches!(gone, Deletion::Nothing) { Err(missing()) } else { Ok(nothing()) };
        }
        self.objects.delete(&id, &name.object, call.origin(), |current| {
            let object = current.ok_or_else(missing)?;
            conditions.check(Some(object))?;
            self.part_with(&view, &said, object)
        })?;
        Ok(nothing())
    }
}

/// The object's resource, as this request wants to see it.
pub(in crate::storage) fn show(
    call: &Call,
    bucket: &str,
    said: &Said,
    object: &Object,
    hidden: Option<Timestamp>,
) -> Value {
    let base = call.base();
    let mut shown = wire::object(bucket, object, &base);
    if let Some(hidden) = hidden {
        shown["timeDeleted"] = wire::time(hidden).into();
    }
    if let Some(until) = holds::until(said, object) {
        shown["retentionExpirationTime"] = wire::time(until).into();
    }
    if call.parameter("projection") == Some("full") && !said.is_uniform() {
        shown["acl"] = acl::shown_of_object(bucket, object, &base);
        shown["owner"] = serde_json::json!({ "entity": "project-owners-0" });
    }
    shown
}

/// When a version was replaced or removed, by what came next.
pub(in crate::storage) fn hidden_since(history: &[Version], sequence: u64) -> Option<Timestamp> {
    let at = history.iter().position(|version| version.sequence() == sequence)?;
    history.get(at.checked_sub(1)?).map(Version::created)
}
