//! The whole of this cloud behind one port: which service a request is for, and what a project declares.

use crate::auth::Keys;
use crate::events::{self, Events};
use crate::gateway::Gateway;
use crate::iam::{self, Iam};
use crate::lambda::aftermath::Aftermath;
use crate::lambda::mapping::{Facts, Mappings};
use crate::lambda::{FetchFault, FetchObject, Lambda, Settings};
use crate::reach::{self, Letter, Lost, Reach};
use crate::runtime_api::{LambdaRuntime, Surroundings};
use crate::s3::{self, S3, Subscription};
use crate::sagemaker::SageMaker;
use crate::schedule::Expression;
use crate::service::{self, Service};
use crate::sns::{self, Sns};
use crate::sqs::{self, Sqs};
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{
    BucketDeclaration, FunctionDeclaration, QueueDeclaration, ResourceDeclaration, TriggerDeclaration,
};
use mlemu_core::{Boxed, Environment, FunctionId, InvocationId, Record, Runtime, Subject, What};
use mlemu_engine::queues::Notes;
use mlemu_engine::sources::{SourceParts, Sources};
use mlemu_engine::triggers::{TriggerParts, Triggers};
use mlemu_engine::{Ground, Ids};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// How often a message is received before it goes to its dead-letter queue, when nobody says.
const RECEIVES: u32 = 10;

/// The option that says which version S3's events name.
const EVENT_VERSION: &str = "s3_event_version";

/// The secret access key of whoever mlemu gives credentials to.
const SECRET: &str = "mlemu";

pub(crate) fn new_id(ids: &Ids) -> InvocationId {
    InvocationId(ids.fresh("invocation").uuid().into())
}

/// What of this cloud is in none of the shared cores, at one moment.
pub struct Saved {
    notifications: s3::SavedNotifications,
    mappings: Vec<(String, Facts)>,
    topics: sns::Saved,
    events: events::Saved,
    iam: iam::Saved,
}

/// The services, plugged together.
pub struct Aws {
    lambda: Arc<Lambda>,
    gateway: Gateway,
    s3: S3,
    sqs: Sqs,
    sns: Sns,
    events: Events,
    iam: Iam,
    sagemaker: SageMaker,
    runtime: Arc<LambdaRuntime>,
    settings: Arc<Settings>,
    watch: bool,
    /// What the project declares beside functions, buckets and queues.
    declared: Mutex<Vec<ResourceDeclaration>>,
    /// What reads the change log for the triggers.
    reading: AbortHandle,
}

/// What reads the change log for the triggers.
fn read_changes(triggers: &Triggers, ground: &Ground) -> AbortHandle {
    let parts = ground.engine.parts();
    let reading = triggers.run(TriggerParts {
        invoker: ground.engine.clone(),
        clock: parts.clock.clone(),
        sink: parts.journal.clone(),
        new_id,
    });
    tokio::spawn(reading).abort_handle()
}

/// What feeds functions from queues.
fn sources(ground: &Ground) -> Sources {
    let parts = ground.engine.parts();
    Sources::new(SourceParts {
        queues: ground.queues.clone(),
        invoker: ground.engine.clone(),
        sink: parts.journal.clone(),
        new_id,
        cap: parts.policy.local_cap.unwrap_or(parts.policy.account_concurrency),
    })
}

