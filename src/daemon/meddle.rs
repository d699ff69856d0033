//! Faults of requests: what a listener does where a rule of a test strikes.

use super::world::World;
use crate::clouds::Cloud;
use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use mlemu_core::{Clock, HangUp, Subject};
use mlemu_engine::faults::{Effect, Hit, Point, Sighting, Trouble};

/// In an answer: its connection breaks off without it.
#[derive(Clone, Copy, Debug)]
pub struct BreaksOff;

/// Most of a request's body that is read to know what it asks for, in bytes.
const READ: u64 = 2 * 1024 * 1024;

/// Answers a request as the rules let it be answered.
pub async fn answer(world: &World, cloud: &dyn Cloud, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // Only protocols that name all in the body have small ones.
    let small = parts.headers.contains_key("x-amz-target") || is_form(&parts);
    let (read, body) = if small { whole(body).await } else { (Bytes::new(), body) };
    let asked = cloud.asked(&parts, &read);
    let sighting = Sighting {
        point: Point::Request,
        service: &asked.service,
        operation: &asked.operation,
        resource: &asked.resource,
        function: "",
    };
    let Some(hit) = world.engine.faults().hit(&sighting, Subject::default()) else {
        return cloud.answer(Request::from_parts(parts, body)).await;
    };
    match hit.effect {
        Effect::Throttle => cloud.troubled(&asked, &parts, Trouble::Throttled),
        Effect::Status(status) => cloud.troubled(&asked, &parts, Trouble::Broken(status)),
        Effect::DiskFull if matches!(parts.method, Method::PUT | Method::POST) => {
            cloud.troubled(&asked, &parts, Trouble::Full)
        }
        Effect::Reset => broken_off(),
        Effect::Hang => hang(&parts).await,
        _ => slowed(world, cloud, Request::from_parts(parts, body), &hit).await,
    }
}

async fn slowed(world: &World, cloud: &dyn Cloud, request: Request<Body>, hit: &Hit) -> Response<Body> {
    world.clock.sleep(hit.latency()).await;
    let response = cloud.answer(request).await;
    match hit.effect {
        Effect::Truncate { after } => truncated(response, after),
        _ => response,
    }
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// The body's bytes, and a body of the same.
async fn whole(body: Body) -> (Bytes, Body) {
    let limited = http_body_util::Limited::new(body, usize::try_from(READ).unwrap_or(usize::MAX));
    // A body that breaks off or is too long is empty: the service says what is wrong with that.
    let read = limited.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    (read.clone(), Body::from(read))
}

fn broken_off() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(BreaksOff);
    response
}

/// Until the client gives up.
async fn hang(parts: &Parts) -> Response<Body> {
    match parts.extensions.get::<HangUp>() {
        Some(hang_up) => hang_up.wait().await,
        None => std::future::pending().await,
    }
    broken_off()
}

/// The head says the whole length, and the body ends before.
fn truncated(response: Response<Body>, after: u64) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let left = usize::try_from(after).unwrap_or(usize::MAX);
    let pieces =
        futures_util::stream::unfold((body.into_data_stream(), left), |(mut body, left)| async move {
            let piece = if left > 0 { body.next().await } else { None };
            let Some(Ok(piece)) = piece else {
                // What is there is sent while this waits. What was promised does not come, also where it was short.
                tokio::task::yield_now().await;
                return Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), (body, 0)));
            };
            let piece = piece.slice(..piece.len().min(left));
            let left = left - piece.len();
            Some((Ok(piece), (body, left)))
        });
    Response::from_parts(parts, Body::from_stream(pieces))
}
