//! What a cloud is given to live on.

use crate::Engine;
use crate::objects::Objects;
use crate::queues::Queues;
use std::path::PathBuf;

/// The shared cores of one daemon, and what was chosen for one cloud.
#[derive(Clone)]
pub struct Ground {
    pub engine: Engine,
    pub objects: Objects,
    pub queues: Queues,
    /// Files that a cloud keeps for its instances.
    pub folder: PathBuf,
    pub region: String,
    /// Account, project or subscription.
    pub account: String,
    pub strict_auth: bool,
    /// Watch declared sources.
    pub watch: bool,
}
