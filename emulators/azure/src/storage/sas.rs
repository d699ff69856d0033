//! Shared access signatures: what a query lets its bearer do, signed for an account, a resource or a user.
//!
//! Source: Azure Storage documentation, "Create an account SAS", "Create a service SAS", "Create a user delegation SAS".

use super::address::Query;
use super::policy::{self, Policy};
use super::signature::{same, sign};
use crate::storage::fault::{Fault, code};
use mlemu_core::Timestamp;

/// The first version of the services that knew encryption scopes, which every SAS names since.
const SCOPED: &str = "2020-12-06";
/// The first version whose signatures name the kind of the resource.
const KINDED: &str = "2018-11-09";

/// What a SAS is for, and which service's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Blob,
    Queue,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Service::Blob => "blob",
            Service::Queue => "queue",
        }
    }

    fn letter(self) -> char {
        match self {
            Service::Blob => 'b',
            Service::Queue => 'q',
        }
    }
}

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// `s`ervice, `c`ontainer or queue, `o`bject or message.
    pub kind: char,
    /// Any of these permissions is enough.
    pub letters: &'static str,
    /// A SAS of a single resource can give it too.
    pub by_resource: bool,
}

/// Which resource a request is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource<'a> {
    pub service: Service,
    pub account: &'a str,
    /// Container or queue.
    pub container: &'a str,
    pub blob: &'a str,
    pub snapshot: &'a str,
}

/// What is asked of a SAS.
pub(crate) struct Asked<'a> {
    pub query: &'a Query,
    pub key: &'a str,
    pub need: Need,
    pub resource: Resource<'a>,
    pub now: Timestamp,
}

