//! Snapshots, and going back to them.

use super::known::{FieldMask, Time};
use super::{Words, messages};

messages! {
    Snapshot {
        (string, tag = "1") name: String,
        (string, tag = "2") topic: String,
        (message, optional, tag = "3") expire_time: Option<Time>,
        (btree_map = "string, string", tag = "4") labels: Words,
    }
    CreateSnapshotRequest {
        (string, tag = "1") name: String,
        (string, tag = "2") subscription: String,
        (btree_map = "string, string", tag = "3") labels: Words,
    }
    UpdateSnapshotRequest {
        (message, optional, tag = "1") snapshot: Option<Snapshot>,
        (message, optional, tag = "2") update_mask: Option<FieldMask>,
    }
    /// Of one snapshot: to show it, and to delete it.
    NamedSnapshot {
        (string, tag = "1") snapshot: String,
    }
    ListSnapshotsRequest {
        (string, tag = "1") project: String,
        (int32, tag = "2") page_size: i32,
        (string, tag = "3") page_token: String,
    }
    ListSnapshotsResponse {
        (message, repeated, tag = "1") snapshots: Vec<Snapshot>,
        (string, tag = "2") next_page_token: String,
    }
    /// To a time or to a snapshot, not both.
    SeekRequest {
        (string, tag = "1") subscription: String,
        (message, optional, tag = "2") time: Option<Time>,
        (string, optional, tag = "3") snapshot: Option<String>,
    }
    SeekResponse {}
}
