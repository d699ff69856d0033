//! Bodies in parts, read as they come: an object's metadata and its bytes, batches of requests, forms.
//!
//! Lines may end in a bare line feed: one of the vendor's own tools writes them so.
//!
//! Source: RFC 2046, "Multipart Media Type"; Cloud Storage, "Upload objects in a single request".

use super::fault::Fault;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt, try_unfold};
use memchr::memmem;

/// What stands before the first part, and the headers of each, in bytes.
const HEAD: usize = 64 * 1024;
/// What may stand between a delimiter and the end of its line, in bytes.
const PADDING: usize = 256;

pub(super) struct Parts<S> {
    stream: S,
    buffer: BytesMut,
    /// A line feed, `--` and the boundary.
    delimiter: Vec<u8>,
    at: At,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first delimiter.
    Start,
    Headers,
    Body,
    /// Behind the last delimiter.
    Over,
}

/// What a line is that begins like a delimiter.
enum Line {
    Next(usize),
    Last,
    Content,
    /// More must come before it can be told.
    Unknown,
}

/// The headers of a part, their names in lower case.
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn malformed() -> Fault {
    Fault::invalid("Malformed multipart body.")
}

impl<S: Stream<Item = Result<Bytes, Fault>> + Unpin> Parts<S> {
    /// `kind`: the media type that it must be.
    pub fn new(kind: &str, content_type: &str, stream: S) -> Result<Self, Fault> {
        let boundary = boundary(kind, content_type).ok_or_else(malformed)?;
        let delimiter = format!("\n--{boundary}").into_bytes();
        // The first delimiter may stand at the very beginning.
        let buffer = BytesMut::from(&b"\n"[..]);
        Ok(Self { stream, buffer, delimiter, at: At::Start, ended: false })
    }

    /// Goes to the next part, whatever is left of this one. `None`: there are no more.
    pub async fn next(&mut self) -> Result<Option<Headers>, Fault> {
        let mut passed = 0;
        while matches!(self.at, At::Start | At::Body) {
            let before = self.at;
            let Some(skipped) = self.until_delimiter().await? else { continue };
            passed += skipped.len();
            if before == At::Start && passed > HEAD {
                return Err(malformed());
            }
        }
        if self.at == At::Over { Ok(None) } else { self.headers().await.map(Some) }
    }

    /// More of this part. `None`: it is over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.at != At::Body {
            return Ok(None);
        }
        self.until_delimiter().await
    }

    /// All of this part. Fails past `limit` bytes.
    pub async fn whole(&mut self, limit: usize) -> Result<Bytes, Fault> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
            if whole.len() > limit {
                return Err(Fault::invalid("A part of the multipart body is too long."));
            }
        }
        Ok(whole.freeze())
    }

    /// The chunks of this part.
    pub fn chunks(&mut self) -> impl Stream<Item = Result<Bytes, Fault>> + Send
    where
        S: Send,
    {
        try_unfold(self, |parts| async move { Ok(parts.chunk().await?.map(|chunk| (chunk, parts))) })
    }

    async fn more(&mut self) -> Result<(), Fault> {
        match self.stream.next().await {
            Some(chunk) => self.buffer.extend_from_slice(&chunk?),
            None => self.ended = true,
        }
        Ok(())
    }

    /// What comes before the next delimiter, in pieces; `None` once the delimiter is passed.
    async fn until_delimiter(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let found = memmem::find(&self.buffer, &self.delimiter);
            let Some(at) = found else {
                // It may have begun: with a carriage return before it.
                let safe = self.buffer.len().saturating_sub(self.delimiter.len() + 1);
                if safe > 0 {
                    return Ok(Some(self.buffer.split_to(safe).freeze()));
                }
                self.more_or_malformed().await?;
                continue;
            };
            match self.line(at + self.delimiter.len()) {
                Line::Content => return Ok(Some(self.buffer.split_to(at + 1).freeze())),
                Line::Unknown if at > 1 => return Ok(Some(self.buffer.split_to(at - 1).freeze())),
                Line::Unknown => self.more_or_malformed().await?,
                Line::Next(_) | Line::Last if at > 1 || (at == 1 && self.buffer[0] != b'\r') => {
                    let end = if self.buffer[at - 1] == b'\r' { at - 1 } else { at };
                    let content = self.buffer.split_to(end).freeze();
                    return Ok(Some(content));
                }
                Line::Next(end) => {
                    // The end of the line stays, so that a part may begin with a delimiter.
                    self.buffer.advance(end - 1);
                    self.at = At::Headers;
                    return Ok(None);
                }
                Line::Last => {
                    self.buffer.clear();
                    self.at = At::Over;
                    return Ok(None);
                }
            }
        }
    }

    async fn more_or_malformed(&mut self) -> Result<(), Fault> {
        if self.ended { Err(malformed()) } else { self.more().await }
    }

    fn line(&self, from: usize) -> Line {
        let rest = &self.buffer[from..];
        if rest.starts_with(b"--") {
            return Line::Last;
        }
        match rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
            Some(at) if rest[at] == b'\n' => Line::Next(from + at + 1),
            None if !self.ended && rest.len() < PADDING => Line::Unknown,
            Some(_) if rest == b"-" && !self.ended => Line::Unknown,
            _ => Line::Content,
        }
    }

    /// Reads up to the empty line, whose end stays in the buffer.
    async fn headers(&mut self) -> Result<Headers, Fault> {
        let mut headers = Vec::new();
        let mut passed = 0;
        // The end of the line before.
        let mut from = 1;
        loop {
            let Some(end) = memchr::memchr(b'\n', self.buffer.get(from..).unwrap_or_default()) else {
                if self.buffer.len() > HEAD {
                    return Err(malformed());
                }
                self.more_or_malformed().await?;
                continue;
            };
            let line = self.buffer[from..from + end].trim_ascii_end();
            if line.is_empty() {
                self.buffer.advance(from + end);
                self.at = At::Body;
                return self.begin_body().await.map(|()| Headers(headers));
            }
            let line = std::str::from_utf8(line).map_err(|_| malformed())?;
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            passed += end;
            if passed > HEAD {
                return Err(malformed());
            }
            from += end + 1;
        }
    }

    /// Lets go of the line end before the body, unless the body is empty and the delimiter is next.
    async fn begin_body(&mut self) -> Result<(), Fault> {
        while self.buffer.len() <= self.delimiter.len() + 2 && !self.ended {
            self.more().await?;
        }
        let is_empty = self.buffer.starts_with(&self.delimiter)
            && !matches!(self.line(self.delimiter.len()), Line::Content | Line::Unknown);
        if !is_empty {
            self.buffer.advance(1);
        }
        Ok(())
    }
}