impl Asked<'_> {
    fn said(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The permissions that the bearer has. `policy`: the stored policy of this name.
    pub fn check(&self, policy: impl Fn(&str) -> Option<Policy>) -> Result<String, Fault> {
        let stored = match self.said("si") {
            "" => Policy::default(),
            id => policy(id)
                .ok_or_else(|| Fault::unauthenticated(&format!("there is no stored policy `{id}`")))?,
        };
        if !self.is_signed()? {
            return Err(Fault::unauthenticated("Signature did not match."));
        }
        self.in_time(&stored)?;
        self.is_from_here()?;
        let permissions = match self.said("sp") {
            "" => stored.permission,
            said => said.to_owned(),
        };
        let is_account = self.query.contains_key("ss");
        if is_account && !self.said("ss").contains(self.resource.service.letter()) {
            return Err(code::AuthorizationServiceMismatch.into());
        }
        if is_account && !self.said("srt").contains(self.need.kind) || !is_account && !self.need.by_resource {
            return Err(code::AuthorizationResourceTypeMismatch.into());
        }
        if !self.need.letters.chars().any(|letter| permissions.contains(letter)) {
            return Err(code::AuthorizationPermissionMismatch.into());
        }
        Ok(permissions)
    }

    fn in_time(&self, stored: &Policy) -> Result<(), Fault> {
        let either = |said: &str, stored: &str| match said {
            "" => policy::time(stored),
            said => policy::time(said),
        };
        let (start, expiry) =
            (either(self.said("st"), &stored.start), either(self.said("se"), &stored.expiry));
        let Some(expiry) = expiry else {
            return Err(Fault::unauthenticated("se is mandatory. Cannot be empty"));
        };
        if start.is_some_and(|start| self.now < start) {
            return Err(Fault::unauthenticated(
                "Signature not valid in the specified time frame: not valid yet",
            ));
        }
        if self.now >= expiry {
            return Err(Fault::unauthenticated("Signature not valid in the specified time frame: expired"));
        }
        if let Some(end) = policy::time(self.said("ske")).filter(|end| self.now >= *end) {
            return Err(Fault::unauthenticated(&format!("the user delegation key ended at {}", end.0)));
        }
        Ok(())
    }

    /// By HTTP and from this machine, as every request here is.
    fn is_from_here(&self) -> Result<(), Fault> {
        if self.said("spr") == "https" {
            return Err(code::AuthorizationProtocolMismatch.into());
        }
        let (first, last) = self.said("sip").split_once('-').unwrap_or((self.said("sip"), self.said("sip")));
        let number = |text: &str| text.trim().parse::<std::net::Ipv4Addr>().map(u32::from).ok();
        let here = u32::from(std::net::Ipv4Addr::LOCALHOST);
        match (self.said("sip"), number(first), number(last)) {
            ("", ..) => Ok(()),
            (_, Some(first), Some(last)) if (first..=last).contains(&here) => Ok(()),
            _ => Err(code::AuthorizationSourceIPMismatch.into()),
        }
    }

    fn is_signed(&self) -> Result<bool, Fault> {
        let given = self.said("sig");
        let version = self.said("sv");
        if self.query.contains_key("ss") {
            let made = sign(self.key, &self.account_text(version));
            return Ok(made.is_some_and(|made| same(&made, given)));
        }
        let key = if self.query.contains_key("skoid") {
            delegation_key(self.key, &|name| self.said(name).to_owned())
        } else {
            Some(self.key.to_owned())
        };
        let key = key.ok_or(code::InternalError)?;
        let fits = |text: &String| sign(&key, text).is_some_and(|made| same(&made, given));
        Ok(self.resource_texts(version).iter().any(fits))
    }

    fn account_text(&self, version: &str) -> String {
        let lines = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(|name| self.said(name));
        let mut text = format!("{}\n{}\n", self.resource.account, lines.join("\n"));
        if version >= SCOPED {
            text.push_str(&format!("{}\n", self.said("ses")));
        }
        text
    }

    /// Newer versions added lines; a client may have signed as any that is not newer than what it says.
    fn resource_texts(&self, version: &str) -> Vec<String> {
        let Resource { service, account, container, blob, .. } = self.resource;
        let of_blob = matches!(self.said("sr"), "b" | "bs" | "bv");
        let name = if of_blob { format!("{container}/{blob}") } else { container.to_owned() };
        let resource = format!("/{}/{account}/{name}", service.name());
        let mut head = ["sp", "st", "se"].map(|name| self.said(name).to_owned()).to_vec();
        head.push(resource);
        if service == Service::Queue {
            head.extend(["si", "sip", "spr", "sv"].map(|name| self.said(name).to_owned()));
            return vec![head.join("\n")];
        }
        let overrides = ["rscc", "rscd", "rsce", "rscl", "rsct"].map(|name| self.said(name).to_owned());
        let snapshot = if matches!(self.said("sr"), "bs" | "bv") { self.resource.snapshot } else { "" };
        let mut middle = ["sip", "spr", "sv"].map(|name| self.said(name).to_owned()).to_vec();
        if version >= KINDED {
            middle.extend([self.said("sr").to_owned(), snapshot.to_owned()]);
        }
        if version >= SCOPED {
            middle.push(self.said("ses").to_owned());
        }
        let whole = |who: &[&str], extra: usize| {
            let who = who.iter().map(|name| self.said(name).to_owned());
            let extra = std::iter::repeat_n(String::new(), extra);
            let all = head.iter().cloned().chain(who).chain(middle.iter().cloned()).chain(extra);
            all.chain(overrides.iter().cloned()).collect::<Vec<_>>().join("\n")
        };
        if !self.query.contains_key("skoid") {
            return vec![whole(&["si"], 0)];
        }
        let key = ["skoid", "sktid", "skt", "ske", "sks", "skv"];
        let agents = [&key[..], &["saoid", "suoid", "scid"]].concat();
        let users = [&agents[..], &["skdutid", "sduoid"]].concat();
        vec![whole(&users, 2), whole(&users, 0), whole(&agents, 0), whole(&key, 0)]
    }
}

