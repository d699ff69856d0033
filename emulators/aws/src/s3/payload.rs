//! Bodies of requests: unframed, received by the object core, then checked against what was claimed.

use super::Front;
use super::call::Call;
use super::checksum::{self, Claim};
use super::chunked::{Decoder, Unframed};
use super::fault::{Code, Fault};
use crate::auth::UNSIGNED;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt};
use mlemu_engine::objects::{ChecksumKind, Content, hex};

/// The largest object that one request can bring, and the largest document, in bytes.
pub(super) const LARGEST: u64 = 5 * 1024 * 1024 * 1024;
const DOCUMENT: u64 = 2 * 1024 * 1024;

/// What the headers say of the body.
struct Claims {
    md5: Option<Vec<u8>>,
    checksum: Claim,
    /// The computed kind when nothing else is claimed.
    kind: Option<ChecksumKind>,
    /// Of the signature; only looked at when signatures are.
    sha256: Option<String>,
    /// In bytes, without framing.
    length: u64,
    framed: bool,
}

/// Receives the body of an object or a part. `usual`: the checksum to compute when the request names none.
pub(super) async fn receive(
    front: &Front,
    call: &Call,
    body: Body,
    usual: Option<ChecksumKind>,
) -> Result<Content, Fault> {
    take_in(front, call, body, usual, LARGEST).await
}

/// Receives a document.
pub(super) async fn document(front: &Front, call: &Call, body: Body) -> Result<Bytes, Fault> {
    let content = take_in(front, call, body, None, DOCUMENT).await.map_err(|fault| match fault.code {
        Code::EntityTooLarge => Fault::new(Code::MaxMessageLengthExceeded),
        _ => fault,
    })?;
    whole(&content).await
}

pub(super) async fn whole(content: &Content) -> Result<Bytes, Fault> {
    content.body.bytes().await.map_err(|error| mlemu_engine::objects::Fault::from(error).into())
}

async fn take_in(
    front: &Front,
    call: &Call,
    body: Body,
    usual: Option<ChecksumKind>,
    limit: u64,
) -> Result<Content, Fault> {
    let claims = Claims::of(call)?;
    if claims.length > limit {
        return Err(too_large(claims.length, limit));
    }
    let mut kinds: Vec<ChecksumKind> = claims.kind.or(usual).into_iter().collect();
    if claims.sha256.is_some() && !kinds.contains(&ChecksumKind::Sha256) {
        kinds.push(ChecksumKind::Sha256);
    }
    let raw = body.into_data_stream().map_err(broken);
    let (mut content, trailers) = if claims.framed {
        let verified = call.verified.clone().filter(|_| is_signed_framing(call));
        let mut unframed = Unframed::new(Decoder::new(claims.length, verified), raw);
        let content = front.objects().receive(&mut unframed, &kinds, limit).await?;
        (content, unframed.decoder.finish()?.to_vec())
    } else {
        (front.objects().receive(raw, &kinds, limit).await?, Vec::new())
    };
    claims.check(&content, &trailers)?;
    content.checksums.truncate(usize::from(claims.kind.or(usual).is_some()));
    Ok(content)
}

/// For a form's file, which claims nothing.
pub(super) async fn receive_plain<S>(front: &Front, body: S, limit: u64) -> Result<Content, Fault>
where
    S: Stream<Item = Result<Bytes, Fault>>,
{
    front.objects().receive(body, &[ChecksumKind::Crc64Nvme], limit).await
}

pub(super) fn too_large(size: u64, limit: u64) -> Fault {
    Fault::new(Code::EntityTooLarge)
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", limit.to_string())
}

/// The client went away, or sent less than it announced.
fn broken(error: axum::Error) -> Fault {
    tracing::debug!("a body broke off: {error}");
    Code::IncompleteBody.into()
}

fn is_signed_framing(call: &Call) -> bool {
    call.header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-AWS4-HMAC-SHA256"))
}

impl Claims {
    fn of(call: &Call) -> Result<Self, Fault> {
        let sha256 = call.header("x-amz-content-sha256");
        let encodings = call.header("content-encoding").unwrap_or_default();
        let framed = sha256.is_some_and(|value| value.starts_with("STREAMING-"))
            || encodings.split(',').any(|one| one.trim().eq_ignore_ascii_case("aws-chunked"));
        let checksum = Claim::of(&call.headers)?;
        if matches!(checksum, Claim::Trailer(_)) && !framed {
            return Err(Fault::because(Code::InvalidRequest, "x-amz-trailer needs an aws-chunked body"));
        }
        let named =
            call.header("x-amz-sdk-checksum-algorithm").or_else(|| call.header("x-amz-checksum-algorithm"));
        Ok(Self {
            md5: md5(call)?,
            kind: checksum.kind().or_else(|| checksum::by_name(named?)),
            checksum,
            sha256: sha256.filter(|value| call.verified.is_some() && is_hash(value)).map(str::to_owned),
            length: length(call, framed)?,
            framed,
        })
    }

    fn check(&self, content: &Content, trailers: &[(String, String)]) -> Result<(), Fault> {
        if content.size() != self.length {
            return Err(Code::IncompleteBody.into());
        }
        if self
            .md5
            .as_deref()
            .is_some_and(|claimed| Some(claimed) != content.md5.as_ref().map(<[u8; 16]>::as_slice))
        {
            return Err(Code::BadDigest.into());
        }
        if let Some(claimed) = &self.sha256 {
            let computed = content.checksum(ChecksumKind::Sha256).map(|sum| hex(&sum.value));
            if computed.as_ref() != Some(claimed) {
                return Err(Code::XAmzContentSHA256Mismatch.into());
            }
        }
        let claimed = match &self.checksum {
            Claim::None => return Ok(()),
            Claim::Value(kind, value) => (*kind, value.clone()),
            Claim::Trailer(kind) => (*kind, trailing(*kind, trailers)?),
        };
        match content.checksum(claimed.0) {
            Some(sum) if sum.value == claimed.1 => Ok(()),
            _ => Err(checksum::mismatch(claimed.0)),
        }
    }
}

/// The value of the announced trailer, which must be the only one.
fn trailing(kind: ChecksumKind, trailers: &[(String, String)]) -> Result<Bytes, Fault> {
    match trailers {
        [(name, value)] if name == checksum::header(kind) => checksum::value_of(kind, value),
        _ => Err(Code::MalformedTrailerError.into()),
    }
}

fn md5(call: &Call) -> Result<Option<Vec<u8>>, Fault> {
    let Some(text) = call.headers.get("content-md5") else { return Ok(None) };
    match STANDARD.decode(text.as_bytes()) {
        Ok(md5) if md5.len() == 16 => Ok(Some(md5)),
        _ => Err(Code::InvalidDigest.into()),
    }
}

fn length(call: &Call, framed: bool) -> Result<u64, Fault> {
    let name = if framed { "x-amz-decoded-content-length" } else { "content-length" };
    let text = call.header(name).ok_or(Code::MissingContentLength)?;
    text.parse().map_err(|_| Fault::argument(name, text, "The length is not a number"))
}

fn is_hash(value: &str) -> bool {
    value != UNSIGNED && value.len() == 64
}
