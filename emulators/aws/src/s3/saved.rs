//! What buckets tell to functions, kept and put back together with the store that they are in.

use super::S3;
use super::notifications::{self, Destinations};
use super::wire::NotificationConfiguration;
use mlemu_engine::objects::BucketId;

/// The notification configurations as they were at one moment.
#[derive(Clone, Debug)]
pub struct SavedNotifications(Vec<(BucketId, NotificationConfiguration)>);

impl S3 {
    pub fn notifications(&self) -> SavedNotifications {
        SavedNotifications(self.front.notifications.all())
    }

    /// Puts them back; the store must have been put back before. Buckets that are in neither tell nothing.
    pub fn restore_notifications(&self, saved: &SavedNotifications) {
        for (bucket, _) in self.front.notifications.all() {
            self.front.notifications.forget(&bucket);
            self.front.parts.triggers.set(&bucket, Vec::new());
        }
        for (bucket, configuration) in &saved.0 {
            // It was accepted once, and its bucket is there again.
            let _ = notifications::install(&self.front, bucket, configuration.clone(), Destinations::Trusted);
        }
    }
}
