//! What instructions do to answers, and to what is uploaded.

use super::Instruction;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header;
use mlemu_core::Clock;
use std::io;
use std::sync::Arc;

/// The answer as the trouble leaves it. `begins`: the first byte of the object that it has.
pub(in crate::storage) fn spoilt(
    answer: Response,
    instruction: Instruction,
    begins: u64,
    clock: &Arc<dyn Clock>,
) -> Response {
    let (parts, body) = answer.into_parts();
    let body = match instruction {
        Instruction::Status(_) => body,
        Instruction::Reset => Body::from_stream(stream::iter([Err::<Bytes, _>(broken())])),
        Instruction::Broken(after) | Instruction::BrokenLast(after) | Instruction::StatusAfter(_, after) => {
            cut(body, after.saturating_sub(begins), |_| stream::iter([Err(broken())]).boxed())
        }
        Instruction::Stalled(after, None) => cut(body, after, |_| stream::pending().boxed()),
        Instruction::Stalled(after, Some(span)) => {
            let clock = clock.clone();
            cut(body, after, move |rest| {
                let slept =
                    stream::once(async move { clock.sleep(span).await }).filter_map(|()| async { None });
                slept.chain(rest).boxed()
            })
        }
        Instruction::Corrupted => corrupted(body),
    };
    let mut answer = Response::from_parts(parts, body);
    if instruction == Instruction::Reset {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
    }
    answer
}

/// Where an upload is cut short that has `received` bytes already and gets `length` more: how many of these are kept.
/// `last`: the upload would be complete with them.
pub(in crate::storage) fn cut_upload(
    instruction: &Instruction,
    received: u64,
    length: u64,
    last: bool,
) -> Option<u64> {
    let after = match instruction {
        Instruction::StatusAfter(_, after) => *after,
        Instruction::BrokenLast(after) if last => received + *after,
        _ => return None,
    };
    (received + length >= after).then(|| after.saturating_sub(received))
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

fn corrupted(body: Body) -> Body {
    let chunks = body.into_data_stream().enumerate().map(|(at, chunk)| match chunk {
        Ok(bytes) if at == 0 && !bytes.is_empty() => {
            let mut bytes = bytes.to_vec();
            bytes[0] ^= 0xff;
            Ok(Bytes::from(bytes))
        }
        chunk => chunk,
    });
    Body::from_stream(chunks)
}

type Chunks = BoxStream<'static, Result<Bytes, io::Error>>;

/// The first bytes of a body, and then what is made of the rest.
fn cut(body: Body, after: u64, then: impl FnOnce(Chunks) -> Chunks + Send + 'static) -> Body {
    let rest: Chunks = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other)).boxed();
    let left = usize::try_from(after).unwrap_or(usize::MAX);
    let begin = Cutting { rest: Some(rest), left, then: Some(then) };
    Body::from_stream(stream::unfold(begin, Cutting::next))
}

struct Cutting<F> {
    rest: Option<Chunks>,
    /// Before the cut, in bytes.
    left: usize,
    then: Option<F>,
}

impl<F: FnOnce(Chunks) -> Chunks> Cutting<F> {
    async fn next(mut self) -> Option<(Result<Bytes, io::Error>, Self)> {
        loop {
            let mut rest = self.rest.take()?;
            if self.left == 0
                && let Some(then) = self.then.take()
            {
                self.rest = Some(then(rest));
                continue;
            }
            let mut chunk = match rest.next().await? {
                Ok(chunk) => chunk,
                Err(error) => return Some((Err(error), self)),
            };
            if self.then.is_none() || chunk.len() <= self.left {
                self.left = self.left.saturating_sub(chunk.len());
                self.rest = Some(rest);
                return Some((Ok(chunk), self));
            }
            let behind = chunk.split_off(self.left);
            self.left = 0;
            self.rest = Some(stream::once(async move { Ok(behind) }).chain(rest).boxed());
            return Some((Ok(chunk), self));
        }
    }
}

/// An answer that breaks off before anything of it has come.
pub(in crate::storage) fn torn() -> Response {
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(broken())])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    async fn read(instruction: Instruction) -> (String, bool) {
        let chunks = stream::iter(["abc", "def"].map(|text| Ok::<_, io::Error>(Bytes::from(text))));
        let clock: Arc<dyn Clock> = Arc::new(mlemu_engine::SystemClock::new());
        let answer = spoilt(Response::new(Body::from_stream(chunks)), instruction, 0, &clock);
        let mut body = answer.into_body().into_data_stream();
        let mut text = String::new();
        loop {
            match body.try_next().await {
                Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap_or("?")),
                Ok(None) => return (text, true),
                Err(_) => return (text, false),
            }
        }
    }

    #[tokio::test]
    async fn answers_are_cut_where_it_was_said() {
        let whole = |text: &str| (text.to_owned(), true);
        let broken = |text: &str| (text.to_owned(), false);
        assert_eq!(read(Instruction::Broken(4)).await, broken("abcd"));
        assert_eq!(read(Instruction::Broken(3)).await, broken("abc"));
        assert_eq!(read(Instruction::Broken(7)).await, whole("abcdef"));
        assert_eq!(read(Instruction::Reset).await, broken(""));
        assert_eq!(read(Instruction::Stalled(2, Some(std::time::Duration::ZERO))).await, whole("abcdef"));
    }

    #[test]
    fn uploads_are_cut_in_the_request_that_gets_there() {
        let after = Instruction::StatusAfter(http::StatusCode::SERVICE_UNAVAILABLE, 10);
        assert_eq!(cut_upload(&after, 0, 9, false), None);
        assert_eq!(cut_upload(&after, 9, 9, false), Some(1));
        assert_eq!(cut_upload(&Instruction::BrokenLast(3), 8, 8, false), None);
        assert_eq!(cut_upload(&Instruction::BrokenLast(3), 8, 8, true), Some(3));
    }
}
