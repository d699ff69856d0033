//! A listing of a bucket, of either version.
//!
//! Source: Cloud Storage, XML API, "GET Bucket (List Objects)".

use crate::storage::Storage;
use crate::storage::call::Call;
use crate::storage::fault::{Fault, escape, xml};
use crate::storage::wire;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::ListQuery;
use std::fmt::Write;

impl Storage {
    pub(super) fn list_xml(&self, call: &Call, bucket: &str) -> Result<Response, Fault> {
        let parameter = |name: &str| call.parameter(name).unwrap_or_default();
        let second = parameter("list-type") == "2";
        let continued = if second { parameter("continuation-token") } else { parameter("marker") };
        let after = if continued.is_empty() { parameter("start-after") } else { continued };
        let limit = call.number("max-keys")?.unwrap_or(1000).min(1000) as usize;
        let query =
            ListQuery { prefix: parameter("prefix"), delimiter: parameter("delimiter"), after, limit };
        let page = self.objects.list(&self.bucket_id(bucket), query)?;
        let mut document = String::from(
            "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>",
        );
        let mut tag = |name: &str, text: &str| {
            let _ = write!(document, "<{name}>{}</{name}>", escape(text));
        };
        tag("Name", bucket);
        tag("Prefix", query.prefix);
        if !query.delimiter.is_empty() {
            tag("Delimiter", query.delimiter);
        }
        tag("IsTruncated", if page.next.is_some() { "true" } else { "false" });
        if let Some(next) = &page.next {
            tag(if second { "NextContinuationToken" } else { "NextMarker" }, next);
        }
        if second {
            tag("KeyCount", &(page.objects.len() + page.prefixes.len()).to_string());
        }
        for object in &page.objects {
            let _ = write!(
                document,
                "<Contents><Key>{}</Key><Generation>{}</Generation><MetaGeneration>{}</MetaGeneration><LastModified>{}</LastModified><ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
                escape(&object.key),
                wire::generation(object),
                wire::metageneration(object),
                wire::time(object.created),
                object.content.etag,
                object.content.size(),
            );
        }
        for prefix in &page.prefixes {
            let _ = write!(document, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escape(prefix));
        }
        document.push_str("</ListBucketResult>");
        Ok(xml(StatusCode::OK, document))
    }
}
