//! StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask.

use super::want;
use crate::sqs::fault::{Code, Fault};
use crate::sqs::tasks::{Status, Task};
use crate::sqs::{Front, attributes, names, wire};
use mlemu_engine::queues::TopicView;
use std::sync::Arc;

fn queue(front: &Front, arn: &str, parameter: &str) -> Result<TopicView, Fault> {
    front.by_arn(arn).ok_or_else(|| {
        let text = format!("The resource that you specified for the {parameter} parameter doesn't exist.");
        Fault::new(Code::ResourceNotFound, text)
    })
}

pub fn start(front: &Arc<Front>, request: wire::MoveTask) -> Result<wire::TaskHandle, Fault> {
    let arn = want(request.source_arn, "SourceArn")?;
    let source = queue(front, &arn, "SourceArn")?;
    let is_source = |other: &TopicView| attributes::dead_letter_arn(&other.notes).as_ref() == Some(&arn);
    if !front.queues().topics(&source.id.scope).iter().any(is_source) {
        let text = "Source queue must be configured as a Dead Letter Queue.";
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    let to = request.destination_arn.filter(|arn| !arn.is_empty());
    let target = to.as_ref().map(|arn| queue(front, arn, "DestinationArn")).transpose()?;
    let rate = request.max_number_of_messages_per_second;
    if let Some(wrong) = rate.filter(|rate| !(1..=500).contains(rate)) {
        let reason = "Must be between 1 and 500, if provided.";
        return Err(Fault::value(wrong, "MaxNumberOfMessagesPerSecond", reason));
    }
    let visible = front.queues().counts(&source.id.only())?.visible;
    let (id, now) = (front.queues().ids().fresh("task"), front.queues().clock().now());
    let task = Task::new(id, &source.id, target.map(|target| target.id), rate, visible, now);
    let task = front.tasks.add(task).ok_or_else(|| {
        let text = "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
        Fault::new(Code::UnsupportedOperation, text)
    })?;
    let handle = task.handle();
    tokio::spawn(task.run(front.queues().clone()));
    Ok(wire::TaskHandle { task_handle: handle })
}

pub fn list(front: &Front, request: wire::MoveTask) -> Result<wire::Tasks, Fault> {
    let arn = want(request.source_arn, "SourceArn")?;
    let source = queue(front, &arn, "SourceArn")?;
    let most = request.max_results.unwrap_or(1);
    if !(1..=10).contains(&most) {
        return Err(Fault::value(most, "MaxResults", "Must be between 1 and 10, if provided."));
    }
    let tasks = front.tasks.of(&source.id);
    let told = tasks.iter().rev().take(most.unsigned_abs() as usize).map(|task| {
        let status = task.status();
        wire::Task {
            // Only what can still be cancelled has a handle.
            task_handle: (status == Status::Running).then(|| task.handle()),
            status: status.name(),
            source_arn: arn.clone(),
            destination_arn: task.to.as_ref().map(names::arn_of),
            max_number_of_messages_per_second: task.rate,
            approximate_number_of_messages_moved: task.moved(),
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: (status == Status::Failed).then_some("CouldNotDetermineMessageSource"),
            started_timestamp: task.started.millis(),
        }
    });
    Ok(wire::Tasks { results: told.collect() })
}

pub fn cancel(front: &Front, request: wire::MoveTask) -> Result<wire::Cancelled, Fault> {
    let handle = want(request.task_handle, "TaskHandle")?;
    let task = front.tasks.find(&handle).ok_or_else(|| {
        let text = "Task does not exist.";
        Fault::new(Code::ResourceNotFound, text)
    })?;
    if !task.cancel() {
        let text = "Only active tasks can be cancelled.";
        return Err(Fault::new(Code::UnsupportedOperation, text));
    }
    Ok(wire::Cancelled { approximate_number_of_messages_moved: task.moved() })
}
