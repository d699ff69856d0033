//! The stream of records, as a daemon tells it while things happen.

use super::super::trouble::HarnessError;
use super::Client;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::BodyExt;

/// Records, one after the other.
pub struct Records {
    body: Body,
    read: BytesMut,
}

impl Client {
    /// The records behind the one of that number, and those that come; `once`: those that are there.
    pub async fn records(&self, after: u64, once: bool) -> Result<Records, HarnessError> {
        let path = format!("/_mlemu/stream?after={after}&once={once}");
        let body = self.send(Method::GET, &path, Bytes::new()).await?;
        Ok(Records { body, read: BytesMut::new() })
    }
}

impl Records {
    /// The next one, a JSON document. `None`: there are no more.
    ///
    /// # Errors
    /// When the stream breaks off, as it does when the daemon ends.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HarnessError> {
        loop {
            while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1).freeze();
                if line.starts_with(b"data: ") {
                    return Ok(Some(line.slice(b"data: ".len()..end)));
                }
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| HarnessError::BrokenOff(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}
