//! What a bucket tells to functions.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::notifications::{self, Destinations};
use crate::s3::wire::NotificationConfiguration;
use crate::s3::{Front, decode, payload};
use axum::body::Body;
use http::StatusCode;

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let bucket = call.bucket_id();
    front.objects().bucket(&bucket)?;
    encode::xml(&front.notifications.get(&bucket))
}

pub(in crate::s3) async fn put(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    front.objects().bucket(&bucket)?;
    let document = payload::document(front, call, body).await?;
    let configuration: NotificationConfiguration = decode::xml("NotificationConfiguration", &document)?;
    let trusted = call.header("x-amz-skip-destination-validation").is_some_and(|value| value == "true");
    let destinations = if trusted { Destinations::Trusted } else { Destinations::Checked };
    notifications::install(front, &bucket, configuration, destinations)?;
    if !trusted {
        notifications::greet(front, &bucket).await;
    }
    Ok(encode::empty(StatusCode::OK))
}
