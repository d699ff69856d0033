//! From an event to the targets of the rules that it fits.

use super::event::Event;
use super::store::Rule;
use super::wire::Target;
use super::{Front, input};
use crate::reach::{Detail, Letter};
use mlemu_core::{Cause, Timestamp};
use mlemu_engine::queues::Attribute;

/// Whatever comes of the event is under way when this completes.
pub async fn to_rules(front: &Front, bus: &str, event: &Event, cause: Cause) {
    let all = front.store().rules();
    for rule in all.iter().filter(|rule| rule.enabled && rule.bus == bus) {
        if rule.pattern.as_ref().is_some_and(|fitting| fitting.pattern.fits(&event.document)) {
            to_targets(front, rule, event, cause.clone()).await;
        }
    }
}

async fn to_targets(front: &Front, rule: &Rule, event: &Event, cause: Cause) {
    let now = front.parts.clock.now();
    for target in rule.targets.values() {
        let text = input::of(event, rule, target, now);
        let group = target.sqs_parameters.as_ref().and_then(|said| said.message_group_id.clone());
        // Another bus gets the event as it came.
        let detail = detail_of(event);
        let body = if crate::reach::service(&target.arn) == "events" {
            event.document["detail"].to_string()
        } else {
            text
        };
        let letter = Letter { group, detail: Some(detail), ..Letter::of(body.clone(), cause.clone()) };
        if let Err(lost) = front.parts.reach.send(&target.arn, letter).await {
            bury(front, rule, target, body, &lost.why, cause.clone()).await;
        }
    }
}

fn detail_of(event: &Event) -> Detail {
    let text = |name: &str| event.document[name].as_str().unwrap_or_default().to_owned();
    let resources = event.document["resources"].as_array().into_iter().flatten();
    Detail {
        source: text("source"),
        kind: text("detail-type"),
        resources: resources.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
    }
}

/// What no target takes goes to the target's dead letters, or is said aloud.
async fn bury(front: &Front, rule: &Rule, target: &Target, body: String, why: &str, cause: Cause) {
    let queue = target.dead_letter_config.as_ref().and_then(|config| config.arn.clone());
    let lost = match queue {
        Some(queue) => {
            let said = [
                ("RULE_ARN", rule.arn.as_str()),
                ("TARGET_ARN", target.arn.as_str()),
                ("ERROR_CODE", "RESOURCE_NOT_FOUND"),
                ("ERROR_MESSAGE", why),
            ];
            let attributes = said.map(|(name, value)| Attribute {
                name: name.into(),
                kind: "String".into(),
                value: value.to_owned().into(),
            });
            let letter = Letter { attributes: attributes.to_vec(), ..Letter::of(body, cause) };
            front.parts.reach.send(&queue, letter).await.err().map(|lost| lost.why)
        }
        None => Some(why.to_owned()),
    };
    if let Some(why) = lost {
        front.warn(format!("an event of rule {} did not reach {}: {why}", rule.name, target.arn));
    }
}

/// A rule by time is due.
pub async fn by_schedule(front: &Front, bus: &str, name: &str, at: Timestamp, cause: Cause) {
    let rule = front.store().rule(Some(bus), name).cloned();
    let Ok(rule) = rule else { return };
    let said = Detail {
        source: "aws.events".into(),
        kind: "Scheduled Event".into(),
        resources: vec![rule.arn.clone()],
    };
    let event = Event::new(front.parts.ids.fresh("event"), &front.parts.settings, at, &said, "{}".into());
    to_targets(front, &rule, &event, cause).await;
}
