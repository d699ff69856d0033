//! Queues themselves: Create, Delete, Purge, List, their URLs and their attributes.

use super::{queue_of, want};
use crate::sqs::fault::{Code, Fault};
use crate::sqs::{Call, Front, attributes, names, wire};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use mlemu_engine::queues::{Fault as Core, Notes, TopicId, TopicView};

/// Most queues of a page.
const PAGE: i64 = 1000;

pub fn create(front: &Front, call: &Call, request: wire::CreateQueue) -> Result<wire::QueueUrl, Fault> {
    let name = want(request.queue_name, "QueueName")?;
    let id = TopicId::new(&call.scope, &name);
    let fifo = request.attributes.get("FifoQueue").is_some_and(|value| value == "true");
    names::check(&name, fifo)?;
    if let Ok(there) = front.queues().topic(&id) {
        compare(front, &there, &request.attributes)?;
    } else {
        check_tags(&request.tags)?;
        make(front, &id, &request.attributes, request.tags)?;
    }
    Ok(wire::QueueUrl { queue_url: names::url(&call.origin, &id) })
}

fn make(front: &Front, id: &TopicId, wanted: &wire::Map, tags: Notes) -> Result<(), Fault> {
    let mut notes = Notes::new();
    if wanted.get("FifoQueue").is_some_and(|value| value == "true") {
        notes.insert("FifoQueue".into(), "true".into());
    }
    attributes::set(front, id, &mut notes, wanted)?;
    let settings = attributes::settings(front, id, &notes);
    match front.queues().create_queue(id, settings, notes, tags) {
        // Somebody else was quicker.
        Ok(()) | Err(Core::TopicExists { .. }) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

/// Creating a queue again is harmless as long as nothing that is asked for differs.
fn compare(front: &Front, there: &TopicView, wanted: &wire::Map) -> Result<(), Fault> {
    attributes::set(front, &there.id, &mut there.notes.clone(), wanted)?;
    let differs = |(name, value): &(&String, &String)| attributes::get(&there.notes, name) != value.as_str();
    let Some((name, _)) = wanted.iter().find(differs) else { return Ok(()) };
    let text =
        format!("A queue already exists with the same name and a different value for attribute {name}");
    Err(Fault::new(Code::QueueNameExists, text))
}

/// Makes sure that a declared queue exists, with what is declared of it.
pub fn declare(front: &Front, id: &TopicId, wanted: &wire::Map) -> Result<(), Fault> {
    let fifo = wanted.get("FifoQueue").is_some_and(|value| value == "true");
    names::check(&id.name, fifo || id.name.ends_with(names::FIFO))?;
    match front.queues().topic(id) {
        Ok(there) => change(front, &there, wanted),
        Err(_) => make(front, id, wanted, Notes::new()),
    }
}

pub fn url(front: &Front, call: &Call, request: wire::GetQueueUrl) -> Result<wire::QueueUrl, Fault> {
    let name = want(request.queue_name, "QueueName")?;
    let scope = request.owner.map_or_else(|| call.scope.clone(), |owner| front.scope_of(&owner));
    let queue = front.queues().topic(&TopicId::new(&scope, &name))?;
    Ok(wire::QueueUrl { queue_url: names::url(&call.origin, &queue.id) })
}

pub fn delete(front: &Front, request: wire::OfQueue) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    Ok(front.queues().delete_topic(&queue.id)?)
}

pub fn purge(front: &Front, request: wire::OfQueue) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    Ok(front.queues().purge(&queue.id.only())?)
}

pub fn list(front: &Front, call: &Call, request: wire::List) -> Result<wire::Listed, Fault> {
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let mut all = front.queues().topics(&call.scope);
    all.retain(|queue| queue.id.name.starts_with(&prefix));
    let (queue_urls, next_token) = page(call, all, request.max_results, request.next_token)?;
    Ok(wire::Listed { queue_urls, next_token })
}

/// The queues whose dead letters come here.
pub fn sources(front: &Front, call: &Call, request: wire::List) -> Result<wire::ListedSources, Fault> {
    let queue = queue_of(front, request.queue_url)?;
    let arn = names::arn_of(&queue.id);
    let mut all = front.queues().topics(&queue.id.scope);
    all.retain(|source| attributes::dead_letter_arn(&source.notes).as_ref() == Some(&arn));
    let (queue_urls, next_token) = page(call, all, request.max_results, request.next_token)?;
    Ok(wire::ListedSources { queue_urls, next_token })
}

fn page(
    call: &Call,
    mut all: Vec<TopicView>,
    most: Option<i64>,
    token: Option<String>,
) -> Result<(Vec<String>, Option<String>), Fault> {
    if let Some(wrong) = most.filter(|most| !(1..=PAGE).contains(most)) {
        return Err(Fault::value(wrong, "MaxResults", "Must be between 1 and 1000, if provided."));
    }
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let read = BASE64.decode(&token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let after = read.ok_or_else(|| Fault::value(&token, "NextToken", "Invalid or expired token."))?;
        all.retain(|queue| *queue.id.name > *after);
    }
    let size = most.unwrap_or(PAGE).unsigned_abs() as usize;
    // Tokens are for those who asked for pages.
    let is_cut = most.is_some() && all.len() > size;
    all.truncate(size);
    let last = all.last().filter(|_| is_cut).map(|last| BASE64.encode(&*last.id.name));
    Ok((all.iter().map(|queue| names::url(&call.origin, &queue.id)).collect(), last))
}

pub fn attributes(front: &Front, request: wire::GetAttributes) -> Result<wire::Attributes, Fault> {
    let queue = queue_of(front, request.queue_url)?;
    let counts = front.queues().counts(&queue.id.only())?;
    Ok(wire::Attributes { attributes: attributes::told(&queue, &counts, &request.attribute_names)? })
}

pub fn set_attributes(front: &Front, request: wire::SetAttributes) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    if request.attributes.is_empty() {
        return Err(Fault::missing("Attribute.Name"));
    }
    if request
        .attributes
        .get("FifoQueue")
        .is_some_and(|value| value != attributes::get(&queue.notes, "FifoQueue"))
    {
        let text =
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
        return Err(Fault::new(Code::InvalidAttributeValue, text));
    }
    change(front, &queue, &request.attributes)
}

/// Sets attributes of a queue, all or none.
pub fn change(front: &Front, queue: &TopicView, wanted: &wire::Map) -> Result<(), Fault> {
    let mut notes = queue.notes.clone();
    attributes::set(front, &queue.id, &mut notes, wanted)?;
    let settings = attributes::settings(front, &queue.id, &notes);
    front.queues().note(&queue.id, |held, _| *held = notes)?;
    front.queues().configure(&queue.id.only(), |held| *held = settings)?;
    Ok(())
}

/// Most tags of one queue.
const MOST_TAGS: usize = 50;

pub fn check_tags(tags: &wire::Map) -> Result<(), Fault> {
    if tags.len() > MOST_TAGS {
        let text = format!("Too many tags added for queue: the limit is {MOST_TAGS}.");
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    for (name, value) in tags {
        let length = (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256;
        if !length || name.starts_with("aws:") {
            return Err(Fault::value(
                name,
                "TagKey",
                "Tag keys and values are limited in length, and may not begin with aws:.",
            ));
        }
    }
    Ok(())
}
