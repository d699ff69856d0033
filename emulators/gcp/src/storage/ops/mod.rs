//! Operations, a file each kind.

mod buckets;
mod copy;
mod list;
mod objects;
pub(super) mod seed;
mod upload;
