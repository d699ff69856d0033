//! Stored access policies: what a container or a queue says of those who come with a signature that names one.
//!
//! Source: Azure Storage documentation, "Define a stored access policy".

use super::fault::{Fault, code};
use mlemu_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Most of one resource.
const MOST: usize = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub id: String,
    pub start: String,
    pub expiry: String,
    pub permission: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename = "SignedIdentifiers")]
struct Document {
    #[serde(rename = "SignedIdentifier", default)]
    all: Vec<Identifier>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identifier {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_policy: Option<AccessPolicy>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccessPolicy {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    start: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    expiry: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    permission: String,
}

/// The policies of a request; none where its body is empty.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Policy>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let document: Document = quick_xml::de::from_str(text).map_err(|_| code::InvalidXmlDocument)?;
    if document.all.len() > MOST {
        return Err(code::InvalidXmlDocument.into());
    }
    let read = |one: Identifier| {
        let AccessPolicy { start, expiry, permission } = one.access_policy.unwrap_or_default();
        let good = [&start, &expiry].iter().all(|said| said.is_empty() || time(said).is_some());
        if !good || one.id.len() > 64 {
            return Err(Fault::from(code::InvalidXmlNodeValue));
        }
        Ok(Policy { id: one.id, start, expiry, permission })
    };
    document.all.into_iter().map(read).collect()
}

pub(crate) fn written(policies: &[Policy]) -> String {
    let one = |policy: &Policy| {
        let Policy { id, start, expiry, permission } = policy.clone();
        Identifier { id, access_policy: Some(AccessPolicy { start, expiry, permission }) }
    };
    let document = Document { all: policies.iter().map(one).collect() };
    quick_xml::se::to_string(&document).unwrap_or_default()
}

/// A moment in any of the forms that signatures may have: a date, with minutes, with seconds, with a fraction.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        17 => format!("{}:00Z", text.strip_suffix('Z')?),
        _ => text.to_owned(),
    };
    let read: jiff::Timestamp = whole.parse().ok()?;
    Some(Timestamp(read.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_written() {
        let text = "<?xml version='1.0'?>\n<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy>\
            <Expiry>2027-01-01T00:00:00Z</Expiry><Permission>rl</Permission></AccessPolicy></SignedIdentifier>\
            <SignedIdentifier><Id>b</Id></SignedIdentifier></SignedIdentifiers>";
        let policies = read(text.as_bytes()).unwrap();
        assert_eq!(
            (policies.len(), policies[0].permission.as_str(), policies[1].expiry.as_str()),
            (2, "rl", "")
        );
        assert_eq!(read(written(&policies).as_bytes()).unwrap(), policies);
        assert!(read(b"").unwrap().is_empty());
        for bad in ["<", "<SignedIdentifiers><SignedIdentifier/></SignedIdentifiers>", "\u{fffd}"] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let six = "<SignedIdentifier><Id>a</Id></SignedIdentifier>".repeat(6);
        assert!(read(format!("<SignedIdentifiers>{six}</SignedIdentifiers>").as_bytes()).is_err());
        let never = text.replace("2027-01-01T00:00:00Z", "soon");
        assert_eq!(read(never.as_bytes()).unwrap_err().code, code::InvalidXmlNodeValue);
    }

    #[test]
    fn moments_in_every_form() {
        let whole = time("2026-11-21T00:00:00Z");
        for form in ["2026-11-21", "2026-11-21T00:00Z", "2026-11-21T00:00:00.0000000Z"] {
            assert_eq!(time(form), whole, "{form}");
        }
        assert_eq!(time("tomorrow"), None);
        assert_eq!(time(""), None);
    }
}
