//! SNS's errors, as its API reference documents them. HTTP statuses appear nowhere else.

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
    BatchEntryIdsNotDistinct "BatchEntryIdsNotDistinct" 400
    BatchRequestTooLong "BatchRequestTooLong" 400
    EmptyBatchRequest "EmptyBatchRequest" 400
    InvalidAction "InvalidAction" 400
    InvalidBatchEntryId "InvalidBatchEntryId" 400
    InvalidParameter "InvalidParameter" 400
    NotFound "NotFound" 404
    NotImplemented "NotImplemented" 501
    ResourceNotFound "ResourceNotFound" 404
    TooManyEntriesInBatchRequest "TooManyEntriesInBatchRequest" 400
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

    /// A parameter that makes no sense, and why.
    pub fn parameter(why: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidParameter, format!("Invalid parameter: {why}"))
    }

    pub fn no_topic() -> Self {
        Self::new(Code::NotFound, "Topic does not exist")
    }

    pub fn no_subscription() -> Self {
        Self::new(Code::NotFound, "Subscription does not exist")
    }

    pub fn not_implemented(what: &str) -> Self {
        Self::new(Code::NotImplemented, format!("mlemu does not have SNS's {what} yet"))
    }
}
