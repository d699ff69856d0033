//! PutRule, DeleteRule, DescribeRule, EnableRule, DisableRule, ListRules, ListRuleNamesByTarget.

use super::put::compile;
use super::{page, want};
use crate::events::fault::Fault;
use crate::events::store::{DEFAULT, Rule};
use crate::events::wire::{Named, PutRule, Target};
use crate::events::{Front, deliver};
use crate::schedule::Expression;
use mlemu_engine::schedules::{Schedule, Starts};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const LONGEST_NAME: usize = 64;

pub fn put(front: &Arc<Front>, request: PutRule) -> Result<Value, Fault> {
    let rule = keep(front, request)?;
    schedule(front, &rule);
    Ok(json!({ "RuleArn": rule.arn }))
}

/// A rule that is declared is as it is declared, with these targets alone.
pub fn declare(front: &Arc<Front>, request: PutRule, targets: Vec<Target>) -> Result<(), Fault> {
    let kept = keep(front, request)?;
    let targets = targets.into_iter().map(|target| (target.id.clone(), target)).collect();
    let rule = {
        let mut store = front.store();
        let rule = store.rule_mut(Some(&kept.bus), &kept.name)?;
        rule.targets = targets;
        rule.declared = true;
        rule.clone()
    };
    schedule(front, &rule);
    Ok(())
}

