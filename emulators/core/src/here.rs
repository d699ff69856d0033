//! What is on this machine: nothing of ours is sent anywhere else.

use std::net::IpAddr;

/// Whether requests may be sent to `url`: by HTTP, to a loopback address, to `localhost` or to a name below it.
pub fn is_here(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = match literal.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    uri.scheme_str() == Some("http") && is_here
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_this_machine() {
        for good in [
            "http://127.0.0.1:8080/x?token=1",
            "http://[::1]:80/",
            "http://localhost:9",
            "http://a.localhost/",
        ] {
            assert!(is_here(good), "{good}");
        }
        for bad in [
            "",
            "https://127.0.0.1/",
            "http://example.com/",
            "http://127.0.0.1.nip.io/",
            "http://10.0.0.1/",
            "localhost:80",
            "http://localhost.evil/",
            "http://127.0.0.1@evil.example/",
        ] {
            assert!(!is_here(bad), "{bad}");
        }
    }
}
