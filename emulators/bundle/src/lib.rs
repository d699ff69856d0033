//! Deployment packages and what they need: opening them safely, measuring them, finding interpreters and
//! installing packages, always into a cache and never into the developer's folder.

mod archive;
mod digest;
mod shelf;
mod tool;
