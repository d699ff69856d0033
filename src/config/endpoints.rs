//! `[endpoints.NAME]`: model endpoints, for the cloud whose clients ask them.

use super::error::ConfigError;
use super::limits::MODEL_RUNTIME;
use super::model::{FunctionTable, Named, Provider};
use super::native::Native;
use super::quantity::{Size, Span};
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

/// A model endpoint: exactly one of `onnx`, `function`, `reply` and `http`, or variants of which each has one.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointTable {
    /// Whose clients ask it; `aws` when nothing is said.
    pub provider: Option<Provider>,
    /// The model that answers.
    pub onnx: Option<OnnxTable>,
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
    /// Azure: what requests must show, as `Authorization: Bearer KEY`; when nothing is said, none is asked for.
    pub key: Option<String>,
    /// Variants by their names, among which requests are divided.
    #[schemars(with = "BTreeMap<String, VariantTable>")]
    pub variants: Named<VariantTable>,
    /// SageMaker: models by the names that requests choose them by.
    #[schemars(with = "BTreeMap<String, VariantTable>")]
    pub models: Named<VariantTable>,
}

/// Exactly one of `onnx`, `function`, `reply` and `http` says what is behind it.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VariantTable {
    /// Its share of the requests, relative to those of the others; 1 when nothing is said.
    pub weight: Option<f64>,
    /// The model that answers.
    pub onnx: Option<OnnxTable>,
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

/// A model behind an endpoint: a function of runtime `onnx` that nobody else calls.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OnnxTable {
    /// The model, seen from this file; `model.onnx` when nothing is said.
    pub file: Option<String>,
    /// Memory limit, e.g. `"1024MB"`.
    #[schemars(with = "Option<Size>")]
    pub memory: Option<Spanned<Size>>,
    /// How the request becomes the model's input.
    #[schemars(with = "Option<mlemu_onnx::Input>")]
    pub input: Option<Spanned<mlemu_onnx::Input>>,
    /// How the model's output becomes the answer.
    #[schemars(with = "Option<mlemu_onnx::Output>")]
    pub output: Option<Spanned<mlemu_onnx::Output>>,
}

/// Whose variant is read.
#[derive(Clone, Copy)]
struct Owner<'a> {
    endpoint: &'a str,
    provider: Provider,
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
        let owner = Owner { endpoint: name.get_ref(), provider };
        let own = VariantTable {
            weight: None,
            onnx: table.onnx,
            function: table.function,
            reply: table.reply,
            reply_type: table.reply_type,
            http: table.http,
            latency: table.latency,
            errors: table.errors,
        };
        let mut read = |tables: Named<VariantTable>| {
            let each = tables.into_iter().map(|(name, table)| {
                let function = format!("{}-{}", owner.endpoint, name.get_ref());
                self.variant(&name, owner, (name.get_ref(), &function), table, project)
            });
            each.collect::<Result<Vec<_>, _>>()
        };
        let (mut variants, models) = (read(table.variants)?, read(table.models)?);
        let is_said =
            own.onnx.is_some() || own.function.is_some() || own.reply.is_some() || own.http.is_some();
        if is_said && !variants.is_empty() {
            let what =
                format!("endpoint `{}` has variants, and a back end of its own beside them", name.get_ref());
            return Err(self.fault(name.span(), what).hint("make it one of the variants"));
        }
        if let (true, Some(model)) = (variants.is_empty() && !is_said, models.first()) {
            // Requests name a model: the variant only has its name.
            variants.push(Variant { name: only(provider).into(), weight: 1.0, ..model.clone() });
        } else if variants.is_empty() {
            let function = format!("{}-model", owner.endpoint);
            variants.push(self.variant(name, owner, (only(provider), &function), own, project)?);
        }
        let options = [("output", table.output), ("key", table.key)];
        let options = options.into_iter().filter_map(|(key, said)| Some((key.to_owned(), said?)));
        let endpoint =
            Endpoint { name: name.get_ref().clone(), variants, models, options: options.collect() };
        project.resources.push(ResourceDeclaration {
            cloud: provider.name().into(),
            kind: KIND.into(),
            name: endpoint.name.clone(),
            properties: serde_json::to_string(&endpoint).unwrap_or_default(),
            from: self.provenance(name.span()),
        });
        Ok(())
    }

    /// `names`: its own, and that of the function of its model where it has one.
    fn variant(
        &self,
        at: &Spanned<String>,
        owner: Owner<'_>,
        names: (&str, &str),
        table: VariantTable,
        project: &mut Project,
    ) -> Result<Variant, ConfigError> {
        let fault = |what: String| self.fault(at.span(), what);
        let backend = match (table.onnx, table.function, table.reply, table.http) {
            (Some(model), None, None, None) => {
                Backend::Function(self.function_of(at, owner.provider, names.1, model, project)?)
            }
            (None, Some(function), None, None) => Backend::Function(Self::known(project, function)),
            (None, None, Some(body), None) => {
                Backend::Reply { body, content_type: table.reply_type.unwrap_or_else(|| JSON.into()) }
            }
            (None, None, None, Some(url)) if url.starts_with("http://") => Backend::Http(url),
            (None, None, None, Some(url)) => {
                return Err(fault(format!("`{url}` is no address like http://127.0.0.1:8080/")));
            }
            _ => {
                let what = format!(
                    "`{}` must have exactly one of `onnx`, `function`, `reply` and `http`",
                    at.get_ref()
                );
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
        Ok(Variant { name: names.0.to_owned(), weight, latency_ms, errors, backend })
    }

    /// Declares the function in which a model runs, and says what it is called.
    fn function_of(
        &self,
        at: &Spanned<String>,
        provider: Provider,
        wanted: &str,
        model: OnnxTable,
        project: &mut Project,
    ) -> Result<String, ConfigError> {
        // Models may be called like files, functions may not.
        let name = wanted.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-");
        if project.functions.iter().any(|known| known.name == name && known.cloud == provider.name()) {
            let what = format!("its model would run as function `{name}`, which is another one already");
            return Err(self.fault(at.span(), what).hint("give one of the two another name"));
        }
        let table = FunctionTable {
            provider: Some(provider),
            handler: model.file,
            runtime: Some(Spanned::new(at.span(), MODEL_RUNTIME.to_owned())),
            memory: model.memory,
            input: model.input,
            output: model.output,
            ..FunctionTable::default()
        };
        self.function(&Spanned::new(at.span(), name.clone()), table, None, project)?;
        Ok(name)
    }

    /// A function by its own name, also where a template's name for it was said.
    fn known(project: &Project, said: String) -> String {
        let alias =
            |function: &&mlemu_core::declare::FunctionDeclaration| function.alias.as_ref() == Some(&said);
        project.functions.iter().find(alias).map_or(said.clone(), |function| function.name.clone())
    }
}
