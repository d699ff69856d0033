//! Operations, a file each kind.

pub(super) mod acl;
mod batch;
pub(super) mod buckets;
pub(super) mod copy;
pub(super) mod download;
pub(super) mod hmac;
mod iam;
mod list;
pub(super) mod objects;
pub(super) mod seed;
pub(super) mod upload;
