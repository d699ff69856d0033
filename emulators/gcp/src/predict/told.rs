//! What is told of models and endpoints: the documents of AI Platform and of Vertex AI.

use super::Predict;
use crate::functions::fault::Fault;
use mlemu_engine::endpoints::{Backend, Endpoint, Variant};
use serde_json::{Map, Value, json};

impl Predict {
    fn created(&self) -> String {
        crate::pubsub::rfc3339(self.since)
    }

    fn model_name(&self, endpoint: &Endpoint) -> String {
        format!("projects/{}/models/{}", self.place.project(), endpoint.name)
    }
}

/// The version that answers where none is named: the one with most weight.
pub(super) fn usual(endpoint: &Endpoint) -> &str {
    let mut best = &endpoint.variants[0];
    for variant in &endpoint.variants {
        if variant.weight > best.weight {
            best = variant;
        }
    }
    &best.name
}

pub(super) fn models(all: &Predict) -> Value {
    let models: Vec<Value> = all.endpoints.all().iter().map(|one| model(all, one)).collect();
    json!({ "models": models })
}

pub(super) fn model(all: &Predict, endpoint: &Endpoint) -> Value {
    let usual = endpoint.variants.iter().find(|one| one.name == usual(endpoint));
    json!({
        "name": all.model_name(endpoint),
        "regions": [all.place.region()],
        "defaultVersion": usual.map(|one| of_version(all, endpoint, one)),
        "onlinePredictionLogging": false,
        "etag": "bWxlbXU=",
    })
}

pub(super) fn versions(all: &Predict, endpoint: &Endpoint) -> Value {
    let versions: Vec<Value> = endpoint.variants.iter().map(|one| of_version(all, endpoint, one)).collect();
    json!({ "versions": versions })
}

pub(super) fn version(all: &Predict, endpoint: &Endpoint, name: &str) -> Result<Value, Fault> {
    let found = endpoint.variants.iter().find(|one| one.name == name);
    let found = found.map(|one| of_version(all, endpoint, one));
    found.ok_or_else(|| Fault::not_found(format!("Field: name Error: The version {name} is not found.")))
}

fn of_version(all: &Predict, endpoint: &Endpoint, variant: &Variant) -> Value {
    let behind = match &variant.backend {
        Backend::Function(name) => format!("function {name}"),
        Backend::Reply { .. } => "a written reply".into(),
        Backend::Http(url) => url.clone(),
    };
    json!({
        "name": format!("{}/versions/{}", all.model_name(endpoint), variant.name),
        "description": behind,
        "isDefault": variant.name == usual(endpoint),
        "createTime": all.created(),
        "state": "READY",
        "framework": "FRAMEWORK_UNSPECIFIED",
        "machineType": "mls1-c1-m2",
        "etag": "bWxlbXU=",
    })
}

pub(super) fn endpoints(all: &Predict, location: &str) -> Value {
    let told: Vec<Value> = all.endpoints.all().iter().map(|one| endpoint(all, location, one)).collect();
    json!({ "endpoints": told })
}

pub(super) fn endpoint(all: &Predict, location: &str, endpoint: &Endpoint) -> Value {
    let shares = shares(&endpoint.variants);
    let names = endpoint.variants.iter().map(|variant| id_of(endpoint, &variant.name));
    let split: Map<String, Value> = names.zip(shares).map(|(id, share)| (id, json!(share))).collect();
    let deployed: Vec<Value> = endpoint
        .variants
        .iter()
        .map(|variant| {
            json!({
                "id": id_of(endpoint, &variant.name),
                "displayName": variant.name,
                "model": vertex_model(all, location, endpoint),
                "modelVersionId": "1",
                "createTime": all.created(),
            })
        })
        .collect();
    json!({
        "name": format!("projects/{}/locations/{location}/endpoints/{}", all.place.project(), endpoint.name),
        "displayName": endpoint.name,
        "deployedModels": deployed,
        "trafficSplit": split,
        "createTime": all.created(),
        "updateTime": all.created(),
        "etag": "bWxlbXU=",
    })
}

/// Who answered a prediction.
pub(super) fn deployed(all: &Predict, location: &str, endpoint: &Endpoint, variant: &str) -> Value {
    json!({
        "predictions": [],
        "deployedModelId": id_of(endpoint, variant),
        "model": vertex_model(all, location, endpoint),
        "modelDisplayName": variant,
        "modelVersionId": "1",
    })
}

fn vertex_model(all: &Predict, location: &str, endpoint: &Endpoint) -> String {
    format!("projects/{}/locations/{location}/models/{}", all.place.project(), endpoint.name)
}

/// A number, as the vendor's ids are: where it stands among the variants.
pub(super) fn id_of(endpoint: &Endpoint, variant: &str) -> String {
    let at = endpoint.variants.iter().position(|one| one.name == variant).unwrap_or_default();
    (at + 1).to_string()
}

/// Whole percents that make a hundred.
fn shares(variants: &[Variant]) -> Vec<u32> {
    let total: f64 = variants.iter().map(|variant| variant.weight).sum();
    let total = if total > 0.0 { total } else { 1.0 };
    let mut shares: Vec<u32> =
        variants.iter().map(|variant| (variant.weight / total * 100.0).round() as u32).collect();
    let others: u32 = shares.iter().skip(1).sum();
    if let Some(first) = shares.first_mut() {
        *first = 100_u32.saturating_sub(others);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_a_hundred() {
        let of = |weights: &[f64]| {
            let variants: Vec<Variant> = weights
                .iter()
                .map(|weight| Variant {
                    name: "v".into(),
                    weight: *weight,
                    latency_ms: 0,
                    errors: 0.0,
                    backend: Backend::Function("f".into()),
                })
                .collect();
            shares(&variants)
        };
        assert_eq!(of(&[9.0, 1.0]), [90, 10]);
        assert_eq!(of(&[1.0, 1.0, 1.0]), [34, 33, 33]);
        assert_eq!(of(&[0.0]), [100]);
    }
}
