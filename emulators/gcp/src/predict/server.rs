//! The protocols of model servers: TensorFlow Serving's REST, and KServe's second version.

use super::routes::Server;
use super::{Ask, Predict, predictions};
use crate::functions::fault::{self, Fault};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// Lists in lists are followed so deep.
const DEEPEST: usize = 8;

/// An error as these servers say it.
pub(super) fn refused(fault: &Fault) -> Response {
    fault::json(fault.status, &json!({ "error": fault.message }))
}

pub(super) async fn answer(all: &Predict, ask: &Ask<'_>, asked: &Server) -> Result<Response, Fault> {
    let document = match asked {
        Server::Predict(name, version) => predict(all, ask, name, version.as_deref()).await?,
        Server::Status(name) => status(all, name)?,
        Server::Infer(name, version) => infer(all, ask, name, version.as_deref()).await?,
        Server::Ready(None) => json!({ "live": true, "ready": true }),
        Server::Ready(Some(name)) => json!({ "name": all.find(name)?.name, "ready": true }),
        Server::Metadata(name) => metadata(all, name)?,
        Server::About => json!({ "name": "mlemu", "version": env!("CARGO_PKG_VERSION"), "extensions": [] }),
    };
    Ok(fault::json(StatusCode::OK, &document))
}

/// Rows as `instances` are answered with `predictions`; columns as `inputs` with `outputs`.
async fn predict(all: &Predict, ask: &Ask<'_>, name: &str, version: Option<&str>) -> Result<Value, Fault> {
    let mut said: Value = serde_json::from_slice(&ask.body)
        .map_err(|error| Fault::invalid(format!("JSON Parse error: {error}")))?;
    let by_columns = said.get("instances").is_none();
    let rows = said.get_mut(if by_columns { "inputs" } else { "instances" }).map(Value::take);
    let Some(rows @ Value::Array(_)) = rows else {
        return Err(Fault::invalid("Missing 'inputs' or 'instances' key"));
    };
    let payload = json!({ "instances": rows }).to_string();
    let answered = all.ask(ask, name, version, payload.into()).await?;
    let found = predictions(&answered.answer.body)?;
    Ok(if by_columns { json!({ "outputs": found }) } else { json!({ "predictions": found }) })
}

fn status(all: &Predict, name: &str) -> Result<Value, Fault> {
    let endpoint = all.find(name)?;
    let versions = endpoint.variants.iter().map(|variant| {
        json!({ "version": variant.name, "state": "AVAILABLE", "status": { "error_code": "OK", "error_message": "" } })
    });
    Ok(json!({ "model_version_status": versions.collect::<Vec<_>>() }))
}

fn metadata(all: &Predict, name: &str) -> Result<Value, Fault> {
    let endpoint = all.find(name)?;
    let versions: Vec<&str> = endpoint.variants.iter().map(|variant| variant.name.as_str()).collect();
    Ok(json!({ "name": name, "versions": versions, "platform": "mlemu", "inputs": [], "outputs": [] }))
}

/// Tensors by their names, flat with a shape or nested, become an object of nested lists, and the other way round.
async fn infer(all: &Predict, ask: &Ask<'_>, name: &str, version: Option<&str>) -> Result<Value, Fault> {
    let said: Value = serde_json::from_slice(&ask.body)
        .map_err(|error| Fault::invalid(format!("failed to parse: {error}")))?;
    let inputs = said["inputs"].as_array().ok_or_else(|| Fault::invalid("Unable to find 'inputs'"))?;
    let event = inputs.iter().map(|input| {
        let name = input["name"].as_str().ok_or_else(|| Fault::invalid("an input has no name"))?;
        Ok((name.to_owned(), nested(input)?))
    });
    let event = event.collect::<Result<Map<_, _>, Fault>>()?;
    let answered = all.ask(ask, name, version, Value::Object(event).to_string().into()).await?;
    let came: Value = serde_json::from_slice(&answered.answer.body)
        .map_err(|error| Fault::failed(format!("the model's answer is no JSON: {error}")))?;
    let outputs: Vec<Value> = match &came {
        Value::Object(all) => all.iter().map(|(name, value)| output(name, value)).collect(),
        other => vec![output("output", other)],
    };
    let mut document = json!({ "model_name": name, "model_version": answered.variant, "outputs": outputs });
    if let Some(id) = said.get("id") {
        document["id"] = id.clone();
    }
    Ok(document)
}

fn nested(input: &Value) -> Result<Value, Fault> {
    let shape: Option<Vec<usize>> = input["shape"]
        .as_array()
        .and_then(|shape| shape.iter().map(|length| length.as_u64().map(|length| length as usize)).collect());
    let shape = shape.ok_or_else(|| Fault::invalid("an input has no shape"))?;
    let mut flat = Vec::new();
    flatten(&input["data"], 0, &mut flat);
    let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length));
    if count != Some(flat.len()) || shape.len() > DEEPEST {
        let message = format!("an input has {} elements, and its shape {shape:?} says otherwise", flat.len());
        return Err(Fault::invalid(message));
    }
    Ok(nest(&shape, &flat))
}

fn nest(shape: &[usize], flat: &[Value]) -> Value {
    match shape {
        [] => flat.first().cloned().unwrap_or_default(),
        [_] => Value::Array(flat.to_vec()),
        [_, rest @ ..] => {
            let each = rest.iter().product::<usize>().max(1);
            Value::Array(flat.chunks(each).map(|part| nest(rest, part)).collect())
        }
    }
}

fn flatten(value: &Value, depth: usize, flat: &mut Vec<Value>) {
    match value {
        Value::Array(items) if depth < DEEPEST => {
            for item in items {
                flatten(item, depth + 1, flat);
            }
        }
        leaf => flat.push(leaf.clone()),
    }
}

fn output(name: &str, value: &Value) -> Value {
    let (mut shape, mut at) = (Vec::new(), value);
    while let Value::Array(items) = at {
        shape.push(items.len());
        match items.first() {
            Some(first) if shape.len() < DEEPEST => at = first,
            _ => break,
        }
    }
    if shape.is_empty() {
        shape.push(1);
    }
    let mut data = Vec::new();
    flatten(value, 0, &mut data);
    let kind = if data.iter().all(Value::is_i64) {
        "INT64"
    } else if data.iter().all(Value::is_number) {
        "FP32"
    } else if data.iter().all(Value::is_boolean) {
        "BOOL"
    } else {
        "BYTES"
    };
    json!({ "name": name, "shape": shape, "datatype": kind, "data": data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_folded_and_unfolded() {
        let input = json!({"name": "X", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]});
        assert_eq!(nested(&input).unwrap(), json!([[1, 2], [3, 4]]));
        let short = json!({"shape": [2, 2], "data": [1, 2, 3]});
        assert!(nested(&short).unwrap_err().message.contains("3 elements"));
        let huge = json!({"shape": [u64::MAX, u64::MAX], "data": [1]});
        assert!(nested(&huge).is_err());
        let told = output("Y", &json!([[1.5], [2.5]]));
        assert_eq!(told, json!({"name": "Y", "shape": [2, 1], "datatype": "FP32", "data": [1.5, 2.5]}));
    }
}
