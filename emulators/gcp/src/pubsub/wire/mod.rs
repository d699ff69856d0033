//! The vendor's messages, each described once for both of its spellings: Protocol Buffers for gRPC, and JSON for
//! REST.
//!
//! Field numbers and names are those of `google/pubsub/v1/pubsub.proto`, `schema.proto` and
//! `google/iam/v1/policy.proto`. No published crate has the server's side of them, nor both spellings.

pub mod json;
pub mod known;
pub mod policy;
pub mod schemas;
pub mod snapshots;
pub mod subscriptions;
pub mod topics;

pub use known::{Empty, Span};
pub use policy::*;
pub use schemas::*;
pub use snapshots::*;
pub use subscriptions::*;
pub use topics::*;

use std::collections::BTreeMap;

pub type Words = BTreeMap<String, String>;

/// Whether a field is as if nobody had set it: JSON leaves it out then.
pub(super) fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Messages: before each field, how Protocol Buffers have it.
macro_rules! messages {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$json:meta])* ($($proto:tt)*) $field:ident: $kind:ty,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub struct $name {
            $(
                #[prost($($proto)*)]
                $(#[$json])*
                #[serde(skip_serializing_if = "crate::pubsub::wire::is_unset")]
                pub $field: $kind,
            )*
        }
    )*};
}

pub(super) use messages;
