//! The conditions of a request, and of the source of a copy.
//!
//! Source: Azure Storage documentation, "Specify conditional headers for Blob service operations".

use super::call::Call;
use super::facts::Facts;
use super::lease::{self, OF_BLOB};
use super::ops::find::Filter;
use crate::storage::fault::{Code, Fault, code};
use mlemu_core::Timestamp;
use mlemu_engine::dates;
use mlemu_engine::objects::{Attributes, Object};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    is: Option<Vec<String>>,
    is_not: Option<Vec<String>>,
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
    tags: Option<Filter>,
    lease: Option<String>,
}

const OWN: [&str; 5] =
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "x-ms-if-tags"];
const OF_SOURCE: [&str; 5] = [
    "x-ms-source-if-match",
    "x-ms-source-if-none-match",
    "x-ms-source-if-modified-since",
    "x-ms-source-if-unmodified-since",
    "x-ms-source-if-tags",
];

impl Conditions {
    pub fn read(call: &Call) -> Result<Self, Fault> {
        let mut read = Self::named(call, OWN)?;
        read.lease = call.header("x-ms-lease-id").map(str::to_owned);
        Ok(read)
    }

    pub fn of_source(call: &Call) -> Result<Self, Fault> {
        Self::named(call, OF_SOURCE)
    }

    fn named(call: &Call, names: [&str; 5]) -> Result<Self, Fault> {
        let [is, is_not, modified, unmodified, tags] = names;
        let list = |name: &str| {
            let said = call.header(name)?;
            Some(
                said.split(',')
                    .map(|one| one.trim().trim_start_matches("W/").trim_matches('"').to_owned())
                    .collect(),
            )
        };
        let moment = |name: &str| {
            call.header(name)
                .map(|said| dates::seconds_of_http(said).ok_or_else(|| Fault::header(name, said)))
        };
        let filter = |name: &str| {
            let said = call.header(name)?;
            Some(Filter::read(said).ok_or_else(|| Fault::header(name, said)))
        };
        Ok(Self {
            is: list(is),
            is_not: list(is_not),
            modified_since: moment(modified).transpose()?,
            unmodified_since: moment(unmodified).transpose()?,
            tags: filter(tags).transpose()?,
            lease: None,
        })
    }

    /// Before a blob is made or replaced.
    pub fn over(&self, current: Option<&Object>, now: Timestamp) -> Result<(), Fault> {
        match current {
            Some(object) => self.write(&object.attributes, now),
            None if self.is.is_some() || self.tags.is_some() => Err(code::ConditionNotMet.into()),
            None if self.lease.is_some() => Err(code::LeaseNotPresentWithBlobOperation.into()),
            None => Ok(()),
        }
    }

    /// Before something about a blob is changed.
    pub fn write(&self, attributes: &Attributes, now: Timestamp) -> Result<(), Fault> {
        let facts = Facts::of(attributes);
        if self.is_not.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == "*")) {
            return Err(code::BlobAlreadyExists.into());
        }
        if self.fails(&facts, attributes) || self.is_as_known(&facts) {
            return Err(code::ConditionNotMet.into());
        }
        lease::may_write(facts.lease.as_ref(), self.lease.as_deref(), now, OF_BLOB)
    }

    /// Before a blob is read.
    pub fn read_of(&self, facts: &Facts, attributes: &Attributes, now: Timestamp) -> Result<(), Fault> {
        if self.fails(facts, attributes) {
            return Err(code::ConditionNotMet.into());
        }
        if self.is_as_known(facts) {
            return Err(Fault::unchanged());
        }
        lease::may_read(facts.lease.as_ref(), self.lease.as_deref(), now, OF_BLOB)
    }

    /// Of a copy's source, and of containers: `refusal` where they do not hold.
    pub fn hold(&self, facts: &Facts, attributes: &Attributes, refusal: Code) -> Result<(), Fault> {
        let refused = self.fails(facts, attributes) || self.is_as_known(facts);
        if refused { Err(refusal.into()) } else { Ok(()) }
    }

    pub fn lease(&self) -> Option<&str> {
        self.lease.as_deref()
    }

    fn fails(&self, facts: &Facts, attributes: &Attributes) -> bool {
        let names = |tags: &Vec<String>| tags.iter().any(|tag| tag == "*" || *tag == facts.etag);
        let modified = facts.modified.0.div_euclid(1_000_000);
        self.is.as_ref().is_some_and(|tags| !names(tags))
            || self.is.is_none() && self.unmodified_since.is_some_and(|since| modified > since)
            || self.tags.as_ref().is_some_and(|filter| !filter.fits(&attributes.tags, ""))
    }

    fn is_as_known(&self, facts: &Facts) -> bool {
        let modified = facts.modified.0.div_euclid(1_000_000);
        match &self.is_not {
            Some(tags) => tags.iter().any(|tag| tag == "*" || *tag == facts.etag),
            None => self.modified_since.is_some_and(|since| modified <= since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_795_269_134_500_000);

    type Read = Result<(), (&'static str, u16)>;

    fn check(conditions: &Conditions) -> (Result<(), &'static str>, Read) {
        let facts = Facts { etag: "0x8D1".into(), modified: AT, ..Facts::default() };
        let mut attributes = Attributes::default();
        facts.keep(&mut attributes.documents);
        let write = conditions.write(&attributes, AT).map_err(|fault| fault.code.name);
        let read =
            conditions.read_of(&facts, &attributes, AT).map_err(|fault| (fault.code.name, fault.status));
        (write, read)
    }

    #[test]
    fn tags_and_times() {
        let tags = |tags: &[&str]| Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let none = Conditions::default();
        let not_met = (Err("ConditionNotMet"), Err(("ConditionNotMet", 412)));
        let unchanged = (Err("ConditionNotMet"), Err(("ConditionNotMet", 304)));
        let fine = (Ok(()), Ok(()));
        let second = AT.0 / 1_000_000;
        let cases = [
            (Conditions { is: tags(&["0x8D1"]), ..none.clone() }, fine),
            (Conditions { is: tags(&["x", "*"]), ..none.clone() }, fine),
            (Conditions { is: tags(&["0x8D2"]), ..none.clone() }, not_met),
            (Conditions { is_not: tags(&["0x8D1"]), ..none.clone() }, unchanged),
            (Conditions { is_not: tags(&["0x8D2"]), ..none.clone() }, fine),
            (Conditions { modified_since: Some(second), ..none.clone() }, unchanged),
            (Conditions { modified_since: Some(second - 1), ..none.clone() }, fine),
            (Conditions { unmodified_since: Some(second - 1), ..none.clone() }, not_met),
            (Conditions { unmodified_since: Some(second), ..none.clone() }, fine),
        ];
        for (conditions, expected) in cases {
            assert_eq!(check(&conditions), expected, "{conditions:?}");
        }
        let exists = check(&Conditions { is_not: tags(&["*"]), ..none.clone() });
        assert_eq!(exists, (Err("BlobAlreadyExists"), Err(("ConditionNotMet", 304))));
        assert_eq!(
            Conditions { is: tags(&["*"]), ..none }.over(None, AT).map_err(|fault| fault.status),
            Err(412)
        );
    }
}
