//! What a request asks for, by method, path and `comp`.

use crate::storage::address::{Address, Query};
use crate::storage::fault::{Fault, code};
use crate::storage::sas::Need;
use http::Method;
use http::request::Parts;

/// An operation and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    ListQueues,
    Create(String),
    Delete(String),
    GetMetadata(String),
    SetMetadata(String),
    Put(String),
    Get(String),
    Peek(String),
    Clear(String),
    DeleteMessage(String, String),
    Update(String, String),
    GetAcl(String),
    SetAcl(String),
    ServiceProperties,
    SetServiceProperties,
    ServiceStats,
}

/// What is here, by the vendor's names.
pub(super) const NAMES: [&str; 17] = [
    "ClearMessages",
    "CreateQueue",
    "DeleteMessage",
    "DeleteQueue",
    "GetMessages",
    "GetQueueACL",
    "GetQueueMetadata",
    "GetQueueServiceProperties",
    "GetQueueServiceStats",
    "ListQueues",
    "PeekMessages",
    "PreflightQueueRequest",
    "PutMessage",
    "SetQueueACL",
    "SetQueueMetadata",
    "SetQueueServiceProperties",
    "UpdateMessage",
];

impl Asked {
    /// The operation, by the vendor's name.
    pub fn name(&self) -> &'static str {
        match self {
            Asked::ListQueues => "ListQueues",
            Asked::Create(_) => "CreateQueue",
            Asked::Delete(_) => "DeleteQueue",
            Asked::GetMetadata(_) => "GetQueueMetadata",
            Asked::SetMetadata(_) => "SetQueueMetadata",
            Asked::GetAcl(_) => "GetQueueACL",
            Asked::SetAcl(_) => "SetQueueACL",
            Asked::Put(_) => "PutMessage",
            Asked::Get(_) => "GetMessages",
            Asked::Peek(_) => "PeekMessages",
            Asked::Clear(_) => "ClearMessages",
            Asked::DeleteMessage(..) => "DeleteMessage",
            Asked::Update(..) => "UpdateMessage",
            Asked::ServiceProperties => "GetQueueServiceProperties",
            Asked::SetServiceProperties => "SetQueueServiceProperties",
            Asked::ServiceStats => "GetQueueServiceStats",
        }
    }

    /// The queue that it is about; empty: the service.
    pub fn queue(&self) -> &str {
        match self {
            Asked::Create(queue)
            | Asked::Delete(queue)
            | Asked::GetMetadata(queue)
            | Asked::SetMetadata(queue)
            | Asked::GetAcl(queue)
            | Asked::SetAcl(queue)
            | Asked::Put(queue)
            | Asked::Get(queue)
            | Asked::Peek(queue)
            | Asked::Clear(queue)
            | Asked::DeleteMessage(queue, _)
            | Asked::Update(queue, _) => queue,
            Asked::ListQueues
            | Asked::ServiceProperties
            | Asked::SetServiceProperties
            | Asked::ServiceStats => "",
        }
    }

    pub fn need(&self) -> Need {
        let (kind, letters, by_resource) = match self {
            Asked::ListQueues => ('s', "l", false),
            Asked::ServiceProperties | Asked::ServiceStats => ('s', "r", false),
            Asked::SetServiceProperties => ('s', "w", false),
            Asked::Create(_) => ('c', "cw", false),
            Asked::Delete(_) => ('c', "d", false),
            Asked::GetMetadata(_) => ('c', "r", true),
            Asked::SetMetadata(_) => ('c', "w", false),
            Asked::GetAcl(_) | Asked::SetAcl(_) => ('c', "", false),
            Asked::Put(_) => ('o', "a", true),
            Asked::Get(_) | Asked::DeleteMessage(..) => ('o', "p", true),
            Asked::Peek(_) => ('o', "r", true),
            Asked::Clear(_) => ('o', "dp", true),
            Asked::Update(..) => ('o', "u", true),
        };
        Need { kind, letters, by_resource }
    }
}

