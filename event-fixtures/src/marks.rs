//! Rewriting a compiled template: before each element goes a call that notes where it began, and
//! `{{x}}` becomes a call that refuses objects and explains missing names.

use crate::helpers::{Kit, MARK, SHOW, Trouble, is_name};
use crate::trail::Trail;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, Path, PathAndJson, RenderContext, Template,
    TemplateError,
};
use serde_json::Value;
use std::mem;
use std::sync::Arc;

/// Rewrites all elements, those of blocks included.
pub(crate) fn mark(template: &mut Template) -> Result<(), TemplateError> {
    // The engine has no constructor for elements, so a small template gives the first.
    let Some(call) = Template::compile("{{mark 0 0}}")?.elements.pop() else { return Ok(()) };
    rewrite(template, &call);
    Ok(())
}

fn rewrite(template: &mut Template, call: &TemplateElement) {
    for element in &mut template.elements {
        match element {
            TemplateElement::Expression(tag) if is_value(tag) => show(tag),
            TemplateElement::HelperBlock(block) => {
                for inner in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                    rewrite(inner, call);
                }
            }
            _ => {}
        }
    }
    // An `else if` has no place of its own.
    if template.mapping.len() != template.elements.len() {
        return;
    }
    let places = mem::take(&mut template.mapping);
    for (element, place) in mem::take(&mut template.elements).into_iter().zip(places) {
        let mut call = call.clone();
        if let TemplateElement::Expression(tag) = &mut call {
            tag.name = Parameter::Name(MARK.into());
            tag.params = vec![Parameter::Literal(place.0.into()), Parameter::Literal(place.1.into())];
        }
        template.elements.extend([call, element]);
        template.mapping.extend([place.clone(), place]);
    }
}

/// `{{x}}` where no helper is called x.
fn is_value(tag: &HelperTemplate) -> bool {
    let names_a_helper = match &tag.name {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name)) | Path::Local((_, _, name))) => {
            is_name(name)
        }
        _ => false,
    };
    tag.params.is_empty() && tag.hash.is_empty() && !names_a_helper
}

fn show(tag: &mut HelperTemplate) {
    let value = mem::replace(&mut tag.name, Parameter::Name(SHOW.into()));
    tag.params = vec![value];
}

pub(crate) fn register(engine: &mut Handlebars<'_>, kit: &Arc<Kit>, trail: &Arc<Trail>) {
    engine.register_helper(MARK, Box::new(Mark { kit: kit.clone(), trail: trail.clone() }));
}

struct Mark {
    kit: Arc<Kit>,
    trail: Arc<Trail>,
}

impl HelperDef for Mark {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        self.kit.budget.step().map_err(Trouble::from)?;
        let at = |index| helper.param(index).map(PathAndJson::value).and_then(Value::as_u64).unwrap_or(1);
        self.trail.note(at(0) as usize, at(1) as usize);
        Ok(())
    }
}
