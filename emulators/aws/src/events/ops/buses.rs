//! CreateEventBus, DeleteEventBus, DescribeEventBus, ListEventBuses.

use super::rules::with_next;
use super::{page, want};
use crate::events::Front;
use crate::events::fault::{Code, Fault};
use crate::events::store::{Bus, DEFAULT};
use crate::events::wire::Named;
use serde_json::{Value, json};

const LONGEST_NAME: usize = 256;

pub fn create(front: &Front, request: Named) -> Result<Value, Fault> {
    let name = want(request.name.as_deref(), "name")?;
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if !letters || name.len() > LONGEST_NAME || name.contains('/') {
        return Err(Fault::validation("Event bus name must not contain '/'."));
    }
    let mut store = front.store();
    if store.buses.contains_key(name) {
        return Err(Fault::new(Code::AlreadyExists, format!("Event bus {name} already exists.")));
    }
    let tags = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let bus = store.add_bus(name, request.description, tags);
    Ok(json!({ "EventBusArn": bus.arn }))
}

pub fn delete(front: &Front, request: &Named) -> Result<Value, Fault> {
    let name = want(request.name.as_deref(), "name")?;
    if name == DEFAULT {
        return Err(Fault::validation("Cannot delete event bus default."));
    }
    let mut store = front.store();
    store.buses.remove(name);
    store.rules.retain(|(bus, _), _| bus != name);
    Ok(Value::Null)
}

fn told(bus: &Bus) -> Value {
    let mut told = json!({ "Name": bus.name, "Arn": bus.arn });
    if let Some(description) = &bus.description {
        told["Description"] = description.as_str().into();
    }
    told
}

pub fn describe(front: &Front, request: &Named) -> Result<Value, Fault> {
    front.store().bus(request.name.as_deref()).map(told)
}

pub fn list(front: &Front, request: &Named) -> Value {
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    let store = front.store();
    let all: Vec<Bus> = store.buses.values().filter(|bus| bus.name.starts_with(prefix)).cloned().collect();
    let (buses, next) = page(all, request, |bus| bus.name.clone());
    let buses: Vec<Value> = buses.iter().map(told).collect();
    with_next(json!({ "EventBuses": buses }), next)
}
