//! Operations, a file each kind.

pub(super) mod acl;
mod batch;
mod buckets;
pub(super) mod copy;
pub(super) mod download;
pub(super) mod hmac;
mod iam;
mod list;
pub(super) mod objects;
pub(super) mod seed;
mod upload;
