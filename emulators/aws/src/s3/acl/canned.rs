//! Lists that have names.

use super::{AUTHENTICATED, Acl, EVERYBODY, Grant, Grantee, LOG_DELIVERY, Permission};
use crate::s3::fault::Fault;

pub(super) fn read(name: &str, owner: &str, bucket_owner: &str) -> Result<Acl, Fault> {
    use Permission::{FullControl, Read, ReadAcp, Write};
    let mut acl = Acl::private(owner);
    let groups: &[(&'static str, Permission)] = match name {
        "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => &[],
        "public-read" => &[(EVERYBODY, Read)],
        "public-read-write" => &[(EVERYBODY, Read), (EVERYBODY, Write)],
        "authenticated-read" => &[(AUTHENTICATED, Read)],
        "log-delivery-write" => &[(LOG_DELIVERY, Write), (LOG_DELIVERY, ReadAcp)],
        _ => return Err(Fault::argument("x-amz-acl", name, "")),
    };
    let group = |(uri, permission): &(&'static str, Permission)| Grant {
        grantee: Grantee::Group(uri),
        permission: *permission,
    };
    acl.grants.extend(groups.iter().map(group));
    if owner != bucket_owner {
        let permission = match name {
            "bucket-owner-read" => Some(Read),
            "bucket-owner-full-control" => Some(FullControl),
            _ => None,
        };
        let grantee = Grantee::Canonical(bucket_owner.to_owned());
        acl.grants.extend(permission.map(|permission| Grant { grantee, permission }));
    }
    Ok(acl)
}