/// Checks a rule and keeps it; one of the same name keeps its targets.
fn keep(front: &Front, request: PutRule) -> Result<Rule, Fault> {
    let name = want(request.name.as_deref(), "name")?.to_owned();
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !letters || name.len() > LONGEST_NAME {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"
        )));
    }
    let (pattern, schedule) = (request.event_pattern, request.schedule_expression);
    let schedule = schedule.filter(|expression| !expression.is_empty());
    if pattern.is_none() && schedule.is_none() {
        return Err(Fault::validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    let pattern = match pattern {
        Some(text) => Some(compile(text)?),
        None => None,
    };
    let mut store = front.store();
    let bus = store.bus(request.event_bus_name.as_deref())?.name.clone();
    if schedule.is_some() && bus != DEFAULT {
        return Err(Fault::validation("ScheduleExpression is supported only on the default event bus."));
    }
    if schedule.as_deref().is_some_and(|expression| Expression::read(expression).is_none()) {
        return Err(Fault::validation("Parameter ScheduleExpression is not valid."));
    }
    let key = (bus.clone(), name.clone());
    let old = store.rules.get(&key);
    let given: BTreeMap<_, _> = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let rule = Rule {
        arn: store.rule_arn(&bus, &name),
        targets: old.map(|old| old.targets.clone()).unwrap_or_default(),
        tags: old.map_or_else(|| given, |old| old.tags.clone()),
        name,
        bus,
        pattern,
        schedule,
        enabled: request.state.as_deref() != Some("DISABLED"),
        description: request.description,
        role: request.role_arn,
        declared: false,
    };
    store.rules.insert(key, rule.clone());
    Ok(rule)
}

fn schedule_id(rule: &Rule) -> String {
    format!("rule/{}", rule.name)
}

/// Lets a rule by time wait for its time, or not any more.
pub fn schedule(front: &Arc<Front>, rule: &Rule) {
    let schedules = &front.parts.schedules;
    let id = schedule_id(rule);
    let expression = rule.schedule.as_ref().filter(|_| rule.enabled);
    let Some((expression, read)) = expression.and_then(|text| Some((text.clone(), Expression::read(text)?)))
    else {
        schedules.remove(&id);
        return;
    };
    let (weak, bus, name) = (Arc::downgrade(front), rule.bus.clone(), rule.name.clone());
    let starts = Starts::Other {
        name: rule.name.as_str().into(),
        start: Arc::new(move |at, cause| {
            let (front, bus, name) = (weak.upgrade(), bus.clone(), name.clone());
            Box::pin(async move {
                if let Some(front) = front {
                    deliver::by_schedule(&front, &bus, &name, at, cause).await;
                }
            })
        }),
    };
    let next = Arc::new(move |after| read.next(after));
    schedules.put(Schedule { id: id.into(), starts, expression, next });
}

/// The rules went back to these.
pub fn reschedule(front: &Arc<Front>, all: &[Rule]) {
    front
        .parts
        .schedules
        .retain(|id| id.strip_prefix("rule/").is_none_or(|name| all.iter().any(|rule| rule.name == name)));
    for rule in all {
        schedule(front, rule);
    }
}

pub fn forget(front: &Front, bus: Option<&str>, name: &str) {
    let mut store = front.store();
    let Ok(bus) = store.bus(bus).map(|bus| bus.name.clone()) else { return };
    if let Some(rule) = store.rules.remove(&(bus, name.to_owned())) {
        front.parts.schedules.remove(&schedule_id(&rule));
    }
}

pub fn delete(front: &Front, request: &Named) -> Result<Value, Fault> {
    let name = want(request.name.as_deref(), "name")?;
    let mut store = front.store();
    let bus = store.bus(request.event_bus_name.as_deref())?.name.clone();
    let key = (bus, name.to_owned());
    // Deleting a rule that is not there succeeds, as it does at the vendor's.
    let Some(rule) = store.rules.get(&key) else { return Ok(Value::Null) };
    if !rule.targets.is_empty() {
        return Err(Fault::validation("Rule can't be deleted since it has targets."));
    }
    front.parts.schedules.remove(&schedule_id(rule));
    store.rules.remove(&key);
    Ok(Value::Null)
}

fn told(rule: &Rule) -> Value {
    let mut told = json!({
        "Name": rule.name, "Arn": rule.arn, "State": rule.state(), "EventBusName": rule.bus,
    });
    let optional = [
        ("EventPattern", rule.pattern.as_ref().map(|pattern| &pattern.text)),
        ("ScheduleExpression", rule.schedule.as_ref()),
        ("Description", rule.description.as_ref()),
        ("RoleArn", rule.role.as_ref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            told[name] = value.as_str().into();
        }
    }
    told
}

pub fn describe(front: &Front, request: &Named) -> Result<Value, Fault> {
    let name = want(request.name.as_deref(), "name")?;
    let store = front.store();
    let rule = store.rule(request.event_bus_name.as_deref(), name)?;
    let mut told = told(rule);
    told["CreatedBy"] = front.parts.settings.account.as_str().into();
    Ok(told)
}

pub fn switch(front: &Arc<Front>, request: &Named, enabled: bool) -> Result<Value, Fault> {
    let name = want(request.name.as_deref(), "name")?;
    let rule = {
        let mut store = front.store();
        let rule = store.rule_mut(request.event_bus_name.as_deref(), name)?;
        rule.enabled = enabled;
        rule.clone()
    };
    schedule(front, &rule);
    Ok(Value::Null)
}

pub fn list(front: &Front, request: &Named) -> Result<Value, Fault> {
    let store = front.store();
    let bus = &store.bus(request.event_bus_name.as_deref())?.name;
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    let all: Vec<Rule> =
        store.rules().into_iter().filter(|rule| rule.bus == *bus && rule.name.starts_with(prefix)).collect();
    let (rules, next) = page(all, request, |rule| rule.name.clone());
    let rules: Vec<Value> = rules.iter().map(told).collect();
    Ok(with_next(json!({ "Rules": rules }), next))
}

pub fn list_by_target(front: &Front, request: &Named) -> Result<Value, Fault> {
    let target = want(request.target_arn.as_deref(), "targetArn")?;
    let store = front.store();
    let bus = &store.bus(request.event_bus_name.as_deref())?.name;
    let of_target = |rule: &Rule| rule.bus == *bus && rule.targets.values().any(|one| one.arn == target);
    let names: Vec<String> = store.rules().into_iter().filter(of_target).map(|rule| rule.name).collect();
    let (names, next) = page(names, request, Clone::clone);
    Ok(with_next(json!({ "RuleNames": names }), next))
}

pub fn with_next(mut told: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        told["NextToken"] = next.into();
    }
    told
}
