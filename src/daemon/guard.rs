//! Who may speak to a listener: programs on this machine, and web pages only where they were let in.
//!
//! A browser sends requests to the loopback interface for any page that asks it to, and a name under a
//! stranger's control can be made to point here. So the `Host` must be a name of this machine, and an
//! `Origin` must be this very listener or one that a route allows; both before anything else is done.

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Version, header};
use std::net::{IpAddr, Ipv6Addr};

/// Why a request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// The `Host` is missing, doubled, or no name of this machine.
    Host,
    /// A web page of another origin sent it.
    Origin,
}

impl Stranger {
    pub fn status(self) -> StatusCode {
        match self {
            Stranger::Host => StatusCode::MISDIRECTED_REQUEST,
            Stranger::Origin => StatusCode::FORBIDDEN,
        }
    }

    pub fn why(self) -> &'static str {
        match self {
            Stranger::Host => {
                "mlemu answers requests to 127.0.0.1, [::1], localhost and *.localhost at its own port only"
            }
            Stranger::Origin => {
                "mlemu refuses requests that a web page of another origin sends; allow its origin in the route's CORS configuration"
            }
        }
    }
}

/// Checks a request before any side effect. `is_known` says whether a host is a name of the service's own, and
/// `allowed` whether the target lets this page's origin in.
pub fn check(
    parts: &Parts,
    port: u16,
    is_known: impl FnOnce(&str) -> bool,
    allowed: impl FnOnce(&Parts) -> bool,
) -> Result<(), Stranger> {
    let host = host(parts).ok_or(Stranger::Host)?;
    if !is_this_machine(&host, port) && !is_known(host.as_str()) {
        return Err(Stranger::Host);
    }
    if let Some(authority) = parts.uri.authority()
        && !authority.as_str().eq_ignore_ascii_case(host.as_str())
    {
        return Err(Stranger::Host);
    }
    let mut origins = parts.headers.get_all(header::ORIGIN).iter();
    let own = |origin: &[u8]| origin.eq_ignore_ascii_case(format!("http://{host}").as_bytes());
    let admitted = match (origins.next(), origins.next()) {
        (Some(origin), None) => own(origin.as_bytes()) || allowed(parts),
        // What a route lets in is one origin, never the other of two.
        (Some(_), Some(_)) => false,
        (None, _) => !is_sent_from_elsewhere(&parts.headers) || allowed(parts),
    };
    if admitted { Ok(()) } else { Err(Stranger::Origin) }
}

/// What browsers add to requests that carry no `Origin`. Another port of this machine is the same site.
fn is_sent_from_elsewhere(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| site != "same-origin" && site != "none")
}

/// The one `Host` of a request. HTTP/2 says it in `:authority`, which becomes the URI's.
fn host(parts: &Parts) -> Option<Authority> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        let authority = parts.uri.authority().filter(|_| parts.version == Version::HTTP_2)?;
        return (!authority.as_str().contains('@')).then(|| authority.clone());
    };
    if hosts.next().is_some() {
        return None;
    }
    let host = Authority::try_from(host.as_bytes()).ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

