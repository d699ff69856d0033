//! Names of resources: `projects/PROJECT/topics/ID` and the like.
//!
//! Source: Pub/Sub, "Guidelines to name a topic, subscription, schema, or snapshot".

use super::fault::Fault;

/// What a deleted topic is called by the subscriptions that it leaves.
pub const DELETED_TOPIC: &str = "_deleted-topic_";

/// What a deleted schema is called by its topics.
pub const DELETED_SCHEMA: &str = "_deleted-schema_";

/// A kind of resource, as names have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Topic,
    Subscription,
    Snapshot,
    Schema,
}

impl Kind {
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Topic => "topics",
            Kind::Subscription => "subscriptions",
            Kind::Snapshot => "snapshots",
            Kind::Schema => "schemas",
        }
    }

    pub fn word(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }
}

/// A name taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub project: &'a str,
    pub id: &'a str,
}

impl<'a> Name<'a> {
    /// Fails unless it is the name of such a resource.
    pub fn of(kind: Kind, name: &'a str) -> Result<Self, Fault> {
        Self::parts(kind, name).filter(|parts| is_id(parts.id)).ok_or_else(|| {
            let plural = kind.plural();
            Fault::invalid(format!("Invalid [{plural}] name: (name={name}). It must have the form projects/PROJECT/{plural}/ID, where ID has 3 to 255 letters, digits and -_.~+%, begins with a letter and not with goog."))
        })
    }

    fn parts(kind: Kind, name: &'a str) -> Option<Self> {
        let (project, rest) = name.strip_prefix("projects/")?.split_once('/')?;
        let id = rest.strip_prefix(kind.plural())?.strip_prefix('/')?;
        (!project.is_empty()).then_some(Self { project, id })
    }
}

fn is_id(id: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte);
    (3..=255).contains(&id.len())
        && id.as_bytes()[0].is_ascii_alphabetic()
        && id.bytes().all(letters)
        && !id.starts_with("goog")
}

/// The project of `projects/PROJECT`.
pub fn project(name: &str) -> Result<&str, Fault> {
    name.strip_prefix("projects/").filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(|| {
        Fault::invalid(format!(
            "Invalid [projects] name: (name={name}). It must have the form projects/PROJECT."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        let topic = |name| Name::of(Kind::Topic, name).ok().map(|name| (name.project, name.id));
        assert_eq!(topic("projects/p/topics/abc"), Some(("p", "abc")));
        assert_eq!(topic("projects/p/topics/a-_.~+%9"), Some(("p", "a-_.~+%9")));
        let long = format!("projects/p/topics/{}", "a".repeat(256));
        for wrong in [
            "abc",
            "projects/p/topics/ab",
            "projects/p/topics/1abc",
            "projects/p/topics/google",
            "projects/p/topics/a/b/c",
            "projects//topics/abc",
            "projects/p/subscriptions/abc",
            "projects/p/topics/süß",
            &long,
        ] {
            assert_eq!(topic(wrong), None, "{wrong}");
        }
        assert!(project("projects/p").is_ok() && project("projects/").is_err() && project("p").is_err());
    }
}
