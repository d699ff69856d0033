//! The terms on which a cloud runs instances: how much CPU they get, how long their starts take before anything of
//! theirs runs, and how long idle ones are kept. Read from the section `simulation` of a [`Profile`].

use crate::Timestamp;
use crate::profile::Profile;
use crate::spread::Spread;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const SECTION: &str = "simulation";
const MIB: f64 = 1024.0 * 1024.0;

/// What one product grants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    pub profile: String,
    cpu: Option<Cpu>,
    /// While an instance starts it gets at least so many CPUs.
    init_cpu: f64,
    /// In milliseconds: until there is a place to run. By language, `""` for those that are not named.
    placement: BTreeMap<String, Spread>,
    /// In milliseconds for each MiB of the zipped package.
    fetch_per_mib: f64,
    /// In minutes.
    keep_alive: Option<Spread>,
    /// The figures of it that nobody has verified, by name.
    pub unverified: Vec<String>,
    /// Those that say nothing that could be understood: they are taken as not said.
    pub unreadable: Vec<String>,
}

/// CPUs by memory.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Cpu {
    Fixed(f64),
    Slope {
        per_mb: f64,
        max: f64,
    },
    /// By MB.
    Tiers(BTreeMap<String, f64>),
}

/// CPUs that an instance may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    pub init: f64,
    /// From the end of its init on.
    pub then: f64,
}

/// What a start would take in the cloud before anything of the instance runs. Nothing of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Simulated {
    #[serde(rename = "placement_ms", serialize_with = "crate::clock::as_millis")]
    pub placement: Duration,
    #[serde(rename = "fetch_ms", serialize_with = "crate::clock::as_millis")]
    pub fetch: Duration,
    /// Of the zipped package.
    pub fetched_bytes: u64,
    /// It was not only told but waited for.
    pub slept: bool,
}

impl Simulated {
    pub fn total(&self) -> Duration {
        self.placement + self.fetch
    }
}

/// How the parts of a start are told that do not happen on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColdStarts {
    /// Not at all.
    #[default]
    Off,
    /// What half of all starts stay below; the same each time.
    Typical,
    /// Drawn.
    Sampled,
}

impl Terms {
    /// What a profile says.
    pub fn of(profile: &Profile) -> Self {
        let mut terms = Self { profile: profile.name.clone(), ..Self::default() };
        let Some(section) = profile.figures.get(SECTION) else { return terms };
        for (name, figure) in section {
            if !terms.take(name, &figure.v) {
                terms.unreadable.push(name.clone());
            } else if profile.is_unverified(&figure.src) {
                terms.unverified.push(name.clone());
            }
        }
        terms
    }

    fn take(&mut self, name: &str, value: &serde_json::Value) -> bool {
        match name {
            "vcpu" => into(value, |cpu| self.cpu = Some(cpu)),
            "init_vcpu" => into(value, |cpu| self.init_cpu = cpu),
            "fetch_ms_per_mb" => into(value, |rate| self.fetch_per_mib = rate),
            "keep_alive_min" => spread(value, |spread| self.keep_alive = Some(spread)),
            _ => match name.strip_prefix("placement_ms") {
                Some(language) => {
                    let language = language.trim_start_matches('.').to_owned();
                    spread(value, |spread| drop(self.placement.insert(language, spread)))
                }
                None => true,
            },
        }
    }

    /// The CPUs of an instance with so many bytes of memory; `None`: nothing is known.
    pub fn shares(&self, memory: u64) -> Option<Shares> {
        let mib = memory as f64 / MIB;
        let then = match self.cpu.as_ref()? {
            Cpu::Fixed(cpus) => *cpus,
            Cpu::Slope { per_mb, max } => (mib * per_mb).min(*max),
            Cpu::Tiers(tiers) => {
                let tiers = tiers.iter().filter_map(|(size, cpus)| Some((size.parse::<f64>().ok()?, *cpus)));
                let mut tiers: Vec<(f64, f64)> = tiers.collect();
                tiers.sort_by(|a, b| a.0.total_cmp(&b.0));
                let next = tiers.iter().find(|(size, _)| *size >= mib);
                next.or(tiers.last()).map(|(_, cpus)| *cpus)?
            }
        };
        (then > 0.0).then(|| Shares { init: then.max(self.init_cpu), then })
    }

