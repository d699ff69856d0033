//! The head that a streaming function writes before its body: JSON, then eight NULs.
//!
//! Lambda Developer Guide, "Response streaming for Lambda functions"; the runtimes call its content type
//! `application/vnd.awslambda.http-integration-response`.

use super::answer::{Proxied, Status};
use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

pub const CONTENT_TYPE: &str = "application/vnd.awslambda.http-integration-response";
const END: [u8; 8] = [0; 8];
/// Longest head, in bytes: nobody writes one near this.
const LONGEST: usize = 256 * 1024;

/// Collects chunks until the head is complete.
#[derive(Debug, Default)]
pub struct Prelude {
    read: BytesMut,
}

/// What the chunks so far amount to.
#[derive(Debug)]
pub enum Progress {
    /// The head is not complete.
    More,
    /// The head, and the first bytes of the body in it.
    Head(Box<Proxied>),
    /// This is no head.
    Malformed,
}

impl Prelude {
    pub fn push(&mut self, chunk: &[u8]) -> Progress {
        // The end may straddle two chunks.
        let from = self.read.len().saturating_sub(END.len() - 1);
        self.read.extend_from_slice(chunk);
        let found = self.read[from..].windows(END.len()).position(|window| window == END);
        let Some(at) = found.map(|at| at + from) else {
            return if self.read.len() > LONGEST { Progress::Malformed } else { Progress::More };
        };
        let head = self.read.split_to(at).freeze();
        let body = self.read.split_off(END.len()).freeze();
        read(&head, body).map_or(Progress::Malformed, |proxied| Progress::Head(Box::new(proxied)))
    }
}

/// Divides a whole answer. `None`: it has no head.
pub fn divide(answer: &Bytes) -> Option<Proxied> {
    match Prelude::default().push(answer) {
        Progress::Head(proxied) => Some(*proxied),
        Progress::More | Progress::Malformed => None,
    }
}

fn read(head: &[u8], body: Bytes) -> Option<Proxied> {
    let document: Map<String, Value> = serde_json::from_slice(head).ok()?;
    let status = Status::Optional.read(document.get("statusCode"))?;
    let mut proxied = Proxied { body, ..Proxied::new(status, "application/octet-stream") };
    proxied.set_headers(document.get("headers"))?;
    proxied.set_cookies(document.get("cookies"))?;
    Some(proxied)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"{\"statusCode\":201,\"headers\":{\"x-a\":\"1\"},\"cookies\":[\"c=1\"]}\0\0\0\0\0\0\0\0body";

    #[test]
    fn a_head_in_any_chunks() {
        for size in 1..=ANSWER.len() {
            let mut prelude = Prelude::default();
            let mut heads = 0;
            for chunk in ANSWER.chunks(size) {
                match prelude.push(chunk) {
                    Progress::More => continue,
                    Progress::Malformed => panic!("size {size}"),
                    Progress::Head(proxied) => {
                        assert_eq!(proxied.status, 201);
                        assert_eq!(proxied.headers["x-a"], "1");
                        assert_eq!(proxied.headers["set-cookie"], "c=1");
                        assert!(b"body".starts_with(&proxied.body[..]));
                        heads += 1;
                    }
                }
                break;
            }
            assert_eq!(heads, 1, "size {size}");
        }
    }

    #[test]
    fn what_is_no_head() {
        assert!(divide(&Bytes::from_static(b"{}")).is_none());
        assert!(divide(&Bytes::from_static(b"x\0\0\0\0\0\0\0\0")).is_none());
        assert!(matches!(Prelude::default().push(&vec![b'x'; LONGEST + 1]), Progress::Malformed));
        let empty = divide(&Bytes::from_static(b"{}\0\0\0\0\0\0\0\0")).unwrap();
        assert_eq!((empty.status, empty.body.len()), (200, 0));
    }
}