/// Literals and `localhost` names only: a name that some resolver answers is no proof of anything.
fn is_this_machine(host: &Authority, port: u16) -> bool {
    if host.as_str().ends_with(':') || host.port().is_some() && host.port_u16() != Some(port) {
        return false;
    }
    let name = host.host().to_ascii_lowercase();
    if let Some(literal) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    if let Ok(IpAddr::V4(address)) = name.parse() {
        return address.is_loopback();
    }
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || name.strip_suffix(".localhost").is_some_and(|labels| !labels.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[track_caller]
    fn verdict(headers: &[(&str, &str)], uri: &str) -> Result<(), Stranger> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts, 4566, |_| false, |_| false)
    }

    #[test]
    fn names_of_this_machine() {
        let good = [
            "127.0.0.1:4566",
            "127.0.0.1",
            "[::1]:4566",
            "localhost:4566",
            "LOCALHOST:4566",
            "localhost.:4566",
            "bucket.localhost:4566",
            "bucket.s3.us-east-1.localhost:4566",
            "abc.lambda-url.us-east-1.localhost:4566",
        ];
        for host in good {
            assert_eq!(verdict(&[("host", host)], "/"), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names() {
        let bad = [
            "evil.example",
            "localhost6:4566",
            "127.0.0.1.nip.io:4566",
            "0.0.0.0:4566",
            "2130706433:4566",
            "localhost.evil.example",
            "evillocalhost",
            ".localhost",
            "127.0.0.1:80",
            "127.0.0.1:",
            "user@127.0.0.1:4566",
            "[::2]:4566",
            "",
        ];
        for host in bad {
            assert_eq!(verdict(&[("host", host)], "/"), Err(Stranger::Host), "{host}");
        }
        assert_eq!(verdict(&[], "/"), Err(Stranger::Host));
        let twice = [("host", "127.0.0.1:4566"), ("host", "evil.example")];
        assert_eq!(verdict(&twice, "/"), Err(Stranger::Host));
        let host = [("host", "127.0.0.1:4566")];
        assert_eq!(verdict(&host, "http://evil.example/"), Err(Stranger::Host));
    }

    #[test]
    fn the_authority_of_http_2_is_a_host() {
        let of = |authority: &str, headers: &[(&str, &str)]| {
            let mut request =
                Request::builder().version(Version::HTTP_2).uri(format!("http://{authority}/x"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            check(&request.body(()).expect("a request").into_parts().0, 4566, |_| false, |_| false)
        };
        assert_eq!(of("127.0.0.1:4566", &[]), Ok(()));
        assert_eq!(of("localhost:4566", &[("host", "localhost:4566")]), Ok(()));
        for bad in ["evil.example", "127.0.0.1:80", "user@127.0.0.1:4566"] {
            assert_eq!(of(bad, &[]), Err(Stranger::Host), "{bad}");
        }
        assert_eq!(of("127.0.0.1:4566", &[("host", "evil.example")]), Err(Stranger::Host));
        let origin = [("origin", "http://evil.example")];
        assert_eq!(of("127.0.0.1:4566", &origin), Err(Stranger::Origin));
    }

    #[test]
    fn pages_of_other_origins() {
        let host = ("host", "127.0.0.1:4566");
        for origin in ["http://evil.example", "null", "http://127.0.0.1:3000", "https://127.0.0.1:4566"] {
            assert_eq!(verdict(&[host, ("origin", origin)], "/"), Err(Stranger::Origin), "{origin}");
        }
        assert_eq!(verdict(&[host, ("origin", "http://127.0.0.1:4566")], "/"), Ok(()));
        for site in ["cross-site", "same-site"] {
            let sent = [host, ("sec-fetch-site", "none"), ("sec-fetch-site", site)];
            assert_eq!(verdict(&sent, "/"), Err(Stranger::Origin), "{site}");
        }
        assert_eq!(verdict(&[host, ("sec-fetch-site", "same-origin")], "/"), Ok(()));
        let twice = [host, ("origin", "http://127.0.0.1:4566"), ("origin", "http://evil.example")];
        assert_eq!(verdict(&twice, "/"), Err(Stranger::Origin));
        assert_eq!(verdict(&[host, ("sec-fetch-site", "none")], "/"), Ok(()));
    }

    #[test]
    fn a_route_can_let_a_page_in() {
        let request = Request::builder().uri("/predict").header("host", "127.0.0.1:4566");
        let request = request.header("origin", "http://localhost:3000").body(()).expect("a request");
        assert_eq!(check(&request.into_parts().0, 4566, |_| false, |_| true), Ok(()));
    }

    #[test]
    fn a_service_knows_names_of_its_own() {
        let verdict = |headers: &[(&str, &str)]| {
            let request =
                headers.iter().fold(Request::builder().uri("/"), |r, (name, value)| r.header(*name, *value));
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            check(&parts, 4566, |host| host == "own.example", |_| false)
        };
        assert_eq!(verdict(&[("host", "own.example")]), Ok(()));
        assert_eq!(verdict(&[("host", "other.example")]), Err(Stranger::Host));
        let page = [("host", "own.example"), ("origin", "http://evil.example")];
        assert_eq!(verdict(&page), Err(Stranger::Origin), "its pages are pages all the same");
    }
}
