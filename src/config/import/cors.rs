//! Cross-origin rules, in the three spellings that REST APIs, HTTP APIs and function URLs have for them.

use super::intrinsics::Resolver;
use super::properties::Properties;
use super::{Import, globals};
use mlemu_core::declare::{Cors, HttpForm};

/// The rules of an API: of its resource when the template declares it, else of the globals.
pub fn of_api(import: &Import<'_>, api: &str, form: HttpForm) -> Option<Cors> {
    let (section, property) = match form {
        HttpForm::Rest => ("Api", "Cors"),
        HttpForm::Lean => ("HttpApi", "CorsConfiguration"),
    };
    let resolver: &Resolver<'_> = &import.resolver;
    let node = match import.template.resource(api) {
        Some(resource) => globals::properties(resolver, &resource),
        None => globals::global(resolver, section)?.clone(),
    };
    read(&Properties::new(resolver, node), property)
}

/// The rules under a property: a map, `true`, or one origin.
pub fn read(properties: &Properties<'_>, property: &str) -> Option<Cors> {
    let rules = properties.inside(property)?;
    if rules.node.as_map().is_none() {
        return match properties.text(property)?.as_str() {
            "false" => None,
            "true" => Some(Cors { origins: vec!["*".into()], ..Cors::default() }),
            origin => Some(Cors { origins: items(&[origin.to_owned()]), ..Cors::default() }),
        };
    }
    let either = |list: &str, one: &str| {
        let name = if rules.raw(list).is_some() { list } else { one };
        items(&rules.texts(name))
    };
    Some(Cors {
        origins: either("AllowOrigins", "AllowOrigin"),
        methods: either("AllowMethods", "AllowMethod"),
        headers: either("AllowHeaders", "AllowHeader"),
        credentials: rules.flag("AllowCredentials").unwrap_or(false),
        max_age: rules.text("MaxAge").and_then(|age| unquoted(&age).parse().ok()),
    })
}

/// REST APIs write lists as `"'GET,POST'"`: one text, quoted once more.
fn items(texts: &[String]) -> Vec<String> {
    let parts = texts.iter().flat_map(|text| unquoted(text).split(','));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('\'')
}
