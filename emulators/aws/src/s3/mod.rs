//! The S3 API over the object core.
//!
//! A request becomes a `Call`, the route table names its operation, and an operation answers or faults.
//! Credentials only choose the account unless signatures are to be verified; the expiry of presigned
//! requests and the conditions of upload forms always hold.

mod access;
mod acl;
mod address;
mod admission;
mod bridge;
mod call;
mod checksum;
mod chunked;
mod conditions;
mod cors;
mod dates;
mod declared;
mod decode;
mod encode;
mod event;
mod fault;
mod inside;
mod kept;
mod lock;
mod notifications;
mod ops;
mod payload;
mod policy;
mod query;
mod range;
mod routes;
mod saved;
mod shape;
mod sip;
#[cfg(test)]
mod tests;
mod tree;
mod versions;
mod wire;

pub use address::is_s3_host;
pub use event::S3Event;
pub use inside::{ReadFault, SeedFault};
pub use notifications::{Subscription, SubscriptionFault};
pub use routes::{Covered, coverage};
pub use saved::SavedNotifications;

use crate::auth::Keys;
use crate::reach::Reach;
use crate::sqs::Sqs;
use address::address;
use axum::body::Body;
use call::Call;
use cors::Page;
use encode::Answer;
use fault::{Code, Fault};
use http::request::Parts as Head;
use http::{Method, Request, Response};
use mlemu_core::{Clock, FunctionId, Scope, Sink, Subject, What};
use mlemu_engine::Shelf;
use mlemu_engine::objects::{BucketId, Objects};
use mlemu_engine::triggers::Triggers;
use notifications::Notifications;
use query::Query;
use routes::{Level, Op, Route};
use std::sync::Arc;

/// How this S3 presents itself.
#[derive(Clone)]
pub struct Settings {
    pub region: String,
    /// Of requests whose access key names none.
    pub account: String,
    /// That events name; `None`: as S3 did first.
    pub event_version: Option<String>,
    /// Verify signatures; only the keys in `keys` are good then.
    pub strict_auth: bool,
    pub keys: Keys,
}

/// Finds a function by its ARN.
pub type Resolve = Arc<dyn Fn(&str) -> Option<FunctionId> + Send + Sync>;

/// What S3 is made of.
#[derive(Clone)]
pub struct Parts {
    pub objects: Objects,
    pub triggers: Triggers,
    pub clock: Arc<dyn Clock>,
    pub sink: Arc<dyn Sink>,
    pub functions: Resolve,
    /// Whose queues notifications may go to.
    pub sqs: Sqs,
    /// Where configurations outlive the daemon.
    pub shelf: Shelf,
    /// Topics and buses that notifications may go to.
    pub reach: Arc<dyn Reach>,
    pub settings: Settings,
}

/// The whole service. A cheap handle; clones share one.
#[derive(Clone)]
pub struct S3 {
    front: Arc<Front>,
}

struct Front {
    parts: Parts,
    scope: Arc<Scope>,
    notifications: Notifications,
}

impl Front {
    fn objects(&self) -> &Objects {
        &self.parts.objects
    }

    fn scope_of(&self, account: &str) -> Arc<Scope> {
        if *account == *self.scope.account {
            return self.scope.clone();
        }
        Arc::new(Scope { account: account.into(), ..Scope::clone(&self.scope) })
    }
}

impl S3 {
    pub fn new(parts: Parts) -> Self {
        let Settings { region, account, .. } = &parts.settings;
        let scope = Arc::new(Scope::new("aws", account, region));
        let notifications = Notifications::on(&parts.shelf);
        Self { front: Arc::new(Front { parts, scope, notifications }) }
    }

    /// Makes sure that a declared bucket exists in the default account.
    pub fn declare_bucket(&self, name: &str) -> BucketId {
        let scope = &self.front.scope;
        match self.front.objects().create_bucket(scope, name) {
            Ok(id) => id,
            Err(_exists) => BucketId::new(scope, name),
        }
    }

    /// Whether a bucket of the default account is there and outlives the daemon.
    pub fn keeps(&self, name: &str) -> bool {
        let id = BucketId::new(&self.front.scope, name);
        self.front.parts.shelf.keeps() && self.front.objects().bucket(&id).is_ok()
    }

    /// Tells again what buckets told before the daemon ended.
    pub fn awake(&self) {
        self.restore_notifications(&self.notifications());
    }

    /// Adds a declared trigger to a bucket of the default account, beside those that are there.
    pub fn subscribe(&self, bucket: &str, subscription: Subscription) -> Result<(), SubscriptionFault> {
        notifications::subscribe(&self.front, &self.declare_bucket(bucket), subscription)
    }

    /// Takes back the declared triggers of a function: those with such ids.
    pub fn unsubscribe(&self, function: &FunctionId, ids: impl Fn(&str) -> bool) {
        notifications::unsubscribe(&self.front, function, ids);
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let request_id = encode::new_request_id(self.front.objects().ids());
        let resource = head.uri.path().to_owned();
        let is_head = head.method == Method::HEAD;
        let page = Page::of(&self.front, &head);
        let answer = self.answer(head, body, &request_id).await;
        let mut response =
            answer.unwrap_or_else(|fault| encode::fault(&fault, &resource, &request_id, is_head));
        if let Some(page) = page {
            page.tell(response.headers_mut());
        }
        encode::finish(response, &request_id)
    }

