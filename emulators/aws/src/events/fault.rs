//! EventBridge's errors, as its API reference documents them. HTTP statuses appear nowhere else.

use serde_json::{Value, json};
use thiserror::Error;

macro_rules! codes {
    ($($name:ident $word:literal $status:literal)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($name,)* }

        impl Code {
            pub fn word(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            pub fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }
        }
    };
}

codes! {
    AlreadyExists "ResourceAlreadyExistsException" 400
    InvalidPattern "InvalidEventPatternException" 400
    NotFound "ResourceNotFoundException" 400
    NotImplemented "NotImplementedException" 501
    Serialization "SerializationException" 400
    UnknownOperation "UnknownOperationException" 400
    Validation "ValidationException" 400
}

/// One error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {text}", code.word())]
pub struct Fault {
    pub code: Code,
    pub text: String,
}

impl Fault {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub fn validation(text: impl Into<String>) -> Self {
        Self::new(Code::Validation, text)
    }

    pub fn missing(member: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }

    pub fn no_bus(name: &str) -> Self {
        Self::new(Code::NotFound, format!("Event bus {name} does not exist."))
    }

    pub fn no_rule(name: &str, bus: &str) -> Self {
        Self::new(Code::NotFound, format!("Rule {name} does not exist on EventBus {bus}."))
    }

    pub fn document(&self) -> Value {
        json!({ "__type": self.code.word(), "message": self.text })
    }
}
