//! What Lambda refuses in a mapping, and in which words.
//!
//! Follows CreateEventSourceMapping of the Lambda API reference.

use super::super::fault::{Code, Fault};
use super::super::wire;
use super::Facts;
use crate::pattern::Pattern;
use crate::sqs::Sqs;

/// Most filters of a mapping.
const MOST_FILTERS: usize = 10;
/// Most messages of a batch that does not wait, and of any batch of a FIFO queue.
const AT_ONCE: i64 = 10;

/// Settings that make sense, as far as they were given.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub batch: Option<u32>,
    pub window: Option<u32>,
    /// `Some(None)` lifts it.
    pub concurrency: Option<Option<u32>>,
    pub filters: Option<Vec<String>>,
    pub partial: Option<bool>,
}

impl Checked {
    /// What is given replaces what was there.
    pub fn onto(self, facts: Facts) -> Facts {
        Facts {
            batch: self.batch.unwrap_or(facts.batch),
            window: self.window.unwrap_or(facts.window),
            concurrency: self.concurrency.unwrap_or(facts.concurrency),
            filters: self.filters.unwrap_or(facts.filters),
            partial: self.partial.unwrap_or(facts.partial),
            ..facts
        }
    }
}

pub fn check(request: &wire::SetMapping) -> Result<Checked, Fault> {
    let range = |value: Option<i64>, member: &str, least: i64, most: i64| match value {
        Some(value) if !(least..=most).contains(&value) => {
            let expected = format!("Member must have value between {least} and {most}");
            Err(Fault::constraint(&value.to_string(), member, &expected))
        }
        value => Ok(value.map(|value| value as u32)),
    };
    let scaling = request.scaling_config.as_ref().map(|scaling| scaling.maximum_concurrency);
    Ok(Checked {
        batch: range(request.batch_size, "batchSize", 1, 10_000)?,
        window: range(request.maximum_batching_window_in_seconds, "maximumBatchingWindowInSeconds", 0, 300)?,
        concurrency: scaling
            .map(|most| range(most, "scalingConfig.maximumConcurrency", 2, 1000))
            .transpose()?,
        filters: request.filter_criteria.as_ref().map(filters).transpose()?,
        partial: request.function_response_types.as_deref().map(partial).transpose()?,
    })
}

fn filters(criteria: &wire::FilterCriteria) -> Result<Vec<String>, Fault> {
    let all = criteria.filters.as_deref().unwrap_or_default();
    if all.len() > MOST_FILTERS {
        return Err(Fault::parameter(format!("Filter count exceeds the limit of {MOST_FILTERS}.")));
    }
    all.iter()
        .map(|filter| {
            let pattern = filter.pattern.clone().unwrap_or_default();
            match Pattern::compile(&pattern) {
                Ok(_) => Ok(pattern),
                Err(why) => Err(Fault::parameter(format!("Invalid filter pattern definition. {why}"))),
            }
        })
        .collect()
}

fn partial(types: &[String]) -> Result<bool, Fault> {
    match types {
        [] => Ok(false),
        [one] if one == "ReportBatchItemFailures" => Ok(true),
        other => Err(Fault::constraint(
            &format!("[{}]", other.join(", ")),
            "functionResponseTypes",
            "Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]",
        )),
    }
}

/// What must fit together: the batch, its window, and the kind of queue.
pub fn together(arn: &str, batch: u32, window: u32) -> Result<(), Fault> {
    let batch = i64::from(batch);
    if Sqs::is_fifo(arn) {
        if window > 0 {
            return Err(Fault::parameter("Batching window is not supported for FIFO queues."));
        }
        if batch > AT_ONCE {
            return Err(Fault::constraint(
                &batch.to_string(),
                "batchSize",
                "Member must have value less than or equal to 10",
            ));
        }
    }
    if batch > AT_ONCE && window == 0 {
        return Err(Fault::parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    Ok(())
}

/// A function may not take longer than its messages are hidden; both in seconds.
pub fn times(visibility: u64, timeout: u64) -> Result<(), Fault> {
    if visibility >= timeout {
        return Ok(());
    }
    Err(Fault::parameter(format!(
        "Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
    )))
}

/// Sources of other services, and what is no source at all.
pub fn source(arn: Option<&str>) -> Result<&str, Fault> {
    let arn = arn.ok_or_else(|| Fault::parameter("Unrecognized event source."))?;
    let service = arn.split(':').nth(2).unwrap_or_default();
    match service {
        "sqs" => Ok(arn),
        "kinesis" | "dynamodb" | "kafka" | "mq" | "rds" => {
            let text = format!("mlemu does not have event source mappings of {service} yet");
            Err(Fault::new(Code::NotImplemented, text))
        }
        _ => Err(Fault::parameter("Unrecognized event source.")),
    }
}
