//! Tokens of service accounts: what the vendor's clients get for a signature of their own, before they call a function
//! that wants to know who calls. Nobody is asked for one here, so no signature is checked and none is made.
//!
//! Source: Google Identity, "Using OAuth 2.0 for Server to Server Applications"; RFC 7523.

use crate::functions::fault::json;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use mlemu_core::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

const PATH: &str = "/token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// What the vendor gives, in seconds.
const LIFE: i64 = 3600;
/// More than any assertion is, in bytes.
const LARGEST: usize = 64 * 1024;

pub(crate) fn claims(method: &Method, path: &str) -> bool {
    *method == Method::POST && path == PATH
}

/// `now`: as the client's own clock has it.
pub(crate) async fn answer(body: Body, now: Timestamp) -> Response {
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match token(&String::from_utf8_lossy(&body), now) {
        Ok(token) => json(StatusCode::OK, &token),
        Err((error, why)) => {
            json(StatusCode::BAD_REQUEST, &json!({ "error": error, "error_description": why }))
        }
    }
}

fn token(form: &str, now: Timestamp) -> Result<Value, (&'static str, &'static str)> {
    let field = |name: &str| {
        let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        percent_decode_str(value).decode_utf8().ok()
    };
    if field("grant_type").is_none_or(|grant| grant != GRANT) {
        return Err((
            "unsupported_grant_type",
            "Invalid grant_type: only assertions of service accounts are taken.",
        ));
    }
    let said = field("assertion").and_then(|assertion| claimed(&assertion));
    let said = said.ok_or(("invalid_grant", "Invalid JWT: it has no claims that can be read."))?;
    let began = now.0.div_euclid(1_000_000);
    let Some(audience) = said["target_audience"].as_str() else {
        return Ok(json!({ "access_token": "mlemu", "expires_in": LIFE, "token_type": "Bearer" }));
    };
    let claims = json!({
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": said["iss"],
        "sub": said["iss"],
        "email": said["iss"],
        "email_verified": true,
        "iat": began,
        "exp": began + LIFE,
    });
    let part = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let head = json!({ "alg": "none", "typ": "JWT" });
    Ok(json!({ "id_token": format!("{}.{}.", part(head), part(claims)) }))
}

/// What an assertion claims.
fn claimed(assertion: &str) -> Option<Value> {
    let claims = assertion.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?)
        .ok()
        .filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(claims: &str) -> String {
        let assertion = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        format!("assertion={assertion}&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer")
    }

    #[test]
    fn an_assertion_gets_the_token_that_it_asks_for() {
        let now = Timestamp(1_700_000_000_000_000);
        let access = token(&form(r#"{"iss":"me","scope":"all"}"#), now).unwrap();
        assert_eq!((&access["token_type"], &access["expires_in"]), (&json!("Bearer"), &json!(3600)));
        let identity = token(&form(r#"{"iss":"me","target_audience":"https://f"}"#), now).unwrap();
        let claims = claimed(identity["id_token"].as_str().unwrap()).unwrap();
        assert_eq!((&claims["aud"], &claims["email"]), (&json!("https://f"), &json!("me")));
        assert_eq!(claims["exp"], 1_700_003_600);
    }

    #[test]
    fn what_is_no_assertion_is_refused() {
        let error = |form: &str| token(form, Timestamp(0)).unwrap_err().0;
        assert_eq!(error(""), "unsupported_grant_type");
        assert_eq!(error("grant_type=refresh_token&refresh_token=x"), "unsupported_grant_type");
        assert_eq!(error(&form("[]")), "invalid_grant");
        assert_eq!(error(&form("not json")), "invalid_grant");
        assert_eq!(error(&form("{}").replace("assertion=e30.", "assertion=")), "invalid_grant");
    }
}
