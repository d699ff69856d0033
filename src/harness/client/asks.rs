//! What can be asked of a daemon, a method each. The words are those of the front ends in other languages.

use super::super::trouble::HarnessError;
use super::{Client, part, whole};
use crate::daemon::control::FunctionLine;
use crate::daemon::control::clock::{Face, Steer};
use crate::daemon::control::faults::{Added, FaultLine};
use crate::daemon::control::invocations::{Filter, Line, Lines};
use crate::daemon::control::objects::Traced;
use crate::daemon::control::queues::{MessageLine, QueueLine, Redriven};
use crate::daemon::control::reset::Reset;
use crate::daemon::control::schedules::ScheduleLine;
use crate::daemon::control::scopes::ScopeLine;
use crate::daemon::control::wait::{Asked, Conditions, Waited, WantedInvocations, WantedObject};
use crate::daemon::invoke::{Invoked, Wanted};
use crate::daemon::reset::Extent;
use bytes::Bytes;
use http::Method;
use mlemu_core::{Environment, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

type Answered<T> = Result<T, HarnessError>;

fn document(of: &impl Serialize) -> Bytes {
    serde_json::to_vec(of).unwrap_or_default().into()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Functions and what became of them.
impl Client {
    pub async fn functions(&self) -> Answered<Vec<FunctionLine>> {
        self.ask(Method::GET, "/_mlemu/functions", Bytes::new()).await
    }

    /// Calls a function and waits for its end; a failure of the function is an answer too.
    pub async fn invoke(&self, function: &str, event: impl Into<Bytes>) -> Answered<Invoked> {
        self.call(function, &Wanted::default(), event.into()).await
    }

    /// Calls a function without waiting for its end.
    pub async fn queue(&self, function: &str, event: impl Into<Bytes>) -> Answered<Invoked> {
        self.call(function, &Wanted { queue: true, ..Wanted::default() }, event.into()).await
    }

    /// Calls a function as it is wanted.
    pub async fn call(&self, function: &str, wanted: &Wanted, event: Bytes) -> Answered<Invoked> {
        let mut path = format!("/_mlemu/functions/{}/invoke?queue={}", part(function), wanted.queue);
        if let Some(qualifier) = &wanted.qualifier {
            path.push_str(&format!("&qualifier={}", part(qualifier)));
        }
        self.ask(Method::POST, &path, event).await
    }

    /// Runs an invocation again, with an event of its own or the one that it had; `last` is the newest.
    pub async fn replay(&self, id: &str, event: Option<Bytes>) -> Answered<Invoked> {
        let path = format!("/_mlemu/invocations/{}/replay", part(id));
        self.ask(Method::POST, &path, event.unwrap_or_default()).await
    }

    /// What was invoked, in the order of arrival.
    pub async fn invocations(&self, filter: &Filter) -> Answered<Vec<Line>> {
        let path = format!("/_mlemu/invocations?{}", filter.query());
        self.ask::<Lines>(Method::GET, &path, Bytes::new()).await.map(|lines| lines.invocations)
    }

    /// One invocation with everything that is known of it; `last` is the newest.
    pub async fn invocation(&self, id: &str) -> Answered<Value> {
        self.ask(Method::GET, &format!("/_mlemu/invocations/{}", part(id)), Bytes::new()).await
    }

    /// The event of an invocation, byte for byte.
    pub async fn event_of(&self, id: &str) -> Answered<Bytes> {
        let path = format!("/_mlemu/invocations/{}/event", part(id));
        whole(self.send(Method::GET, &path, Bytes::new()).await?).await
    }

    /// The function's next call is a cold start.
    pub async fn cold(&self, function: &str) -> Answered<()> {
        self.post(&format!("/_mlemu/functions/{}/cold", part(function)), Bytes::new()).await
    }
}

/// Objects and messages of any cloud.
impl Client {
    /// Puts an object as a client of its cloud would; gives the trace of whatever that causes.
    pub async fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Answered<String> {
        let path = format!("/_mlemu/buckets/{}/objects/{}", part(bucket), part(key));
        self.ask::<Traced>(Method::PUT, &path, body.into()).await.map(|traced| traced.trace)
    }

    pub async fn get(&self, bucket: &str, key: &str) -> Answered<Bytes> {
        let path = format!("/_mlemu/buckets/{}/objects/{}", part(bucket), part(key));
        whole(self.send(Method::GET, &path, Bytes::new()).await?).await
    }

    /// The keys of a bucket that begin so, in their order; none where there is no such bucket.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Answered<Vec<String>> {
        let (bucket, prefix) = (bucket.to_owned(), Some(prefix.to_owned()));
        let object = Some(WantedObject { bucket, key: None, prefix, count: 0 });
        let found = self.wait(Conditions { object, ..Conditions::default() }).await?;
        Ok(found.objects.into_iter().map(|object| object.key).collect())
    }

    /// Sends a message to a queue, or publishes it to a topic; gives the trace of whatever that causes.
    pub async fn message(&self, queue: &str, body: impl Into<Bytes>) -> Answered<String> {
        let path = format!("/_mlemu/queues/{}/messages", part(queue));
        self.ask::<Traced>(Method::POST, &path, body.into()).await.map(|traced| traced.trace)
    }

    pub async fn queues(&self) -> Answered<Vec<QueueLine>> {
        self.ask(Method::GET, "/_mlemu/queues", Bytes::new()).await
    }

    /// So many messages of a queue, which nobody takes by looking at them.
    pub async fn messages(&self, queue: &str, limit: usize) -> Answered<Vec<MessageLine>> {
        let path = format!("/_mlemu/queues/{}/messages?limit={limit}", part(queue));
        self.ask(Method::GET, &path, Bytes::new()).await
    }

    /// Drops every message.
    pub async fn purge(&self, queue: &str) -> Answered<()> {
        self.post(&format!("/_mlemu/queues/{}/purge", part(queue)), Bytes::new()).await
    }

    /// Moves dead letters back to where they came from, or to another queue.
    pub async fn redrive(&self, queue: &str, to: Option<&str>) -> Answered<Redriven> {
        let to = to.map(|to| format!("?to={}", part(to))).unwrap_or_default();
        let path = format!("/_mlemu/queues/{}/redrive{to}", part(queue));
        self.ask(Method::POST, &path, Bytes::new()).await
    }
}

/// Waiting.
impl Client {
    /// Completes when all of it is so.
    pub async fn wait(&self, until: Conditions) -> Answered<Waited> {
        self.wait_as(&Asked { until, ..Asked::default() }).await
    }

    /// The same, with everything that can be said of a wait.
    pub async fn wait_as(&self, asked: &Asked) -> Answered<Waited> {
        let mut body = serde_json::to_value(asked).unwrap_or_default();
        if asked.timeout_ms.is_none() {
            body["timeout_ms"] = millis(self.patience).into();
        }
        self.ask(Method::POST, "/_mlemu/wait", document(&body)).await
    }

    /// Completes when nothing is under way that anything could come of.
    pub async fn idle(&self) -> Answered<()> {
        self.wait(Conditions { idle: Some(true), ..Conditions::default() }).await.map(drop)
    }

    /// Completes when nothing is under way of what one request caused.
    pub async fn settled(&self, trace: &str) -> Answered<()> {
        self.wait(Conditions { trace: Some(trace.into()), ..Conditions::default() }).await.map(drop)
    }

    /// Completes when so many invocations of a function have ended so: `ok`, `failed`, `any` or another status.
    pub async fn ended(&self, function: &str, status: &str, count: usize) -> Answered<Vec<Line>> {
        let (function, status) = (Some(function.into()), Some(status.into()));
        let invocations = Some(WantedInvocations { function, status, count });
        let waited = self.wait(Conditions { invocations, ..Conditions::default() }).await?;
        Ok(waited.invocations)
    }

    /// Completes when nothing is left in a queue, hidden messages included.
    pub async fn emptied(&self, queue: &str) -> Answered<()> {
        self.wait(Conditions { queue_empty: Some(queue.into()), ..Conditions::default() }).await.map(drop)
    }
}

/// Going back, and time.
impl Client {
    /// Everything as it was when the project was ready.
    pub async fn reset(&self) -> Answered<()> {
        self.reset_only(Extent::All, false).await
    }

    /// A part of it; `cold`: the next calls are cold starts.
    pub async fn reset_only(&self, scope: Extent, cold: bool) -> Answered<()> {
        self.post("/_mlemu/reset", document(&Reset { scope, cold })).await
    }

    /// Keeps this moment under a name, when nothing is under way.
    pub async fn snapshot(&self, name: &str) -> Answered<()> {
        self.post(&format!("/_mlemu/snapshots/{}", part(name)), Bytes::new()).await
    }

    /// Goes back to a moment that was kept.
    pub async fn restore(&self, name: &str) -> Answered<()> {
        self.post(&format!("/_mlemu/snapshots/{}/restore", part(name)), Bytes::new()).await
    }

    /// What time the emulated clouds have, and how it passes.
    pub async fn clock(&self) -> Answered<Face> {
        self.ask(Method::GET, "/_mlemu/clock", Bytes::new()).await
    }

    pub async fn steer(&self, steer: &Steer) -> Answered<Face> {
        self.ask(Method::POST, "/_mlemu/clock", document(steer)).await
    }

    /// Emulated time.
    pub async fn now(&self) -> Answered<Timestamp> {
        self.clock().await.map(|face| Timestamp(face.now_us))
    }

    /// Emulated time stands still, here: RFC 3339.
    pub async fn freeze(&self, at: &str) -> Answered<()> {
        let steer = Steer { now: Some(at.into()), frozen: Some(true), ..Steer::default() };
        self.steer(&steer).await.map(drop)
    }

    /// Goes forward; completes when everything that fell due on the way has settled.
    pub async fn advance(&self, by: Duration) -> Answered<Timestamp> {
        let (by, patience) = (format!("{}ms", by.as_millis()), Some(millis(self.patience)));
        let steer = Steer { advance: Some(by), timeout_ms: patience, ..Steer::default() };
        self.steer(&steer).await.map(|face| Timestamp(face.now_us))
    }
}

/// What goes wrong, and what starts by itself.
impl Client {
    /// Adds a rule, or several: as the control API takes them. Gives their numbers.
    pub async fn fault(&self, rules: &Value) -> Answered<Vec<u64>> {
        let added: Added = self.ask(Method::POST, "/_mlemu/faults", document(rules)).await?;
        Ok(added.numbers)
    }

    /// Every rule, and how often it struck.
    pub async fn faults(&self) -> Answered<Vec<FaultLine>> {
        self.ask(Method::GET, "/_mlemu/faults", Bytes::new()).await
    }

    pub async fn forget_faults(&self) -> Answered<()> {
        self.send(Method::DELETE, "/_mlemu/faults", Bytes::new()).await.map(drop)
    }

    /// Uploads and messages start no function from here on; what comes meanwhile waits.
    pub async fn pause_triggers(&self) -> Answered<()> {
        self.post("/_mlemu/triggers/pause", Bytes::new()).await
    }

    pub async fn resume_triggers(&self) -> Answered<()> {
        self.post("/_mlemu/triggers/resume", Bytes::new()).await
    }

    /// What starts by time alone.
    pub async fn schedules(&self) -> Answered<Vec<ScheduleLine>> {
        self.ask(Method::GET, "/_mlemu/schedules", Bytes::new()).await
    }

    /// Starts it now.
    pub async fn fire(&self, schedule: &str) -> Answered<()> {
        self.post(&format!("/_mlemu/schedules/{}/fire", part(schedule)), Bytes::new()).await
    }

    /// Ids, order and dice repeat from here on.
    pub async fn seed(&self, seed: u64) -> Answered<()> {
        self.post("/_mlemu/seed", document(&json!({ "seed": seed }))).await
    }
}

/// Recording.
impl Client {
    /// From here on everything that happens is recorded.
    pub async fn start_recording(&self) -> Answered<()> {
        self.post("/_mlemu/recordings/start", Bytes::new()).await
    }

    /// What was recorded, as the text of a test file.
    pub async fn stop_recording(&self) -> Answered<String> {
        let answer = self.send(Method::POST, "/_mlemu/recordings/stop", Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&whole(answer).await?).into_owned())
    }
}

/// Scopes.
impl Client {
    /// A scope for tests that run beside others; it is made if it is not there.
    pub async fn scope(&self, name: &str) -> Answered<Client> {
        let made = self.make_scope(name).await?;
        Ok(Self { scope: Some(made.name), ..self.clone() })
    }

    /// Makes a scope, and says how its requests say that they are for it.
    pub async fn make_scope(&self, name: &str) -> Answered<ScopeLine> {
        self.ask(Method::PUT, &format!("/_mlemu/scopes/{}", part(name)), Bytes::new()).await
    }

    /// Ends a scope: nothing of it is left.
    pub async fn end_scope(&self, name: &str) -> Answered<()> {
        self.send(Method::DELETE, &format!("/_mlemu/scopes/{}", part(name)), Bytes::new()).await.map(drop)
    }

    /// Variables that point the vendors' SDKs here.
    pub async fn environment(&self) -> Answered<Environment> {
        self.ask(Method::GET, "/_mlemu/env", Bytes::new()).await
    }

    async fn post(&self, path: &str, body: Bytes) -> Answered<()> {
        self.send(Method::POST, path, body).await.map(drop)
    }
}
