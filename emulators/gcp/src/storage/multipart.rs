//! `multipart/related`: an object's metadata and its bytes in one request.
//!
//! Lines may end in a bare line feed: one of the vendor's own tools writes them so.
//!
//! Source: Cloud Storage, "Upload objects in a single request"; RFC 2387.

use super::fault::Fault;
use bytes::Bytes;

pub(super) struct Related {
    /// JSON.
    pub metadata: Bytes,
    pub content_type: Option<String>,
    pub media: Bytes,
}

pub(super) fn read(content_type: &str, body: &Bytes) -> Result<Related, Fault> {
    let malformed = || Fault::invalid("Malformed multipart body.");
    let boundary = boundary(content_type).ok_or_else(malformed)?;
    let parts = split(body, &boundary).ok_or_else(malformed)?;
    let [metadata, media] = <[Part; 2]>::try_from(parts).map_err(|_| malformed())?;
    Ok(Related { metadata: metadata.body, content_type: media.content_type, media: media.body })
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/related") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

struct Part {
    content_type: Option<String>,
    body: Bytes,
}

/// The parts between delimiters. `None`: the last delimiter is missing, or a part has no end of its headers.
fn split(body: &Bytes, boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut at = find_delimiter(body, delimiter.as_bytes(), 0)?;
    loop {
        let after = at + delimiter.len();
        if body[after..].starts_with(b"--") {
            return Some(parts);
        }
        let start = after + line_end(&body[after..])?;
        let end = find_delimiter(body, delimiter.as_bytes(), start)?;
        parts.push(part(&body.slice(start..without_line_end(body, start, end)))?);
        at = end;
    }
}

/// Where a line begins with `delimiter`, from `from` on.
fn find_delimiter(body: &[u8], delimiter: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + delimiter.len() <= body.len() {
        let begins_line = at == 0 || body[at - 1] == b'\n';
        if begins_line && body[at..].starts_with(delimiter) {
            return Some(at);
        }
        at += 1 + body[at..].iter().position(|byte| *byte == b'\n')?;
    }
    None
}

/// Length of what is left of a line, its end included.
fn line_end(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    rest[..end].iter().all(u8::is_ascii_whitespace).then_some(end + 1)
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(body: &[u8], start: usize, end: usize) -> usize {
    let cut = if body[start..end].ends_with(b"\r\n") { 2 } else { 1 };
    end.saturating_sub(cut).max(start)
}

fn part(bytes: &Bytes) -> Option<Part> {
    let mut content_type = None;
    let mut at = 0;
    loop {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n')?;
        let line = bytes[at..at + end].trim_ascii_end();
        at += end + 1;
        if line.is_empty() {
            return Some(Part { content_type, body: bytes.slice(at..) });
        }
        let line = std::str::from_utf8(line).ok()?;
        let (name, value) = line.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-type") {
            content_type = Some(value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(content_type: &str, body: &str) -> Option<(String, String, Option<String>)> {
        let related = read(content_type, &Bytes::from(body.to_owned())).ok()?;
        let text = |bytes: Bytes| String::from_utf8(bytes.into()).unwrap();
        Some((text(related.metadata), text(related.media), related.content_type))
    }

    #[test]
    fn both_line_ends_and_quoted_boundaries() {
        let body =
            "--x\nContent-Type: application/json\n\n{}\n--x\ncontent-type: text/plain\n\nhi\n\n--x--\n";
        let expected = Some(("{}".to_owned(), "hi\n".to_owned(), Some("text/plain".to_owned())));
        assert_eq!(parsed("multipart/related; boundary=x", body), expected);
        let crlf = body.replace("hi\n\n", "hi\n\r\n").replace('\n', "\r\n").replace("\r\r", "\r");
        let found = parsed("multipart/related; boundary='x'", &crlf).unwrap();
        assert_eq!((found.0.as_str(), found.2.as_deref()), ("{}", Some("text/plain")));
    }

    #[test]
    fn media_may_look_like_anything() {
        let body = "--x\r\n\r\n{}\r\n--x\r\n\r\na--x\r\n--y\r\n\r\n\r\n--x--";
        let found = parsed("multipart/related; boundary=\"x\"", body).unwrap();
        assert_eq!(found.1, "a--x\r\n--y\r\n\r\n");
        let empty = "--x\r\n\r\n{}\r\n--x\r\nContent-Type: a/b\r\n\r\n\r\n--x--";
        assert_eq!(parsed("multipart/related; boundary=x", empty).unwrap().1, "");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for (kind, body) in [
            ("multipart/related", "--x--"),
            ("multipart/form-data; boundary=x", "--x\n\n{}\n--x\n\nhi\n--x--"),
            ("multipart/related; boundary=x", ""),
            ("multipart/related; boundary=x", "--x\n\n{}\n--x\n\nhi"),
            ("multipart/related; boundary=x", "--x\n\n{}\n--x--"),
            ("multipart/related; boundary=x", "--x\nno header\n--x\n\nhi\n--x--"),
            ("multipart/related; boundary=", "--\n\n{}\n--\n\nhi\n----"),
        ] {
            assert!(parsed(kind, body).is_none(), "{kind} {body:?}");
        }
    }
}
