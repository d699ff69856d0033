//! Schemas: definitions that are read, and messages that must fit them.
//!
//! Source: Pub/Sub, "Schemas overview", "Create and manage schemas".

mod avro;
mod proto;

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
pub(super) enum Form {
    ProtocolBuffer(proto::Form),
    Avro(avro::Form),
}

impl Form {
    pub fn read(schema: &Schema) -> Result<Self, Fault> {
        let definition = &schema.definition;
        match schema.kind {
            1 => proto::Form::read(definition)
                .map(Form::ProtocolBuffer)
                .map_err(|why| Fault::invalid(format!("Invalid PROTOCOL_BUFFER schema: {why}"))),
            2 => avro::Form::read(definition)
                .map(Form::Avro)
                .map_err(|why| Fault::invalid(format!("Invalid AVRO schema: {why}"))),
            _ => Err(Fault::invalid("The type of a schema must be given: AVRO or PROTOCOL_BUFFER.")),
        }
    }

    pub fn check(&self, data: &[u8], encoding: Encoding) -> Result<(), Fault> {
        let fits = match self {
            Form::ProtocolBuffer(form) => form.fits(data, encoding),
            Form::Avro(form) => form.fits(data, encoding),
        };
        if fits {
            return Ok(());
        }
        Err(Fault::invalid("Invalid data in message: Message failed schema validation."))
    }
}
