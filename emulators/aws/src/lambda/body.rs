//! Reading a request's body whole, up to a limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use thiserror::Error;

/// How much of a body that is too long is still read and thrown away, in bytes: a client that has not
/// finished sending does not read the answer.
const PATIENCE: usize = 64 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyFault {
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    #[error("the body broke off")]
    Broken,
}

/// The whole body; `limit` in bytes.
pub async fn read(mut body: Body, limit: u64) -> Result<Bytes, BodyFault> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
        size += data.len();
        if size as u64 > limit {
            drain(body).await;
            return Err(BodyFault::TooLong(limit));
        }
        if first.is_empty() {
            first = data;
        } else {
            // A body of one frame is never copied.
            if more.is_empty() {
                more.reserve(size + data.len());
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

async fn drain(mut body: Body) {
    let mut size = 0;
    while let Some(Ok(frame)) = body.frame().await {
        size += frame.data_ref().map_or(0, Bytes::len);
        if size > PATIENCE {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn pieces(pieces: Vec<&'static str>) -> Body {
        let pieces =
            pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())));
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn pieces_are_joined() {
        assert_eq!(read(pieces(vec!["ab", "", "cd", "e"]), 5).await.unwrap(), "abcde");
        assert_eq!(read(Body::empty(), 0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_byte_too_many_is_too_long() {
        assert_eq!(read(pieces(vec!["ab", "cd"]), 3).await, Err(BodyFault::TooLong(3)));
    }

    #[tokio::test]
    async fn a_broken_body_is_no_body() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
        assert_eq!(read(Body::from_stream(broken), 10).await, Err(BodyFault::Broken));
    }
}
