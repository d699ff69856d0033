//! Whether a request may do what it asks for.
//!
//! What is signed is verified, always. What is not signed at all is let in, as from a person with curl, unless the
//! daemon is strict: then only what is public is open.

use super::account::{Accounts, primary};
use super::address::Query;
use super::fault::{Fault, code};
use super::policy::Policy;
use super::sas::{self, Need, Resource};
use super::signature::{self, ORDERS, Scheme, same, sign};
use http::header::AUTHORIZATION;
use http::request::Parts;
use mlemu_core::Timestamp;

/// What the bearer of a request may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// The account's owner, or somebody whom nobody asked.
    Everything,
    /// By a SAS, these permissions.
    Permissions(String),
    /// Nobody known: only what is public.
    Public,
}

impl Grant {
    pub fn has(&self, letter: char) -> bool {
        match self {
            Grant::Everything => true,
            Grant::Permissions(letters) => letters.contains(letter),
            Grant::Public => false,
        }
    }
}

/// A request as far as it matters here.
pub(crate) struct Bearer<'a> {
    pub parts: &'a Parts,
    pub query: &'a Query,
    pub need: Need,
    pub resource: Resource<'a>,
    pub now: Timestamp,
}

impl Bearer<'_> {
    pub fn grant(
        &self,
        accounts: &Accounts,
        strict: bool,
        policy: impl Fn(&str) -> Option<Policy>,
    ) -> Result<Grant, Fault> {
        let said = self.parts.headers.get(AUTHORIZATION);
        if let Some(said) = said {
            let said = said.to_str().map_err(|_| code::InvalidAuthenticationInfo)?;
            return self.by_header(said, accounts, strict);
        }
        if self.query.contains_key("sig") {
            let resource = Resource { account: primary(self.resource.account), ..self.resource };
            let key = accounts.key(resource.account);
            let asked = sas::Asked { query: self.query, key: &key, need: self.need, resource, now: self.now };
            return asked.check(policy).map(Grant::Permissions);
        }
        Ok(if strict { Grant::Public } else { Grant::Everything })
    }

    fn by_header(&self, said: &str, accounts: &Accounts, strict: bool) -> Result<Grant, Fault> {
        let (scheme, rest) = said.split_once(' ').ok_or(code::InvalidAuthenticationInfo)?;
        let scheme = match scheme {
            "SharedKey" => Scheme::Full,
            "SharedKeyLite" => Scheme::Lite,
            "Bearer" => return self.by_token(rest, strict),
            _ => return Err(code::InvalidAuthenticationInfo.into()),
        };
        let (account, given) = rest.split_once(':').ok_or(code::InvalidAuthenticationInfo)?;
        if primary(account) != primary(self.resource.account) {
            return Err(Fault::unauthenticated("the account that signed is not the one that is asked"));
        }
        let key = accounts.key(account);
        let signed = (account, accounts.prefix());
        let string = |order| signature::string(scheme, self.parts, self.query, signed, order);
        let fits = |order| sign(&key, &string(order)).is_some_and(|made| same(&made, given));
        if ORDERS.into_iter().any(fits) {
            return Ok(Grant::Everything);
        }
        let shown = string(ORDERS[0]).replace('\n', "\\n");
        Err(Fault::unauthenticated(&format!(
            "The MAC signature found in the HTTP request '{given}' is not the same as any computed signature. Server used following string to sign: '{shown}'."
        )))
    }

    /// Nobody here can verify what a directory signed; the token must be one, and not have ended.
    fn by_token(&self, token: &str, strict: bool) -> Result<Grant, Fault> {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        if !strict {
            return Ok(Grant::Everything);
        }
        let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<serde_json::Value> =
            claims.and_then(|claims| serde_json::from_slice(&claims).ok());
        let ends = claims.and_then(|claims| claims["exp"].as_i64());
        match ends {
            Some(ends) if ends > self.now.0 / 1_000_000 => Ok(Grant::Everything),
            _ => Err(code::InvalidAuthenticationInfo.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;
    use crate::storage::account::{ACCOUNT, KEY};
    use crate::storage::address;
    use crate::storage::sas::Service;

    fn granted(header: Option<&str>, strict: bool) -> Result<Grant, &'static str> {
        let accounts = Accounts::new(Place::new("s", "local", ""), "");
        let mut request = http::Request::builder().uri("/devstoreaccount1/c/b").header("x-ms-date", "now");
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let query = address::query(&parts);
        let bearer = Bearer {
            parts: &parts,
            query: &query,
            need: Need { kind: 'o', letters: "r", by_resource: true },
            resource: Resource {
                service: Service::Blob,
                account: ACCOUNT,
                container: "c",
                blob: "b",
                snapshot: "",
            },
            now: Timestamp(1_795_269_134_000_000),
        };
        bearer.grant(&accounts, strict, |_| None).map_err(|fault| fault.code.name)
    }

    #[test]
    fn what_is_signed_is_verified_and_what_is_not_is_let_in_unless_strict() {
        let text = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:now\n/devstoreaccount1/devstoreaccount1/c/b";
        let signature = sign(KEY, text).unwrap();
        let lite = sign(KEY, "GET\n\n\n\nx-ms-date:now\n/devstoreaccount1/devstoreaccount1/c/b").unwrap();
        for strict in [false, true] {
            assert_eq!(
                granted(Some(&format!("SharedKey {ACCOUNT}:{signature}")), strict),
                Ok(Grant::Everything)
            );
            assert_eq!(
                granted(Some(&format!("SharedKeyLite {ACCOUNT}:{lite}")), strict),
                Ok(Grant::Everything)
            );
            for bad in [format!("SharedKey {ACCOUNT}:{lite}"), format!("SharedKey other:{signature}")] {
                assert_eq!(granted(Some(&bad), strict), Err("AuthenticationFailed"), "{bad}");
            }
            for bad in ["SharedKey", "SharedKey x", "Basic a:b", ""] {
                assert_eq!(granted(Some(bad), strict), Err("InvalidAuthenticationInfo"), "{bad}");
            }
        }
        assert_eq!((granted(None, false), granted(None, true)), (Ok(Grant::Everything), Ok(Grant::Public)));
        assert_eq!(granted(Some("Bearer x"), false), Ok(Grant::Everything));
        assert_eq!(granted(Some("Bearer x"), true), Err("InvalidAuthenticationInfo"));
        assert_eq!(granted(Some("Bearer a.eyJleHAiOjQwMDAwMDAwMDB9.c"), true), Ok(Grant::Everything));
    }
}
