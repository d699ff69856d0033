//! Functions at the root of a port of their own: whatever is asked there is asked of that function.
//!
//! Clients that can be given only a host and a port, such as conformance suites, call a function so.

use super::listener::{self, Service, Serving, Wish};
use super::worlds::{Front, Worlds};
use super::{Options, StartError};
use crate::clouds::CLOUDS;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use mlemu_core::Strain;
use std::net::SocketAddr;
use std::sync::Arc;

/// One function's listener.
struct Rooted {
    front: Front,
    /// Where the function is at its cloud's own listener, without a slash at the end.
    root: String,
}

impl Rooted {
    /// The same path and query below the function's own; `None`: it is no path.
    fn below(&self, uri: &Uri) -> Option<Uri> {
        let asked = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        asked.starts_with('/').then(|| format!("{}{asked}", self.root).parse().ok())?
    }

    fn moved(&self, mut parts: Parts) -> Parts {
        // What is no path, such as `*`, is not the function's.
        if let Some(uri) = self.below(&parts.uri) {
            parts.uri = uri;
        }
        parts
    }
}

impl Service for Rooted {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        let (parts, body) = request.into_parts();
        self.front.answer(Request::from_parts(self.moved(parts), body))
    }

    fn admits_origin(&self, parts: &Parts) -> bool {
        self.front.admits_origin(&self.moved(parts.clone()))
    }

    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body> {
        self.front.apology(strain, parts)
    }
}

/// Opens the ports of all functions that shall have one. A function need not be there yet: it may be deployed later.
pub async fn open(
    options: &Options,
    worlds: &Arc<Worlds>,
) -> Result<(Vec<(String, SocketAddr)>, Vec<Serving>), StartError> {
    let (mut addresses, mut all) = (Vec::new(), Vec::new());
    for (function, port) in &options.served {
        let failed = |source| StartError::Listen { what: format!("`{function}`"), port: *port, source };
        let rooted = rooted(options, worlds, function)?;
        let listener =
            listener::bind(options.host, Wish { port: *port, exact: true }).await.map_err(failed)?;
        let serving = listener::serve(listener, Arc::new(rooted)).map_err(failed)?;
        addresses.push((function.clone(), serving.address));
        all.push(serving);
    }
    Ok((addresses, all))
}

fn rooted(options: &Options, worlds: &Arc<Worlds>, function: &str) -> Result<Rooted, StartError> {
    let refused = |why: String| StartError::Served { function: function.to_owned(), why };
    let declared = options.loaded.project.functions.iter().find(|declared| declared.name == function);
    let mut plugged = CLOUDS.iter().filter(|kind| worlds.first.plugged(kind.name).is_ok());
    let found = plugged.find_map(|kind| {
        let own = declared.is_none_or(|declared| declared.cloud == kind.name);
        Some((kind, worlds.first.cloud_named(kind.name).root_of(function).filter(|_| own)?))
    });
    let Some((kind, root)) = found else {
        let cloud = declared.map_or("of a cloud that is not open", |declared| declared.cloud.as_str());
        return Err(refused(format!(
            "it is {cloud}, and only functions of gcp have whole paths to themselves"
        )));
    };
    let first = worlds.first.cloud_named(kind.name).clone();
    let front = Front { worlds: worlds.clone(), first, cloud: kind.name, account: kind.account };
    Ok(Rooted { front, root })
}