/// The key of a user delegation: it follows from the account's and from what it says of itself.
pub(crate) fn delegation_key(key: &str, said: &dyn Fn(&str) -> String) -> Option<String> {
    let lines = ["skoid", "sktid", "skt", "ske", "sks", "skv"].map(said);
    sign(key, &format!("user delegation\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::account::{ACCOUNT, KEY};
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp(1_795_269_134_000_000);
    const RESOURCE: Resource<'static> =
        Resource { service: Service::Blob, account: ACCOUNT, container: "c", blob: "a b", snapshot: "" };
    const READ: Need = Need { kind: 'o', letters: "r", by_resource: true };

    fn query(pairs: &[(&str, &str)]) -> Query {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn asked(query: &Query, need: Need) -> Asked<'_> {
        Asked { query, key: KEY, need, resource: RESOURCE, now: NOW }
    }

    fn signed(pairs: &[(&str, &str)]) -> Query {
        let mut query = query(pairs);
        let text = if query.contains_key("ss") {
            asked(&query, READ).account_text(pairs[0].1)
        } else {
            asked(&query, READ).resource_texts(pairs[0].1).remove(0)
        };
        query.insert("sig".into(), sign(KEY, &text).unwrap());
        query
    }

    fn name(result: Result<String, Fault>) -> String {
        result.unwrap_or_else(|fault| fault.code.name.to_owned())
    }

    #[test]
    fn a_service_sas_opens_what_it_says_while_it_lasts() {
        let base = [("sv", "2026-10-06"), ("sr", "b"), ("sp", "r"), ("se", "2027-01-01T00:00:00Z")];
        let check = |query: &Query, need| name(asked(query, need).check(|_| None));
        let good = signed(&base);
        assert_eq!(check(&good, READ), "r");
        assert_eq!(check(&good, Need { letters: "w", ..READ }), "AuthorizationPermissionMismatch");
        assert_eq!(check(&good, Need { by_resource: false, ..READ }), "AuthorizationResourceTypeMismatch");
        let mut forged = good.clone();
        forged.insert("sp".into(), "rw".into());
        assert_eq!(check(&forged, READ), "AuthenticationFailed");
        let with = |name: &'static str, value: &'static str| {
            let mut all = base.to_vec();
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
            check(&signed(&all), READ)
        };
        assert_eq!(with("se", "2026-01-01"), "AuthenticationFailed");
        assert_eq!(with("st", "2026-12-24T00:00Z"), "AuthenticationFailed");
        assert_eq!(with("spr", "https"), "AuthorizationProtocolMismatch");
        assert_eq!(with("sip", "10.0.0.1"), "AuthorizationSourceIPMismatch");
        assert_eq!(with("sip", "127.0.0.0-127.0.0.9"), "r");
        assert_eq!(with("rsct", "text/html"), "r");
        assert_eq!(with("si", "none"), "AuthenticationFailed");
    }

    #[test]
    fn a_stored_policy_says_what_the_signature_does_not() {
        let stored = signed(&[("sv", "2026-10-06"), ("sr", "c"), ("si", "readers")]);
        let policy = |expiry: &str| Policy {
            id: "readers".into(),
            start: String::new(),
            expiry: expiry.into(),
            permission: "rl".into(),
        };
        let check = |expiry: &'static str| {
            name(asked(&stored, READ).check(|id| (id == "readers").then(|| policy(expiry))))
        };
        assert_eq!(check("2027-01-01T00:00:00.0000000Z"), "rl");
        assert_eq!(check("2026-01-01"), "AuthenticationFailed");
    }

    #[test]
    fn an_account_sas_names_services_and_kinds() {
        let sas = |ss, srt| {
            signed(&[("sv", "2018-03-28"), ("ss", ss), ("srt", srt), ("sp", "rl"), ("se", "2027-01-01")])
        };
        let check = |query: &Query| name(asked(query, READ).check(|_| None));
        assert_eq!(check(&sas("bq", "sco")), "rl");
        assert_eq!(check(&sas("q", "sco")), "AuthorizationServiceMismatch");
        assert_eq!(check(&sas("b", "sc")), "AuthorizationResourceTypeMismatch");
    }

    #[test]
    fn a_user_delegation_is_signed_with_a_key_that_follows_from_the_accounts() {
        let mut query: BTreeMap<_, _> = query(&[
            ("sv", "2026-10-06"),
            ("sr", "b"),
            ("sp", "r"),
            ("se", "2027-01-01"),
            ("skoid", "o"),
            ("sktid", "t"),
            ("skt", "2026-11-01"),
            ("ske", "2026-12-01"),
            ("sks", "b"),
            ("skv", "2026-10-06"),
        ]);
        let key = delegation_key(KEY, &|name| query.get(name).cloned().unwrap_or_default()).unwrap();
        let texts = asked(&query, READ).resource_texts("2026-10-06");
        for text in texts {
            query.insert("sig".into(), sign(&key, &text).unwrap());
            assert_eq!(name(asked(&query, READ).check(|_| None)), "r");
        }
        query.insert("ske".into(), "2026-12-02".into());
        assert_eq!(name(asked(&query, READ).check(|_| None)), "AuthenticationFailed", "another key");
    }
}
