//! Deployment packages and what they need: opening them safely, measuring them, finding interpreters and
//! installing packages, always into a cache and never into the developer's folder.
//!
//! [`Builder`] is the way in. Below it, [`python`] and [`node`] know what a project of theirs needs,
//! [`interpreter`] finds what runs it, [`tool`] runs the installers, [`shelf`] keeps what they made, and
//! [`inputs`] sees that nothing has changed since. [`archive`] opens packages; nothing else touches them.

mod archive;
mod builder;
mod digest;
mod executable;
mod inputs;
mod interpreter;
mod measure;
mod mentions;
mod model;
mod node;
mod prepare;
mod python;
mod shelf;
mod surroundings;
mod tool;
mod weigh;

pub use builder::Builder;
pub use interpreter::Interpreter;
pub use model::{LIBRARY as MODEL_LIBRARY, Meter, VERSION as MODEL_VERSION, WORKER as MODEL_WORKER};
pub use prepare::{Prepared, Surrounding};
pub use weigh::{Share, Weight};
