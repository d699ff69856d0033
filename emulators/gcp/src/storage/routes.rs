//! What a method and a path mean.
//!
//! Clients differ in what they put before `/b`: Python says `/storage/v1`, Node nothing, uploads and downloads
//! have prefixes of their own, and some have two. Names are percent-encoded, slashes in them as well.

use super::acl::Of;
use super::fault::Fault;
use super::ops::acl::List;
use http::Method;
use percent_encoding::percent_decode_str;

/// An object's bucket and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub bucket: String,
    pub object: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    ListBuckets,
    InsertBucket,
    GetBucket {
        bucket: String,
    },
    GetLayout {
        bucket: String,
    },
    ListManagedFolders {
        bucket: String,
    },
    PatchBucket {
        bucket: String,
        replaces: bool,
    },
    DeleteBucket {
        bucket: String,
    },
    ListObjects {
        bucket: String,
    },
    /// `media`: the path itself asks for the bytes.
    Get {
        name: Name,
        media: bool,
    },
    Patch {
        name: Name,
        replaces: bool,
    },
    Delete {
        name: Name,
    },
    Upload {
        bucket: String,
    },
    Resume,
    Cancel,
    Compose {
        name: Name,
    },
    /// `rewrites`: in the form that large objects need several calls for.
    Copy {
        from: Name,
        to: Name,
        rewrites: bool,
    },
    LockRetention {
        bucket: String,
    },
    /// An access list, or one entry of it.
    Access {
        list: List,
        entity: Option<String>,
        method: Method,
    },
    Rename {
        from: Name,
        to: Name,
    },
    GetPolicy {
        bucket: String,
    },
    SetPolicy {
        bucket: String,
    },
    TestPermissions {
        bucket: String,
    },
    HmacKeys {
        project: String,
        id: Option<String>,
        method: Method,
    },
    ServiceAccount,
    Batch,
    ListNotifications {
        bucket: String,
    },
    InsertNotification {
        bucket: String,
    },
    GetNotification {
        bucket: String,
        id: String,
    },
    DeleteNotification {
        bucket: String,
        id: String,
    },
    Unsupported {
        operation: String,
    },
}

/// What stands before `/b`, longest first.
const PREFIXES: [(&str, Kind); 7] = [
    ("/storage/v1/upload/storage/v1", Kind::Upload),
    ("/resumable/upload/storage/v1", Kind::Upload),
    ("/upload/storage/v1", Kind::Upload),
    ("/download/storage/v1", Kind::Download),
    ("/storage/v1", Kind::Plain),
    ("/upload", Kind::Upload),
    ("", Kind::Plain),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Upload,
    Download,
}

fn split(path: &str) -> Option<(Kind, &str)> {
    PREFIXES.iter().find_map(|(prefix, kind)| {
        let rest = path.strip_prefix(prefix)?.strip_prefix("/b")?;
        (rest.is_empty() || rest.starts_with('/')).then_some((*kind, rest))
    })
}

pub(super) fn is_storage(path: &str) -> bool {
    split(path).is_some()
        || of_project(path).is_some()
        || path.starts_with("/storage/v1/")
        || path.starts_with(super::trouble::PATH)
        || path.starts_with("/batch/storage/")
}

pub(super) fn operation(method: &Method, path: &str) -> Result<Op, Fault> {
    let unsupported = || Op::Unsupported { operation: format!("{method} {path}") };
    if path.starts_with("/batch/storage/") && *method == Method::POST {
        return Ok(Op::Batch);
    }
    if let Some(op) = of_project(path).and_then(|(project, rest)| project_op(method, project, &rest)) {
        return Ok(op);
    }
    let Some((kind, rest)) = split(path) else { return Ok(unsupported()) };
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    let op = match (kind, segments.as_slice()) {
        (Kind::Upload, [bucket, "o"]) => upload(method, decoded(bucket)?),
        (Kind::Upload, _) => None,
        (_, [] | [""]) => buckets(method),
        (_, [bucket]) => one_bucket(method, decoded(bucket)?),
        (_, [bucket, "storageLayout"]) if *method == Method::GET => {
            Some(Op::GetLayout { bucket: decoded(bucket)? })
        }
        (_, [bucket, "managedFolders"]) if *method == Method::GET => {
            Some(Op::ListManagedFolders { bucket: decoded(bucket)? })
        }
        (_, [bucket, "iam"]) => policy(method, decoded(bucket)?),
        (_, [bucket, "iam", "testPermissions"]) if *method == Method::GET => {
            Some(Op::TestPermissions { bucket: decoded(bucket)? })
        }
        (_, [bucket, "lockRetentionPolicy"]) if *method == Method::POST => {
            Some(Op::LockRetention { bucket: decoded(bucket)? })
        }
        (_, [bucket, "acl", entity @ ..]) => access(method, Of::Bucket, decoded(bucket)?, "", entity)?,
        (_, [bucket, "defaultObjectAcl", entity @ ..]) => {
            access(method, Of::Default, decoded(bucket)?, "", entity)?
        }
        (_, [bucket, "notificationConfigs", id @ ..]) => notifications(method, decoded(bucket)?, id),
        (_, [bucket, "o"]) => objects(method, decoded(bucket)?),
        (_, [bucket, "o", object @ ..]) => {
            let bucket = decoded(bucket)?;
            object_op(method, kind == Kind::Download, &bucket, object)?
        }
        _ => None,
    };
    Ok(op.unwrap_or_else(unsupported))
}

