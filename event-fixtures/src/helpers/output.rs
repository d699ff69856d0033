//! Helpers that write to the output themselves: `json`, the loops `each` and `repeat`, the conditions `if`
//! and `unless`, and the one that stands for every plain `{{x}}` (see `marks.rs`).

use super::args::{Trouble, present, text_of, weight};
use super::{Args, Kit};
use crate::budget::MAX_ROUNDS;
use handlebars::{
    BlockContext, BlockParamHolder, Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output,
    RenderContext, RenderError, Renderable, ScopedJson,
};
use serde_json::Value;
use std::sync::Arc;

/// Writes a plain value between quotes or as a number. No template can spell this name.
pub(crate) const SHOW: &str = "= show";
/// Notes that the output of a template element begins here.
pub(crate) const MARK: &str = "= mark";

pub(super) fn register(engine: &mut Handlebars<'_>, kit: &Arc<Kit>) {
    engine.register_helper("json", Box::new(Json(kit.clone())));
    engine.register_helper("each", Box::new(Loop { kit: kit.clone(), rounds: items }));
    engine.register_helper("repeat", Box::new(Loop { kit: kit.clone(), rounds: numbers }));
    engine.register_helper("if", Box::new(Condition { wanted: true }));
    engine.register_helper("unless", Box::new(Condition { wanted: false }));
    engine.register_helper(SHOW, Box::new(Show));
}

/// The inside of a JSON string.
pub(crate) fn escape(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// `{{json x}}` writes any value as JSON; `(json x)` is that JSON as text.
struct Json(Arc<Kit>);

impl HelperDef for Json {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let args = Args { helper, kit: &self.0, context: context.data() };
        let text = args.value(0)?.to_string();
        self.0.budget.work(text.len()).map_err(Trouble::from)?;
        Ok(ScopedJson::Derived(text.into()))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let text = self.call_inner(helper, engine, context, render)?;
        out.write(&text_of(text.as_json()))?;
        Ok(())
    }
}

struct Show;

impl HelperDef for Show {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(argument) = helper.param(0) else { return Ok(()) };
        let value = present(argument, context.data())?;
        if value.is_object() || value.is_array() {
            let name = argument.relative_path().map_or("", String::as_str);
            let what = if value.is_array() { "a list" } else { "an object" };
            let trouble = Trouble::new(format!("`{name}` is {what} and cannot stand here as text"));
            return Err(trouble.hint(format!("write {{{{json {name}}}}}")).into());
        }
        out.write(&escape(&text_of(value)))?;
        Ok(())
    }
}

/// The engine's own take a misspelt name for something false.
struct Condition {
    wanted: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let name = helper.name();
        let argument = helper.param(0).ok_or_else(|| Trouble::new(format!("`{name}` needs an argument")))?;
        // Items of a list may lack a field; parameters are declared.
        let among_items = render.block().is_some_and(|block| block.base_value().is_some());
        let lacking = among_items && argument.is_value_missing();
        let truth = !lacking && present(argument, context.data())?.is_truthy(false);
        let branch = if truth == self.wanted { helper.template() } else { helper.inverse() };
        branch.map_or(Ok(()), |branch| branch.render(engine, context, render, out))
    }
}

/// One round of a loop: what the block sees as its key and as its value.
type Round = (Value, Option<Value>);

struct Loop {
    kit: Arc<Kit>,
    rounds: fn(&Args<'_, '_>) -> Result<Vec<Round>, Trouble>,
}

/// `{{#each list}}` or `{{#each object}}`; nothing happens for null.
fn items(args: &Args<'_, '_>) -> Result<Vec<Round>, Trouble> {
    match args.value(0)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => Ok(list.iter().enumerate().map(|(i, v)| (i.into(), Some(v.clone()))).collect()),
        Value::Object(map) => {
            Ok(map.iter().map(|(name, v)| (name.as_str().into(), Some(v.clone()))).collect())
        }
        other => Err(Trouble::new(format!("`each` needs a list or an object, not `{other}`"))),
    }
}

/// `{{#repeat 3}}`: the block sees the same values as outside, and `@index`.
fn numbers(args: &Args<'_, '_>) -> Result<Vec<Round>, Trouble> {
    let rounds = args.amount(0, MAX_ROUNDS as usize)?;
    Ok((0..rounds).map(|i| (i.into(), None)).collect())
}

impl HelperDef for Loop {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let args = Args { helper, kit: &self.kit, context: context.data() };
        let rounds = (self.rounds)(&args)?;
        let separator = args.named("sep")?.map(text_of).unwrap_or_default().into_owned();
        let Some(block) = helper.template().filter(|_| !rounds.is_empty()) else {
            return helper.inverse().map_or(Ok(()), |other| other.render(engine, context, render, out));
        };
        let outside = render.block().cloned().unwrap_or_default();
        let last = rounds.len() - 1;
        for (index, (key, value)) in rounds.into_iter().enumerate() {
            self.kit.budget.step().map_err(Trouble::from)?;
            self.kit.budget.work(value.as_ref().map_or(0, weight)).map_err(Trouble::from)?;
            if index > 0 {
                out.write(&separator)?;
            }
            render.push_block(scope(helper, &outside, index, last, key, value));
            let result = block.render(engine, context, render, out);
            render.pop_block();
            result?;
        }
        Ok(())
    }
}

/// What the block of a loop sees in one round.
fn scope<'rc>(
    helper: &Helper<'rc>,
    outside: &BlockContext<'rc>,
    index: usize,
    last: usize,
    key: Value,
    value: Option<Value>,
) -> BlockContext<'rc> {
    let mut scope = match &value {
        Some(_) => BlockContext::new(),
        None => outside.clone(),
    };
    if let Some(value) = value {
        if let Some(name) = helper.block_param() {
            scope.set_block_param(name, BlockParamHolder::value(value.clone()));
        } else if let Some((name, key_name)) = helper.block_param_pair() {
            scope.set_block_param(name, BlockParamHolder::value(value.clone()));
            scope.set_block_param(key_name, BlockParamHolder::value(key.clone()));
        }
        scope.set_base_value(value);
    }
    for (name, value) in [
        ("index", index.into()),
        ("key", key),
        ("first", (index == 0).into()),
        ("last", (index == last).into()),
    ] {
        scope.set_local_var(name, value);
    }
    scope
}