impl Aws {
    /// Must be called inside a tokio runtime: the triggers' reading task starts here.
    pub fn new(ground: Ground) -> Arc<Self> {
        let settings = Arc::new(Settings::new(&ground.account, &ground.region));
        let runtime = Arc::new(LambdaRuntime::new(Surroundings {
            account: ground.account.clone(),
            region: ground.region.clone(),
            folder: ground.folder.clone(),
        }));
        let triggers = Triggers::new(ground.objects.clone());
        let reading = read_changes(&triggers, &ground);
        let sources = sources(&ground);
        let parts = ground.engine.parts();
        let (clock, sink, shelf) = (parts.clock.clone(), parts.journal.clone(), ground.shelf.clone());
        let ids = parts.ids.clone();
        Arc::new_cyclic(|this: &std::sync::Weak<Self>| {
            let known = this.clone();
            let reach: Arc<dyn Reach> = Arc::new(Everything(this.clone()));
            let sqs = Sqs::new(sqs::Parts {
                queues: ground.queues,
                sink: sink.clone(),
                region: settings.region.clone(),
                account: settings.account.clone(),
            });
            let s3 = S3::new(s3::Parts {
                objects: ground.objects,
                triggers,
                clock: clock.clone(),
                sink: sink.clone(),
                sqs: sqs.clone(),
                shelf: shelf.clone(),
                reach: reach.clone(),
                functions: Arc::new(move |arn| known.upgrade()?.lambda.resolve(arn)),
                settings: s3::Settings {
                    region: ground.region,
                    account: ground.account,
                    event_version: ground.options.get(EVENT_VERSION).cloned(),
                    strict_auth: ground.strict_auth,
                    keys: local_keys(),
                },
            });
            let sns = Sns::new(sns::Parts {
                clock: clock.clone(),
                ids: ids.clone(),
                settle: ground.engine.settle().clone(),
                gate: ground.engine.gate().clone(),
                sink: sink.clone(),
                settings: settings.clone(),
                reach: reach.clone(),
                shelf: shelf.clone(),
            });
            let events = Events::new(events::Parts {
                clock: clock.clone(),
                ids: ids.clone(),
                sink: sink.clone(),
                settings: settings.clone(),
                reach: reach.clone(),
                schedules: ground.schedules,
                shelf: shelf.clone(),
            });
            let sagemaker = SageMaker::new(&ground.engine, &settings, &s3, ground.post);
            let engine = ground.engine.clone();
            let functions = Arc::new(ground.engine);
            let iam = Iam::new(settings.clone(), functions.clone(), &shelf);
            let lambda = Lambda::new(functions, runtime.clone(), settings.clone(), fetch(&s3));
            let lambda = Arc::new(lambda.with_mappings(Mappings::new(sources, sqs.clone())).kept_on(&shelf));
            engine.cared_for_by("aws", Aftermath::new(Arc::downgrade(&lambda), reach));
            let gateway = Gateway::new(lambda.clone());
            let watch = ground.watch;
            let declared = Mutex::default();
            Self {
                lambda,
                gateway,
                s3,
                sqs,
                sns,
                events,
                iam,
                sagemaker,
                runtime,
                settings,
                watch,
                declared,
                reading,
            }
        })
    }

    /// Where the ids of this cloud's world come from.
    pub fn ids(&self) -> &Ids {
        self.sqs.queues().ids()
    }

    /// Goes on with what was there when the daemon ended: functions first, since the others name them.
    pub async fn awake(&self) {
        self.lambda.awake().await;
        self.s3.awake();
        self.events.awake();
    }

    pub(crate) fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    pub(crate) fn s3(&self) -> &S3 {
        &self.s3
    }

    pub(crate) fn sns(&self) -> &Sns {
        &self.sns
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn sagemaker(&self) -> &SageMaker {
        &self.sagemaker
    }

    pub(crate) fn topic_arn(&self, name: &str) -> String {
        sns::arn(&self.settings.region, &self.settings.account, name)
    }

    /// What is declared from now on, for what was declared before.
    pub(crate) fn swap_declared(&self, now: Vec<ResourceDeclaration>) -> Vec<ResourceDeclaration> {
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut declared, now)
    }

    /// Told once where the listener is; functions and URLs point there from then on.
    pub fn bound(&self, address: SocketAddr) {
        self.runtime.set_endpoint(&format!("http://{address}"));
        self.settings.set_port(address.port());
    }

