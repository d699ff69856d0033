//! ReceiveMessage, and what receivers do with what they got: DeleteMessage and ChangeMessageVisibility.

use super::{batch, queue_of, want};
use crate::sqs::attributes::is_fifo;
use crate::sqs::fault::{Code, Fault};
use crate::sqs::message::{self, Wanted};
use crate::sqs::{Call, Front, receipt, wire};
use mlemu_engine::queues::{Extended, Extension, Fault as Core, Standing, TopicView, Want};
use std::time::Duration;

/// Longest a message is hidden after one receive, in seconds.
const LONGEST: i64 = 43_200;

pub async fn receive(front: &Front, call: &Call, request: wire::Receive) -> Result<wire::Received, Fault> {
    let queue = queue_of(front, request.queue_url)?;
    let most = request.max_number_of_messages.unwrap_or(1);
    if !(1..=10).contains(&most) {
        return Err(Fault::value(most, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."));
    }
    let lease = request.visibility_timeout.map(visibility).transpose()?;
    if let Some(wrong) = request.wait_time_seconds.filter(|wait| !(0..=20).contains(wait)) {
        return Err(Fault::value(wrong, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."));
    }
    let wait = request.wait_time_seconds.map(seconds);
    let wanted = Want { lease, wait, ..Want::now(most.unsigned_abs() as usize) };
    let only = queue.id.only();
    let received = tokio::select! {
        biased;
        received = front.queues().receive(&only, wanted) => received,
        // Nobody would hear of a message that was taken now.
        () = call.left() => Ok(Vec::new()),
    };
    let received = match received {
        // FIFO queues keep quiet about their limit.
        Err(Core::TooManyLeased { .. }) if is_fifo(&queue.notes) => Vec::new(),
        received => received?,
    };
    let names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
    let wanted =
        Wanted { system: names.map(String::as_str).collect(), user: &request.message_attribute_names };
    let messages = received.iter().map(|one| message::received(&queue, one, &wanted)).collect();
    Ok(wire::Received { messages })
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}

fn visibility(count: i64) -> Result<Duration, Fault> {
    if (0..=LONGEST).contains(&count) {
        return Ok(seconds(count));
    }
    Err(Fault::value(count, "VisibilityTimeout", "Must be between 0 and 43200, if provided."))
}

pub fn delete(front: &Front, request: wire::OfMessage) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    delete_one(front, &queue, request.receipt_handle)
}

pub fn delete_batch(
    front: &Front,
    request: wire::Batch<wire::OfMessage>,
) -> Result<wire::BatchResult<wire::Entry>, Fault> {
    each(front, request, |queue, entry| delete_one(front, queue, entry.receipt_handle))
}

fn each(
    front: &Front,
    request: wire::Batch<wire::OfMessage>,
    run: impl Fn(&TopicView, wire::OfMessage) -> Result<(), Fault>,
) -> Result<wire::BatchResult<wire::Entry>, Fault> {
    let queue = queue_of(front, request.queue_url)?;
    batch::check(request.entries.iter().map(|entry| &*entry.id))?;
    Ok(batch::sort(request.entries.into_iter().map(|entry| {
        let id = entry.id.clone();
        let result = run(&queue, entry).map(|()| wire::Entry { id: id.clone() });
        (id, result)
    })))
}

fn delete_one(front: &Front, queue: &TopicView, handle: Option<String>) -> Result<(), Fault> {
    let handle = want(handle, "ReceiptHandle")?;
    let receipt = receipt::read(&queue.id.name, &handle)?;
    let fifo = is_fifo(&queue.notes);
    match front.queues().acknowledge(&queue.id.only(), &receipt, fifo)? {
        Standing::Lapsed | Standing::Superseded if fifo => {
            Err(Fault::value(&handle, "ReceiptHandle", "The receipt handle has expired."))
        }
        // What is gone was deleted; what others have by now is theirs.
        _ => Ok(()),
    }
}

pub fn change(front: &Front, request: wire::OfMessage) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url.clone())?;
    change_one(front, &queue, request)
}

pub fn change_batch(
    front: &Front,
    request: wire::Batch<wire::OfMessage>,
) -> Result<wire::BatchResult<wire::Entry>, Fault> {
    each(front, request, |queue, entry| change_one(front, queue, entry))
}

fn change_one(front: &Front, queue: &TopicView, request: wire::OfMessage) -> Result<(), Fault> {
    let handle = want(request.receipt_handle, "ReceiptHandle")?;
    let timeout = request.visibility_timeout.ok_or_else(|| Fault::missing("VisibilityTimeout"))?;
    let lease = visibility(timeout)?;
    let receipt = receipt::read(&queue.id.name, &handle)?;
    let wanted = Extension { longest: Some(seconds(LONGEST)), ..Extension::of(lease) };
    match front.queues().extend(&queue.id.only(), &receipt, wanted)? {
        Extended::Done(..) => Ok(()),
        Extended::TooLong => {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            Err(Fault::value(&handle, "VisibilityTimeout", reason))
        }
        Extended::NotHeld(Standing::Gone) => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            Err(Fault::value(&handle, "ReceiptHandle", reason))
        }
        Extended::NotHeld(_) => {
            let text = "The message referred to isn't in flight.";
            Err(Fault::new(Code::MessageNotInflight, text))
        }
    }
}
