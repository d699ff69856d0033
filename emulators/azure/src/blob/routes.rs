//! What a request asks for, by method, path, `restype` and `comp`; and what its bearer has to be allowed for it.

use crate::storage::address::{self, Address, Query};
use crate::storage::fault::{Fault, code};
use crate::storage::names;
use crate::storage::sas::Need;
use http::Method;
use http::request::Parts;

/// The container of blobs that are named without one.
pub(super) const ROOT: &str = "$root";
/// Containers that are the service's own.
const OWN: [&str; 3] = ["$root", "$web", "$logs"];
/// Longest name of a blob, in characters.
const LONGEST: usize = 1024;

macro_rules! operations {
    ($($name:ident,)*) => {
        /// What is here, by the vendor's names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($name,)*
        }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

operations! {
    ListContainers,
    GetBlobServiceProperties,
    SetBlobServiceProperties,
    GetBlobServiceStats,
    GetUserDelegationKey,
    GetAccountInformation,
    BlobBatch,
    FindBlobsByTags,
    CreateContainer,
    GetContainerProperties,
    DeleteContainer,
    SetContainerMetadata,
    GetContainerACL,
    SetContainerACL,
    LeaseContainer,
    ListBlobs,
    PutBlob,
    PutBlobFromURL,
    CopyBlob,
    CopyBlobFromURL,
    AbortCopyBlob,
    GetBlob,
    GetBlobProperties,
    DeleteBlob,
    GetBlobMetadata,
    SetBlobMetadata,
    SetBlobProperties,
    LeaseBlob,
    SnapshotBlob,
    GetBlobTags,
    SetBlobTags,
    SetBlobTier,
    PutBlock,
    PutBlockFromURL,
    PutBlockList,
    GetBlockList,
    AppendBlock,
    AppendBlockFromURL,
    AppendBlobSeal,
    PutPage,
    PutPageFromURL,
    GetPageRanges,
}

/// What the vendor has and mlemu has not.
pub(super) const MISSING: [&str; 9] = [
    "DeleteImmutabilityPolicy",
    "IncrementalCopyBlob",
    "QueryBlobContents",
    "RenameContainer",
    "RestoreContainer",
    "SetBlobExpiry",
    "SetBlobImmutabilityPolicy",
    "SetBlobLegalHold",
    "UndeleteBlob",
];

impl Operation {
    pub fn need(self) -> Need {
        use Operation as Op;
        let (kind, letters, by_resource) = match self {
            Op::ListContainers => ('s', "l", false),
            Op::GetBlobServiceProperties | Op::GetBlobServiceStats => ('s', "r", false),
            Op::SetBlobServiceProperties => ('s', "w", false),
            Op::GetUserDelegationKey => ('s', "", false),
            Op::GetAccountInformation => ('s', "rwdlacupfti", true),
            // Each request within is asked for itself.
            Op::BlobBatch => ('c', "dwrlcta", true),
            Op::FindBlobsByTags => ('s', "f", true),
            Op::CreateContainer => ('c', "cw", false),
            Op::GetContainerProperties => ('c', "r", false),
            Op::DeleteContainer => ('c', "d", false),
            Op::SetContainerMetadata => ('c', "w", false),
            Op::GetContainerACL | Op::SetContainerACL => ('c', "", false),
            Op::LeaseContainer => ('c', "wd", false),
            Op::ListBlobs => ('c', "l", true),
            Op::GetBlob
            | Op::GetBlobProperties
            | Op::GetBlobMetadata
            | Op::GetBlockList
            | Op::GetPageRanges => ('o', "r", true),
            Op::DeleteBlob => ('o', "d", true),
            Op::GetBlobTags | Op::SetBlobTags => ('o', "t", true),
            Op::AppendBlock | Op::AppendBlockFromURL => ('o', "aw", true),
            Op::PutBlob | Op::PutBlobFromURL | Op::CopyBlob | Op::CopyBlobFromURL | Op::SnapshotBlob => {
                ('o', "cw", true)
            }
            Op::LeaseBlob => ('o', "wd", true),
            _ => ('o', "w", true),
        };
        Need { kind, letters, by_resource }
    }
}

/// An operation and what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub operation: Operation,
    pub query: Query,
    pub container: String,
    pub blob: String,
}

