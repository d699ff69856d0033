//! Texts made of texts.

use super::args::{Args, Trouble, text_of};
use serde_json::Value;

pub(super) const TABLE: super::Table = &[
    ("arn", arn),
    ("concat", concat),
    ("default", default),
    ("lower", lower),
    ("present", present),
    ("upper", upper),
];

fn upper(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(args.text(0)?.to_uppercase().into())
}

fn lower(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(args.text(0)?.to_lowercase().into())
}

fn concat(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let mut all = String::new();
    for index in 0..args.count() {
        let part = args.text(index)?;
        args.kit.budget.work(part.len())?;
        all.push_str(&part);
    }
    Ok(all.into())
}

/// The first argument that is neither null nor empty; else the last.
fn default(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    for index in 0..args.count() {
        let value = args.value(index)?;
        if !value.is_null() && value.as_str() != Some("") {
            return Ok(value.clone());
        }
    }
    args.value(args.count().saturating_sub(1)).cloned()
}

/// Whether a value is there, be it empty or zero.
fn present(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok((!args.value(0)?.is_null()).into())
}

/// `(arn "sqs" queue)`, of the fixture's own region and account unless `region=` and `account=` say else.
fn arn(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let of =
        |name: &str| match args.named(name)? {
            Some(value) => Ok(text_of(value)),
            None => args.context.get(name).map(text_of).ok_or_else(|| {
                Trouble::new(format!("`arn` needs {name}=, as there is no parameter `{name}`"))
            }),
        };
    let (service, resource) = (args.text(0)?, args.text(1)?);
    Ok(format!("arn:aws:{service}:{}:{}:{resource}", of("region")?, of("account")?).into())
}
