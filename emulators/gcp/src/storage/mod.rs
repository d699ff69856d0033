//! Cloud Storage over the object core: the JSON API, and the XML API that signed URLs lead to.
//!
//! [`routes`] names what a path means, [`call`] is one request, [`ops`] has the behaviour, [`wire`] the
//! vendor's spelling, [`event`] what triggers make of a commit, [`fault`] the vendor's words for errors. [`xml`] has its
//! own paths and answers and the same behaviour, and [`signing`] says which of its requests hold.
//!
//! Source: Cloud Storage, "JSON API reference".

mod acl;
mod body;
mod call;
mod conditions;
mod coverage;
mod event;
mod farewell;
mod fault;
mod glob;
mod holds;
mod multipart;
mod notifications;
mod ops;
mod range;
mod routes;
mod sessions;
mod settings;
mod signing;
mod span;
mod subscriptions;
#[cfg(test)]
mod tests;
mod trouble;
mod wire;
mod xml;

pub use coverage::coverage;
pub use event::kinds;
pub use notifications::Saved;
pub use subscriptions::{Subscription, WrongSubscription};

use crate::place::Place;
use crate::pubsub::PubSub;
use axum::body::Body;
use axum::response::Response;
use call::Call;
use farewell::Farewells;
use fault::Fault;
use http::Request;
use http::request::Parts as RequestParts;
use mlemu_core::{Clock, Sink, Subject, What};
use mlemu_engine::objects::{BucketId, Objects};
use mlemu_engine::triggers::Triggers;
use mlemu_engine::{Kept, Shelf};
use ops::hmac::HmacKeys;
use routes::Op;
use sessions::Sessions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use subscriptions::Subscriptions;
use trouble::Instruction;

/// What the service lives on.
pub struct Parts {
    pub objects: Objects,
    pub triggers: Triggers,
    pub clock: Arc<dyn Clock>,
    pub sink: Arc<dyn Sink>,
    pub place: Place,
    /// Told of changes where a bucket wants that.
    pub pubsub: PubSub,
    /// Where what is said of buckets outlives the daemon.
    pub shelf: Shelf,
    /// The key file of the service account that signs URLs, if the project names one.
    pub service_account: Option<PathBuf>,
    /// Signatures that cannot be verified are refused.
    pub strict: bool,
}

/// The service.
pub struct Storage {
    objects: Objects,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn Sink>,
    place: Place,
    /// Held while something that is said is read and said anew.
    saying: Mutex<()>,
    farewells: Arc<Farewells>,
    keys: Kept<HmacKeys>,
    sessions: Sessions,
    subscriptions: Subscriptions,
    pubsub: PubSub,
    told: Kept<notifications::Told>,
    /// Whether buckets outlive the daemon.
    keeps: bool,
    trouble: trouble::Trouble,
    account: Option<signing::Account>,
    strict: bool,
}

impl Storage {
    pub fn new(parts: Parts) -> Self {
        let farewells = Arc::new(Farewells::default());
        let (objects, place) = (parts.objects.clone(), parts.place.clone());
        let subscriptions = Subscriptions::new(parts.triggers, objects, place, farewells.clone());
        let account = parts.service_account.and_then(|path| match read_account(&path) {
            Ok(account) => Some(account),
            Err(why) => {
                let text = format!("signatures of {} cannot be verified: {why}", path.display());
                parts.sink.send(parts.clock.now(), Subject::default(), What::Warning { text });
                None
            }
        });
        Self {
            objects: parts.objects,
            clock: parts.clock,
            sink: parts.sink,
            place: parts.place,
            saying: Mutex::default(),
            farewells,
            keys: Kept::on(parts.shelf.part("hmac")),
            sessions: Sessions::default(),
            subscriptions,
            pubsub: parts.pubsub,
            told: Kept::on(parts.shelf.part("notifications")),
            keeps: parts.shelf.keeps(),
            trouble: trouble::Trouble::default(),
            account,
            strict: parts.strict,
        }
    }

