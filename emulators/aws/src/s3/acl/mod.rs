//! Access control lists: who may do what with a bucket or an object, as clients say it and as it is kept.
//!
//! Follows "Access control list (ACL) overview" of the Amazon S3 user guide. They are kept in every mode; only where
//! signatures are verified does anything depend on them.

mod canned;

use super::encode::{self, DECLARATION};
use super::fault::{Code, Fault};
use super::kept::Kind;
use super::tree::Element;
use http::HeaderMap;
use mlemu_engine::objects::{BucketView, Documents};
use quick_xml::escape::escape;
use std::fmt::Write as _;

/// Under which name the store keeps a list, and an owner who is not the bucket's.
pub(super) const DOCUMENT: &str = "AccessControlPolicy";
pub(super) const OWNER: &str = "Owner";

const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// Most grants of a list.
const MOST: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

impl Permission {
    const ALL: [(Permission, &'static str, &'static str); 5] = [
        (Permission::FullControl, "FULL_CONTROL", "x-amz-grant-full-control"),
        (Permission::Read, "READ", "x-amz-grant-read"),
        (Permission::Write, "WRITE", "x-amz-grant-write"),
        (Permission::ReadAcp, "READ_ACP", "x-amz-grant-read-acp"),
        (Permission::WriteAcp, "WRITE_ACP", "x-amz-grant-write-acp"),
    ];

    fn text(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    fn includes(self, other: Permission) -> bool {
        self == other || self == Permission::FullControl
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grantee {
    /// An account's canonical id.
    Canonical(String),
    Group(&'static str),
}

impl Grantee {
    fn group(uri: &str) -> Option<Self> {
        [EVERYBODY, AUTHENTICATED, LOG_DELIVERY].into_iter().find(|known| *known == uri).map(Grantee::Group)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

/// A list, and whose bucket or object it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl {
    /// Canonical id.
    pub owner: String,
    pub grants: Vec<Grant>,
}

impl Acl {
    /// The owner may do everything, and nobody else anything.
    pub fn private(owner: &str) -> Self {
        let grantee = Grantee::Canonical(owner.to_owned());
        Self { owner: owner.to_owned(), grants: vec![Grant { grantee, permission: Permission::FullControl }] }
    }

    /// What is kept, or the usual list of that owner.
    pub fn kept(documents: &Documents, owner: &str) -> Self {
        let kept = documents.get(DOCUMENT);
        let kept = kept.and_then(|text| Self::of_document(text.as_bytes(), owner).ok());
        kept.unwrap_or_else(|| Self::private(owner))
    }

    /// What a request asks for in its headers; `None`: nothing. `bucket_owner`: of the bucket that an object is in.
    pub fn of_headers(headers: &HeaderMap, owner: &str, bucket_owner: &str) -> Result<Option<Self>, Fault> {
        let canned = headers.get("x-amz-acl").and_then(|value| value.to_str().ok());
        let mut grants = Vec::new();
        for (permission, _, header) in Permission::ALL {
            for value in headers.get_all(header) {
                for grantee in value.to_str().unwrap_or_default().split(',') {
                    grants.push(Grant { grantee: grantee_of_header(grantee)?, permission });
                }
            }
        }
        match (canned, grants.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Ok(Some(Self { owner: owner.to_owned(), grants })),
            (Some(name), true) => canned::read(name, owner, bucket_owner).map(Some),
            (Some(_), false) => Err(Fault::because(
                Code::InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed",
            )),
        }
    }

    /// Of the document that a client sends. The owner stays who it is.
    pub fn of_document(body: &[u8], owner: &str) -> Result<Self, Fault> {
        let root = Element::parse(DOCUMENT, body)?;
        let named = root.child("Owner").and_then(|owner| owner.text_of("ID"));
        if named.is_some_and(|named| named != owner) {
            return Err(Code::AccessDenied.into());
        }
        let list = root.child("AccessControlList").ok_or(Code::MalformedACLError)?;
        let grants: Vec<Grant> = list.children.iter().map(grant).collect::<Result<_, _>>()?;
        if grants.len() > MOST {
            return Err(Code::MalformedACLError.into());
        }
        Ok(Self { owner: owner.to_owned(), grants })
    }

    pub fn document(&self) -> String {
        let owner = escape(self.owner.as_str());
        let mut text = format!(
            "{DECLARATION}<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{owner}</ID></Owner><AccessControlList>"
        );
        for grant in &self.grants {
            let (kind, inside) = match &grant.grantee {
                Grantee::Canonical(id) => ("CanonicalUser", format!("<ID>{}</ID>", escape(id.as_str()))),
                Grantee::Group(uri) => ("Group", format!("<URI>{uri}</URI>")),
            };
            let _ = write!(
                text,
                "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{inside}</Grantee><Permission>{}</Permission></Grant>",
                grant.permission.text()
            );
        }
        text.push_str("</AccessControlList></AccessControlPolicy>");
        text
    }

    /// Whether it lets everybody do something.
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant.grantee, Grantee::Group(EVERYBODY | AUTHENTICATED)))
    }

    /// Whether `who`, a canonical id or nobody known, may do this. `groups`: grants to groups count.
    pub fn allows(&self, who: Option<&str>, permission: Permission, groups: bool) -> bool {
        self.grants.iter().any(|grant| {
            let is_meant = match &grant.grantee {
                Grantee::Canonical(id) => who == Some(id),
                Grantee::Group(EVERYBODY) => groups,
                Grantee::Group(AUTHENTICATED) => groups && who.is_some(),
                Grantee::Group(_) => false,
            };
            is_meant && grant.permission.includes(permission)
        })
    }
}

/// `id="..."`, `uri="..."` or `emailAddress="..."`.
fn grantee_of_header(text: &str) -> Result<Grantee, Fault> {
    let invalid = || Fault::because(Code::InvalidArgument, "Argument format not recognized");
    let (kind, value) = text.trim().split_once('=').ok_or_else(invalid)?;
    let value = value.trim_matches('"');
    match kind {
        "id" => checked_id(value),
        "uri" => Grantee::group(value).ok_or_else(|| Fault::argument("uri", value, "Invalid group uri")),
        "emailAddress" => Err(Code::UnresolvableGrantByEmailAddress.into()),
        _ => Err(invalid()),
    }
}

/// Sixty-four hexadecimal digits.
fn checked_id(id: &str) -> Result<Grantee, Fault> {
    if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Grantee::Canonical(id.to_owned()))
    } else {
        Err(Fault::argument("CanonicalUser/ID", id, "Invalid id"))
    }
}

