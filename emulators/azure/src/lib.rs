//! Azure's dialect: function apps behind the vendor's own language workers, Blob and Queue Storage, and the
//! online endpoints of Azure Machine Learning.

mod app;
mod bindings;
pub mod blob;
mod events;
pub mod functions;
pub mod ml;
mod place;
mod plug;
pub mod profile;
pub mod queue;
mod retry;
pub mod settings;
mod storage;
pub mod trouble;
pub mod worker;

pub use blob::BlobStorage;
pub use plug::{Azure, SUBSCRIPTIONS, check_subscription};
pub use queue::QueueStorage;
pub use storage::ACCOUNTS;
pub use storage::address::account as storage_account;

/// Where Core Tools listen.
pub const PORT: u16 = 7071;
/// The host that workers are told they have: the newest whose protocol this is.
pub(crate) const HOST_VERSION: &str = "4.1037.0";
/// What the listener of Blob Storage is called beside the one of functions.
pub const BLOB_FRONT: &str = "azure-blob";
/// What the listener of Queue Storage is called beside the one of functions.
pub const QUEUE_FRONT: &str = "azure-queue";