    /// Whether the rules of the bucket that a request is about let a page of its origin in.
    pub fn admits_origin(&self, head: &Head) -> bool {
        Page::of(&self.front, head).is_some_and(|page| page.is_known())
    }

    async fn answer(&self, mut head: Head, body: Body, request_id: &str) -> Answer {
        let host = admission::host(&head);
        let place = address(&host, head.uri.path())?;
        let level = match (&place.bucket, &place.key) {
            (None, None) => Level::Service,
            (None, Some(_)) => return Err(Code::InvalidURI.into()),
            (Some(_), None) => Level::Bucket,
            (Some(_), Some(_)) => Level::Object,
        };
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let route = routes::find(&head.method, level, &query, &head.headers).ok_or(Code::MethodNotAllowed)?;
        let admitted = admission::admit(&self.front, &head, &query, &place, route.op)?;
        admission::hoist(&query, &mut head.headers);
        let call = Call {
            source_ip: admission::source_ip(&head),
            trace: admission::trace(&head, request_id),
            headers: head.headers,
            query,
            host,
            path: head.uri.path().to_owned(),
            bucket: place.bucket.unwrap_or_default(),
            key: place.key.unwrap_or_default(),
            scope: admitted.scope,
            requester: admitted.requester,
            request_id: request_id.to_owned(),
            verified: admitted.verified,
        };
        self.run(route, &call, body).await
    }

    fn unsupported(&self, operation: &'static str) -> Fault {
        let what = What::Unsupported { service: "s3".into(), operation: operation.into() };
        self.front.parts.sink.send(self.front.parts.clock.now(), Subject::default(), what);
        Fault::not_implemented(&format!("the operation {operation}"))
    }

    async fn run(&self, route: &Route, call: &Call, body: Body) -> Answer {
        let front = &*self.front;
        match route.op {
            Op::ListBuckets => ops::buckets::list(front, call),
            Op::CreateBucket => ops::buckets::create(front, call, body).await,
            Op::HeadBucket => ops::buckets::head(front, call),
            Op::DeleteBucket => ops::buckets::delete(front, call),
            Op::BucketLocation => ops::buckets::location(front, call),
            Op::BucketAcl => ops::acl::of_bucket(front, call),
            Op::PutBucketAcl => ops::acl::put_of_bucket(front, call, body).await,
            Op::PutObjectAcl => ops::acl::put_of_object(front, call, body).await,
            Op::Absent(code) => Err(ops::buckets::absent(front, call, code)),
            Op::Preflight => {
                cors::preflight(front.objects().bucket(&call.bucket_id()).ok().as_ref(), &call.headers)
            }
            Op::GetKept(kind) => kept::get(front, call, kind),
            Op::PutKept(kind) => kept::put(front, call, kind, body).await,
            Op::DeleteKept(kind) => kept::delete(front, call, kind),
            Op::GetPolicy => ops::policy::get(front, call),
            Op::PutPolicy => ops::policy::put(front, call, body).await,
            Op::DeletePolicy => ops::policy::delete(front, call),
            Op::PolicyStatus => ops::policy::status(front, call),
            Op::GetVersioning => ops::versioning::get(front, call),
            Op::PutVersioning => ops::versioning::put(front, call, body).await,
            Op::GetRetention => ops::lock::retention(front, call),
            Op::PutRetention => ops::lock::retain(front, call, body).await,
            Op::GetLegalHold => ops::lock::hold(front, call),
            Op::PutLegalHold => ops::lock::put_hold(front, call, body).await,
            Op::GetNotification => ops::notification::get(front, call),
            Op::PutNotification => ops::notification::put(front, call, body).await,
            Op::ListObjects => ops::list::v1(front, call),
            Op::ListObjectsV2 => ops::list::v2(front, call),
            Op::ListVersions => ops::list::versions(front, call),
            Op::PutObject => ops::put::object(front, call, body).await,
            Op::PostForm => ops::form::post(front, call, body).await,
            Op::GetObject => ops::get::object(front, call),
            Op::HeadObject => ops::get::head(front, call),
            Op::ObjectAcl => ops::acl::of_object(front, call),
            Op::ObjectAttributes => ops::attributes::get(front, call),
            Op::DeleteObject => ops::delete::object(front, call),
            Op::DeleteObjects => ops::delete::objects(front, call, body).await,
            Op::CopyObject => ops::copy::object(front, call).await,
            Op::GetTagging => ops::tagging::get(front, call),
            Op::PutTagging => ops::tagging::put(front, call, body).await,
            Op::DeleteTagging => ops::tagging::delete(front, call),
            Op::CreateUpload => ops::multipart::create(front, call),
            Op::UploadPart => ops::multipart::part(front, call, body).await,
            Op::UploadPartCopy => ops::copy::part(front, call).await,
            Op::CompleteUpload => ops::multipart::complete(front, call, body).await,
            Op::AbortUpload => ops::multipart::abort(front, call),
            Op::ListParts => ops::uploads::parts(front, call),
            Op::ListUploads => ops::uploads::uploads(front, call),
            Op::Unsupported => Err(self.unsupported(route.name)),
        }
    }
}
