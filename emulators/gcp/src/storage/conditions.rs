//! Preconditions on generations.
//!
//! Source: Cloud Storage, "Request preconditions".

use super::call::Call;
use super::fault::Fault;
use super::wire;
use mlemu_engine::objects::Object;

/// A generation of 0 means that there is no object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    generation: Option<u64>,
    not_generation: Option<u64>,
    metageneration: Option<u64>,
    not_metageneration: Option<u64>,
    /// The generation that the request names.
    exactly: Option<u64>,
}

impl Conditions {
    pub fn read(call: &Call) -> Result<Self, Fault> {
        Ok(Self { exactly: call.number("generation")?, ..Self::with_prefix(call, "if")? })
    }

    /// Of the source of a copy.
    pub fn of_source(call: &Call) -> Result<Self, Fault> {
        Ok(Self { exactly: call.number("sourceGeneration")?, ..Self::with_prefix(call, "ifSource")? })
    }

    /// Of the target of a write: `generation` is no parameter of these.
    pub fn of_target(call: &Call) -> Result<Self, Fault> {
        Self::with_prefix(call, "if")
    }

    fn with_prefix(call: &Call, prefix: &str) -> Result<Self, Fault> {
        let number = |what: &str| call.number(&format!("{prefix}{what}"));
        Ok(Self {
            generation: number("GenerationMatch")?,
            not_generation: number("GenerationNotMatch")?,
            metageneration: number("MetagenerationMatch")?,
            not_metageneration: number("MetagenerationNotMatch")?,
            exactly: None,
        })
    }

    /// What is there must be so, or nothing may be written.
    pub fn check(&self, current: Option<&Object>) -> Result<(), Fault> {
        let generation = current.map_or(0, wire::generation);
        let metageneration = current.map(wire::metageneration);
        let holds = self.generation.is_none_or(|wanted| wanted == generation)
            && self.not_generation.is_none_or(|unwanted| unwanted != generation)
            && self.metageneration.is_none_or(|wanted| metageneration == Some(wanted))
            && self.not_metageneration.is_none_or(|unwanted| metageneration != Some(unwanted));
        if holds { Ok(()) } else { Err(Fault::condition()) }
    }

    /// The same for a reader, who knows already what did not change.
    pub fn check_read(&self, object: &Object) -> Result<(), Fault> {
        let positive = Self { not_generation: None, not_metageneration: None, ..*self };
        positive.check(Some(object))?;
        self.check(Some(object)).map_err(|_| Fault::not_modified())
    }

    /// The generation that the request names.
    pub fn exactly(&self) -> Option<u64> {
        self.exactly
    }

    /// The same, of the generation that something else names.
    pub fn of_generation(self, generation: Option<u64>) -> Self {
        Self { exactly: generation, ..self }
    }

    /// These, and those of headers.
    pub fn and_matching(self, generation: Option<u64>, metageneration: Option<u64>) -> Self {
        let generation = generation.or(self.generation);
        Self { generation, metageneration: metageneration.or(self.metageneration), ..self }
    }

    /// Whether the request means this very generation.
    pub fn names(&self, object: &Object) -> bool {
        self.exactly.is_none_or(|exactly| exactly == wire::generation(object))
    }
}
