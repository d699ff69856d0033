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
    let quiet = |()| done(call, operation);
    Ok(match operation {
        Op::CreateQueue => answer(call, operation, &queues::create(front, call, input.read()?)?),
        Op::GetQueueUrl => answer(call, operation, &queues::url(front, call, input.read()?)?),
        Op::ListQueues => answer(call, operation, &queues::list(front, call, input.read()?)?),
        Op::ListDeadLetterSourceQueues => {
            answer(call, operation, &queues::sources(front, call, input.read()?)?)
        }
        Op::GetQueueAttributes => answer(call, operation, &queues::attributes(front, input.read()?)?),
        Op::SetQueueAttributes => quiet(queues::set_attributes(front, input.read()?)?),
        Op::DeleteQueue => quiet(queues::delete(front, input.read()?)?),
        Op::PurgeQueue => quiet(queues::purge(front, input.read()?)?),
        Op::ListQueueTags => answer(call, operation, &tags::list(front, input.read()?)?),
        Op::TagQueue => quiet(tags::add(front, input.read()?)?),
        Op::UntagQueue => quiet(tags::remove(front, input.read()?)?),
        Op::AddPermission => quiet(permission::add(front, input.read()?)?),
        Op::RemovePermission => quiet(permission::remove(front, input.read()?)?),
        Op::SendMessage => sent(answer(call, operation, &send::one(front, call, input.read()?)?)).await,
        Op::SendMessageBatch => {
            sent(answer(call, operation, &send::batch(front, call, input.read()?)?)).await
        }
        Op::ReceiveMessage => answer(call, operation, &receive::receive(front, call, input.read()?).await?),
        Op::DeleteMessage => quiet(receive::delete(front, input.read()?)?),
        Op::DeleteMessageBatch => answer(call, operation, &receive::delete_batch(front, input.read()?)?),
        Op::ChangeMessageVisibility => quiet(receive::change(front, input.read()?)?),
        Op::ChangeMessageVisibilityBatch => {
            answer(call, operation, &receive::change_batch(front, input.read()?)?)
        }
        Op::StartMessageMoveTask => answer(call, operation, &move_tasks::start(front, input.read()?)?),
        Op::ListMessageMoveTasks => answer(call, operation, &move_tasks::list(front, input.read()?)?),
        Op::CancelMessageMoveTask => answer(call, operation, &move_tasks::cancel(front, input.read()?)?),
    })
}

/// The answer to a sender. Whoever waits for messages is answered first: the sender knows already what it sent.
async fn sent(answer: Response) -> Response {
    tokio::task::yield_now().await;
    answer
}

/// A parameter that must be there.
fn want(value: Option<String>, parameter: &str) -> Result<String, Fault> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Fault::missing(parameter))
}

/// The queue that a request names.
fn queue_of(front: &Front, url: Option<String>) -> Result<TopicView, Fault> {
    front.queue(&want(url, "QueueUrl")?)
}
