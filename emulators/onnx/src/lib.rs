//! Models in the ONNX format as functions: an event becomes tensors, the session runs, tensors become an answer.
//!
//! [`Spec`] is what a project says of it, [`Event`] what came, [`input`] makes tensors of it and [`output`] an answer;
//! [`Model`] is the session between, the only place that knows the library. Nothing here speaks to a cloud or starts
//! anything: the program's own worker does, in a process of its own, since a library of machine code reads files of
//! strangers here.

mod event;
mod fault;
mod input;
mod model;
mod nested;
mod output;
mod picture;
mod sound;
mod spec;
mod tensor;

pub use event::Event;
pub use fault::Fault;
pub use model::{Model, library_version};
pub use spec::{Answering, Input, Output, SPEC, Spec, Taking};