pub(crate) fn asked(parts: &Parts, address: &Address) -> Result<Asked, Fault> {
    let query = address::query(parts);
    let said = |name: &str| query.get(name).map_or("", String::as_str);
    let (restype, comp) = (said("restype"), said("comp"));
    let (container, blob) = match address.split() {
        // A blob of the root container goes without its name.
        (name, "")
            if !name.is_empty()
                && restype != "container"
                && restype != "account"
                && !is_of_container(comp) =>
        {
            (ROOT, name)
        }
        found => found,
    };
    let found = match (container, blob) {
        ("", _) => of_service(&parts.method, restype, comp),
        (_, "") => of_container(&parts.method, restype, comp),
        _ => of_blob(parts, restype, comp),
    };
    let operation = found?;
    let snapshot = said("snapshot");
    if !snapshot.is_empty() && parts.method == Method::PUT && operation != Operation::SetBlobTier {
        // It is as it was, for ever.
        return Err(Fault::parameter("snapshot", snapshot));
    }
    if !container.is_empty() {
        check_container(container)?;
    }
    if blob.chars().count() > LONGEST || blob.contains('\0') {
        return Err(code::InvalidResourceName.into());
    }
    let (container, blob) = (container.to_owned(), blob.to_owned());
    Ok(Asked { operation, query, container, blob })
}

fn is_of_container(comp: &str) -> bool {
    matches!(comp, "list" | "acl" | "batch" | "blobs")
}

fn of_service(method: &Method, restype: &str, comp: &str) -> Result<Operation, Fault> {
    Ok(match (method, restype, comp) {
        (&Method::GET, "", "list") => Operation::ListContainers,
        (&Method::GET, "service", "properties") => Operation::GetBlobServiceProperties,
        (&Method::PUT, "service", "properties") => Operation::SetBlobServiceProperties,
        (&Method::GET, "service", "stats") => Operation::GetBlobServiceStats,
        (&Method::POST, "service", "userdelegationkey") => Operation::GetUserDelegationKey,
        (&Method::GET | &Method::HEAD, "account", "properties") => Operation::GetAccountInformation,
        // Where the account is in the path, Node's client takes it for a container.
        (&Method::POST, "" | "container", "batch") => Operation::BlobBatch,
        (&Method::GET, _, "blobs") => Operation::FindBlobsByTags,
        _ => return Err(code::InvalidUri.into()),
    })
}

fn of_container(method: &Method, restype: &str, comp: &str) -> Result<Operation, Fault> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    Ok(match (method, restype, comp) {
        (&Method::PUT, "container", "") => Operation::CreateContainer,
        (&Method::DELETE, "container", "") => Operation::DeleteContainer,
        (_, "container", "" | "metadata") if is_read => Operation::GetContainerProperties,
        (&Method::PUT, "container", "metadata") => Operation::SetContainerMetadata,
        (_, "container", "acl") if is_read => Operation::GetContainerACL,
        (&Method::PUT, "container", "acl") => Operation::SetContainerACL,
        (&Method::PUT, "container" | "", "lease") => Operation::LeaseContainer,
        (&Method::GET, "container", "list") => Operation::ListBlobs,
        (&Method::GET, "container", "blobs") => Operation::FindBlobsByTags,
        (&Method::POST, "container", "batch") => Operation::BlobBatch,
        (_, "account", "properties") if is_read => Operation::GetAccountInformation,
        (&Method::PUT, "container", "undelete" | "rename") => return Err(code::NotImplemented.into()),
        _ => return Err(code::InvalidUri.into()),
    })
}

