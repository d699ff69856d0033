//! Many removals or changes of tier in one request: each is asked, allowed and answered for itself.
//!
//! Source: Azure Storage documentation, "Blob Batch".

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::routes::{self, Operation};
use crate::storage::address::Address;
use crate::storage::answer::{self, RequestId, empty, set};
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::sync::Arc;

/// Most requests of one.
const MOST: usize = 256;

impl BlobStorage {
    pub(super) async fn batch(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        let kind = call.header("content-type").unwrap_or_default();
        let boundary = boundary(kind).ok_or_else(|| Fault::header("content-type", kind))?;
        let text = std::str::from_utf8(body).map_err(|_| code::InvalidInput)?;
        let requests = split(text, boundary).ok_or(code::InvalidInput)?;
        if requests.is_empty() || requests.len() > MOST {
            return Err(code::InvalidInput.into());
        }
        let own = format!("batchresponse_{}", call.id.0);
        let mut answers = String::new();
        for (at, one) in requests.iter().enumerate() {
            let id = one.id.clone().unwrap_or_else(|| at.to_string());
            let answered = self.one_of_batch(call, one, at).await;
            answers
                .push_str(&format!("--{own}\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\n"));
            answers.push_str(&spelled(answered).await);
        }
        answers.push_str(&format!("--{own}--\r\n"));
        let mut response = empty(StatusCode::ACCEPTED);
        set(&mut response, "content-type", &format!("multipart/mixed; boundary={own}"));
        *response.body_mut() = Body::from(answers);
        Ok(response)
    }

    async fn one_of_batch(&self, call: &Call, one: &Inner<'_>, at: usize) -> Response {
        let id = RequestId(format!("{}-{at}", call.id.0));
        let mut request = Request::builder().method(one.method).uri(one.target);
        for (name, value) in &one.headers {
            request = request.header(*name, *value);
        }
        if !one.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", call.header("host").unwrap_or_default());
        }
        let Ok(request) = request.body(()) else {
            return Fault::from(code::InvalidInput).response(&id.0, call.now);
        };
        let parts = Arc::new(request.into_parts().0);
        let run = async {
            let address = inside(&parts, &call.account).ok_or(code::InvalidUri)?;
            let asked = routes::asked(&parts, &address)?;
            let inside = call.container.is_empty() || call.container == asked.container;
            if !inside || !matches!(asked.operation, Operation::DeleteBlob | Operation::SetBlobTier) {
                return Err(Fault::from(code::InvalidInput));
            }
            let operation = asked.operation;
            let inner = Call::read(self, &parts, &address, asked, &id)?;
            match operation {
                Operation::DeleteBlob => self.delete_blob(&inner),
                _ => self.set_tier(&inner),
            }
        };
        answer::finished(run.await, &parts, &id, call.now)
    }
}

/// Some clients leave the account out of the paths within.
fn inside(parts: &http::request::Parts, account: &str) -> Option<Address> {
    let path = parts.uri.path().trim_start_matches('/');
    let named = path.split('/').next().is_some_and(|first| first == account);
    if named { Address::read(parts) } else { Address::within(account, path) }
}

/// One request within.
#[derive(Debug)]
struct Inner<'a> {
    id: Option<String>,
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

fn boundary(kind: &str) -> Option<&str> {
    let rest = kind.trim().strip_prefix("multipart/mixed")?;
    let named = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    (!named.is_empty()).then_some(named)
}

fn split<'a>(text: &'a str, boundary: &str) -> Option<Vec<Inner<'a>>> {
    let mark = format!("--{boundary}");
    let mut pieces = text.split(mark.as_str());
    pieces.next()?;
    let mut found = Vec::new();
    for piece in pieces {
        if piece.starts_with("--") {
            return Some(found);
        }
        found.push(inner(piece)?);
    }
    None
}

fn inner(piece: &str) -> Option<Inner<'_>> {
    // What is left of the boundary's own line, which may end in blanks, is no line of the part.
    let (_, part) = piece.split_once('\n')?;
    let mut lines = part.split('\n').map(|line| line.trim_end_matches('\r'));
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-id").then(|| value.trim().to_owned())
    };
    let mut id = None;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        id = id.or_else(|| header(line));
    }
    let mut first = lines.find(|line| !line.is_empty())?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let headers = lines.take_while(|line| !line.is_empty());
    let headers: Option<Vec<_>> =
        headers.map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim()))).collect();
    Some(Inner { id, method, target, headers: headers? })
}

/// As it stands in the answer.
async fn spelled(response: Response) -> String {
    let (parts, body) = response.into_parts();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    for (name, value) in &parts.headers {
        text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    text.push_str(&format!("\r\n{}\r\n", String::from_utf8_lossy(&body)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart() {
        let text = "--b1\r\nContent-Type: application/http\r\nContent-ID: 7\r\n\r\nDELETE /devstoreaccount1/c/a HTTP/1.1\r\n\
            x-ms-date: now\r\nContent-Length: 0\r\n\r\n--b1\r\n\r\nPUT /devstoreaccount1/c/b?comp=tier HTTP/1.1\r\n\r\n--b1--\r\n";
        assert_eq!(boundary("multipart/mixed; boundary=b1"), Some("b1"));
        let found = split(text, "b1").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].id.as_deref(), found[0].method, found[0].target),
            (Some("7"), "DELETE", "/devstoreaccount1/c/a")
        );
        assert_eq!(found[0].headers, [("x-ms-date", "now"), ("Content-Length", "0")]);
        assert_eq!((found[1].id.as_deref(), found[1].target), (None, "/devstoreaccount1/c/b?comp=tier"));
        for bad in [
            "",
            "--b1",
            "--b1\r\n\r\n",
            "--b1\r\n\r\nDELETE\r\n--b1--",
            "--b1\r\n\r\nPUT /x HTTP/1.1\r\nnone\r\n--b1--",
        ] {
            assert!(split(bad, "b1").is_none(), "{bad}");
        }
        for bad in ["multipart/mixed", "text/plain; boundary=x", "multipart/mixed; boundary="] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
    }
}
