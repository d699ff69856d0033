//! What each operation does.

mod messages;
mod policies;
mod publish;
mod schemas;
mod snapshots;
mod subscriptions;
mod topics;

pub(super) use messages::{Confirmed, acknowledge, modify, received, spelled};
