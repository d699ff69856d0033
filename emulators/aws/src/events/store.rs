//! What EventBridge keeps: buses and their rules.

use super::fault::Fault;
use super::wire::Target;
use crate::lambda::Settings;
use crate::pattern::{Pattern, PatternFault};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const DEFAULT: &str = "default";

pub type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bus {
    pub name: String,
    pub arn: String,
    pub description: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    pub bus: String,
    pub arn: String,
    pub pattern: Option<Fitting>,
    pub schedule: Option<String>,
    pub enabled: bool,
    pub description: Option<String>,
    pub role: Option<String>,
    pub tags: Tags,
    /// By their ids.
    pub targets: BTreeMap<String, Target>,
    /// A project declares it.
    pub declared: bool,
}

/// A pattern as it was given, and compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fitting {
    pub text: String,
    pub pattern: Arc<Pattern>,
}

impl TryFrom<String> for Fitting {
    type Error = PatternFault;

    fn try_from(text: String) -> Result<Self, PatternFault> {
        let pattern = Arc::new(Pattern::compile(&text)?);
        Ok(Self { text, pattern })
    }
}

impl From<Fitting> for String {
    fn from(fitting: Fitting) -> Self {
        fitting.text
    }
}

impl Rule {
    pub fn state(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Store {
    /// What its ARNs begin with.
    #[serde(skip)]
    place: String,
    pub buses: BTreeMap<String, Bus>,
    /// By bus and name.
    pub rules: BTreeMap<(String, String), Rule>,
}

/// What there was at one moment.
#[derive(Clone)]
pub struct Saved(Store);

impl Store {
    /// Completes what was kept when the daemon ended: what a project declares it declares anew.
    pub fn awaken(&mut self, settings: &Settings) {
        self.place = format!("arn:aws:events:{}:{}", settings.region, settings.account);
        self.rules.retain(|_, rule| !rule.declared);
        if !self.buses.contains_key(DEFAULT) {
            self.add_bus(DEFAULT, None, Tags::new());
        }
    }

    pub fn add_bus(&mut self, name: &str, description: Option<String>, tags: Tags) -> Bus {
        let bus = Bus { name: name.to_owned(), arn: self.arn("event-bus", name), description, tags };
        self.buses.insert(name.to_owned(), bus.clone());
        bus
    }

    pub fn saved(&self) -> Saved {
        Saved(self.clone())
    }

    pub fn restore(&mut self, saved: &Saved) {
        *self = saved.0.clone();
    }

    pub fn rules(&self) -> Vec<Rule> {
        self.rules.values().cloned().collect()
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}/{name}", self.place)
    }

    /// Rules of the default bus have no bus in their ARN.
    pub fn rule_arn(&self, bus: &str, name: &str) -> String {
        if bus == DEFAULT { self.arn("rule", name) } else { self.arn("rule", &format!("{bus}/{name}")) }
    }

    /// The bus of a name or an ARN; the default one, if none is named.
    pub fn bus(&self, named: Option<&str>) -> Result<&Bus, Fault> {
        let named = named.unwrap_or(DEFAULT);
        let name = named.rsplit_once(":event-bus/").map_or(named, |(_, name)| name);
        self.buses.get(name).ok_or_else(|| Fault::no_bus(name))
    }

    pub fn rule(&self, bus: Option<&str>, name: &str) -> Result<&Rule, Fault> {
        let bus = &self.bus(bus)?.name;
        self.rules.get(&(bus.clone(), name.to_owned())).ok_or_else(|| Fault::no_rule(name, bus))
    }

    pub fn rule_mut(&mut self, bus: Option<&str>, name: &str) -> Result<&mut Rule, Fault> {
        let bus = self.bus(bus)?.name.clone();
        let key = (bus.clone(), name.to_owned());
        self.rules.get_mut(&key).ok_or_else(|| Fault::no_rule(name, &bus))
    }
}
