//! What a cloud is given to live on.

use crate::Engine;
use crate::Shelf;
use crate::endpoints::Post;
use crate::objects::Objects;
use crate::queues::Queues;
use crate::schedules::Schedules;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The shared cores of one daemon, and what was chosen for one cloud.
#[derive(Clone)]
pub struct Ground {
    pub engine: Engine,
    pub objects: Objects,
    pub queues: Queues,
    /// Where what is in neither core outlives the daemon.
    pub shelf: Shelf,
    /// For what starts by time alone and is not declared by the project itself.
    pub schedules: Arc<Schedules>,
    /// Every listener of the daemon by its name: some services tell functions where others are.
    pub fronts: Arc<BTreeMap<&'static str, SocketAddr>>,
    /// Files that a cloud keeps for its instances.
    pub folder: PathBuf,
    pub region: String,
    /// Account, project or subscription.
    pub account: String,
    /// How endpoints ask a server elsewhere.
    pub post: Post,
    /// Before the paths of this scope of the daemon; empty for the first.
    pub prefix: String,
    /// What the project says to this cloud alone, by the key of its file.
    pub options: BTreeMap<String, String>,
    pub strict_auth: bool,
    /// Watch declared sources.
    pub watch: bool,
}
