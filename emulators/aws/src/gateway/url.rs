//! Functions' own URLs: answers whole, or while they are made.

use super::answer::{self, Proxied};
use super::arrived::Arrived;
use super::cors::Policy;
use super::door::{self, Door, Trouble};
use super::prelude::{self, Prelude, Progress};
use super::{Gateway, lean};
use crate::lambda::catalog::UrlConfig;
use crate::lambda::streaming::{self, Feed, Piece};
use crate::profile::SYNC_PAYLOAD;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use mlemu_core::{Answer, FunctionId, Invoke};
use std::io;

/// Of answers that do not name their type.
const CONTENT_TYPE: &str = "application/json";

impl Gateway {
    pub(super) async fn handle_url(
        &self,
        function: &FunctionId,
        config: &UrlConfig,
        parts: &Parts,
        body: Body,
        origin: Option<String>,
    ) -> Response {
        let cors = config.cors.as_ref().map(Policy::from);
        let asks = parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if let (&Method::OPTIONS, Some(cors), Some(origin), true) = (&parts.method, &cors, &origin, asks) {
            let mut headers = HeaderMap::new();
            cors.preflight(origin, &mut headers);
            return answer::head(200, headers, Body::empty());
        }
        let mut response = match self.arrive(parts, body, SYNC_PAYLOAD, parts.uri.path()).await {
            Ok(arrived) => self.run_url(function, config, &arrived).await,
            Err(fault) => Door::Url.body_fault(fault),
        };
        if let (Some(cors), Some(origin)) = (cors, origin) {
            cors.answer(&origin, response.headers_mut());
        }
        response
    }

    async fn run_url(&self, function: &FunctionId, config: &UrlConfig, arrived: &Arrived) -> Response {
        let settings = self.lambda.settings();
        let api_id = settings.url_id(&function.name);
        // A caller who did not have to sign has no account.
        let account = if config.auth_type == "NONE" { "anonymous" } else { &settings.account };
        let event = lean::event(
            arrived,
            &lean::Origin {
                route_key: "$default".into(),
                api_id: &api_id,
                account,
                holes: &[],
                keeps_cookie: true,
            },
        );
        let invoke = door::invoke(function, arrived, &event, &self.lambda.functions().ids());
        if config.streaming {
            return self.stream_url(invoke, arrived).await;
        }
        match door::run(self.lambda.functions(), invoke, Door::Url.patience()).await {
            Ok(answer) => Door::Url.said(whole(&answer), arrived),
            Err(trouble) => Door::Url.trouble(&trouble, arrived),
        }
    }

    async fn stream_url(&self, invoke: Invoke, arrived: &Arrived) -> Response {
        let mut feed = streaming::start(self.lambda.functions().clone(), invoke);
        match opening(&mut feed).await {
            Ok(Opening::Whole(proxied)) => Door::Url.said(proxied, arrived),
            Ok(Opening::Begun(proxied)) => {
                let Proxied { status, headers, body } = *proxied;
                Door::Url.signed(answer::head(status, headers, rest_of(body, feed)), arrived)
            }
            Err(trouble) => Door::Url.trouble(&trouble, arrived),
        }
    }
}

/// How a streamed answer begins.
enum Opening {
    /// It was not streamed at all.
    Whole(Option<Proxied>),
    /// Its head, and the first bytes of its body.
    Begun(Box<Proxied>),
}

/// Reads until the answer's head is known.
async fn opening(feed: &mut Feed) -> Result<Opening, Trouble> {
    let mut prelude = Prelude::default();
    loop {
        match feed.next().await {
            Piece::Chunk(chunk) if feed.content_type() == Some(prelude::CONTENT_TYPE) => {
                match prelude.push(&chunk) {
                    Progress::More => {}
                    Progress::Head(proxied) => return Ok(Opening::Begun(proxied)),
                    Progress::Malformed => return Err(Trouble::Failed),
                }
            }
            Piece::Chunk(chunk) => return Ok(Opening::Begun(Box::new(plain(feed, chunk)))),
            Piece::End(reply) => {
                let answer = door::answered(reply)?;
                return match (answer.streamed, feed.content_type()) {
                    (false, _) => Ok(Opening::Whole(whole(&answer))),
                    // It ended before its head did.
                    (true, Some(prelude::CONTENT_TYPE)) => Err(Trouble::Failed),
                    (true, _) => Ok(Opening::Begun(Box::new(plain(feed, Bytes::new())))),
                };
            }
        }
    }
}

/// A whole answer; a streaming function behind a URL that does not stream has put its head into it.
fn whole(answer: &Answer) -> Option<Proxied> {
    if answer.content_type.as_deref() == Some(prelude::CONTENT_TYPE) {
        return prelude::divide(&answer.body);
    }
    lean::answer(&answer.body, CONTENT_TYPE)
}

/// A streamed answer without a head of its own.
fn plain(feed: &Feed, first: Bytes) -> Proxied {
    let mut proxied = Proxied { body: first, ..Proxied::new(200, "application/octet-stream") };
    if let Some(Ok(kind)) = feed.content_type().map(HeaderValue::from_str) {
        proxied.headers.insert(header::CONTENT_TYPE, kind);
    }
    proxied
}

/// The first bytes and all that follow. A function that fails on the way has its answer cut off.
fn rest_of(first: Bytes, feed: Feed) -> Body {
    Body::from_stream(stream::unfold((Some(first), feed), |(first, mut feed)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (None, feed)));
        }
        match feed.next().await {
            Piece::Chunk(chunk) => Some((Ok(chunk), (None, feed))),
            // An answer that breaks off must not look whole: the connection ends with it.
            Piece::End(reply) => door::answered(reply)
                .err()
                .map(|_| (Err(io::Error::other("the function failed")), (None, feed))),
        }
    }))
}
