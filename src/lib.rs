//! The shell of mlemu: what a person types and sees.
pub mod config;
