//! From a template and its values to the bytes of an event.

use crate::budget::{Budget, MAX_TEMPLATE};
use crate::error::{FixtureError, did_you_mean};
use crate::files::Files;
use crate::guard;
use crate::helpers::{self, Kit, Trouble};
use crate::marks;
use crate::param::excerpt;
use crate::request::Request;
use crate::seeded::Seeded;
use crate::suggest::similar;
use crate::trail::{Sink, Trail};
use handlebars::{Context, Handlebars, RenderError, RenderErrorReason, Template, TemplateError};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The name under which the one template of an engine is known to it.
const ONLY: &str = "fixture";

/// Renders a template and reads what came out as JSON.
///
/// # Errors
/// A template that is not allowed or does not compile, a failing helper, an output that is not JSON: each
/// with its place in the template.
pub(crate) fn render(
    fixture: &str,
    template: &str,
    values: Map<String, Value>,
    files: Files,
    request: &Request,
) -> Result<Value, FixtureError> {
    let kit = Arc::new(Kit {
        files,
        seeded: Seeded::new(request.seed),
        now: request.now,
        budget: Budget::default(),
        counter: AtomicU64::new(0),
    });
    let trail = Arc::new(Trail::default());
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(helpers::escape);
    helpers::register(&mut engine, &kit);
    marks::register(&mut engine, &kit, &trail);
    engine.register_template(ONLY, compile(fixture, template)?);

    let context = Context::wraps(Value::Object(values)).map_err(|error| failed(fixture, &error))?;
    let mut sink = Sink::new(trail.clone());
    engine
        .render_with_context_to_write(ONLY, &context, &mut sink)
        .map_err(|error| failed(fixture, &error))?;
    parse(fixture, &String::from_utf8_lossy(&sink.bytes), &trail)
}

fn compile(fixture: &str, template: &str) -> Result<Template, FixtureError> {
    if template.len() > MAX_TEMPLATE {
        return Err(FixtureError::TooLarge {
            what: format!("the template of `{fixture}`"),
            limit: MAX_TEMPLATE,
        });
    }
    guard::check(template).map_err(|refusal| {
        let (line, column) = guard::position(template, refusal.offset);
        let why = format!("{} is not allowed in a fixture", refusal.why);
        FixtureError::Template {
            fixture: fixture.into(),
            line,
            column,
            why,
            hint: refusal.hint.map(Into::into),
        }
    })?;
    let invalid = |error: TemplateError| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let why = excerpt_line(&error.reason().to_string());
        FixtureError::Template { fixture: fixture.into(), line, column, why, hint: None }
    };
    let mut compiled = Template::compile(template).map_err(invalid)?;
    marks::mark(&mut compiled).map_err(invalid)?;
    Ok(compiled)
}

/// The last line of a message that draws pictures.
fn excerpt_line(message: &str) -> String {
    let said = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(message);
    said.trim_start_matches([' ', '=', '|']).to_owned()
}

fn failed(fixture: &str, error: &RenderError) -> FixtureError {
    let (line, column) = (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
    let (why, hint) = explain(error.reason());
    FixtureError::Template { fixture: fixture.into(), line, column, why, hint }
}

/// What the engine or a helper complains of, and what to do.
fn explain(reason: &RenderErrorReason) -> (String, Option<String>) {
    match reason {
        RenderErrorReason::NestedError(error) => match error.downcast_ref::<Trouble>() {
            Some(trouble) => (trouble.why.clone(), trouble.hint.clone()),
            None => (error.to_string(), None),
        },
        RenderErrorReason::HelperNotFound(name) => {
            let meant = similar(name, helpers::helper_names());
            (format!("there is no helper called `{}`", excerpt(name)), did_you_mean(&meant))
        }
        RenderErrorReason::ParamNotFoundForIndex(name, index) => {
            (format!("`{name}` finds no value for its argument {}", index + 1), None)
        }
        RenderErrorReason::IOError(error) => (error.to_string(), None),
        other => (other.to_string(), None),
    }
}

/// Reads the output as JSON; where it is none, says where in the template that came from.
fn parse(fixture: &str, output: &str, trail: &Trail) -> Result<Value, FixtureError> {
    serde_json::from_str(output).map_err(|error| {
        let offset = offset_of(output, error.line(), error.column());
        let (line, column) = trail.origin(output, offset);
        let near = near(output, offset);
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
        FixtureError::NotJson { fixture: fixture.into(), line, column, why, near }
    })
}

/// Byte offset of a line and column as the JSON reader counts them: columns in bytes, of the last byte read.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len().saturating_sub(1))
}

/// A few characters around an offset, on one line.
fn near(text: &str, offset: usize) -> String {
    let from = text.floor_char_boundary(offset.saturating_sub(20));
    let to = text.ceil_char_boundary((offset + 20).min(text.len()));
    text[from..to].split_whitespace().collect::<Vec<_>>().join(" ")
}
