//! Amazon's services with nothing behind them, for inputs that nobody would think of.
//!
//! A target makes a request of its input, [`World::ask`]s, and says what must be true of the answer. Whatever panics
//! or does not end is a finding too.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use mlemu_aws::Aws;
use mlemu_core::sandbox::StartFailure;
use mlemu_core::{
    Boxed, Build, BuildFailure, Built, Confined, Enforcement, Needs, PackageFault, Sandbox, SandboxSpec,
    Unpacked,
};
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::Queues;
use mlemu_engine::schedules::Schedules;
use mlemu_engine::{Engine, Ground, Ids, Journal, Parts, Policy, Shelf, SystemClock};
use std::cell::RefCell;
use std::sync::Arc;
use tokio::runtime::Runtime;

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
/// Inputs that one world answers, so that what they leave behind does not add up.
const LIFE: u32 = 2000;

struct Nothing;

impl Build for Nothing {
    fn build(&self, _: Needs, _: mlemu_core::build::Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>> {
        Box::pin(async { Err(BuildFailure { why: "nothing runs here".into(), hint: None }) })
    }

    fn unpack(&self, _: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        Box::pin(async move { Err(PackageFault::TooLarge { limit }) })
    }

    fn measure(&self, _: std::path::PathBuf) -> Boxed<'_, u64> {
        Box::pin(async { 0 })
    }
}

impl Sandbox for Nothing {
    fn enforcement(&self) -> Enforcement {
        Enforcement::None
    }

    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        let program = spec.program.display().to_string();
        Box::pin(async { Err(StartFailure { program, why: "nothing runs here".into() }) })
    }

    fn forget(&self, _: &str) {}
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// An answer that claims to be XML is, whatever was asked.
    pub fn is_well_formed(&self) -> bool {
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.contains("xml") || self.body.is_empty() {
            return true;
        }
        let Ok(text) = std::str::from_utf8(&self.body) else { return false };
        let mut reader = quick_xml::Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut depth = 0;
        loop {
            match reader.read_event() {
                Ok(quick_xml::events::Event::Start(_)) => depth += 1,
                Ok(quick_xml::events::Event::End(_)) => depth -= 1,
                Ok(quick_xml::events::Event::Eof) => return depth == 0,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

/// The services, with a bucket `box`, a queue `q` and a topic `t`.
pub struct World {
    aws: Arc<Aws>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, journal) = (Arc::new(SystemClock::new()), Arc::new(Journal::new(16)));
        let engine = Engine::new(Parts {
            clock: clock.clone(),
            ids: Ids::default(),
            build: Arc::new(Nothing),
            sandbox: Arc::new(Nothing),
            journal,
            policy: Policy::local(1),
        });
        let ground = Ground {
            objects: Objects::new(folder.path().join("bodies"), clock.clone()),
            queues: Queues::new(clock),
            shelf: Shelf::default(),
            schedules: Arc::new(Schedules::new(engine.clone())),
            fronts: Arc::default(),
            folder: folder.path().join("clients"),
            region: REGION.into(),
            account: ACCOUNT.into(),
            post: Arc::new(|_| Box::pin(async { Err("nobody is elsewhere".to_owned()) })),
            prefix: String::new(),
            options: Default::default(),
            strict_auth: false,
            watch: false,
            engine,
        };
        let world = Self { aws: Aws::new(ground), _folder: folder };
        for (service, form) in
            [("sqs", "Action=CreateQueue&QueueName=q"), ("sns", "Action=CreateTopic&Name=t")]
        {
            let made = world.ask(form_of(service, form.as_bytes())).await;
            assert_eq!(made.status, 200, "{made:?}");
        }
        let bucket = Request::put("/box").header("host", "127.0.0.1:4566").body(Body::empty());
        assert_eq!(world.ask(bucket.expect("a request")).await.status, 200);
        world
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.aws.answer(request).await.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let answer = Answer { status: head.status, headers: head.headers, body };
        assert!(answer.is_well_formed(), "not well-formed: {answer:?}");
        answer
    }
}

/// A request in the query protocol of a service.
pub fn form_of(service: &str, form: &[u8]) -> Request<Body> {
    let scope = format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
    let request = Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("authorization", format!("{scope}, SignedHeaders=host, Signature=0"))
        .header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(form.to_vec())).expect("a request")
}

/// A body that comes in pieces of these sizes, over and over.
pub fn in_pieces(body: &[u8], sizes: &[usize]) -> Body {
    let (mut rest, mut pieces) = (body, Vec::new());
    for size in sizes.iter().copied().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at(size.clamp(1, rest.len()));
        pieces.push(Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
        rest = more;
    }
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// Runs one input in a world that others have used before.
pub fn run<F: AsyncFnOnce(&World)>(test: F) {
    struct Place {
        runtime: Runtime,
        world: Option<World>,
        age: u32,
    }
    thread_local! {
        static PLACE: RefCell<Place> = RefCell::new(Place {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            world: None,
            age: 0,
        });
    }
    PLACE.with_borrow_mut(|place| {
        let Place { runtime, world, age } = place;
        if *age == 0 {
            *world = Some(runtime.block_on(World::new()));
        }
        *age = (*age + 1) % LIFE;
        if let Some(world) = world {
            runtime.block_on(test(world));
        }
    });
}
