//! The digests that SDKs check: of a body, and of attributes.
//!
//! Follows "Calculating the MD5 message digest for message attributes" of the Amazon SQS developer guide.

use md5::{Digest, Md5};
use mlemu_engine::objects::hex;
use mlemu_engine::queues::Attribute;

pub fn of_body(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// `None` when there is nothing to digest.
pub fn of_attributes<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Option<String> {
    let mut sorted: Vec<_> = attributes.collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut digest = Md5::new();
    for attribute in sorted {
        let is_binary = attribute.kind.starts_with("Binary");
        with_length(&mut digest, attribute.name.as_bytes());
        with_length(&mut digest, attribute.kind.as_bytes());
        digest.update([if is_binary { 2 } else { 1 }]);
        with_length(&mut digest, &attribute.value);
    }
    Some(hex(&digest.finalize()))
}

fn with_length(digest: &mut Md5, bytes: &[u8]) {
    digest.update((bytes.len() as u32).to_be_bytes());
    digest.update(bytes);
}