    /// Hosts and routes that a project declared come first: they leave alone what is signed or for another
    /// service.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        if let Some(found) = self.gateway.matches(&parts) {
            return self.gateway.handle(found, Request::from_parts(parts, body)).await;
        }
        let service = Service::of(&parts);
        if let Service::Other(name) = service {
            let operation = service::operation(&parts).unwrap_or_default().to_owned();
            let what = What::Unsupported { service: name.clone(), operation };
            self.lambda.functions().record(Subject::default(), what);
            return service::not_implemented(&name, &parts);
        }
        let request = Request::from_parts(parts, body);
        match service {
            Service::Iam => self.iam.handle(request).await,
            Service::Lambda => self.lambda.handle(request).await,
            Service::Sqs => self.sqs.handle(request).await,
            Service::Sns => self.sns.handle(request).await,
            Service::Events => self.events.handle(request).await,
            Service::SageMaker => self.sagemaker.handle(request).await,
            Service::S3 | Service::Other(_) => self.s3.handle(request).await,
        }
    }

    pub fn admits_origin(&self, parts: &Parts) -> bool {
        self.gateway.origin_allowed(parts) || self.s3.admits_origin(parts)
    }

    /// Makes a declared function real, with its routes and triggers.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        let revision = self.lambda.declare(function, self.watch);
        let id = revision.function.clone();
        self.gateway.declare(&id, function);
        self.take_back_triggers(&id);
        for (index, trigger) in function.triggers.iter().enumerate() {
            if let TriggerDeclaration::Queue { queue, batch, options } = trigger {
                let from = self.sqs.declare(queue, &Notes::new()).map_err(|fault| fault.to_string())?;
                self.lambda.declare_mapping(&id, index, from, *batch, options)?;
            }
            if let TriggerDeclaration::Bucket { bucket, events, prefix, suffix } = trigger {
                let subscription = Subscription {
                    id: Some(format!("{}-{index}", id.name)),
                    function: id.clone(),
                    events: events.clone(),
                    prefix: prefix.clone(),
                    suffix: suffix.clone(),
                };
                self.s3.subscribe(bucket, subscription).map_err(|fault| fault.to_string())?;
            }
        }
        if let Ok(mappings) = self.lambda.mappings() {
            mappings.revive(&id);
        }
        self.warn_of_silent(&id, &function.triggers);
        Ok(id)
    }

    /// Triggers that nothing fires yet are said aloud.
    fn warn_of_silent(&self, function: &FunctionId, triggers: &[TriggerDeclaration]) {
        for trigger in triggers {
            let what = match trigger {
                TriggerDeclaration::Schedule { expression } if Expression::read(expression).is_none() => {
                    format!("the schedule `{expression}`")
                }
                _ => continue,
            };
            let text = format!("{what} does not invoke it: mlemu does not have that yet");
            let subject = Subject { function: Some(function.clone()), ..Subject::default() };
            self.lambda.functions().record(subject, What::Warning { text });
        }
    }

    /// What was declared before; a declaration that is read again must not count twice.
    fn take_back_triggers(&self, function: &FunctionId) {
        if let Ok(mappings) = self.lambda.mappings() {
            mappings.withdraw(function);
        }
        self.s3.unsubscribe(function, |id| {
            let index = id.strip_prefix(&*function.name).and_then(|rest| rest.strip_prefix('-'));
            index.is_some_and(|index| index.parse::<usize>().is_ok())
        });
    }

    pub fn withdraw(&self, function: &FunctionId) {
        self.take_back_triggers(function);
        self.gateway.forget(function);
        self.lambda.forget(function);
    }

    pub async fn declare_bucket(&self, bucket: &BucketDeclaration) -> Result<(), String> {
        let is_kept = self.s3.keeps(&bucket.name);
        let id = self.s3.declare_bucket(&bucket.name);
        match &bucket.seed {
            // Its files were put there once; what became of them since is the developer's.
            Some(_) if is_kept => Ok(()),
            Some(folder) => self.s3.seed(&id, folder).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// What of this cloud is not in the object core, as it is now.
    pub fn saved(&self) -> Saved {
        let mappings = self.lambda.mappings().map(Mappings::all).unwrap_or_default();
        Saved {
            notifications: self.s3.notifications(),
            mappings,
            topics: self.sns.saved(),
            events: self.events.saved(),
            iam: self.iam.saved(),
        }
    }

    /// Goes back to it; the object core must have gone back before.
    pub fn restore(&self, saved: &Saved) {
        self.s3.restore_notifications(&saved.notifications);
        self.sns.restore(&saved.topics);
        self.events.restore(&saved.events);
        self.iam.restore(&saved.iam);
        if let Ok(mappings) = self.lambda.mappings() {
            mappings.restore(&saved.mappings);
        }
    }

    /// Nothing starts a function by itself any more.
    pub fn stop(&self) {
        self.reading.abort();
        if let Ok(mappings) = self.lambda.mappings() {
            mappings.sources.stop();
        }
    }

    /// Queues first, then what they say of each other.
    pub fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        let of = |queue: &QueueDeclaration| {
            let mut attributes = queue.attributes.clone();
            let visibility = queue.visibility.map(|visibility| visibility.as_secs().to_string());
            attributes.extend(visibility.map(|seconds| ("VisibilityTimeout".to_owned(), seconds)));
            // The vendor takes the attribute for true alone.
            attributes.retain(|name, value| name != "FifoQueue" || value == "true");
            attributes
        };
        for queue in queues {
            let declared = self.sqs.declare(&queue.name, &of(queue));
            declared.map_err(|fault| format!("queue `{}`: {fault}", queue.name))?;
        }
        for queue in queues {
            let Some(dlq) = &queue.dlq else { continue };
            let declared = self.sqs.redrive(&queue.name, dlq, queue.max_receives.unwrap_or(RECEIVES));
            declared.map_err(|fault| format!("queue `{}`: {fault}", queue.name))?;
        }
        Ok(())
    }

    /// Lambda's own log lines for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        self.runtime.lines(record)
    }

    /// Variables for SDKs and tools outside of functions. No session token: a stale one of the shell would win.
    pub fn environment(&self, address: SocketAddr) -> Environment {
        let pairs = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", self.settings.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
            ("AWS_REGION", self.settings.region.clone()),
            ("AWS_DEFAULT_REGION", self.settings.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Every resource of this cloud, by its ARN.
struct Everything(std::sync::Weak<Aws>);

impl Reach for Everything {
    fn has(&self, arn: &str) -> bool {
        let Some(aws) = self.0.upgrade() else { return false };
        match reach::service(arn) {
            "lambda" => aws.lambda.resolve(arn).is_some(),
            "sqs" => aws.sqs.resolve(arn).is_some(),
            "s3" => aws.s3.has(arn),
            "sns" => aws.sns.has(arn),
            "events" => aws.events.has(arn),
            _ => false,
        }
    }

    fn send<'a>(&'a self, arn: &'a str, letter: Letter) -> Boxed<'a, Result<(), Lost>> {
        Box::pin(async move {
            let aws = self.0.upgrade().ok_or_else(|| Lost::because("the daemon is stopping"))?;
            match reach::service(arn) {
                "lambda" => {
                    let started = aws.lambda.start(arn, letter.body, letter.cause).await;
                    started.map_err(|fault| Lost::because(fault.text))
                }
                "sqs" => aws.sqs.deliver(arn, letter).map_err(|fault| Lost::because(fault.why)),
                "s3" => aws.s3.write(arn, letter).await.map_err(|fault| Lost::because(fault.to_string())),
                "sns" => aws.sns.publish(arn, letter).await,
                "events" => aws.events.put(Some(arn), letter).await,
                other => Err(Lost::because(format!("mlemu does not have {other} as a receiver yet"))),
            }
        })
    }
}

/// What functions and tools are given by us, and what local tools use by habit.
fn local_keys() -> Keys {
    Keys::new([("test".to_owned(), "test".to_owned())]).and_accounts(SECRET)
}

/// Lambda reads deployment packages out of our own buckets.
fn fetch(s3: &S3) -> FetchObject {
    let s3 = s3.clone();
    Arc::new(move |bucket, key, version| {
        let s3 = s3.clone();
        Box::pin(async move {
            s3.read(&bucket, &key, version.as_deref()).await.map_err(|error| match error {
                s3::ReadFault::NoSuchBucket => FetchFault::NoSuchBucket,
                s3::ReadFault::NoSuchKey => FetchFault::NoSuchKey,
                s3::ReadFault::NoSuchVersion => FetchFault::NoSuchVersion,
                s3::ReadFault::Io(error) => FetchFault::Other(error.to_string()),
            })
        })
    })
}
