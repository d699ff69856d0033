//! SendMessage and SendMessageBatch.

use super::{batch as batches, queue_of};
use crate::sqs::attributes::LARGEST;
use crate::sqs::fault::{Code, Fault};
use crate::sqs::{Call, Front, message, wire};
use mlemu_engine::queues::NewMessage;

pub fn one(front: &Front, call: &Call, mut request: wire::Send) -> Result<wire::Sent, Fault> {
    let queue = queue_of(front, request.queue_url.take())?;
    let (new, _) = message::new(call, &queue, request)?;
    let sent = front.queues().send(&queue.id, new.clone())?;
    Ok(message::sent(&queue, &new, &sent, None))
}

pub fn batch(
    front: &Front,
    call: &Call,
    request: wire::Batch<wire::Send>,
) -> Result<wire::BatchResult<wire::Sent>, Fault> {
    let queue = queue_of(front, request.queue_url)?;
    batches::check(request.entries.iter().map(|entry| &*entry.id))?;
    let bytes: u64 = request.entries.iter().map(size).sum();
    if bytes > LARGEST {
        let text =
            format!("Batch requests cannot be longer than {LARGEST} bytes. You have sent {bytes} bytes.");
        return Err(Fault::new(Code::BatchRequestTooLong, text));
    }
    let checked: Vec<(String, Result<NewMessage, Fault>)> = request
        .entries
        .into_iter()
        .map(|entry| (entry.id.clone(), message::new(call, &queue, entry).map(|(new, _)| new)))
        .collect();
    let good: Vec<_> = checked.iter().filter_map(|(_, new)| new.as_ref().ok().cloned()).collect();
    // One commit: nobody gets between the entries.
    let mut sent = front.queues().send_all(&queue.id, good)?.into_iter();
    Ok(batches::sort(checked.into_iter().map(|(id, new)| {
        let result = new.and_then(|new| {
            let sent = sent.next().ok_or_else(Fault::no_queue)?;
            Ok(message::sent(&queue, &new, &sent, Some(id.clone())))
        });
        (id, result)
    })))
}

/// Bytes that an entry counts for, as it was sent.
fn size(entry: &wire::Send) -> u64 {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let attributes = entry.message_attributes.iter().map(|(name, value)| {
        name.len() + value.data_type.len() + text(&value.string_value) + text(&value.binary_value) / 4 * 3
    });
    (text(&entry.message_body) + attributes.sum::<usize>()) as u64
}
