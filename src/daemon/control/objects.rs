//! Objects and messages by hand, for tests without an SDK: the same in every cloud.

use super::{Fault, In};
use crate::daemon::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use http::StatusCode;
use mlemu_engine::objects;
use serde::{Deserialize, Serialize};

/// What everything that comes of a request is known by: `trace` of a wait and of a list of invocations.
#[derive(Debug, Serialize, Deserialize)]
pub struct Traced {
    pub trace: String,
}

fn missing(fault: impl ToString) -> Fault {
    Fault(StatusCode::NOT_FOUND, fault.to_string())
}

/// Puts an object as a client of the bucket's cloud would.
pub async fn put(
    In(world): In,
    Path((bucket, key)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Traced>, Fault> {
    let bucket = world.bucket(&bucket, None).map_err(missing)?;
    let trace = world.put(&bucket.id, &key, body).await.map_err(refused)?;
    Ok(Json(Traced { trace }))
}

pub async fn get(In(world): In, Path((bucket, key)): Path<(String, String)>) -> Result<Bytes, Fault> {
    let object = find(&world, &bucket, &key)?;
    let unread = |error: std::io::Error| Fault(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    object.content.body.bytes().await.map_err(unread)
}

fn find(world: &World, bucket: &str, key: &str) -> Result<std::sync::Arc<objects::Object>, Fault> {
    let bucket = world.bucket(bucket, None).map_err(missing)?;
    world.objects.get(&bucket.id, key).map_err(missing)
}

fn refused(fault: objects::Fault) -> Fault {
    Fault(StatusCode::BAD_REQUEST, fault.to_string())
}

/// Sends a message to a queue, or publishes it to a topic.
pub async fn send(In(world): In, Path(queue): Path<String>, body: Bytes) -> Result<Json<Traced>, Fault> {
    let topic = world.topic_to_be(&queue, None).await.map_err(missing)?;
    let trace = world.send(&topic, body, None).map_err(missing)?;
    Ok(Json(Traced { trace }))
}
