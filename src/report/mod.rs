//! Writers of the one record stream, and of the project itself, for people.

pub(crate) mod fit;
pub mod human;
pub(crate) mod imports;
pub(crate) mod load;
pub(crate) mod plot;
pub(crate) mod price;
pub mod print;
pub mod project;
pub(crate) mod pull;
pub(crate) mod replay;
pub(crate) mod suite;
pub mod table;
pub mod terminal;
pub(crate) mod tuned;
