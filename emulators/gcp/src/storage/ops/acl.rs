//! Access lists of buckets and objects: shown whole, entry by entry, changed.

use crate::storage::acl::{self, Grant, Of};
use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json, nothing};
use crate::storage::routes::Name;
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode};
use mlemu_core::occurrence::Described;
use mlemu_engine::objects::{BucketView, Object};
use serde_json::{Value, json};
use std::sync::Arc;

/// Which list is meant, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct List {
    pub of: Of,
    /// Without an object where the list is of a bucket.
    pub name: Name,
}

impl List {
    fn names(&self) -> Value {
        match self.of {
            Of::Bucket => json!({ "bucket": self.name.bucket }),
            Of::Default => json!({}),
            Of::Object => json!({ "bucket": self.name.bucket, "object": self.name.object }),
        }
    }

    fn link(&self, base: &str) -> String {
        let bucket = format!("{base}/storage/v1/b/{}", wire::encoded(&self.name.bucket));
        if self.of == Of::Object {
            format!("{bucket}/o/{}", wire::encoded(&self.name.object))
        } else {
            bucket
        }
    }

    fn shown(&self, grant: &Grant, call: &Call) -> Value {
        grant.shown(self.of, &self.names(), &self.link(&call.base()))
    }
}

impl Storage {
    /// `entity`: one entry of it.
    pub(in crate::storage) async fn access(
        &self,
        call: &Call,
        list: &List,
        entity: Option<&str>,
        method: &Method,
        body: Body,
    ) -> Result<Response, Fault> {
        if self.said(&list.name.bucket)?.is_uniform() {
            return Err(Fault::uniform());
        }
        let said = Value::Object(body::said(body).await?);
        match (method, entity) {
            (&Method::GET, None) => {
                let grants = self.grants(call, list)?;
                let items: Vec<Value> = grants.iter().map(|grant| list.shown(grant, call)).collect();
                Ok(json(StatusCode::OK, &json!({ "kind": format!("{}s", list.of.kind()), "items": items })))
            }
            (&Method::GET, Some(entity)) => {
                let grants = self.grants(call, list)?;
                let grant = grants.iter().find(|grant| grant.entity == entity);
                let grant = grant.ok_or_else(|| Fault::no_grant(entity))?;
                Ok(json(StatusCode::OK, &list.shown(grant, call)))
            }
            (&Method::DELETE, Some(entity)) => {
                self.regrant(call, list, |grants| {
                    let before = grants.len();
                    grants.retain(|grant| grant.entity != entity);
                    if grants.len() < before { Ok(()) } else { Err(Fault::no_grant(entity)) }
                })?;
                Ok(nothing())
            }
            _ => {
                let mut said = said;
                if let Some(entity) = entity {
                    said["entity"] = entity.into();
                }
                let grant = Grant::read(&said, list.of)?;
                self.regrant(call, list, |grants| {
                    if entity.is_some() && !grants.iter().any(|held| held.entity == grant.entity) {
                        return Err(Fault::no_grant(&grant.entity));
                    }
                    grants.retain(|held| held.entity != grant.entity);
                    grants.push(grant.clone());
                    Ok(())
                })?;
                Ok(json(StatusCode::OK, &list.shown(&grant, call)))
            }
        }
    }

    fn grants(&self, call: &Call, list: &List) -> Result<Vec<Grant>, Fault> {
        match list.of {
            Of::Object => Ok(of_object(&*self.find(&list.name, &Conditions::read(call)?)?)),
            Of::Bucket | Of::Default => {
                let view = self.objects.bucket(&self.bucket_id(&list.name.bucket))?;
                Ok(of_bucket(&view, list.of))
            }
        }
    }

