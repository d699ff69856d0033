//! Properties of a service as a whole: kept as they are said, and answered whole.
//!
//! Source: Azure Storage documentation, "Set Blob Service Properties", "Set Queue Service Properties".

use super::cors;
use super::fault::{Fault, code};
use super::sas::Service;
use mlemu_core::Scope;
use mlemu_engine::objects::{BucketId, Fault as Core, Objects};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::sync::Arc;

/// The bucket that holds what is said of services as a whole: no container can be called so.
pub(crate) const KEPT: &str = "$service";

/// What a service says that nobody has said anything to, by the name of each part.
const DEFAULTS: [(&str, &str); 7] = [
    (
        "Logging",
        "<Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>",
    ),
    (
        "HourMetrics",
        "<Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>",
    ),
    (
        "MinuteMetrics",
        "<Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>",
    ),
    ("Cors", ""),
    ("DefaultServiceVersion", ""),
    ("DeleteRetentionPolicy", "<Enabled>false</Enabled>"),
    ("StaticWebsite", "<Enabled>false</Enabled>"),
];
const ROOT: &str = "StorageServiceProperties";

/// The document after a change: parts that are not said stay as they were. `before`: empty where nothing was said yet.
pub(crate) fn merged(before: &str, body: &[u8]) -> Result<String, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    let said = parts(text.trim_start_matches('\u{feff}'))?;
    let before = if before.is_empty() { Vec::new() } else { parts(before)? };
    if let Some((name, _)) = said.iter().find(|(name, _)| !DEFAULTS.iter().any(|(known, _)| known == name)) {
        return Err(Fault::from(code::InvalidXmlDocument).with("XmlNodeName", name));
    }
    let mut all = String::new();
    for (name, usual) in DEFAULTS {
        let of = |from: &[(String, String)]| {
            from.iter().find(|(known, _)| known == name).map(|(_, inner)| inner.clone())
        };
        let inner = of(&said).or_else(|| of(&before)).unwrap_or_else(|| usual.to_owned());
        if inner.is_empty() && name == "DefaultServiceVersion" {
            continue;
        }
        all.push_str(&format!("<{name}>{inner}</{name}>"));
    }
    Ok(format!("<{ROOT}>{all}</{ROOT}>"))
}

/// What a service says that nobody has said anything to.
pub(crate) fn usual(for_blobs: bool) -> String {
    let all = merged("", format!("<{ROOT}/>").as_bytes()).unwrap_or_default();
    if for_blobs {
        return all;
    }
    let end = all.find("<DeleteRetentionPolicy>").unwrap_or(all.len());
    format!("{}</{ROOT}>", &all[..end])
}

/// What was said of a service of an account; otherwise what it says by itself.
pub(crate) fn of(objects: &Objects, scope: &Scope, service: Service) -> String {
    let view = objects.bucket(&BucketId::new(scope, KEPT)).ok();
    let said = view.and_then(|view| view.document(service.name()).map(ToString::to_string));
    said.unwrap_or_else(|| usual(service == Service::Blob))
}

/// Changes what is said of a service of an account.
pub(crate) fn set(objects: &Objects, scope: &Arc<Scope>, service: Service, body: &[u8]) -> Result<(), Fault> {
    let merged = merged(&of(objects, scope, service), body)?;
    cors::check(&merged)?;
    match objects.create_bucket(scope, KEPT) {
        Ok(_) | Err(Core::BucketExists { .. }) => {}
        Err(fault) => return Err(fault.into()),
    }
    objects.set_document(&BucketId::new(scope, KEPT), service.name(), Some(merged.into()))?;
    Ok(())
}

/// The parts of a document, each with what is in it as it stands.
fn parts(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let bad = |_| Fault::from(code::InvalidXmlDocument);
    let mut reader = Reader::from_str(text);
    let (mut depth, mut found, mut open) = (0_usize, Vec::new(), (String::new(), 0));
    loop {
        let at = reader.buffer_position() as usize;
        match reader.read_event().map_err(bad)? {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                if depth == 0 && name != ROOT {
                    return Err(code::InvalidXmlDocument.into());
                }
                if depth == 1 {
                    open = (name, reader.buffer_position() as usize);
                }
                depth += 1;
            }
            Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                match depth {
                    0 if name != ROOT => return Err(code::InvalidXmlDocument.into()),
                    1 => found.push((name, String::new())),
                    _ => {}
                }
            }
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or(code::InvalidXmlDocument)?;
                if depth == 1 {
                    found.push((std::mem::take(&mut open.0), text[open.1..at].to_owned()));
                }
            }
            Event::Eof if depth == 0 => return Ok(found),
            Event::Eof => return Err(code::InvalidXmlDocument.into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_said_stay() {
        let first = usual(true);
        assert!(first.contains("<Cors></Cors>") && first.contains("<StaticWebsite>"), "{first}");
        assert!(!usual(false).contains("StaticWebsite"));
        let cors = "<Cors><CorsRule><AllowedOrigins>*</AllowedOrigins></CorsRule></Cors>";
        let body = format!(
            "\u{feff}<?xml version=\"1.0\"?><{ROOT}>{cors}<DefaultServiceVersion>2020-10-02</DefaultServiceVersion></{ROOT}>"
        );
        let second = merged(&first, body.as_bytes()).unwrap();
        assert!(second.contains(cors) && second.contains("2020-10-02"), "{second}");
        let third = merged(&second, format!("<{ROOT}><Cors/></{ROOT}>").as_bytes()).unwrap();
        assert!(third.contains("<Cors></Cors>") && third.contains("2020-10-02"), "{third}");
        for bad in
            ["", "<", "<Other/>", "<StorageServiceProperties><Own/></StorageServiceProperties>", "</x>"]
        {
            let merged = merged("", bad.as_bytes());
            assert!(bad.is_empty() || merged.is_err(), "{bad}");
        }
    }
}
