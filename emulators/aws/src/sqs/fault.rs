//! SQS's errors: what each is called in both protocols.
//!
//! Follows "Common Errors" and each action's errors in the Amazon SQS API reference. HTTP statuses appear
//! nowhere else.

use mlemu_engine::queues;
use thiserror::Error;

macro_rules! codes {
    ($($name:ident $json:literal $query:literal)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($name,)* }

        impl Code {
            /// In the JSON protocol.
            pub fn json(self) -> &'static str {
                match self { $(Code::$name => $json,)* }
            }

            /// In the query protocol, and in a batch's answers.
            pub fn query(self) -> &'static str {
                match self { $(Code::$name => $query,)* }
            }
        }
    };
}

codes! {
    BatchEntryIdsNotDistinct "BatchEntryIdsNotDistinct" "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    BatchRequestTooLong "BatchRequestTooLong" "AWS.SimpleQueueService.BatchRequestTooLong"
    EmptyBatchRequest "EmptyBatchRequest" "AWS.SimpleQueueService.EmptyBatchRequest"
    InternalError "InternalError" "InternalError"
    InvalidAction "UnknownOperationException" "InvalidAction"
    InvalidAttributeName "InvalidAttributeName" "InvalidAttributeName"
    InvalidAttributeValue "InvalidAttributeValue" "InvalidAttributeValue"
    InvalidBatchEntryId "InvalidBatchEntryId" "AWS.SimpleQueueService.InvalidBatchEntryId"
    InvalidMessageContents "InvalidMessageContents" "InvalidMessageContents"
    InvalidParameterValue "InvalidParameterValueException" "InvalidParameterValue"
    MalformedInput "SerializationException" "MalformedInput"
    MessageNotInflight "MessageNotInflight" "AWS.SimpleQueueService.MessageNotInflight"
    MissingParameter "MissingRequiredParameterException" "MissingParameter"
    OverLimit "OverLimit" "OverLimit"
    QueueDoesNotExist "QueueDoesNotExist" "AWS.SimpleQueueService.NonExistentQueue"
    QueueNameExists "QueueNameExists" "QueueAlreadyExists"
    ReceiptHandleIsInvalid "ReceiptHandleIsInvalid" "ReceiptHandleIsInvalid"
    ResourceNotFound "ResourceNotFoundException" "ResourceNotFoundException"
    TooManyEntries "TooManyEntriesInBatchRequest" "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    UnsupportedOperation "UnsupportedOperation" "AWS.SimpleQueueService.UnsupportedOperation"
}

impl Code {
    pub fn status(self) -> u16 {
        match self {
            Code::ResourceNotFound => 404,
            Code::InternalError => 500,
            _ => 400,
        }
    }

    /// Whether the caller is to blame.
    pub fn is_senders(self) -> bool {
        self.status() < 500
    }
}

/// One error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {text}", code.query())]
pub struct Fault {
    pub code: Code,
    pub text: String,
}

impl Fault {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub fn no_queue() -> Self {
        Self::new(Code::QueueDoesNotExist, "The specified queue does not exist.")
    }

    pub fn missing(parameter: &str) -> Self {
        let text = format!("The request must contain the parameter {parameter}.");
        Self::new(Code::MissingParameter, text)
    }

    /// A parameter that makes no sense, in the words that SQS has for all of them.
    pub fn value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        let text = format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(Code::InvalidParameterValue, text)
    }
}

impl From<queues::Fault> for Fault {
    fn from(fault: queues::Fault) -> Self {
        use queues::Fault as Core;
        match fault {
            Core::NoTopic { .. } | Core::NoSubscription { .. } => Self::no_queue(),
            Core::TopicExists { .. } | Core::SubscriptionExists { .. } => {
                Self::new(Code::QueueNameExists, "A queue already exists with the same name.")
            }
            Core::TooManyLeased { limit } => {
                let text = format!("Too many messages are in flight: the limit is {limit}.");
                Self::new(Code::OverLimit, text)
            }
            Core::Stale => Self::new(Code::InternalError, "The emulator was reset in the meantime."),
        }
    }
}