fn buckets(method: &Method) -> Option<Op> {
    match *method {
        Method::GET => Some(Op::ListBuckets),
        Method::POST => Some(Op::InsertBucket),
        _ => None,
    }
}

fn one_bucket(method: &Method, bucket: String) -> Option<Op> {
    match *method {
        Method::GET => Some(Op::GetBucket { bucket }),
        Method::PATCH => Some(Op::PatchBucket { bucket, replaces: false }),
        Method::PUT => Some(Op::PatchBucket { bucket, replaces: true }),
        Method::DELETE => Some(Op::DeleteBucket { bucket }),
        _ => None,
    }
}

/// `/projects/PROJECT/hmacKeys` and its like, with or without what stands before them.
fn of_project(path: &str) -> Option<(&str, Vec<&str>)> {
    let rest = path.strip_prefix("/storage/v1").unwrap_or(path).strip_prefix("/projects/")?;
    let mut segments = rest.split('/');
    let project = segments.next()?;
    let rest: Vec<&str> = segments.collect();
    matches!(rest.first(), Some(&("hmacKeys" | "serviceAccount"))).then_some((project, rest))
}

fn project_op(method: &Method, project: &str, rest: &[&str]) -> Option<Op> {
    let project = project.to_owned();
    match (method, rest) {
        (&Method::GET, ["serviceAccount"]) => Some(Op::ServiceAccount),
        (&Method::GET | &Method::POST, ["hmacKeys"]) => {
            Some(Op::HmacKeys { project, id: None, method: method.clone() })
        }
        (&Method::GET | &Method::PUT | &Method::DELETE, ["hmacKeys", id]) => {
            Some(Op::HmacKeys { project, id: Some((*id).into()), method: method.clone() })
        }
        _ => None,
    }
}

fn policy(method: &Method, bucket: String) -> Option<Op> {
    match *method {
        Method::GET => Some(Op::GetPolicy { bucket }),
        Method::PUT => Some(Op::SetPolicy { bucket }),
        _ => None,
    }
}

fn access(
    method: &Method,
    of: Of,
    bucket: String,
    object: &str,
    entity: &[&str],
) -> Result<Option<Op>, Fault> {
    let allowed: &[Method] = match entity {
        [] => &[Method::GET, Method::POST],
        [_] => &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
        _ => &[],
    };
    if !allowed.contains(method) {
        return Ok(None);
    }
    let list = List { of, name: Name { bucket, object: decoded(object)? } };
    let entity = entity.first().map(|entity| decoded(entity)).transpose()?;
    Ok(Some(Op::Access { list, entity, method: method.clone() }))
}

fn notifications(method: &Method, bucket: String, id: &[&str]) -> Option<Op> {
    match (method, id) {
        (&Method::GET, []) => Some(Op::ListNotifications { bucket }),
        (&Method::POST, []) => Some(Op::InsertNotification { bucket }),
        (&Method::GET, [id]) => Some(Op::GetNotification { bucket, id: (*id).into() }),
        (&Method::DELETE, [id]) => Some(Op::DeleteNotification { bucket, id: (*id).into() }),
        _ => None,
    }
}

fn objects(method: &Method, bucket: String) -> Option<Op> {
    match *method {
        Method::GET => Some(Op::ListObjects { bucket }),
        Method::POST => Some(Op::Upload { bucket }),
        _ => None,
    }
}