/// The boundary of a `Content-Type`, where that is of the kind.
fn boundary(kind: &str, content_type: &str) -> Option<String> {
    let (found, parameters) = content_type.split_once(';')?;
    if !found.trim().eq_ignore_ascii_case(kind) {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        let is_named = name.trim().eq_ignore_ascii_case("boundary");
        (is_named && (1..=200).contains(&value.len())).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    type Read = Vec<(Option<String>, String)>;

    /// In chunks of `size` bytes.
    async fn read(content_type: &str, body: &str, size: usize) -> Option<Read> {
        let chunks: Vec<_> =
            body.as_bytes().chunks(size).map(|one| Ok(Bytes::copy_from_slice(one))).collect();
        let mut parts = Parts::new("multipart/related", content_type, stream::iter(chunks)).ok()?;
        let mut read = Vec::new();
        while let Some(headers) = parts.next().await.ok()? {
            let kind = headers.get("content-type").map(str::to_owned);
            let body = parts.whole(1000).await.ok()?;
            read.push((kind, String::from_utf8(body.into()).unwrap()));
        }
        Some(read)
    }

    async fn parsed(content_type: &str, body: &str) -> Option<Read> {
        let whole = read(content_type, body, 1000).await;
        for size in [1, 2, 3, 7] {
            assert_eq!(read(content_type, body, size).await, whole, "in chunks of {size}: {body:?}");
        }
        whole
    }

    fn part(kind: &str, body: &str) -> (Option<String>, String) {
        (Some(kind.to_owned()).filter(|kind| !kind.is_empty()), body.to_owned())
    }

    #[tokio::test]
    async fn both_line_ends_and_quoted_boundaries() {
        let body =
            "--x\nContent-Type: application/json\n\n{}\n--x\ncontent-type: text/plain\n\nhi\n\n--x--\n";
        let expected = vec![part("application/json", "{}"), part("text/plain", "hi\n")];
        assert_eq!(parsed("multipart/related; boundary=x", body).await, Some(expected));
        let expected = vec![part("application/json", "{}"), part("text/plain", "hi\r\n")];
        let crlf = body.replace('\n', "\r\n");
        assert_eq!(parsed("multipart/related; boundary='x'", &crlf).await, Some(expected));
        let padded = format!("what comes before\r\n{}", crlf.replace("--x\r\n", "--x \t\r\n"));
        assert_eq!(parsed("multipart/related; boundary=x", &padded).await.map(|parts| parts.len()), Some(2));
    }

    #[tokio::test]
    async fn media_may_look_like_anything() {
        let body = "--x\r\n\r\n{}\r\n--x\r\n\r\na--x\r\n--y\r\n--xx\r\n-\n--x-\r\n\r\n\r\n--x--";
        let found = parsed("multipart/related; boundary=\"x\"", body).await.unwrap();
        assert_eq!(found[1].1, "a--x\r\n--y\r\n--xx\r\n-\n--x-\r\n\r\n");
        for empty in ["--x\r\nContent-Type: a/b\r\n\r\n\r\n--x--", "--x\r\nContent-Type: a/b\r\n\r\n--x--"] {
            assert_eq!(parsed("multipart/related; boundary=x", empty).await, Some(vec![part("a/b", "")]));
        }
    }

    #[tokio::test]
    async fn what_is_malformed_is_refused() {
        for (kind, body) in [
            ("multipart/related", "--x--"),
            ("multipart/form-data; boundary=x", "--x\n\n{}\n--x\n\nhi\n--x--"),
            ("multipart/related; boundary=x", ""),
            ("multipart/related; boundary=x", "--x\n\n{}\n--x\n\nhi"),
            ("multipart/related; boundary=x", "--x\nno header\n--x\n\nhi\n--x--"),
            ("multipart/related; boundary=x", "--x\n\n{}\n--x\nContent-Type"),
            ("multipart/related; boundary=", "--\n\n{}\n--\n\nhi\n----"),
        ] {
            assert_eq!(parsed(kind, body).await, None, "{kind} {body:?}");
        }
        let long = format!("--x\n{}: a\n\nhi\n--x--", "a".repeat(HEAD + 1));
        assert_eq!(read("multipart/related; boundary=x", &long, 1000).await, None);
        let endless = "no delimiter\n".repeat(10_000);
        assert_eq!(read("multipart/related; boundary=x", &endless, 1000).await, None);
    }
}
