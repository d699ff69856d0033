//! The shell of mlemu: what a person types and sees.
//!
//! [`cli`] has one file a verb; [`config`] reads a project; [`daemon`] makes it real with the clouds that
//! [`clouds`] lists; [`harness`] is what tests see of it; [`report`] writes the one stream of records for people and programs;
//! [`worker`] is the process in which a model runs.

pub mod cli;
pub mod clouds;
pub mod config;
pub mod daemon;
pub mod harness;
pub mod report;
pub mod worker;