fn grant(element: &Element) -> Result<Grant, Fault> {
    let malformed = || Fault::new(Code::MalformedACLError);
    let permission = element.text_of("Permission").unwrap_or_default();
    let permission = Permission::ALL.iter().find(|row| row.1 == permission).ok_or_else(malformed)?.0;
    let grantee = element.child("Grantee").ok_or_else(malformed)?;
    let kind = grantee.attributes.iter().find(|(name, _)| name == "type");
    let kind = kind.map_or("", |(_, kind)| kind.rsplit(':').next().unwrap_or_default());
    let grantee = match kind {
        "CanonicalUser" => checked_id(grantee.text_of("ID").unwrap_or_default())?,
        "Group" => Grantee::group(grantee.text_of("URI").unwrap_or_default())
            .ok_or_else(|| Fault::because(Code::InvalidArgument, "Invalid group uri"))?,
        "AmazonCustomerByEmail" => return Err(Code::UnresolvableGrantByEmailAddress.into()),
        _ => return Err(malformed()),
    };
    Ok(Grant { grantee, permission })
}

/// The canonical id of whom a bucket belongs to.
pub(super) fn owner_of_bucket(bucket: &BucketView) -> String {
    encode::owner(bucket.id.account()).id
}

/// The canonical id of whom an object belongs to: its writer where that was another account, else the bucket's owner.
pub(super) fn owner_of_object(documents: &Documents, bucket: &BucketView) -> String {
    documents.get(OWNER).map_or_else(|| owner_of_bucket(bucket), ToString::to_string)
}

/// Refuses lists where the bucket's owner has turned them off, and public ones where those are blocked.
pub(super) fn check(bucket: &BucketView, acl: &Acl) -> Result<(), Fault> {
    let ownership = kept_text(bucket, Kind::Ownership);
    let is_plain = *acl == Acl::private(&acl.owner) || *acl == Acl::private(&owner_of_bucket(bucket));
    if ownership.is_some_and(|text| text.contains("BucketOwnerEnforced")) && !is_plain {
        return Err(Code::AccessControlListNotSupported.into());
    }
    if acl.is_public() && blocks(bucket, "BlockPublicAcls") {
        return Err(Code::AccessDenied.into());
    }
    Ok(())
}

fn kept_text(bucket: &BucketView, kind: Kind) -> Option<&str> {
    bucket.document(kind.name()).map(AsRef::as_ref)
}

/// Whether the bucket's public access block says so.
pub(super) fn blocks(bucket: &BucketView, what: &str) -> bool {
    let Some(text) = kept_text(bucket, Kind::PublicAccess) else { return false };
    let root = Element::parse(Kind::PublicAccess.name(), text.as_bytes());
    root.is_ok_and(|root| root.text_of(what).is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(account: &str) -> String {
        encode::owner(account).id
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_list_comes_back_as_it_was_sent() {
        let (me, other) = (id("1"), id("2"));
        let grant = format!("id=\"{other}\", uri=\"{EVERYBODY}\"");
        let asked =
            headers(&[("x-amz-grant-read", &grant), ("x-amz-grant-full-control", &format!("id={me}"))]);
        let acl = Acl::of_headers(&asked, &me, &me).unwrap().unwrap();
        assert_eq!(acl.grants.len(), 3);
        assert_eq!(Acl::of_document(acl.document().as_bytes(), &me).unwrap(), acl);
        assert!(acl.is_public() && acl.allows(None, Permission::Read, true));
        assert!(!acl.allows(None, Permission::Read, false), "groups are ignored");
        assert!(acl.allows(Some(&me), Permission::WriteAcp, true));
        assert!(!acl.allows(Some(&other), Permission::Write, true));
        assert_eq!(Acl::of_document(acl.document().as_bytes(), &other).unwrap_err().code, Code::AccessDenied);
    }

    #[test]
    fn what_is_no_list() {
        let me = id("1");
        for wrong in [
            &[("x-amz-acl", "open")][..],
            &[("x-amz-grant-read", "me")],
            &[("x-amz-grant-read", "id=7")],
            &[("x-amz-grant-read", "uri=http://x")],
            &[("x-amz-grant-read", "emailAddress=a@example.com")],
            &[("x-amz-acl", "private"), ("x-amz-grant-read", &format!("id={me}"))],
        ] {
            assert!(Acl::of_headers(&headers(wrong), &me, &me).is_err(), "{wrong:?}");
        }
        assert_eq!(Acl::of_headers(&headers(&[]), &me, &me), Ok(None));
        let text =
            "<AccessControlPolicy><AccessControlList><Grant/></AccessControlList></AccessControlPolicy>";
        assert!(Acl::of_document(text.as_bytes(), &me).is_err());
    }
}
