//! A table of measured functions, drawn again from a profile: what its CPU shares, placement and package sizes make of
//! one set of demands, and whether the measured figures are within the range of that.

use super::table::table;
use mlemu_core::spread::Spread;
use mlemu_core::{Profile, Terms};
use serde::Deserialize;

/// Draws behind a range; the range is from one tenth of them to nine.
const DRAWS: usize = 2000;
const MIB: f64 = 1024.0 * 1024.0;

/// One row of such a table, and what the function demands.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub runtime: String,
    pub memory_mb: f64,
    /// Zipped.
    pub package_mb: f64,
    pub init_cpu_s: f64,
    pub handler_cpu_s: f64,
    /// As they were measured.
    pub warm_s: f64,
    pub cold_s: f64,
}

/// Seconds that a tenth, a half and nine tenths of all cases stay below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub low: f64,
    pub middle: f64,
    pub high: f64,
}

impl Range {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        Self { low: at(0.1), middle: at(0.5), high: at(0.9) }
    }

    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    fn text(&self) -> String {
        format!("{:.2} to {:.2} s, typically {:.2}", self.low, self.high, self.middle)
    }
}

/// A row with the ranges that its profile gives it.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub cloud: String,
    pub what: String,
    pub row: Row,
    pub warm: Range,
    pub cold: Range,
}

/// Every row of a profile's section `measured`, drawn again. The same seed gives the same ranges.
pub fn replay(profile: &Profile, seed: u64) -> Vec<Replayed> {
    let terms = Terms::of(profile);
    let spread = |name: &str| {
        let figure = profile.figure(&format!("simulation.{name}"));
        figure.and_then(|figure| serde_json::from_value::<Spread>(figure.v.clone()).ok())
    };
    let (trip, pace) = (spread("round_trip_s"), spread("pace"));
    let mut dice = Dice(seed);
    let rows = profile.figures.get("measured").into_iter().flatten();
    let rows =
        rows.filter_map(|(what, figure)| Some((what, serde_json::from_value::<Row>(figure.v.clone()).ok()?)));
    rows.filter_map(|(what, row)| {
        let shares = terms.shares((row.memory_mb * MIB) as u64)?;
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        for _ in 0..DRAWS {
            let mut drawn = |spread: &Option<Spread>, usual| {
                let share = dice.roll();
                spread.as_ref().map_or(usual, |spread| spread.quantile(share))
            };
            let (trip, pace) = (drawn(&trip, 0.0), drawn(&pace, 1.0));
            let handler = trip + pace * row.handler_cpu_s / shares.then;
            let placed = terms.placement(&row.runtime, dice.roll()).as_secs_f64();
            let fetched = terms.fetch((row.package_mb * MIB) as u64).as_secs_f64();
            warm.push(handler);
            cold.push(placed + fetched + pace * row.init_cpu_s / shares.init + handler);
        }
        let (warm, cold) = (Range::of(warm), Range::of(cold));
        Some(Replayed { cloud: profile.cloud.clone(), what: what.clone(), row, warm, cold })
    })
    .collect()
}

/// The rows as a table: what was measured, and the range beside it.
pub fn text(rows: &[Replayed]) -> String {
    let head = ["CLOUD", "WHAT", "RUNTIME", "MEMORY", "WARM", "RANGE", "COLD", "RANGE", ""];
    let cells = rows.iter().map(|one| {
        let within = one.warm.holds(one.row.warm_s) && one.cold.holds(one.row.cold_s);
        vec![
            one.cloud.clone(),
            one.what.clone(),
            one.row.runtime.clone(),
            format!("{:.0} MB", one.row.memory_mb),
            format!("{} s", one.row.warm_s),
            one.warm.text(),
            format!("{} s", one.row.cold_s),
            one.cold.text(),
            if within { "within" } else { "outside" }.into(),
        ]
    });
    table(&head, cells)
}

/// SplitMix64: the same seed, the same rolls.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds;

    fn seed_2019(dice: u64) -> Vec<Replayed> {
        let profiles = clouds::profiles().expect("profiles");
        let ours = profiles.iter().filter(|profile| profile.name == "seed-2019");
        ours.flat_map(|profile| replay(profile, dice)).collect()
    }

    #[test]
    fn the_table_of_2019_is_within_the_range_that_is_printed() {
        let rows = seed_2019(1);
        let table: Vec<_> =
            rows.iter().map(|one| (one.cloud.as_str(), one.row.warm_s, one.row.cold_s)).collect();
        let expected = [
            ("aws", 4.0, 15.0),
            ("gcp", 4.3, 17.0),
            ("gcp", 0.15, 22.0),
            ("gcp", 0.28, 0.38),
            ("azure", 0.25, 0.7),
        ];
        assert_eq!(table, expected);
        for one in &rows {
            assert!(one.warm.holds(one.row.warm_s), "warm {} {}: {:?}", one.cloud, one.what, one.warm);
            assert!(one.cold.holds(one.row.cold_s), "cold {} {}: {:?}", one.cloud, one.what, one.cold);
            assert!(one.warm.high < one.warm.low * 6.0, "a range that says nothing: {:?}", one.warm);
        }
        assert!(!text(&rows).contains("outside"));
    }

    #[test]
    fn the_same_function_demands_the_same_on_every_cloud() {
        let rows = seed_2019(1);
        for what in ["image", "structured"] {
            let of = rows.iter().filter(|one| one.what.starts_with(what));
            let demands: Vec<f64> = of.map(|one| one.row.handler_cpu_s).collect();
            assert!(demands.len() == 2 && (demands[0] - demands[1]).abs() < 1e-9, "{what}: {demands:?}");
        }
    }

    #[test]
    fn a_seed_repeats() {
        let cold = |seed| seed_2019(seed).iter().map(|one| one.cold).collect::<Vec<_>>();
        assert_eq!(cold(7), cold(7));
        assert_ne!(cold(7), cold(8));
    }
}
