//! Blob Storage's documents.

use super::facts::{Facts, Kind};
use super::lease;
use crate::storage::answer::{date, escaped};
use crate::storage::fault::{Fault, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Timestamp;
use mlemu_engine::objects::Object;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most blocks of a blob.
const MOST_BLOCKS: usize = 50_000;

/// Where a block of a list is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Committed,
    Uncommitted,
    Latest,
}

/// The blocks that a blob shall be made of, in order.
pub(super) fn block_list(body: &[u8]) -> Result<Vec<(From, String)>, Fault> {
    let bad = |_| Fault::from(code::InvalidXmlDocument);
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut found, mut depth, mut open, mut id) = (Vec::new(), 0, None, String::new());
    loop {
        match reader.read_event().map_err(bad)? {
            Event::Start(start) => {
                open = match (depth, start.name().as_ref()) {
                    (0, "BlockList") => None,
                    (1, "Committed") => Some(From::Committed),
                    (1, "Uncommitted") => Some(From::Uncommitted),
                    (1, "Latest") => Some(From::Latest),
                    _ => return Err(code::InvalidXmlDocument.into()),
                };
                (depth, id) = (depth + 1, String::new());
            }
            Event::Text(text) => id.push_str(&text.xml10_content()),
            Event::Empty(start) if depth == 0 && start.name().as_ref() == "BlockList" => return Ok(found),
            Event::End(_) => {
                depth -= 1;
                if let Some(from) = open.take() {
                    found.push((from, std::mem::take(&mut id).trim().to_owned()));
                }
                if found.len() > MOST_BLOCKS {
                    return Err(code::BlockListTooLong.into());
                }
                if depth == 0 {
                    return Ok(found);
                }
            }
            Event::Decl(_) | Event::Comment(_) => {}
            _ => return Err(code::InvalidXmlDocument.into()),
        }
    }
}

/// One block, by its id as clients write it, and its length.
fn block((id, size): &(Vec<u8>, u64)) -> String {
    format!("<Block><Name>{}</Name><Size>{size}</Size></Block>", STANDARD.encode(id))
}

/// `None`: that half was not asked for.
pub(super) fn blocks(committed: Option<&[(Vec<u8>, u64)]>, uncommitted: Option<&[(Vec<u8>, u64)]>) -> String {
    let half = |name: &str, blocks: Option<&[(Vec<u8>, u64)]>| {
        let inner = |blocks: &[(Vec<u8>, u64)]| blocks.iter().map(block).collect::<String>();
        blocks.map(|blocks| format!("<{name}>{}</{name}>", inner(blocks))).unwrap_or_default()
    };
    let halves = [half("CommittedBlocks", committed), half("UncommittedBlocks", uncommitted)];
    format!("<BlockList>{}</BlockList>", halves.concat())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    tag_set: TagSet,
}

#[derive(Debug, Deserialize)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    all: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn read_tags(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    let read: Tags =
        quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| code::InvalidXmlDocument)?;
    Ok(read.tag_set.all.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> String {
    let one = |(name, value): (&String, &String)| {
        format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escaped(name), escaped(value))
    };
    format!("<Tags><TagSet>{}</TagSet></Tags>", tags.iter().map(one).collect::<String>())
}

/// What a user delegation key is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyInfo {
    #[serde(default)]
    pub start: String,
    #[serde(default)]
    pub expiry: String,
}

pub(super) fn key_info(body: &[u8]) -> Result<KeyInfo, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| code::InvalidXmlDocument.into())
}

/// An element with a text, where there is one.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

pub(super) fn metadata(metadata: &BTreeMap<String, String>) -> String {
    let all: String = metadata.iter().map(|(name, value)| element(name, value)).collect();
    format!("<Metadata>{all}</Metadata>")
}

/// What a listing says of a lease.
pub(super) fn lease_elements(facts: &Facts, now: Timestamp) -> String {
    let state = lease::state(facts.lease.as_ref(), now);
    let mut text = element("LeaseStatus", if state.is_locked() { "locked" } else { "unlocked" });
    text.push_str(&element("LeaseState", state.name()));
    if let Some(duration) = lease::duration(facts.lease.as_ref(), now) {
        text.push_str(&element("LeaseDuration", duration));
    }
    text
}

