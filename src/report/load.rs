//! A month of calls and what it costs: on each cloud's functions, and on a machine that is always on.

use super::plot::{Line, Plot, html_table, page, remarks};
use super::price::{Amounts, Tariff, Used};
use super::table::table;
use serde::Serialize;
use std::time::Duration;

/// Hours that a month has on average.
const HOURS: f64 = 730.0;
/// Calls a month over which the plot goes.
const FEWEST: f64 = 1e3;
const MOST: f64 = 1e9;
const STEPS: i32 = 60;

/// A month of calls that are all alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    pub requests_per_month: f64,
    pub memory_mb: f64,
    pub peak_mb: f64,
    pub handler_ms: f64,
    pub init_ms: f64,
    /// From 0 to 1.
    pub cold_share: f64,
}

/// What a month costs at one cloud, in US dollars.
#[derive(Clone, Debug, Serialize)]
pub struct Bill {
    pub profile: String,
    pub dated: String,
    pub amounts: Amounts,
    pub usd: f64,
    pub usd_per_million: f64,
    /// An always-on machine of that cloud, for a month.
    pub machine_usd: Option<f64>,
    /// Calls a month from which on that machine is cheaper, if it can take them.
    pub break_even_requests: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    pub schema_version: u32,
    /// Where the load is from.
    pub of: String,
    pub load: Load,
    pub free_tier: bool,
    pub bills: Vec<Bill>,
    pub notes: Vec<String>,
    #[serde(skip)]
    tariffs: Vec<Tariff>,
}

impl Load {
    /// A month's amounts at a cloud.
    pub fn amounts(&self, tariff: &Tariff) -> Amounts {
        let millis = |count: f64| Duration::try_from_secs_f64(count.max(0.0) / 1e3).unwrap_or_default();
        let warm = Used {
            memory: self.memory_mb,
            peak: self.peak_mb,
            handler: millis(self.handler_ms),
            init: Duration::ZERO,
        };
        let cold = Used { init: millis(self.init_ms), ..warm };
        let share = self.cold_share.clamp(0.0, 1.0);
        let one = tariff.amounts(warm).times(1.0 - share).plus(tariff.amounts(cold).times(share));
        one.times(self.requests_per_month)
    }

    fn price(&self, tariff: &Tariff, free: bool) -> f64 {
        tariff.price(self.amounts(tariff), free)
    }
}

impl Bill {
    fn of(load: &Load, tariff: &Tariff, free: bool) -> Self {
        let machine = tariff.machine_hour.map(|hour| hour * HOURS);
        let million = Load { requests_per_month: 1e6, ..*load };
        Self {
            profile: tariff.profile.clone(),
            dated: tariff.dated.clone(),
            amounts: load.amounts(tariff),
            usd: load.price(tariff, free),
            usd_per_million: million.price(tariff, false),
            machine_usd: machine,
            break_even_requests: machine.and_then(|machine| break_even(load, tariff, free, machine)),
        }
    }
}

/// The number of calls at which the function costs as much as the machine.
fn break_even(load: &Load, tariff: &Tariff, free: bool, machine: f64) -> Option<f64> {
    let at = |requests: f64| Load { requests_per_month: requests, ..*load }.price(tariff, free);
    let (mut low, mut high) = (0.0, 1e12);
    if at(high) < machine {
        return None;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if at(middle) < machine { low = middle } else { high = middle }
    }
    Some(high.round())
}

impl Costs {
    pub fn new(of: String, load: Load, tariffs: Vec<Tariff>, free: bool) -> Self {
        let bills = tariffs.iter().map(|tariff| Bill::of(&load, tariff, free)).collect();
        let mut notes: Vec<String> = tariffs.iter().map(Tariff::note).collect();
        notes.push(if free { "a month's free tier is taken off" } else { "no free tier" }.to_owned());
        notes.push(
            "the machine's price is unverified, and whether one machine can take the load is not asked"
                .into(),
        );
        Self { schema_version: 1, of, load, free_tier: free, bills, notes, tariffs }
    }

