//! An S3 by itself, to be tried with real clients: `cargo run -p mlemu-aws --example s3_server -- 4566 [strict]`.
//!
//! Its only function, `echo`, prints the events that it is invoked with. With `strict` the only good
//! credentials are `test` and `test`, and those of another account `alttest` and `alttest`.

use axum::Router;
use axum::extract::Request;
use axum::serve::ListenerExt;
use mlemu_aws::auth::Keys;
use mlemu_aws::s3::{Parts, Resolve, S3, Settings};
use mlemu_aws::sqs::{self, Sqs};
use mlemu_core::{FunctionId, InvocationId, Invoke, Refusal, Reply, Scope};
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::Queues;
use mlemu_engine::triggers::{Invoker, TriggerParts, Triggers};
use mlemu_engine::{Journal, SystemClock};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

struct Echo;

impl Invoker for Echo {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        let mut out = std::io::stdout();
        let _ = out.write_all(&invoke.payload).and_then(|()| out.write_all(b"\n"));
        Ok(Reply::Accepted)
    }
}

fn service(strict_auth: bool) -> S3 {
    let clock = Arc::new(SystemClock::new());
    let folder = std::env::temp_dir().join(format!("s3-server-{}", std::process::id()));
    let objects = Objects::new(folder, clock.clone());
    let triggers = Triggers::new(objects.clone());
    let journal = Arc::new(Journal::new(100));
    let new_id = |ids: &mlemu_engine::Ids| InvocationId(ids.fresh("invocation").uuid().into());
    let parts = TriggerParts { invoker: Echo, clock: clock.clone(), sink: journal.clone(), new_id };
    tokio::spawn(triggers.run(parts));
    let keys = Keys::new([("test".to_owned(), "test".to_owned())]);
    let keys = if strict_auth { keys.and("alttest", "alttest", "111111111111") } else { keys };
    let (region, account) = ("us-east-1".to_owned(), "000000000000".to_owned());
    let functions: Resolve = Arc::new(|arn| {
        let scope = Arc::new(Scope::new("aws", "000000000000", "us-east-1"));
        arn.ends_with(":function:echo").then(|| FunctionId::new(scope, "echo"))
    });
    let settings = Settings { region, account, event_version: None, strict_auth, keys };
    let sqs = Sqs::new(sqs::Parts {
        queues: Queues::new(clock.clone()),
        sink: journal.clone(),
        region: settings.region.clone(),
        account: settings.account.clone(),
    });
    let shelf = mlemu_engine::Shelf::default();
    S3::new(Parts {
        objects,
        triggers,
        clock,
        sink: journal,
        functions,
        reach: Arc::new(sqs.clone()),
        sqs,
        shelf,
        settings,
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let port: u16 = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let s3 = service(args.iter().any(|arg| arg == "strict"));
    let app = Router::new().fallback(move |request: Request| {
        let s3 = s3.clone();
        async move { s3.handle(request).await }
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}