fn of_blob(parts: &Parts, restype: &str, comp: &str) -> Result<Operation, Fault> {
    let has = |name: &str| parts.headers.contains_key(name);
    let from_url = has("x-ms-copy-source");
    let either = |from: Operation, own: Operation| if from_url { from } else { own };
    Ok(match (&parts.method, comp) {
        (&Method::GET | &Method::HEAD, "properties") if restype == "account" => {
            Operation::GetAccountInformation
        }
        (&Method::PUT, "") if from_url && has("x-ms-blob-type") => Operation::PutBlobFromURL,
        (&Method::PUT, "") if from_url && has("x-ms-requires-sync") => Operation::CopyBlobFromURL,
        (&Method::PUT, "") => either(Operation::CopyBlob, Operation::PutBlob),
        (&Method::PUT, "copy") => Operation::AbortCopyBlob,
        (&Method::GET, "") => Operation::GetBlob,
        (&Method::HEAD, "") => Operation::GetBlobProperties,
        (&Method::DELETE, "") => Operation::DeleteBlob,
        (&Method::GET | &Method::HEAD, "metadata") => Operation::GetBlobMetadata,
        (&Method::PUT, "metadata") => Operation::SetBlobMetadata,
        (&Method::PUT, "properties") => Operation::SetBlobProperties,
        (&Method::PUT, "lease") => Operation::LeaseBlob,
        (&Method::PUT, "snapshot") => Operation::SnapshotBlob,
        (&Method::GET, "tags") => Operation::GetBlobTags,
        (&Method::PUT, "tags") => Operation::SetBlobTags,
        (&Method::PUT, "tier") => Operation::SetBlobTier,
        (&Method::PUT, "block") => either(Operation::PutBlockFromURL, Operation::PutBlock),
        (&Method::PUT, "blocklist") => Operation::PutBlockList,
        (&Method::GET, "blocklist") => Operation::GetBlockList,
        (&Method::PUT, "appendblock") => either(Operation::AppendBlockFromURL, Operation::AppendBlock),
        (&Method::PUT, "seal") => Operation::AppendBlobSeal,
        (&Method::PUT, "page") => either(Operation::PutPageFromURL, Operation::PutPage),
        (&Method::GET, "pagelist") => Operation::GetPageRanges,
        (_, "query" | "undelete" | "incrementalcopy" | "expiry" | "immutabilityPolicies" | "legalhold") => {
            return Err(code::NotImplemented.into());
        }
        (&Method::GET | &Method::HEAD | &Method::PUT | &Method::POST | &Method::DELETE, _) => {
            return Err(Fault::parameter("comp", comp));
        }
        _ => return Err(code::UnsupportedHttpVerb.into()),
    })
}

/// The service's own containers begin with what nobody else's may.
pub(super) fn check_container(name: &str) -> Result<(), Fault> {
    if OWN.contains(&name) { Ok(()) } else { names::check(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, uri: &str) -> Result<(Operation, String, String), &'static str> {
        let parts = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
        let address = Address::read(&parts).ok_or("nobody")?;
        let asked = asked(&parts, &address).map_err(|fault| fault.code.name)?;
        Ok((asked.operation, asked.container, asked.blob))
    }

    #[test]
    fn operations_by_their_paths() {
        let name = |method, path: &str| {
            of(method, &format!("/devstoreaccount1{path}")).map(|(operation, ..)| operation)
        };
        assert_eq!(name("GET", "?comp=list"), Ok(Operation::ListContainers));
        assert_eq!(name("PUT", "/pics?restype=container"), Ok(Operation::CreateContainer));
        assert_eq!(name("GET", "/pics?restype=container&comp=list&prefix=a"), Ok(Operation::ListBlobs));
        assert_eq!(name("PUT", "/pics/a/b.png"), Ok(Operation::PutBlob));
        assert_eq!(name("PUT", "/pics/a?comp=block&blockid=x"), Ok(Operation::PutBlock));
        assert_eq!(name("GET", "/pics/a?comp=pagelist"), Ok(Operation::GetPageRanges));
        assert_eq!(name("PUT", "/pics/a?comp=undelete"), Err("NotImplemented"));
        assert_eq!(name("PUT", "/pics/a?comp=own"), Err("InvalidQueryParameterValue"));
        assert_eq!(name("PATCH", "/pics/a"), Err("UnsupportedHttpVerb"));
        assert_eq!(name("POST", "/pics?restype=container&comp=list"), Err("InvalidUri"));
        assert_eq!(name("GET", "/pi/a"), Err("OutOfRangeInput"));
        for bad in ["/Pics/a", "/a--b/x", "/-ab/x", "/pics-/x", "/..%2f../x"] {
            assert_eq!(name("GET", bad), Err("InvalidResourceName"), "{bad}");
        }
    }

    #[test]
    fn a_blob_without_a_container_is_of_the_root() {
        let found = of("GET", "/devstoreaccount1/robots.txt").unwrap();
        assert_eq!((found.1.as_str(), found.2.as_str()), (ROOT, "robots.txt"));
        let deep = of("GET", "/devstoreaccount1/pics/a%2Fb/c%3F").unwrap();
        assert_eq!((deep.1.as_str(), deep.2.as_str()), ("pics", "a/b/c?"));
    }
}
