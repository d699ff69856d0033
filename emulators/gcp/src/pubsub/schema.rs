//! Schemas as far as they are understood here: definitions are kept, and what is said to be JSON must be JSON.

use super::fault::Fault;
use super::wire::Schema;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Binary,
}

impl Encoding {
    pub fn of(number: i32) -> Result<Self, Fault> {
        match number {
            1 => Ok(Encoding::Json),
            2 => Ok(Encoding::Binary),
            _ => Err(Fault::invalid("An encoding must be given: JSON or BINARY.")),
        }
    }
}

/// A definition that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    ProtocolBuffer,
    Avro,
}

impl Form {
    pub fn read(schema: &Schema) -> Result<Self, Fault> {
        match schema.kind {
            _ if schema.definition.trim().is_empty() => {
                Err(Fault::invalid("The definition of a schema must not be empty."))
            }
            1 => Ok(Form::ProtocolBuffer),
            2 => match serde_json::from_str::<serde_json::Value>(&schema.definition) {
                Ok(_) => Ok(Form::Avro),
                Err(error) => Err(Fault::invalid(format!("Invalid AVRO schema: {error}"))),
            },
            _ => Err(Fault::invalid("The type of a schema must be given: AVRO or PROTOCOL_BUFFER.")),
        }
    }

    pub fn check(self, data: &[u8], encoding: Encoding) -> Result<(), Fault> {
        if encoding == Encoding::Json && serde_json::from_slice::<serde_json::Value>(data).is_err() {
            return Err(Fault::invalid("Invalid data in message: Message failed schema validation."));
        }
        Ok(())
    }
}
