//! What templates can call. Each helper is a function from arguments to a value, listed in its file's
//! table; the value is escaped for JSON by the engine. Only `json`, the loops and the engine's own
//! two internal helpers write by themselves.

mod args;
mod digest;
mod encode;
mod files;
mod names;
mod output;
mod random;
mod text;
mod time;

pub use encode::encode_object_key;

use crate::budget::Budget;
use crate::files::Files;
use crate::seeded::Seeded;
use args::Args;
pub(crate) use args::Trouble;
use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, ScopedJson};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(crate) use output::{MARK, SHOW, escape};

/// What helpers work with during one rendering.
#[derive(Debug)]
pub(crate) struct Kit {
    pub files: Files,
    pub seeded: Seeded,
    /// Microseconds since 1970.
    pub now: i64,
    pub budget: Budget,
    pub counter: AtomicU64,
}

type Function = fn(&Args<'_, '_>) -> Result<Value, Trouble>;
type Table = &'static [(&'static str, Function)];

const TABLES: [Table; 7] =
    [digest::TABLE, encode::TABLE, files::TABLE, names::TABLE, random::TABLE, text::TABLE, time::TABLE];

/// Blocks and conditions: the engine's own, and those of `output.rs`.
const OTHERS: [&str; 18] = [
    "each", "json", "repeat", "if", "unless", "with", "lookup", "eq", "ne", "gt", "gte", "lt", "lte", "and",
    "or", "not", "len", "else",
];

/// The engine's helpers that fixtures do without: they write to a log or switch escaping off.
const REMOVED: [&str; 2] = ["log", "raw"];

/// Whether a name means something in every template.
pub(crate) fn is_name(name: &str) -> bool {
    helper_names().any(|known| known == name)
}

/// All that a template can call, the engine's own conditions included.
pub fn helper_names() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().flatten().map(|(name, _)| *name).chain(OTHERS)
}

/// Teaches an engine all helpers, for one rendering.
pub(crate) fn register(engine: &mut Handlebars<'_>, kit: &Arc<Kit>) {
    for name in REMOVED {
        engine.unregister_helper(name);
    }
    for (name, run) in TABLES.into_iter().flatten() {
        engine.register_helper(name, Box::new(Call { run: *run, kit: kit.clone() }));
    }
    output::register(engine, kit);
}

/// A helper that makes a value.
struct Call {
    run: Function,
    kit: Arc<Kit>,
}

impl HelperDef for Call {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.kit.budget.step().map_err(Trouble::from)?;
        let value = (self.run)(&Args { helper, kit: &self.kit, context: context.data() })?;
        self.kit.budget.work(args::weight(&value)).map_err(Trouble::from)?;
        Ok(ScopedJson::Derived(value))
    }
}
