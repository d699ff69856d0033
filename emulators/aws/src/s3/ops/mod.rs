//! The operations, by family.

pub(super) mod acl;
pub(super) mod attributes;
pub(super) mod buckets;
pub(super) mod copy;
pub(super) mod delete;
pub(super) mod form;
pub(super) mod get;
pub(super) mod list;
pub(super) mod lock;
pub(super) mod multipart;
pub(super) mod notification;
pub(super) mod policy;
pub(super) mod put;
pub(super) mod tagging;
pub(super) mod uploads;
pub(super) mod versioning;
