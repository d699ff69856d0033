//! What invocations cost: a cloud's list price, read from the figures of its profile.

use mlemu_core::Profile;
use mlemu_core::profile::Figure;
use serde::Serialize;
use std::time::Duration;

/// Clouds count a GB of memory as 1,024 of their MB.
const MB_IN_GB: f64 = 1024.0;

/// One product's price list, in US dollars.
#[derive(Clone, Debug, Default)]
pub struct Tariff {
    pub profile: String,
    pub dated: String,
    round_ms: f64,
    min_ms: f64,
    init_billed: bool,
    /// Memory is billed as it was used, in steps of so many MB; 0: as it was declared.
    memory_step: f64,
    memory_max: f64,
    rates: Amounts,
    free: Amounts,
    /// CPUs and MHz by memory, where they are billed.
    vcpus: Option<serde_json::Value>,
    mhz: Option<serde_json::Value>,
    /// An always-on machine, by the hour.
    pub machine_hour: Option<f64>,
    /// Figures of it that nobody has verified.
    pub unverified: Vec<String>,
}

/// What is billed, or its rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Amounts {
    pub requests: f64,
    pub gb_s: f64,
    pub vcpu_s: f64,
    pub ghz_s: f64,
}

/// One invocation as it counts for its bill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// In MB.
    pub memory: f64,
    /// In MB.
    pub peak: f64,
    pub handler: Duration,
    /// Of the init before it, if it was a cold start.
    pub init: Duration,
}

impl Amounts {
    pub fn times(self, factor: f64) -> Self {
        Self {
            requests: self.requests * factor,
            gb_s: self.gb_s * factor,
            vcpu_s: self.vcpu_s * factor,
            ghz_s: self.ghz_s * factor,
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            gb_s: self.gb_s + other.gb_s,
            vcpu_s: self.vcpu_s + other.vcpu_s,
            ghz_s: self.ghz_s + other.ghz_s,
        }
    }

    /// What is left of it after `free`.
    fn beyond(self, free: Self) -> Self {
        Self {
            requests: (self.requests - free.requests).max(0.0),
            gb_s: (self.gb_s - free.gb_s).max(0.0),
            vcpu_s: (self.vcpu_s - free.vcpu_s).max(0.0),
            ghz_s: (self.ghz_s - free.ghz_s).max(0.0),
        }
    }

    fn at(self, rates: Self) -> f64 {
        self.requests * rates.requests
            + self.gb_s * rates.gb_s
            + self.vcpu_s * rates.vcpu_s
            + self.ghz_s * rates.ghz_s
    }
}

impl Tariff {
    /// `None`: the profile says nothing of prices.
    pub fn of(profile: &Profile) -> Option<Self> {
        let figure = |name: &str| profile.figure(&format!("billing.{name}"));
        let number = |name: &str| figure(name).and_then(|figure| figure.v.as_f64());
        let unverified =
            |(name, figure): (&String, &Figure)| profile.is_unverified(&figure.src).then(|| name.clone());
        let per_gb = number("per_gb_s_x86").or(number("per_gb_s")).or(number("per_gib_s"))?;
        let free =
            |name: &str| figure("free_month").and_then(|figure| figure.v[name].as_f64()).unwrap_or_default();
        let step = number("memory_round_mb").unwrap_or_default();
        Some(Self {
            profile: profile.name.clone(),
            dated: profile.dated.clone(),
            round_ms: number("round_ms").unwrap_or(1.0),
            min_ms: number("min_ms").unwrap_or_default(),
            init_billed: figure("init_billed").is_none_or(|figure| figure.v == true),
            memory_step: step,
            memory_max: profile.figure("memory_mb.max").and_then(|max| max.v.as_f64()).unwrap_or(f64::MAX),
            rates: Amounts {
                requests: number("per_request").unwrap_or_default(),
                gb_s: per_gb,
                vcpu_s: number("per_vcpu_s").unwrap_or_default(),
                ghz_s: number("per_ghz_s").unwrap_or_default(),
            },
            free: Amounts {
                requests: free("requests"),
                gb_s: free("gb_s") + free("gib_s"),
                vcpu_s: free("vcpu_s"),
                ghz_s: free("ghz_s"),
            },
            vcpus: profile.figure("cpu.vcpu_by_mb").map(|figure| figure.v.clone()),
            mhz: profile.figure("cpu.mhz_by_mb").map(|figure| figure.v.clone()),
            machine_hour: profile.figure("always_on.usd_per_hour").and_then(|figure| figure.v.as_f64()),
            unverified: profile.figures.get("billing").into_iter().flatten().filter_map(unverified).collect(),
        })
    }

