//! Requests by HTTP that go to a server of the worker's own, and answers that come from there piece by piece: a worker
//! whose app streams names such a server, and matches request and invocation by a header.
//!
//! Source: Azure Functions documentation, "Azure Functions Node.js developer guide" (HTTP streams) and "Azure Functions
//! Python developer guide" (HTTP streams); the vendor's own libraries, which are the other end.

use super::handler::HOP_BY_HOP;
use super::index::Indexed;
use super::requested::Requested;
use crate::app::App;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::runtime::Delivery;
use mlemu_core::{Answer, ChunkSink, ResponseHead};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether the server listens.
const LOOK: Duration = Duration::from_millis(10);
/// How often it is looked: the worker has said that it does.
const LOOKS: u32 = 500;
const INVOCATION: &str = "x-ms-invocation-id";

type Requests = Client<HttpConnector, Full<Bytes>>;

/// The worker's server.
pub(super) struct Server {
    address: SocketAddr,
    client: Requests,
}

/// One request on its way.
pub(super) struct Proxied {
    client: Requests,
    request: Request<Full<Bytes>>,
    to: Option<Arc<dyn ChunkSink>>,
}

impl Server {
    /// `None`: it is no address on this machine.
    pub(super) fn of(address: &str) -> Option<Self> {
        let uri: Uri = address.parse().ok()?;
        let host = uri.host()?;
        let ip =
            if host.eq_ignore_ascii_case("localhost") { Ipv4Addr::LOCALHOST } else { host.parse().ok()? };
        let address = (ip.is_loopback()).then(|| SocketAddr::from((ip, uri.port_u16().unwrap_or(80))))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Such servers close a connection behind a failure, which a kept one would meet.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Some(Self { address, client })
    }

    /// The request that a delivery brings. `None`: it is none.
    pub(super) fn request(&self, function: &Indexed, delivery: &Delivery, app: &App) -> Option<Proxied> {
        let invoke = &delivery.invoke;
        let Requested { method, target, mut headers, body, .. } = Requested::of(function, delivery, app);
        let host = headers.remove(header::HOST).unwrap_or(HeaderValue::from_static("localhost"));
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        headers.insert("x-forwarded-host", host);
        headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
        headers.insert(INVOCATION, HeaderValue::from_str(&invoke.id.0).ok()?);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{target}", self.address).parse().ok()?;
        *request.headers_mut() = headers;
        Some(Proxied { client: self.client.clone(), request, to: invoke.stream.clone() })
    }
}

impl Proxied {
    /// Sees the request through to the last piece of its answer. `Err` says why there is none.
    pub(super) async fn serve(self) -> Result<Answer, String> {
        let Self { client, request, to } = self;
        let (mut parts, body) = asked(&client, request).await?.into_parts();
        for name in HOP_BY_HOP {
            parts.headers.remove(name);
        }
        parts.headers.remove(INVOCATION);
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let head = ResponseHead { status: parts.status, headers: parts.headers };
        if let Some(to) = &to {
            to.response(head.clone());
        }
        let body = pieces(body, to.as_deref()).await?;
        Ok(Answer { body, content_type: kind, head: Some(head), streamed: to.is_some() })
    }
}

/// A server that says it listens may do so a moment later.
async fn asked(client: &Requests, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, String> {
    let mut looks = 0;
    loop {
        match client.request(request.clone()).await {
            Ok(response) => return Ok(response),
            Err(error) if error.is_connect() && looks < LOOKS => {
                looks += 1;
                tokio::time::sleep(LOOK).await;
            }
            Err(_) => return Err("the worker's own server did not answer".into()),
        }
    }
}

/// Hands the pieces on, or puts them together where nobody reads them as they come.
async fn pieces(mut body: Incoming, to: Option<&dyn ChunkSink>) -> Result<Bytes, String> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "the worker's own server broke off its answer".to_owned())?;
        match (frame.into_data(), to) {
            // A reader that left stops nobody: the function does not know it.
            (Ok(data), Some(to)) => drop(to.chunk(data).await),
            (Ok(data), None) => whole.extend_from_slice(&data),
            (Err(_), _) => {}
        }
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_on_this_machine() {
        let of = |address: &str| Server::of(address).map(|server| server.address.to_string());
        assert_eq!(of("http://localhost:55000/").as_deref(), Some("127.0.0.1:55000"));
        assert_eq!(of("http://127.0.0.1:8080").as_deref(), Some("127.0.0.1:8080"));
        for strange in ["http://example.com/", "http://192.168.0.1:80/", "unix:/x", "", "http://"] {
            assert_eq!(of(strange), None, "{strange}");
        }
    }
}
