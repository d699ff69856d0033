//! Access lists: who may do what with a bucket or an object. They are kept and shown, and never enforced.
//!
//! Source: Cloud Storage, "Access control lists (ACLs)".

use super::fault::Fault;
use super::wire;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Bucket,
    /// What objects get that bring none.
    Default,
    Object,
}

impl Of {
    /// The name of the list in documents.
    pub fn document(self) -> &'static str {
        match self {
            Of::Default => "defaultObjectAcl",
            Of::Bucket | Of::Object => "acl",
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Of::Bucket => "storage#bucketAccessControl",
            Of::Default | Of::Object => "storage#objectAccessControl",
        }
    }

    fn roles(self) -> &'static [&'static str] {
        match self {
            Of::Bucket => &["OWNER", "WRITER", "READER"],
            Of::Default | Of::Object => &["OWNER", "READER"],
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub entity: String,
    pub role: String,
}

impl Grant {
    fn new(entity: &str, role: &str) -> Self {
        Self { entity: entity.into(), role: role.into() }
    }

    /// An entry as a client writes it.
    pub fn read(said: &Value, of: Of) -> Result<Self, Fault> {
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        let grant = Self { entity: text("entity"), role: text("role") };
        if grant.entity.is_empty() {
            return Err(Fault::required("Required: entity"));
        }
        if !is_entity(&grant.entity) {
            return Err(Fault::invalid(format!("Invalid value for: entity {}", grant.entity)));
        }
        if !of.roles().contains(&grant.role.as_str()) {
            return Err(Fault::invalid(format!("Invalid value for: role {}", grant.role)));
        }
        Ok(grant)
    }

    /// `base`: the address of the bucket or the object.
    pub fn shown(&self, of: Of, names: &Value, base: &str) -> Value {
        let mut shown = json!({
            "kind": of.kind(),
            "entity": self.entity,
            "role": self.role,
            "etag": wire::tag(&[&self.entity, &self.role]),
        });
        if let Value::Object(names) = names {
            for (key, value) in names {
                shown[key] = value.clone();
            }
            if of != Of::Default {
                shown["selfLink"] = format!("{base}/acl/{}", wire::encoded(&self.entity)).into();
                let id = [&names["bucket"], names.get("object").unwrap_or(&Value::Null)];
                let id: Vec<&str> = id.iter().filter_map(|part| part.as_str()).collect();
                shown["id"] = format!("{}/{}", id.join("/"), self.entity).into();
            }
        }
        if let Some((kind, who)) = self.entity.split_once('-') {
            match kind {
                "user" | "group" if who.contains('@') => shown["email"] = who.into(),
                "domain" => shown["domain"] = who.into(),
                "project" => {
                    let (team, number) = who.split_once('-').unwrap_or((who, ""));
                    shown["projectTeam"] = json!({ "team": team, "projectNumber": number });
                }
                _ => {}
            }
        }
        shown
    }
}

fn is_entity(text: &str) -> bool {
    let kinds = ["user-", "group-", "domain-", "project-owners-", "project-editors-", "project-viewers-"];
    ["allUsers", "allAuthenticatedUsers"].contains(&text)
        || kinds.iter().any(|kind| text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty()))
}

/// A whole list as a client writes it.
pub(super) fn read(said: &Value, of: Of) -> Result<Vec<Grant>, Fault> {
    let entries =
        said.as_array().ok_or_else(|| Fault::invalid(format!("Invalid value for: {}", of.document())))?;
    entries.iter().map(|entry| Grant::read(entry, of)).collect()
}

/// What a name such as `publicRead` stands for. `None`: there is no such name.
pub(super) fn predefined(name: &str, of: Of) -> Option<Vec<Grant>> {
    let owners = Grant::new("project-owners-0", "OWNER");
    let team = || {
        let (editors, viewers) =
            (Grant::new("project-editors-0", "OWNER"), Grant::new("project-viewers-0", "READER"));
        vec![owners.clone(), editors, viewers]
    };
    let with = |entity: &str, role: &str| vec![owners.clone(), Grant::new(entity, role)];
    Some(match (name, of) {
        ("private", _) | ("bucketOwnerRead" | "bucketOwnerFullControl", Of::Object | Of::Default) => {
            vec![owners]
        }
        ("projectPrivate", _) => team(),
        ("publicRead", _) => with("allUsers", "READER"),
        ("publicReadWrite", Of::Bucket) => with("allUsers", "WRITER"),
        ("authenticatedRead", _) => with("allAuthenticatedUsers", "READER"),
        _ => return None,
    })
}

/// What is so when nothing is said.
pub(super) fn usual() -> Vec<Grant> {
    predefined("projectPrivate", Of::Bucket).unwrap_or_default()
}