fn upload(method: &Method, bucket: String) -> Option<Op> {
    match *method {
        Method::POST => Some(Op::Upload { bucket }),
        Method::PUT => Some(Op::Resume),
        Method::DELETE => Some(Op::Cancel),
        _ => None,
    }
}

/// Slashes that a client left alone belong to the name.
fn object_op(method: &Method, media: bool, bucket: &str, object: &[&str]) -> Result<Option<Op>, Fault> {
    let name = |segments: &[&str]| -> Result<Name, Fault> {
        Ok(Name { bucket: bucket.to_owned(), object: decoded(&segments.join("/"))? })
    };
    if let (&Method::POST, Some((verb, at))) = (method, copying(object)) {
        let to = Name { bucket: decoded(object[at + 2])?, object: decoded(&object[at + 4..].join("/"))? };
        return Ok(Some(Op::Copy { from: name(&object[..at])?, to, rewrites: verb == "rewriteTo" }));
    }
    Ok(match (method, object) {
        (&Method::POST, [from @ .., "moveTo", "o", to]) if !from.is_empty() => {
            Some(Op::Rename { from: name(from)?, to: name(&[to])? })
        }
        (&Method::POST, [to @ .., "compose"]) if !to.is_empty() => Some(Op::Compose { name: name(to)? }),
        (_, [object, "acl", entity @ ..]) => access(method, Of::Object, bucket.to_owned(), object, entity)?,
        (&Method::GET, object) => Some(Op::Get { name: name(object)?, media }),
        (&Method::PATCH, object) => Some(Op::Patch { name: name(object)?, replaces: false }),
        (&Method::PUT, object) => Some(Op::Patch { name: name(object)?, replaces: true }),
        (&Method::DELETE, object) => Some(Op::Delete { name: name(object)? }),
        _ => None,
    })
}

/// Where `copyTo/b/BUCKET/o/OBJECT` begins, behind the source's name and before the target's.
fn copying<'a>(object: &[&'a str]) -> Option<(&'a str, usize)> {
    let at = object.windows(4).position(|window| matches!(window, ["copyTo" | "rewriteTo", "b", _, "o"]))?;
    (at > 0 && object.len() > at + 4).then(|| (object[at], at))
}

fn decoded(text: &str) -> Result<String, Fault> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| Fault::invalid("The name is not valid UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str) -> Op {
        operation(&method, path).unwrap()
    }

    fn name(bucket: &str, object: &str) -> Name {
        Name { bucket: bucket.into(), object: object.into() }
    }

    #[test]
    fn every_client_finds_its_path() {
        let list = Op::ListObjects { bucket: "b".into() };
        assert_eq!(of(Method::GET, "/storage/v1/b/b/o"), list);
        assert_eq!(of(Method::GET, "/b/b/o"), list);
        for path in [
            "/upload/storage/v1/b/b/o",
            "/storage/v1/upload/storage/v1/b/b/o",
            "/resumable/upload/storage/v1/b/b/o",
            "/upload/b/b/o",
        ] {
            assert_eq!(of(Method::POST, path), Op::Upload { bucket: "b".into() }, "{path}");
        }
        let get = |media| Op::Get { name: name("b", "a/ü 1"), media };
        assert_eq!(of(Method::GET, "/download/storage/v1/b/b/o/a%2F%C3%BC%201"), get(true));
        assert_eq!(of(Method::GET, "/storage/v1/b/b/o/a/%C3%BC%201"), get(false));
    }

    #[test]
    fn copies_and_compositions() {
        let copy = Op::Copy { from: name("b", "x"), to: name("c", "y/z"), rewrites: true };
        assert_eq!(of(Method::POST, "/storage/v1/b/b/o/x/rewriteTo/b/c/o/y%2Fz"), copy);
        let compose = Op::Compose { name: name("b", "x/y") };
        assert_eq!(of(Method::POST, "/storage/v1/b/b/o/x%2Fy/compose"), compose);
    }

    #[test]
    fn what_is_not_there_is_said() {
        for path in ["/storage/v1/b/b/folders", "/storage/v1/b/b/o/x/acl/e", "/storage/v1/b/b/anywhereCaches"]
        {
            assert!(matches!(of(Method::POST, path), Op::Unsupported { .. }), "{path}");
        }
        assert!(operation(&Method::GET, "/storage/v1/b/b/o/%ff").is_err());
        assert!(!is_storage("/bucket/key") && !is_storage("/v1/projects/p/topics"));
    }
}
