//! Who asks, and whether they may: account, expiry of presigned requests, signatures when they are verified.
//!
//! Follows "Authenticating requests" of the Amazon S3 API reference.

use super::address::Address;
use super::fault::{Code, Fault};
use super::query::Query;
use super::routes::Op;
use super::{Front, access, dates, encode};
use crate::auth::{self, AuthFault, Signable, Verified};
use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::request::Parts as Head;
use mlemu_core::{Scope, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A week: the longest life of a presigned URL, in seconds.
const LONGEST: u64 = 604_800;

pub(super) struct Admitted {
    /// Of the bucket where there is one, else of who asks.
    pub scope: Arc<Scope>,
    /// `None`: nobody says who asks.
    pub requester: Option<Arc<str>>,
    pub verified: Option<Verified>,
}

/// Refuses what has expired, and with strict settings what is not signed well or not permitted.
pub(super) fn admit(
    front: &Front,
    head: &Head,
    query: &Query,
    place: &Address,
    op: Op,
) -> Result<Admitted, Fault> {
    let settings = &front.parts.settings;
    let now = front.parts.clock.now();
    check_expiry(query, now)?;
    let request = signable(head, query);
    let scope = scope_of(front, request);
    if !settings.strict_auth {
        check_expected(head, place, &scope)?;
        return Ok(Admitted { requester: Some(scope.account.clone()), scope, verified: None });
    }
    let verified = verified(front, request, place, op)?;
    let requester = verified.is_known.then(|| scope.account.clone());
    let scope = access::place(front, &scope, place, op)?;
    check_expected(head, place, &scope)?;
    // A form says in its fields who sends it.
    if ![Op::PostForm, Op::Preflight].contains(&op) {
        access::check(front, requester.as_deref(), &scope, place, query, op)?;
    }
    Ok(Admitted { scope, requester, verified: verified.key })
}

struct Verification {
    is_known: bool,
    /// There when the chunks of the body are signed with it too.
    key: Option<Verified>,
}

fn verified(front: &Front, request: Signable<'_>, place: &Address, op: Op) -> Result<Verification, Fault> {
    let unsigned = Verification { is_known: false, key: None };
    if [Op::PostForm, Op::Preflight].contains(&op) || request.is_unsigned() {
        return Ok(unsigned);
    }
    let resource = match &place.bucket {
        Some(bucket) => format!("/{bucket}/{}", place.key.as_deref().unwrap_or_default()),
        None => "/".into(),
    };
    let now = front.parts.clock.now();
    let key = auth::verify(request, &front.parts.settings.keys, now, &resource).map_err(refused)?;
    Ok(Verification { is_known: true, key })
}

/// A request may say whose bucket it is meant for.
fn check_expected(head: &Head, place: &Address, scope: &Scope) -> Result<(), Fault> {
    let expected = head.headers.get("x-amz-expected-bucket-owner").filter(|_| place.bucket.is_some());
    match expected {
        Some(expected) if expected.as_bytes() != scope.account.as_bytes() => Err(Code::AccessDenied.into()),
        _ => Ok(()),
    }
}

fn scope_of(front: &Front, request: Signable<'_>) -> Arc<Scope> {
    let settings = &front.parts.settings;
    let account = request.access_key().and_then(|access_key| settings.keys.account(access_key));
    front.scope_of(account.unwrap_or(&settings.account))
}

/// The account that a request says it comes from.
pub(super) fn scope(front: &Front, head: &Head) -> Arc<Scope> {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    scope_of(front, signable(head, &query))
}

fn signable<'a>(head: &'a Head, query: &'a Query) -> Signable<'a> {
    Signable {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: query.pairs(),
        headers: &head.headers,
    }
}

fn check_expiry(query: &Query, now: Timestamp) -> Result<(), Fault> {
    if query.has("X-Amz-Signature") || query.has("X-Amz-Algorithm") {
        return check_expiry_v4(query, now);
    }
    if let (Some(_), Some(expires)) = (query.get("Signature"), query.get("Expires")) {
        let seconds: i64 = expires.parse().map_err(|_| {
            Fault::because(
                Code::AccessDenied,
                format!("Invalid date (should be seconds since epoch): {expires}"),
            )
        })?;
        return not_after(Timestamp(seconds.saturating_mul(1_000_000)), now, None);
    }
    Ok(())
}

fn check_expiry_v4(query: &Query, now: Timestamp) -> Result<(), Fault> {
    let wrong = |message: &str| Fault::because(Code::AuthorizationQueryParametersError, message);
    let names = ["Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"];
    if !names.iter().all(|name| query.has(&format!("X-Amz-{name}"))) {
        return Err(wrong(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ));
    }
    let begun = auth::date(query.text("X-Amz-Date"))
        .ok_or_else(|| wrong("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    let life = query.text("X-Amz-Expires");
    let seconds: i64 = life.parse().map_err(|_| wrong("X-Amz-Expires should be a number"))?;
    match u64::try_from(seconds) {
        Err(_) => Err(wrong("X-Amz-Expires must be non-negative")),
        Ok(seconds) if seconds > LONGEST => Err(wrong(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Ok(seconds) => not_after(begun.plus(Duration::from_secs(seconds)), now, Some(life)),
    }
}

fn not_after(expires: Timestamp, now: Timestamp, life: Option<&str>) -> Result<(), Fault> {
    if now <= expires {
        return Ok(());
    }
    let mut fault = Fault::because(Code::AccessDenied, "Request has expired");
    if let Some(life) = life {
        fault = fault.with("X-Amz-Expires", life);
    }
    Err(fault.with("Expires", dates::iso_seconds(expires)).with("ServerTime", dates::iso_seconds(now)))
}

/// S3's words for a bad signature.
pub(super) fn refused(fault: AuthFault) -> Fault {
    match fault {
        AuthFault::Missing => Fault::new(Code::AccessDenied),
        AuthFault::UnknownKey { access_key } => {
            Fault::new(Code::InvalidAccessKeyId).with("AWSAccessKeyId", access_key)
        }
        AuthFault::Mismatch { access_key, string_to_sign, provided } => {
            Fault::new(Code::SignatureDoesNotMatch)
                .with("AWSAccessKeyId", access_key)
                .with("StringToSign", string_to_sign)
                .with("SignatureProvided", provided)
        }
        AuthFault::Malformed { why } => Fault::because(Code::AuthorizationHeaderMalformed, why),
        AuthFault::Skewed => Fault::new(Code::RequestTimeTooSkewed),
    }
}

/// A presigned request carries in its query what others send as headers, so that the URL alone is enough.
/// Its checksums are of no body and are ignored, as S3 ignores them.
pub(super) fn hoist(query: &Query, headers: &mut HeaderMap) {
    if !query.has("X-Amz-Signature") && !query.has("Signature") {
        return;
    }
    for (name, value) in query.pairs() {
        let is_said = name.starts_with("x-amz-") && !name.contains("checksum") && !headers.contains_key(name);
        if is_said {
            encode::set(headers, name, value);
        }
    }
}

pub(super) fn host(head: &Head) -> String {
    let header = head.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| head.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned()
}

pub(super) fn source_ip(head: &Head) -> String {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "127.0.0.1".into(), |peer| peer.0.ip().to_string())
}

/// A function's own client sends the trace of its invocation; other requests begin one.
pub(super) fn trace(head: &Head, request_id: &str) -> Arc<str> {
    let sent = head.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok());
    sent.map_or(request_id, crate::trace::of).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/b&X-Amz-Signature=00&\
        X-Amz-SignedHeaders=host&X-Amz-Date=20130524T000000Z&X-Amz-Expires=";

    fn checked(query: &str, now: &str) -> Result<(), Fault> {
        check_expiry(&Query::parse(query), auth::date(now).unwrap())
    }

    #[test]
    fn version_4_expires() {
        assert!(checked(&format!("{SIGNED}60"), "20130524T000100Z").is_ok());
        let late = checked(&format!("{SIGNED}60"), "20130524T000101Z").unwrap_err();
        assert_eq!((late.code, late.message.as_str()), (Code::AccessDenied, "Request has expired"));
        let details = [
            ("X-Amz-Expires", "60".to_owned()),
            ("Expires", "2013-05-24T00:01:00Z".to_owned()),
            ("ServerTime", "2013-05-24T00:01:01Z".to_owned()),
        ];
        assert_eq!(late.details, details);
        for life in ["604801", "-1", "x", ""] {
            let wrong = checked(&format!("{SIGNED}{life}"), "20130524T000000Z").unwrap_err();
            assert_eq!(wrong.code, Code::AuthorizationQueryParametersError);
        }
        assert!(checked("X-Amz-Signature=00", "20130524T000000Z").is_err());
    }

    #[test]
    fn version_2_expires() {
        let url = "AWSAccessKeyId=a&Signature=s&Expires=1369353660";
        assert!(checked(url, "20130524T000100Z").is_ok());
        assert_eq!(checked(url, "20130524T000101Z").unwrap_err().code, Code::AccessDenied);
        assert!(checked("AWSAccessKeyId=a&Signature=s&Expires=soon", "20130524T000000Z").is_err());
    }
}
