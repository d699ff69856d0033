//! Cross-origin rules: who may call from a browser, and the headers that say so.

use crate::lambda::wire;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use mlemu_core::declare;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    expose: Vec<String>,
    credentials: bool,
    /// In seconds.
    max_age: Option<u32>,
}

impl Policy {
    /// Whether a page of this origin may call. `*` within an entry stands for any host.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| match allowed.split_once('*') {
            None => allowed.eq_ignore_ascii_case(origin),
            Some(("", "")) => true,
            Some((before, after)) => origin
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|host| !host.is_empty() && !host.contains('/')),
        })
    }

    /// Headers of the answer to a preflight; none for a stranger.
    pub fn preflight(&self, origin: &str, headers: &mut HeaderMap) {
        if !self.allows(origin) {
            return;
        }
        self.answer(origin, headers);
        put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(","));
        put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(","));
        if let Some(seconds) = self.max_age {
            put(headers, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
    }

    /// Headers of an ordinary answer; what the function said of the matter is replaced.
    pub fn answer(&self, origin: &str, headers: &mut HeaderMap) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if !self.allows(origin) {
            return;
        }
        // With credentials a browser wants its own origin back and no star.
        let any = self.origins.iter().any(|allowed| allowed == "*") && !self.credentials;
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { origin });
        if !any {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose.join(","));
        if self.credentials {
            put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }

    /// A REST API answers OPTIONS by itself with the declared words, whoever asks.
    pub fn mock(&self, headers: &mut HeaderMap) {
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &self.origins.join(","));
        put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(","));
        put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(","));
        if let Some(seconds) = self.max_age {
            put(headers, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        if self.credentials {
            put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

impl From<&declare::Cors> for Policy {
    fn from(cors: &declare::Cors) -> Self {
        Self {
            origins: words(&cors.origins),
            methods: words(&cors.methods),
            headers: words(&cors.headers),
            expose: Vec::new(),
            credentials: cors.credentials,
            max_age: cors.max_age,
        }
    }
}

impl From<&wire::Cors> for Policy {
    fn from(cors: &wire::Cors) -> Self {
        Self {
            origins: words(&cors.allow_origins),
            methods: words(&cors.allow_methods),
            headers: words(&cors.allow_headers),
            expose: words(&cors.expose_headers),
            credentials: cors.allow_credentials == Some(true),
            max_age: cors.max_age,
        }
    }
}

/// Templates write lists as `'GET,POST'`, with quotes of their own.
fn words(texts: &[String]) -> Vec<String> {
    let words = texts.iter().flat_map(|text| text.trim_matches('\'').split(','));
    words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// Sets a header to words; none at all, or none that a header can carry, leave it out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> Policy {
        let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
        Policy::from(&declare::Cors { origins, methods: vec!["'GET,POST'".into()], ..Default::default() })
    }

    #[test]
    fn origins() {
        let local = policy(&["http://localhost:3000"]);
        assert!(local.allows("http://localhost:3000"));
        for other in
            ["http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil", "null", ""]
        {
            assert!(!local.allows(other), "{other}");
        }
        assert!(policy(&["'*'"]).allows("http://evil"));
        let wild = policy(&["https://*.example.com"]);
        assert!(wild.allows("https://a.example.com"));
        for other in ["https://.example.com", "https://evil/.example.com", "https://a.example.com.evil"] {
            assert!(!wild.allows(other), "{other}");
        }
        assert!(!Policy::default().allows("http://localhost"));
    }

    #[test]
    fn strangers_get_no_headers() {
        let local = policy(&["http://localhost:3000"]);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        local.answer("http://evil", &mut headers);
        local.preflight("http://evil", &mut headers);
        assert!(headers.is_empty());
        local.preflight("http://localhost:3000", &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "http://localhost:3000");
        assert_eq!(headers["access-control-allow-methods"], "GET,POST");
    }

    #[test]
    fn words_that_are_no_header_are_left_out() {
        let mut headers = HeaderMap::new();
        policy(&["a\r\nSet-Cookie: x"]).mock(&mut headers);
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert_eq!(headers.len(), 1);
    }
}
