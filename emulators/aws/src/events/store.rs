//! What EventBridge keeps: buses and their rules.

use super::fault::Fault;
use super::wire::Target;
use crate::lambda::Settings;
use crate::pattern::Pattern;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const DEFAULT: &str = "default";

pub type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub struct Bus {
    pub name: String,
    pub arn: String,
    pub description: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub bus: String,
    pub arn: String,
    /// As it was given, and compiled.
    pub pattern: Option<(String, Arc<Pattern>)>,
    pub schedule: Option<String>,
    pub enabled: bool,
    pub description: Option<String>,
    pub role: Option<String>,
    pub tags: Tags,
    /// By their ids.
    pub targets: BTreeMap<String, Target>,
}

impl Rule {
    pub fn state(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }
}

#[derive(Clone)]
pub struct Store {
    settings: Arc<Settings>,
    pub buses: BTreeMap<String, Bus>,
    /// By bus and name.
    pub rules: BTreeMap<(String, String), Rule>,
}

/// What there was at one moment.
#[derive(Clone)]
pub struct Saved(Store);

impl Store {
    pub fn new(settings: &Arc<Settings>) -> Self {
        let mut store = Self { settings: settings.clone(), buses: BTreeMap::new(), rules: BTreeMap::new() };
        store.add_bus(DEFAULT, None, Tags::new());
        store
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
        format!("arn:aws:events:{}:{}:{kind}/{name}", self.settings.region, self.settings.account)
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

    pub fn rule_mut(&mut self, bus: Option<&str>, name: &str) -> Result<&mut Rule, Fault> {
        let bus = self.bus(bus)?.name.clone();
        let key = (bus.clone(), name.to_owned());
        self.rules.get_mut(&key).ok_or_else(|| Fault::no_rule(name, &bus))
    }
}
