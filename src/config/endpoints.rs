//! `[endpoints.NAME]`: model endpoints, for the cloud whose clients ask them.

use super::error::ConfigError;
use super::model::{Named, Provider};
use super::native::Native;
use super::quantity::Span;
use mlemu_core::declare::{Project, ResourceDeclaration};
use mlemu_engine::endpoints::{Backend, Endpoint, KIND, Variant};
use schemars::JsonSchema;
use std::collections::BTreeMap;
use toml::Spanned;

/// The only variant of an endpoint that has no others, as the vendors' consoles call it.
fn only(provider: Provider) -> &'static str {
    match provider {
        Provider::Aws => "AllTraffic",
        Provider::Gcp => "v1",
        Provider::Azure => "default",
    }
}
const JSON: &str = "application/json";

/// A model endpoint: exactly one of `function`, `reply` and `http`, or variants of which each has one.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointTable {
    /// Whose clients ask it; `aws` when nothing is said.
    pub provider: Option<Provider>,
    /// The function that answers, e.g. one of runtime `onnx`.
    pub function: Option<String>,
    /// The answer itself.
    pub reply: Option<String>,
    /// The media type of `reply`; `application/json` when nothing is said.
    pub reply_type: Option<String>,
    /// A server that answers, e.g. `http://127.0.0.1:8080/invocations`.
    pub http: Option<String>,
    /// Added to every answer, e.g. `"50ms"`.
    pub latency: Option<Span>,
    /// The share of requests that fails, from 0 to 1.
    pub errors: Option<f64>,
    /// SageMaker: where answers of asynchronous requests go, e.g. `"s3://results/scores"`.
    pub output: Option<String>,
    /// Variants by their names, among which requests are divided.
    #[schemars(with = "BTreeMap<String, VariantTable>")]
    pub variants: Named<VariantTable>,
    /// SageMaker: models by the names that requests choose them by.
    #[schemars(with = "BTreeMap<String, VariantTable>")]
    pub models: Named<VariantTable>,
}

/// Exactly one of `function`, `reply` and `http` says what is behind it.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VariantTable {
    /// Its share of the requests, relative to those of the others; 1 when nothing is said.
    pub weight: Option<f64>,
    /// The function that answers, e.g. one of runtime `onnx`.
    pub function: Option<String>,
    /// The answer itself.
    pub reply: Option<String>,
    /// The media type of `reply`; `application/json` when nothing is said.
    pub reply_type: Option<String>,
    /// A server that answers, e.g. `http://127.0.0.1:8080/invocations`.
    pub http: Option<String>,
    /// Added to every answer, e.g. `"50ms"`.
    pub latency: Option<Span>,
    /// The share of requests that fails, from 0 to 1.
    pub errors: Option<f64>,
}

impl Native {
    /// Reads one table.
    pub(super) fn endpoint(
        &self,
        name: &Spanned<String>,
        table: EndpointTable,
        project: &mut Project,
    ) -> Result<(), ConfigError> {
        let provider = table.provider.unwrap_or_default();
        if provider == Provider::Azure {
            return Err(self.fault(name.span(), format!("endpoints of {} are not there yet", provider.name())));
        }
        let own = VariantTable {
            weight: None,
            function: table.function,
            reply: table.reply,
            reply_type: table.reply_type,
            http: table.http,
            latency: table.latency,
            errors: table.errors,
        };
        let read = |tables: Named<VariantTable>| {
            let each =
                tables.into_iter().map(|(name, table)| self.variant(&name, name.get_ref(), table, project));
            each.collect::<Result<Vec<_>, _>>()
        };
        let (mut variants, models) = (read(table.variants)?, read(table.models)?);
        let is_said = own.function.is_some() || own.reply.is_some() || own.http.is_some();
        if is_said && !variants.is_empty() {
            let what =
                format!("endpoint `{}` has variants, and a back end of its own beside them", name.get_ref());
            return Err(self.fault(name.span(), what).hint("make it one of the variants"));
        }
        if let (true, Some(model)) = (variants.is_empty() && !is_said, models.first()) {
            // Requests name a model: the variant only has its name.
            variants.push(Variant { name: only(provider).into(), weight: 1.0, ..model.clone() });
        } else if variants.is_empty() {
            variants.push(self.variant(name, only(provider), own, project)?);
        }
        let options = table.output.map(|output| ("output".to_owned(), output)).into_iter().collect();
        let endpoint = Endpoint { name: name.get_ref().clone(), variants, models, options };
        project.resources.push(ResourceDeclaration {
            cloud: provider.name().into(),
            kind: KIND.into(),
            name: endpoint.name.clone(),
            properties: serde_json::to_string(&endpoint).unwrap_or_default(),
            from: self.provenance(name.span()),
        });
        Ok(())
    }

    fn variant(
        &self,
        at: &Spanned<String>,
        name: &str,
        table: VariantTable,
        project: &Project,
    ) -> Result<Variant, ConfigError> {
        let fault = |what: String| self.fault(at.span(), what);
        let backend = match (table.function, table.reply, table.http) {
            (Some(function), None, None) => Backend::Function(Self::known(project, function)),
            (None, Some(body), None) => {
                Backend::Reply { body, content_type: table.reply_type.unwrap_or_else(|| JSON.into()) }
            }
            (None, None, Some(url)) if url.starts_with("http://") => Backend::Http(url),
            (None, None, Some(url)) => {
                return Err(fault(format!("`{url}` is no address like http://127.0.0.1:8080/")));
            }
            _ => {
                let what =
                    format!("`{}` must have exactly one of `function`, `reply` and `http`", at.get_ref());
                return Err(fault(what));
            }
        };
        let (weight, errors) = (table.weight.unwrap_or(1.0), table.errors.unwrap_or(0.0));
        if !(0.0..=1.0).contains(&errors) {
            return Err(fault(format!("`errors` is a share from 0 to 1, not {errors}")));
        }
        if !weight.is_finite() || weight < 0.0 {
            return Err(fault(format!("`weight` is a number from 0 on, not {weight}")));
        }
        let latency_ms = table.latency.map_or(0, |latency| latency.0.as_millis() as u64);
        Ok(Variant { name: name.to_owned(), weight, latency_ms, errors, backend })
    }

    /// A function by its own name, also where a template's name for it was said.
    fn known(project: &Project, said: String) -> String {
        let alias =
            |function: &&mlemu_core::declare::FunctionDeclaration| function.alias.as_ref() == Some(&said);
        project.functions.iter().find(alias).map_or(said.clone(), |function| function.name.clone())
    }
}