    /// Until an instance of that runtime has a place. `share`: of all cases, from 0 to 1.
    pub fn placement(&self, runtime: &str, share: f64) -> Duration {
        let named = self.placement.iter().find(|(name, _)| !name.is_empty() && runtime.starts_with(*name));
        let spread = named.map(|(_, spread)| spread).or_else(|| self.placement.get(""));
        millis(spread.map_or(0.0, |spread| spread.quantile(share)))
    }

    /// Until a zipped package of so many bytes is there and unpacked.
    pub fn fetch(&self, bytes: u64) -> Duration {
        millis(bytes as f64 / MIB * self.fetch_per_mib)
    }

    /// How long an idle instance is kept; `None`: nothing is known.
    pub fn keep_alive(&self, share: f64) -> Option<Duration> {
        self.keep_alive.as_ref().map(|spread| millis(spread.quantile(share) * 60_000.0))
    }

    /// The moment until which an instance is kept that was used at `from`.
    pub fn kept_until(&self, from: Timestamp, share: f64) -> Option<Timestamp> {
        self.keep_alive(share).map(|keep| from.plus(keep))
    }
}

fn into<T: DeserializeOwned>(value: &serde_json::Value, take: impl FnOnce(T)) -> bool {
    serde_json::from_value(value.clone()).map(take).is_ok()
}

fn spread(value: &serde_json::Value, take: impl FnOnce(Spread)) -> bool {
    let read = serde_json::from_value(value.clone()).ok().filter(Spread::is_sound);
    read.map(take).is_some()
}

fn millis(count: f64) -> Duration {
    Duration::try_from_secs_f64(count.max(0.0) / 1000.0).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(simulation: &str) -> Terms {
        let text = format!(
            r#"{{"name": "small", "cloud": "x", "title": "Small", "dated": "2026-11-21",
            "sources": {{"page": {{"what": "a page", "grade": "page"}},
                "belief": {{"what": "a belief", "grade": "unverified", "unverified": true}}}},
            "figures": {{"simulation": {simulation}}}, "rules": []}}"#
        );
        Terms::of(&Profile::read(&text).unwrap())
    }

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn cpu_goes_with_memory_in_each_form() {
        let slope = terms(
            r#"{"vcpu": {"v": {"per_mb": 0.001, "max": 2}, "src": "page"},
            "init_vcpu": {"v": 1, "src": "page"}}"#,
        );
        assert_eq!(slope.shares(500 * MIB), Some(Shares { init: 1.0, then: 0.5 }));
        assert_eq!(slope.shares(9_000 * MIB), Some(Shares { init: 2.0, then: 2.0 }));
        let tiers = terms(r#"{"vcpu": {"v": {"128": 0.083, "1024": 0.583}, "src": "page"}}"#);
        let then = |mib: u64| tiers.shares(mib * MIB).map(|shares| shares.then);
        assert_eq!(
            (then(64), then(128), then(129), then(4096)),
            (Some(0.083), Some(0.083), Some(0.583), Some(0.583))
        );
        let fixed = terms(r#"{"vcpu": {"v": 1, "src": "belief"}}"#);
        assert_eq!(fixed.shares(MIB), Some(Shares { init: 1.0, then: 1.0 }));
        assert_eq!(fixed.unverified, ["vcpu"]);
        assert_eq!(terms("{}").shares(MIB), None);
    }

    #[test]
    fn a_start_is_placement_by_language_and_fetch_by_size() {
        let terms = terms(
            r#"{"placement_ms": {"v": 100, "src": "page"}, "placement_ms.python": {"v": 250, "src": "page"},
            "fetch_ms_per_mb": {"v": 8, "src": "page"}, "keep_alive_min": {"v": 15, "src": "page"}}"#,
        );
        assert_eq!(terms.placement("python3.12", 0.5), Duration::from_millis(250));
        assert_eq!(terms.placement("nodejs22.x", 0.5), Duration::from_millis(100));
        assert_eq!(terms.fetch(15 * MIB), Duration::from_millis(120));
        assert_eq!(terms.keep_alive(0.5), Some(Duration::from_mins(15)));
        assert!(terms.unverified.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_a_figure() {
        let terms = terms(
            r#"{"placement_ms": {"v": "soon", "src": "page"}, "keep_alive_min": {"v": -5, "src": "page"}}"#,
        );
        assert_eq!(terms.placement("python", 0.5), Duration::ZERO);
        assert_eq!(terms.keep_alive(0.5), None);
        assert_eq!(terms.unreadable, ["keep_alive_min", "placement_ms"]);
    }
}