    /// Whether a path is of this API.
    pub fn claims(path: &str) -> bool {
        routes::is_storage(path)
    }

    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let body = body::patient(body, &parts.headers);
        let answered = self.answer(&parts, body).await;
        answered.unwrap_or_else(|fault| fault.response(parts.uri.query().unwrap_or_default()))
    }

    async fn answer(&self, parts: &RequestParts, body: Body) -> Result<Response, Fault> {
        if parts.uri.path().starts_with(trouble::PATH) {
            return self.trouble.administer(&parts.method, parts.uri.path(), body, self.objects.ids()).await;
        }
        let op = routes::operation(&parts.method, parts.uri.path())?;
        let progress = self.progress(&op, parts);
        let begins = range::begin(&parts.headers);
        let reaches = |instruction: &Instruction| match (instruction, &progress) {
            (Instruction::StatusAfter(..) | Instruction::BrokenLast(_), Some(progress)) => {
                progress.cut(instruction).is_some()
            }
            (Instruction::StatusAfter(_, after), None) => begins < *after,
            _ => true,
        };
        match (self.trouble.of(&parts.headers, &op, reaches), progress) {
            (None, _) => self.run(op, parts, body, None).await,
            (Some(Instruction::Status(status)), _) => Err(Fault::asked_for(status)),
            (Some(Instruction::Stalled(_, span)), Some(_)) => {
                let answer = self.run(op, parts, body, None).await?;
                Ok(trouble::spoilt(answer, Instruction::Stalled(0, span), 0, &self.clock))
            }
            (Some(instruction), Some(progress)) if progress.cut(&instruction).is_some() => {
                self.run(op, parts, body, Some(instruction)).await
            }
            (Some(instruction), _) => {
                let answer = self.run(op, parts, body, None).await?;
                Ok(trouble::spoilt(answer, instruction, begins, &self.clock))
            }
        }
    }

    /// `cut`: where an upload ends early.
    async fn run(
        &self,
        op: Op,
        parts: &RequestParts,
        body: Body,
        cut: Option<Instruction>,
    ) -> Result<Response, Fault> {
        let call = Call::read(parts, self.place.prefix(), self.objects.ids().fresh("request"))?.cut(cut);
        match op {
            Op::ListBuckets => self.list_buckets(&call),
            Op::InsertBucket => self.insert_bucket(&call, body).await,
            Op::GetBucket { bucket } => self.get_bucket(&call, &bucket),
            Op::GetLayout { bucket } => self.layout(&bucket),
            Op::ListManagedFolders { bucket } => self.managed_folders(&bucket),
            Op::PatchBucket { bucket, replaces } => self.patch_bucket(&call, &bucket, replaces, body).await,
            Op::DeleteBucket { bucket } => self.delete_bucket(&call, &bucket),
            Op::ListObjects { bucket } => self.list(&call, &bucket),
            Op::Get { name, media } => self.get(&call, &name, media),
            Op::Patch { name, replaces } => self.patch(&call, &name, replaces, body).await,
            Op::Delete { name } => self.delete(&call, &name),
            Op::Upload { bucket } => self.upload(&call, &bucket, body).await,
            Op::Resume => self.go_on(&call, body).await,
            Op::Cancel => self.cancel(&call),
            Op::Compose { name } => self.compose(&call, &name, body).await,
            Op::Copy { from, to, rewrites } => self.copy(&call, &from, &to, rewrites, body).await,
            Op::Rename { from, to } => self.rename(&call, &from, &to),
            Op::LockRetention { bucket } => self.lock_retention(&call, &bucket),
            Op::Access { list, entity, method } => {
                self.access(&call, &list, entity.as_deref(), &method, body).await
            }
            Op::GetPolicy { bucket } => self.get_policy(&bucket),
            Op::SetPolicy { bucket } => self.set_policy(&bucket, body).await,
            Op::TestPermissions { bucket } => self.test_permissions(&call, &bucket),
            Op::HmacKeys { project, id, method } => {
                self.hmac(&call, &project, id.as_deref(), &method, body).await
            }
            Op::ServiceAccount => Ok(Self::service_account()),
            Op::Batch => self.batch(&call, body).await,
            Op::ListNotifications { bucket } => self.list_notifications(&call, &bucket),
            Op::InsertNotification { bucket } => self.insert_notification(&call, &bucket, body).await,
            Op::GetNotification { bucket, id } => self.get_notification(&call, &bucket, &id),
            Op::DeleteNotification { bucket, id } => self.delete_notification(&bucket, &id),
            Op::Unsupported { operation } => Err(self.unsupported(&operation)),
        }
    }

    fn unsupported(&self, operation: &str) -> Fault {
        let what = What::Unsupported { service: "storage".into(), operation: operation.into() };
        self.sink.send(self.clock.now(), Subject::default(), what);
        Fault::not_implemented(operation)
    }

    fn bucket_id(&self, name: &str) -> BucketId {
        BucketId::new(&self.place.scope, name)
    }

    /// Makes a declared bucket exist.
    pub fn declare_bucket(&self, name: &str) -> BucketId {
        let made = self.objects.create_bucket(&self.place.scope, name);
        // One that exists already is as it was declared.
        made.unwrap_or_else(|_| self.bucket_id(name))
    }

    /// Whether a bucket is there and outlives the daemon.
    pub fn keeps(&self, bucket: &str) -> bool {
        self.keeps && self.objects.bucket(&self.bucket_id(bucket)).is_ok()
    }

    /// Puts the files of a folder into a bucket, keyed by their paths. No trigger fires for them that is set later.
    pub async fn seed(&self, bucket: &BucketId, folder: &Path) -> std::io::Result<()> {
        ops::seed::folder(self, bucket, folder).await
    }

    pub fn subscribe(&self, bucket: &str, subscription: Subscription) -> Result<(), WrongSubscription> {
        self.subscriptions.add(&self.bucket_id(bucket), subscription)
    }

    /// Takes back every subscription of a function.
    pub fn unsubscribe(&self, function: &mlemu_core::FunctionId) {
        self.subscriptions.remove(function);
    }
}

/// Once, at the start.
fn read_account(path: &Path) -> Result<signing::Account, String> {
    signing::Account::read(&std::fs::read_to_string(path).map_err(|error| error.to_string())?)
}