pub(crate) fn asked(parts: &Parts, address: &Address, query: &Query) -> Result<Asked, Fault> {
    let said = |name: &str| query.get(name).map_or("", String::as_str);
    let (comp, restype) = (said("comp"), said("restype"));
    let words: Vec<&str> = address.rest.splitn(3, '/').filter(|word| !word.is_empty()).collect();
    let own = |word: &str| word.to_owned();
    Ok(match (&parts.method, words.as_slice(), comp) {
        (&Method::GET, [], "list") => Asked::ListQueues,
        (&Method::GET, [], "properties") if restype == "service" => Asked::ServiceProperties,
        (&Method::PUT, [], "properties") if restype == "service" => Asked::SetServiceProperties,
        (&Method::GET, [], "stats") if restype == "service" => Asked::ServiceStats,
        (&Method::PUT, [queue], "") => Asked::Create(own(queue)),
        (&Method::DELETE, [queue], "") => Asked::Delete(own(queue)),
        (&Method::GET | &Method::HEAD, [queue], "metadata") => Asked::GetMetadata(own(queue)),
        (&Method::PUT, [queue], "metadata") => Asked::SetMetadata(own(queue)),
        (&Method::GET | &Method::HEAD, [queue], "acl") => Asked::GetAcl(own(queue)),
        (&Method::PUT, [queue], "acl") => Asked::SetAcl(own(queue)),
        (&Method::POST, [queue, "messages"], _) => Asked::Put(own(queue)),
        (&Method::GET, [queue, "messages"], _) if said("peekonly") == "true" => Asked::Peek(own(queue)),
        (&Method::GET, [queue, "messages"], _) => Asked::Get(own(queue)),
        (&Method::DELETE, [queue, "messages"], _) => Asked::Clear(own(queue)),
        (&Method::DELETE, [queue, "messages", id], _) => Asked::DeleteMessage(own(queue), own(id)),
        (&Method::PUT, [queue, "messages", id], _) => Asked::Update(own(queue), own(id)),
        (_, [_, "messages", ..], _) => return Err(code::UnsupportedHttpVerb.into()),
        _ => return Err(code::ResourceNotFound.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_by_their_paths() {
        let of = |method: &str, uri: &str| -> Result<Asked, &'static str> {
            let (parts, ()) = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
            let address = Address::read(&parts).ok_or("nobody")?;
            asked(&parts, &address, &crate::storage::address::query(&parts)).map_err(|fault| fault.code.name)
        };
        assert_eq!(of("GET", "/devstoreaccount1?comp=list"), Ok(Asked::ListQueues));
        assert!(NAMES.contains(&Asked::Peek(String::new()).name()));
        assert_eq!(of("PUT", "/devstoreaccount1/jobs"), Ok(Asked::Create("jobs".into())));
        assert_eq!(
            of("GET", "/devstoreaccount1/jobs/messages?numofmessages=3"),
            Ok(Asked::Get("jobs".into()))
        );
        assert_eq!(
            of("GET", "/devstoreaccount1/jobs/messages?peekonly=true"),
            Ok(Asked::Peek("jobs".into()))
        );
        let update = of("PUT", "/devstoreaccount1/jobs/messages/a%2Fb?popreceipt=x&visibilitytimeout=0");
        assert_eq!(update, Ok(Asked::Update("jobs".into(), "a/b".into())));
        assert_eq!(of("GET", "/devstoreaccount1/jobs?comp=acl"), Ok(Asked::GetAcl("jobs".into())));
        assert_eq!(of("PATCH", "/devstoreaccount1/jobs/messages"), Err("UnsupportedHttpVerb"));
        assert_eq!(of("GET", "/devstoreaccount1/jobs"), Err("ResourceNotFound"));
        assert_eq!(of("GET", "/"), Err("nobody"));
    }
}
