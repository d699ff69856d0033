//! Azure's dialect: function apps behind the vendor's own language workers.

mod app;
pub mod functions;
mod place;
mod plug;
pub mod profile;
pub mod settings;
pub mod trouble;
pub mod worker;

pub use plug::Azure;

/// Where Core Tools listen.
pub const PORT: u16 = 7071;
/// The host that workers are told they have: the newest whose protocol this is.
pub(crate) const HOST_VERSION: &str = "4.1037.0";
