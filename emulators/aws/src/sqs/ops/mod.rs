//! What each operation does.

mod batch;
mod move_tasks;
mod permission;
pub mod queues;
mod receive;
mod send;
mod tags;

use super::decode::Input;
use super::encode::{answer, done};
use super::fault::Fault;
use super::{Call, Front, Operation};
use axum::response::Response;
use mlemu_engine::queues::TopicView;
use std::sync::Arc;

/// Runs one operation.
pub(super) async fn run(
    front: &Arc<Front>,
    call: &Call,
    operation: Operation,
    input: &Input,
) -> Result<Response, Fault> {
    use Operation as Op;
    let quiet = match operation {
        Op::CreateQueue => return answer(call, operation, &queues::create(front, call, input.read()?)?),
        Op::GetQueueUrl => return answer(call, operation, &queues::url(front, call, input.read()?)?),
        Op::ListQueues => return answer(call, operation, &queues::list(front, call, input.read()?)?),
        Op::ListDeadLetterSourceQueues => {
            return answer(call, operation, &queues::sources(front, call, input.read()?)?);
        }
        Op::GetQueueAttributes => return answer(call, operation, &queues::attributes(front, input.read()?)?),
        Op::ListQueueTags => return answer(call, operation, &tags::list(front, input.read()?)?),
        Op::SendMessage => return answer(call, operation, &send::one(front, call, input.read()?)?),
        Op::SendMessageBatch => return answer(call, operation, &send::batch(front, call, input.read()?)?),
        Op::ReceiveMessage => {
            return answer(call, operation, &receive::receive(front, call, input.read()?).await?);
        }
        Op::DeleteMessageBatch => {
            return answer(call, operation, &receive::delete_batch(front, input.read()?)?);
        }
        Op::ChangeMessageVisibilityBatch => {
            return answer(call, operation, &receive::change_batch(front, input.read()?)?);
        }
        Op::StartMessageMoveTask => {
            return answer(call, operation, &move_tasks::start(front, input.read()?)?);
        }
        Op::ListMessageMoveTasks => {
            return answer(call, operation, &move_tasks::list(front, input.read()?)?);
        }
        Op::CancelMessageMoveTask => {
            return answer(call, operation, &move_tasks::cancel(front, input.read()?)?);
        }
        Op::DeleteQueue => queues::delete(front, input.read()?),
        Op::PurgeQueue => queues::purge(front, input.read()?),
        Op::SetQueueAttributes => queues::set_attributes(front, input.read()?),
        Op::TagQueue => tags::add(front, input.read()?),
        Op::UntagQueue => tags::remove(front, input.read()?),
        Op::AddPermission => permission::add(front, input.read()?),
        Op::RemovePermission => permission::remove(front, input.read()?),
        Op::DeleteMessage => receive::delete(front, input.read()?),
        Op::ChangeMessageVisibility => receive::change(front, input.read()?),
    };
    quiet?;
    done(call, operation)
}

/// A parameter that must be there.
fn want(value: Option<String>, parameter: &str) -> Result<String, Fault> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Fault::missing(parameter))
}

/// The queue that a request names.
fn queue_of(front: &Front, url: Option<String>) -> Result<TopicView, Fault> {
    front.queue(&want(url, "QueueUrl")?)
}