    /// What one invocation adds to the bill.
    pub fn amounts(&self, used: Used) -> Amounts {
        let billed = used.handler + if self.init_billed { used.init } else { Duration::ZERO };
        let millis = (billed.as_secs_f64() * 1e3).max(self.min_ms);
        // What a microsecond too much would make of a rounded number is nobody's cost.
        let steps = (millis / self.round_ms - 1e-6).ceil().max(1.0);
        let seconds = steps * self.round_ms / 1e3;
        let memory = if self.memory_step > 0.0 {
            ((used.peak / self.memory_step).ceil() * self.memory_step)
                .clamp(self.memory_step, self.memory_max)
        } else {
            used.memory
        };
        Amounts {
            requests: 1.0,
            gb_s: seconds * memory / MB_IN_GB,
            vcpu_s: seconds * tier(self.vcpus.as_ref(), used.memory),
            ghz_s: seconds * tier(self.mhz.as_ref(), used.memory) / 1e3,
        }
    }

    /// In US dollars. `free`: a month's free tier is taken off.
    pub fn price(&self, amounts: Amounts, free: bool) -> f64 {
        let billed = if free { amounts.beyond(self.free) } else { amounts };
        billed.at(self.rates)
    }

    /// A million of such invocations, in US dollars and without a free tier.
    pub fn per_million(&self, used: Used) -> f64 {
        self.price(self.amounts(used).times(1e6), false)
    }

    /// The sentence that belongs under every price.
    pub fn note(&self) -> String {
        let mut note = format!("{}: list price of {}", self.profile, self.dated);
        if !self.unverified.is_empty() {
            note.push_str(&format!("; unverified: {}", self.unverified.join(", ")));
        }
        note
    }
}

/// What the smallest tier has that is not smaller than `memory`.
fn tier(tiers: Option<&serde_json::Value>, memory: f64) -> f64 {
    let tiers = tiers.and_then(serde_json::Value::as_object).into_iter().flatten();
    let mut tiers: Vec<(f64, f64)> =
        tiers.filter_map(|(size, has)| Some((size.parse().ok()?, has.as_f64()?))).collect();
    tiers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fits = tiers.iter().find(|(size, _)| *size >= memory).or(tiers.last());
    fits.map_or(0.0, |(_, has)| *has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds;

    fn tariff(name: &str) -> Tariff {
        let profiles = clouds::profiles().expect("profiles");
        let profile = profiles.iter().find(|profile| profile.name == name).expect("there");
        Tariff::of(profile).expect("prices")
    }

    fn used(memory: f64, millis: f64) -> Used {
        let handler = Duration::from_secs_f64(millis / 1e3);
        Used { memory, peak: 100.0, handler, init: Duration::ZERO }
    }

    fn near(price: f64, expected: f64) -> bool {
        (price - expected).abs() < expected * 0.001
    }

    #[test]
    fn each_cloud_counts_in_its_own_way() {
        // 100 ms at 1 GB, a million times: 100,000 GB-s.
        assert!(near(tariff("aws-lambda").per_million(used(1024.0, 100.0)), 1.66667 + 0.2));
        // 0.1 s x 1 GB x 2.5e-6 + 0.1 s x 1.4 GHz x 1e-5, and 0.40 for the calls.
        assert!(near(tariff("gcf-gen1").per_million(used(1024.0, 100.0)), 0.25 + 1.4 + 0.4));
        assert!(near(tariff("gcf-gen2").per_million(used(1024.0, 100.0)), 0.25 + 0.583 * 2.4 + 0.4));
        // 128 MB are billed of 1,536: what was used.
        assert!(near(tariff("azure-consumption").per_million(used(1536.0, 100.0)), 0.125 * 0.1 * 16.0 + 0.2));
        // At least a second of the whole instance.
        assert!(near(tariff("azure-flex").per_million(used(2048.0, 100.0)), 2.0 * 26.0 + 0.4));
    }

    #[test]
    fn time_is_rounded_up_and_inits_count_where_they_are_billed() {
        let aws = tariff("aws-lambda");
        assert!(near(aws.amounts(used(1024.0, 1.2)).gb_s, 0.002));
        assert!(near(aws.amounts(used(1024.0, 100.0)).gb_s, 0.1), "no step too many");
        let cold = Used { init: Duration::from_secs(1), ..used(1024.0, 100.0) };
        assert!(near(aws.amounts(cold).gb_s, 1.1));
        assert!(near(tariff("gcf-gen1").amounts(used(1024.0, 101.0)).gb_s, 0.2));
    }

    #[test]
    fn a_free_tier_is_a_switch() {
        let aws = tariff("aws-lambda");
        let month = aws.amounts(used(1024.0, 100.0)).times(1e6);
        assert!(aws.price(month, true) < 1e-9);
        assert!(aws.price(month.times(10.0), true) < aws.price(month.times(10.0), false));
    }

    #[test]
    fn prices_have_a_date_and_doubts_are_named() {
        assert!(tariff("aws-lambda").note().starts_with("aws-lambda: list price of 20"));
        assert!(tariff("gcf-gen1").note().contains("unverified: free_month"));
    }
}