/// What a listing says of a blob.
pub(super) fn properties(object: &Object, facts: &Facts, with_copy: bool, now: Timestamp) -> String {
    let said = |name: &str| object.attributes.headers.get(name).map_or("", String::as_str);
    let mut text = element("Creation-Time", &date(facts.created));
    text.push_str(&element("Last-Modified", &date(facts.modified)));
    text.push_str(&element("Etag", &facts.etag));
    text.push_str(&element("Content-Length", &object.content.size().to_string()));
    let headers = [
        ("Content-Type", "content-type"),
        ("Content-Encoding", "content-encoding"),
        ("Content-Language", "content-language"),
        ("Content-MD5", "content-md5"),
        ("Cache-Control", "cache-control"),
        ("Content-Disposition", "content-disposition"),
    ];
    for (name, by) in headers {
        text.push_str(&element(name, said(by)));
    }
    text.push_str(&element("BlobType", facts.kind.name()));
    match facts.kind {
        Kind::Block => {
            let tier = facts.tier.as_ref().map_or("Hot", |(tier, _)| tier);
            text.push_str(&element("AccessTier", tier));
            match &facts.tier {
                None => text.push_str("<AccessTierInferred>true</AccessTierInferred>"),
                Some((_, at)) => text.push_str(&element("AccessTierChangeTime", &date(*at))),
            }
        }
        Kind::Page => text.push_str(&element("x-ms-blob-sequence-number", &facts.sequence.to_string())),
        Kind::Append if facts.sealed => text.push_str("<Sealed>true</Sealed>"),
        Kind::Append => {}
    }
    text.push_str(&lease_elements(facts, now));
    if let Some(copy) = facts.copy.as_ref().filter(|_| with_copy) {
        text.push_str(&element("CopyId", &copy.id));
        text.push_str(&element("CopySource", &copy.source));
        text.push_str("<CopyStatus>success</CopyStatus>");
        text.push_str(&element("CopyProgress", &format!("{0}/{0}", copy.bytes)));
        text.push_str(&element("CopyCompletionTime", &date(copy.at)));
    }
    text.push_str("<ServerEncrypted>true</ServerEncrypted>");
    if !object.attributes.tags.is_empty() {
        text.push_str(&element("TagCount", &object.attributes.tags.len().to_string()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_lists_keep_their_order() {
        let text = "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>YQ==</Latest>\
            <Committed>Yg==</Committed><!-- x --><Uncommitted> Yw== </Uncommitted></BlockList>";
        // Between elements there is nothing but space.
        let found = block_list(text.replace('\n', "").as_bytes()).unwrap();
        let golden = [(From::Latest, "YQ=="), (From::Committed, "Yg=="), (From::Uncommitted, "Yw==")];
        assert_eq!(found, golden.map(|(from, id)| (from, id.to_owned())));
        assert!(block_list(b"<BlockList></BlockList>").unwrap().is_empty());
        assert!(block_list(b"<BlockList />").unwrap().is_empty());
        for bad in [
            "",
            "<",
            "<Other/>",
            "<BlockList><Own>a</Own></BlockList>",
            "<BlockList><Latest><Latest>",
            "\u{0}",
        ] {
            assert!(block_list(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = format!("<BlockList>{}</BlockList>", "<Latest>YQ==</Latest>".repeat(MOST_BLOCKS + 1));
        assert_eq!(block_list(long.as_bytes()).unwrap_err().code, code::BlockListTooLong);
    }

    #[test]
    fn tags_come_back() {
        let text = "<?xml version='1.0'?><Tags><TagSet><Tag><Key>a</Key><Value>b&amp;c</Value></Tag><Tag><Key>d</Key><Value/></Tag></TagSet></Tags>";
        let read = read_tags(text.as_bytes()).unwrap();
        assert_eq!(read, [("a".into(), "b&c".into()), ("d".into(), String::new())]);
        let written = tags(&read.into_iter().collect());
        assert_eq!(read_tags(written.as_bytes()).unwrap().len(), 2);
        assert!(read_tags(b"<Tags>").is_err());
    }
}
