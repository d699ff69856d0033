//! Many calls in one request, each answered for itself, in order.
//!
//! Source: Cloud Storage, "Send a batch request".

use crate::storage::call::Call;
use crate::storage::fault::Fault;
use crate::storage::multipart::Parts;
use crate::storage::{Storage, body};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use std::fmt::Write;

/// Most calls of one batch.
const MOST: usize = 100;

impl Storage {
    pub(in crate::storage) async fn batch(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        let kind = call.header("content-type").unwrap_or_default();
        let mut parts = Parts::new("multipart/mixed", kind, body::chunks(body))?;
        let boundary = format!("batch_{}", call.id());
        let mut answers = String::new();
        let mut count = 0;
        while let Some(headers) = parts.next().await? {
            count += 1;
            if count > MOST {
                return Err(Fault::invalid(format!(
                    "The batch request should not contain more than {MOST} calls."
                )));
            }
            let id = headers.get("content-id").unwrap_or_default().to_owned();
            let inner = parts.whole(body::DOCUMENT).await?;
            let request = request(call, &inner)?;
            let answer = Box::pin(self.handle(request)).await;
            let answer = written(answer).await?;
            let _ = write!(
                answers,
                "--{boundary}\r\nContent-Type: application/http\r\n{}\r\n{answer}\r\n",
                response_id(&id)
            );
        }
        if count == 0 {
            return Err(Fault::invalid("Missing batch request content."));
        }
        let _ = write!(answers, "--{boundary}--\r\n");
        let mut response = Response::new(Body::from(answers));
        let kind = format!("multipart/mixed; boundary={boundary}");
        if let Ok(kind) = HeaderValue::from_str(&kind) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        Ok(response)
    }
}

/// The header that tells which call a part answers.
fn response_id(id: &str) -> String {
    match id.trim_matches(['<', '>']) {
        "" => String::new(),
        id => format!("Content-ID: <response-{id}>\r\n"),
    }
}

/// A call as it stands in its part. What it leaves out is as in the batch itself.
fn request(call: &Call, bytes: &Bytes) -> Result<Request<Body>, Fault> {
    let malformed = || Fault::invalid("Failed to parse batch request: a part is no HTTP request.");
    let text = bytes.as_ref();
    let (head, rest) = [&b"\r\n\r\n"[..], b"\n\n"]
        .iter()
        .filter_map(|gap| memchr::memmem::find(text, gap).map(|at| (at, at + gap.len())))
        .min()
        .unwrap_or((text.len(), text.len()));
    let head = std::str::from_utf8(&text[..head]).map_err(|_| malformed())?;
    let mut lines = head.lines().skip_while(|line| line.trim().is_empty());
    let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Err(malformed()) };
    let uri: http::Uri = target.parse().map_err(|_| malformed())?;
    let path = uri.path_and_query().map(ToString::to_string).ok_or_else(malformed)?;
    // A batch of batches would have no end, and media has no place in one.
    if ["/batch/", "/upload/", "/download/", "/retry_test"].iter().any(|not| path.contains(not))
        || path.contains("alt=media")
    {
        return Err(Fault::invalid("Uploads, downloads and batches cannot be part of a batch request."));
    }
    let mut request = Request::builder().method(method).uri(path.trim_start_matches(call.prefix()));
    if let Some(host) = call.headers.get(header::HOST) {
        request = request.header(header::HOST, host);
    }
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| malformed())?;
        if name != header::HOST && name != header::EXPECT {
            request = request.header(name, value.trim());
        }
    }
    request.body(Body::from(bytes.slice(rest..))).map_err(|_| malformed())
}

async fn written(answer: Response) -> Result<String, Fault> {
    let (parts, body) = answer.into_parts();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let body = body.collect().await.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    for (name, value) in &parts.headers {
        let _ = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{}", body.len(), String::from_utf8_lossy(&body));
    if parts.status == StatusCode::NO_CONTENT {
        text.push_str("\r\n");
    }
    Ok(text)
}