    pub fn text(&self) -> String {
        let Load { requests_per_month, memory_mb, handler_ms, init_ms, cold_share, .. } = self.load;
        let head = format!(
            "{}: {requests_per_month:.0} calls a month of {handler_ms:.1} ms at {memory_mb:.0} MB, {:.2} % cold with {init_ms:.0} ms of init",
            self.of,
            cold_share * 100.0,
        );
        let rows = self.bills.iter().map(cells);
        let mut lines = vec![head, table(&HEAD, rows)];
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }

    /// Spontaneous use against heavy load: each function against a machine that is always on.
    pub fn html(&self) -> String {
        let lines = self.tariffs.iter().map(|tariff| Line {
            name: tariff.profile.clone(),
            points: volumes()
                .map(|requests| {
                    (
                        requests,
                        Load { requests_per_month: requests, ..self.load }.price(tariff, self.free_tier),
                    )
                })
                .filter(|(_, usd)| *usd > 0.0)
                .collect(),
        });
        let machine = self.bills.iter().filter_map(|bill| bill.machine_usd).fold(f64::NAN, f64::max);
        let always = Line {
            name: "always-on machine".into(),
            points: volumes().map(|requests| (requests, machine)).filter(|point| point.1 > 0.0).collect(),
        };
        let plot = Plot {
            title: "spontaneous use and heavy load: function against machine".into(),
            x: "calls a month".into(),
            y: "USD a month".into(),
            logarithmic: true,
            lines: lines.chain([always]).collect(),
        };
        let rows: Vec<_> = self.bills.iter().map(cells).collect();
        let notes = remarks(&self.notes);
        page(
            &format!("What {} costs", self.of),
            &format!("{}\n{}\n{notes}", plot.svg(), html_table(&HEAD, &rows)),
        )
    }
}

fn volumes() -> impl Iterator<Item = f64> {
    (0..=STEPS).map(|step| FEWEST * (MOST / FEWEST).powf(f64::from(step) / f64::from(STEPS)))
}

const HEAD: [&str; 6] =
    ["CLOUD", "GB-S", "USD/MONTH", "USD/MILLION", "MACHINE/MONTH", "MACHINE IS CHEAPER FROM"];

fn cells(bill: &Bill) -> Vec<String> {
    vec![
        bill.profile.clone(),
        format!("{:.0}", bill.amounts.gb_s),
        format!("{:.2}", bill.usd),
        format!("{:.2}", bill.usd_per_million),
        bill.machine_usd.map_or("-".into(), |usd| format!("{usd:.2}")),
        bill.break_even_requests.map_or("never".into(), |requests| format!("{requests:.0} calls")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds;

    const LOAD: Load = Load {
        requests_per_month: 1e6,
        memory_mb: 1024.0,
        peak_mb: 400.0,
        handler_ms: 100.0,
        init_ms: 2000.0,
        cold_share: 0.01,
    };

    fn costs(load: Load, free: bool) -> Costs {
        let profiles = clouds::profiles().expect("profiles");
        Costs::new("f".into(), load, profiles.iter().filter_map(Tariff::of).collect(), free)
    }

    #[test]
    fn cold_starts_are_in_the_bill_where_they_are_billed() {
        let bill = &costs(LOAD, false).bills[0];
        // A million times 0.1 s, and ten thousand times 2 s, at a GB each.
        assert!((bill.amounts.gb_s - 120_000.0).abs() < 1.0, "{bill:?}");
        assert!((bill.usd - (120_000.0 * 1.66667e-5 + 0.2)).abs() < 0.001);
    }

    #[test]
    fn at_the_break_even_both_cost_the_same() {
        let costs = costs(LOAD, false);
        for (bill, tariff) in costs.bills.iter().zip(&costs.tariffs) {
            let (Some(machine), Some(requests)) = (bill.machine_usd, bill.break_even_requests) else {
                continue;
            };
            let there = Load { requests_per_month: requests, ..LOAD }.price(tariff, false);
            assert!((there - machine).abs() < 0.01, "{}: {there} {machine}", bill.profile);
        }
        assert!(costs.bills[0].break_even_requests.is_some());
    }

    #[test]
    fn the_free_tier_makes_little_use_free() {
        let little = Load { requests_per_month: 1000.0, ..LOAD };
        assert!(costs(little, true).bills.iter().all(|bill| bill.usd < 0.01));
        assert!(costs(little, false).bills.iter().all(|bill| bill.usd > 0.0));
        assert!(costs(little, true).html().contains("always-on machine"));
    }
}