    fn regrant(
        &self,
        call: &Call,
        list: &List,
        change: impl FnOnce(&mut Vec<Grant>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let bucket = self.bucket_id(&list.name.bucket);
        if list.of == Of::Object {
            let object = self.find(&list.name, &Conditions::read(call)?)?;
            let now = self.clock.now();
            let amended = Some(Described::Amended);
            self.objects.describe_version(&bucket, &object, amended, call.origin(), |attributes| {
                let mut grants = of_object(&object);
                change(&mut grants)?;
                attributes.documents.insert(Of::Object.document().into(), text(&grants));
                wire::touch(attributes, now);
                Ok::<_, Fault>(())
            })?;
            return Ok(());
        }
        let _saying = self.saying();
        let view = self.objects.bucket(&bucket)?;
        let mut grants = of_bucket(&view, list.of);
        change(&mut grants)?;
        self.objects.set_document(&bucket, list.of.document(), Some(text(&grants)))?;
        let mut said = crate::storage::settings::Said::of(&view);
        said.metageneration += 1;
        self.say(&bucket, said)?;
        Ok(())
    }

    /// Keeps the lists that a request about a bucket brings along, whole or by the names of predefined ones.
    pub(in crate::storage) fn bring_lists(
        &self,
        call: &Call,
        bucket: &str,
        said: &Value,
    ) -> Result<(), Fault> {
        for (of, parameter) in [(Of::Bucket, "predefinedAcl"), (Of::Default, "predefinedDefaultObjectAcl")] {
            if let Some(grants) = brought(call, parameter, said, of)? {
                let id = self.bucket_id(bucket);
                self.objects.set_document(&id, of.document(), Some(text(&grants)))?;
            }
        }
        Ok(())
    }

    /// The list that a new object gets.
    pub(in crate::storage) fn list_for(
        &self,
        call: &Call,
        bucket: &str,
        said: &Value,
    ) -> Result<Option<Arc<str>>, Fault> {
        let parameter = if call.parameter("destinationPredefinedAcl").is_some() {
            "destinationPredefinedAcl"
        } else {
            "predefinedAcl"
        };
        if let Some(grants) = brought(call, parameter, said, Of::Object)? {
            return Ok(Some(text(&grants)));
        }
        let view = self.objects.bucket(&self.bucket_id(bucket))?;
        Ok(view.document(Of::Default.document()).cloned())
    }
}

/// The list that a request says, if it says one.
pub(in crate::storage) fn brought(
    call: &Call,
    parameter: &str,
    said: &Value,
    of: Of,
) -> Result<Option<Vec<Grant>>, Fault> {
    if let Some(name) = call.parameter(parameter) {
        let unknown = || Fault::invalid(format!("Invalid value for {parameter}: {name}"));
        return acl::predefined(name, of).ok_or_else(unknown).map(Some);
    }
    match said.get(of.document()) {
        None | Some(Value::Null) => Ok(None),
        Some(list) => acl::read(list, of).map(Some),
    }
}

fn text(grants: &[Grant]) -> Arc<str> {
    json!(grants).to_string().into()
}

fn of_object(object: &Object) -> Vec<Grant> {
    parsed(object.attributes.documents.get(Of::Object.document()))
}

fn of_bucket(view: &BucketView, of: Of) -> Vec<Grant> {
    parsed(view.document(of.document()))
}

fn parsed(text: Option<&Arc<str>>) -> Vec<Grant> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(acl::usual)
}

/// The entries of an object's list as `acl` of its resource.
pub(in crate::storage) fn shown_of_object(bucket: &str, object: &Object, base: &str) -> Value {
    let name = Name { bucket: bucket.to_owned(), object: object.key.to_string() };
    let list = List { of: Of::Object, name };
    entries(&list, &of_object(object), base)
}

/// Both lists of a bucket, as its resource has them.
pub(in crate::storage) fn shown_of_bucket(view: &BucketView, base: &str) -> [(&'static str, Value); 2] {
    [Of::Bucket, Of::Default].map(|of| {
        let name = Name { bucket: view.id.name().to_string(), object: String::new() };
        (of.document(), entries(&List { of, name }, &of_bucket(view, of), base))
    })
}

fn entries(list: &List, grants: &[Grant], base: &str) -> Value {
    let link = list.link(base);
    grants.iter().map(|grant| grant.shown(list.of, &list.names(), &link)).collect()
}
