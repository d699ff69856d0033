//! Snapshots, and subscriptions that go back or forward in time.

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::names::{self, Kind, Name};
use crate::pubsub::registry::{Kept, page};
use crate::pubsub::wire::{
    CreateSnapshotRequest, Empty, ListSnapshotsRequest, ListSnapshotsResponse, NamedSnapshot, SeekRequest,
    SeekResponse, Snapshot, UpdateSnapshotRequest,
};
use mlemu_engine::queues::Seek;
use std::time::Duration;

/// A snapshot lives for so long.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

impl PubSub {
    pub(in crate::pubsub) fn create_snapshot(&self, ask: CreateSnapshotRequest) -> Result<Snapshot, Fault> {
        Name::of(Kind::Snapshot, &ask.name)?;
        let mut registry = self.registry();
        if registry.snapshots.contains_key(&ask.name) {
            return Err(Fault::exists("snapshot", &ask.name));
        }
        let from = registry.place(&ask.subscription)?;
        let mark = self.queues().bookmark(&from)?;
        let said = Snapshot {
            name: ask.name,
            topic: registry.subscription(&ask.subscription)?.said.topic.clone(),
            expire_time: Some(self.queues().clock().now().plus(LIFE).into()),
            labels: ask.labels,
        };
        registry.snapshots.insert(said.name.clone(), Kept { said: said.clone(), mark });
        Ok(said)
    }

    pub(in crate::pubsub) fn get_snapshot(&self, ask: NamedSnapshot) -> Result<Snapshot, Fault> {
        self.registry().snapshot(&ask.snapshot).map(|kept| kept.said.clone())
    }

    pub(in crate::pubsub) fn update_snapshot(&self, ask: UpdateSnapshotRequest) -> Result<Snapshot, Fault> {
        let fresh = ask.snapshot.unwrap_or_default();
        let mut registry = self.registry();
        registry.snapshot(&fresh.name)?;
        let Some(kept) = registry.snapshots.get_mut(&fresh.name) else {
            return Err(Fault::missing("snapshot", &fresh.name));
        };
        for path in ask.update_mask.unwrap_or_default().paths {
            match &*path {
                "labels" => kept.said.labels.clone_from(&fresh.labels),
                "expire_time" => kept.said.expire_time = fresh.expire_time,
                _ => return Err(Fault::invalid(format!("Invalid update_mask provided: {path}."))),
            }
        }
        Ok(kept.said.clone())
    }

    pub(in crate::pubsub) fn list_snapshots(
        &self,
        ask: ListSnapshotsRequest,
    ) -> Result<ListSnapshotsResponse, Fault> {
        let prefix = format!("projects/{}/", names::project(&ask.project)?);
        let registry = self.registry();
        let all = registry.snapshots.iter().filter(|(name, _)| name.starts_with(&prefix));
        let all = all.map(|(name, kept)| (name.clone(), kept.said.clone()));
        let (snapshots, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListSnapshotsResponse { snapshots, next_page_token })
    }

    pub(in crate::pubsub) fn delete_snapshot(&self, ask: NamedSnapshot) -> Result<Empty, Fault> {
        let gone = self.registry().snapshots.remove(&ask.snapshot);
        gone.map(|_| Empty {}).ok_or_else(|| Fault::missing("snapshot", &ask.snapshot))
    }

    pub(in crate::pubsub) fn seek(&self, ask: SeekRequest) -> Result<SeekResponse, Fault> {
        let registry = self.registry();
        let from = registry.place(&ask.subscription)?;
        let to = match (ask.time, &ask.snapshot) {
            (Some(time), None) => Seek::Time(time.into()),
            (None, Some(name)) => {
                let kept = registry.snapshot(name)?;
                if kept.said.topic != registry.subscription(&ask.subscription)?.said.topic {
                    return Err(Fault::precondition(
                        "The snapshot is of another topic than the subscription.",
                    ));
                }
                let ends = kept.said.expire_time.map(mlemu_core::Timestamp::from);
                if ends.is_some_and(|ends| ends <= self.queues().clock().now()) {
                    return Err(Fault::missing("snapshot", name));
                }
                Seek::To(kept.mark.clone())
            }
            _ => return Err(Fault::invalid("A seek needs either a time or a snapshot.")),
        };
        self.queues().seek(&from, &to)?;
        Ok(SeekResponse {})
    }
}
