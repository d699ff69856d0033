//! Sample events and ML payloads, rendered with typed parameters.
//!
//! A fixture is a Handlebars template beside its declaration: the first comment holds title, provenance
//! and parameters. Rendering knows no clock, no environment and no randomness of its own: the same
//! [`Request`] gives the same bytes. Read [`Library`] first, then `render.rs` for the way from template
//! to event, and `guard.rs` for what a template may contain.

mod bind;
mod budget;
mod catalogue;
mod compose;
mod error;
mod files;
mod front_matter;
mod guard;
mod helpers;
mod kind;
mod library;
mod marks;
mod mime;
mod param;
mod render;
mod request;
mod seeded;
mod suggest;
mod trail;

pub use catalogue::Origin;
pub use compose::Envelope;
pub use error::FixtureError;
pub use front_matter::ParamSpec;
pub use helpers::{encode_object_key, helper_names};
pub use kind::Kind;
pub use library::{Fixture, Library, Listing};
pub use param::{Given, Param};
pub use request::Request;
