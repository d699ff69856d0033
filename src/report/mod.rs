//! Writers of the one record stream, and of the project itself, for people.

pub(crate) mod fit;
pub mod human;
pub mod print;
pub mod project;
pub(crate) mod suite;
pub mod table;
pub mod terminal;
