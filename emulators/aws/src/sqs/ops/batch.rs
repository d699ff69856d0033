//! What all batches have in common: ids, their number, and one result each.

use crate::sqs::fault::{Code, Fault};
use crate::sqs::wire::{BatchFault, BatchResult};
use std::collections::HashSet;

/// Most entries.
const MOST: usize = 10;
/// Longest id of an entry.
const LONGEST: usize = 80;

/// Refuses a batch whose entries could not be told apart.
pub fn check<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Fault> {
    if ids.len() == 0 {
        return Err(Fault::new(Code::EmptyBatchRequest, "The request must contain at least one entry."));
    }
    if ids.len() > MOST {
        let text = format!("Maximum number of entries per request are {MOST}. You have sent {}.", ids.len());
        return Err(Fault::new(Code::TooManyEntries, text));
    }
    let mut seen = HashSet::new();
    for id in ids {
        let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !letters || !(1..=LONGEST).contains(&id.len()) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return Err(Fault::new(Code::InvalidBatchEntryId, text));
        }
        if !seen.insert(id) {
            return Err(Fault::new(Code::BatchEntryIdsNotDistinct, format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

/// Sorts what became of each entry.
pub fn sort<T>(results: impl Iterator<Item = (String, Result<T, Fault>)>) -> BatchResult<T> {
    let mut sorted = BatchResult { successful: Vec::new(), failed: Vec::new() };
    for (id, result) in results {
        match result {
            Ok(entry) => sorted.successful.push(entry),
            Err(Fault { code, text }) => sorted.failed.push(BatchFault {
                id,
                sender_fault: code.is_senders(),
                code: code.query(),
                message: text,
            }),
        }
    }
    sorted
}
