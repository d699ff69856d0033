//! What `mlemu tune` measured: each memory size with its times and its price, and how sure all of it is.

use super::plot::{Line, Plot, html_table, page, remarks};
use super::price::{Tariff, Used};
use super::table::table;
use serde::Serialize;
use std::time::Duration;

/// Measured calls at one memory size, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// In MB.
    pub memory: u64,
    pub cpus: Option<f64>,
    pub warm: Vec<f64>,
    /// Whole cold starts, simulated parts and the first call with them.
    pub cold: Vec<f64>,
    /// Their inits alone.
    pub init: Vec<f64>,
    /// In MB.
    pub peak: f64,
    /// Why there is nothing to be had at this size.
    pub failed: Option<String>,
}

/// One memory size, in milliseconds, MB and US dollars.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub memory_mb: u64,
    pub vcpu: Option<f64>,
    pub warm_p50_ms: Option<f64>,
    pub warm_p95_ms: Option<f64>,
    pub cold_p50_ms: Option<f64>,
    pub cold_p95_ms: Option<f64>,
    pub peak_mb: f64,
    /// A million warm calls.
    pub usd_per_million: Option<f64>,
    pub failed: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Tuned {
    pub schema_version: u32,
    pub function: String,
    pub profile: String,
    pub rows: Vec<Row>,
    pub fastest_mb: Option<u64>,
    pub cheapest_mb: Option<u64>,
    /// The one with the smallest product of time and price.
    pub balanced_mb: Option<u64>,
    /// What times were multiplied with, after a figure of the real cloud.
    pub scale: Option<f64>,
    pub confidence: Confidence,
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Low,
    Medium,
    High,
}

/// How sure it is, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Confidence {
    pub level: Level,
    pub because: Vec<String>,
}

/// A figure of the real cloud to measure by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// In MB.
    pub memory: u64,
    pub time: Duration,
    pub cold: bool,
}

impl Reference {
    /// Reads `1024MB=4.0s warm`.
    pub fn read(text: &str) -> Option<Self> {
        let (size, rest) = text.split_once('=')?;
        let mut words = rest.split_whitespace();
        let time = crate::config::duration(words.next()?)?;
        let cold = match words.next() {
            None | Some("warm") => false,
            Some("cold") => true,
            Some(_) => return None,
        };
        let memory = crate::config::bytes(size.trim())? / (1024 * 1024);
        (words.next().is_none() && memory > 0 && !time.is_zero()).then_some(Self { memory, time, cold })
    }

    /// What local times must be multiplied with to meet it; `None`: nothing was measured there.
    pub fn scale(&self, samples: &[Samples]) -> Option<f64> {
        let at = samples.iter().find(|one| one.memory == self.memory)?;
        let local = median(if self.cold { &at.cold } else { &at.warm })?;
        Some(self.time.as_secs_f64() * 1e3 / local)
    }
}

/// Where `share` of the values stay below, by rank.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

impl Tuned {
    /// `held`: functions got the CPU of their memory. `busy`: others were at work on this machine.
    pub fn new(
        function: &str,
        tariff: &Tariff,
        samples: &[Samples],
        reference: Option<Reference>,
        (held, busy): (bool, bool),
    ) -> Self {
        let scale = reference.and_then(|reference| reference.scale(samples));
        let rows: Vec<Row> = samples.iter().map(|one| row(one, tariff, scale.unwrap_or(1.0))).collect();
        let best = |key: &dyn Fn(&Row) -> Option<f64>| {
            let keyed = rows.iter().filter_map(|row| Some((key(row)?, row.memory_mb)));
            keyed.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, memory)| memory)
        };
        let mut notes = vec![tariff.note()];
        notes.push("cold: simulated placement and fetch with the measured init and first call".into());
        Self {
            schema_version: 1,
            function: function.into(),
            profile: tariff.profile.clone(),
            fastest_mb: best(&|row| row.warm_p50_ms),
            cheapest_mb: best(&|row| row.usd_per_million),
            balanced_mb: best(&|row| Some(row.warm_p50_ms? * row.usd_per_million?)),
            confidence: confidence(samples, reference.is_some() && scale.is_some(), held, busy),
            scale,
            notes,
            rows,
        }
    }

    pub fn text(&self) -> String {
        let mark = |memory: u64| {
            let marks = [
                (self.fastest_mb, "fastest"),
                (self.cheapest_mb, "cheapest"),
                (self.balanced_mb, "balanced"),
            ];
            let named = marks.iter().filter(|(best, _)| *best == Some(memory));
            named.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        };
        let rows = self.rows.iter().map(|row| cells(row, mark(row.memory_mb)));
        let mut lines = vec![format!("{} on {}", self.function, self.profile), table(&HEAD, rows)];
        if let Some(scale) = self.scale {
            lines.push(format!("times are multiplied by {scale:.2}, to meet the reference"));
        }
        lines.push(format!("confidence: {}", self.confidence.text()));
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }

    /// One file that needs nothing else.
    pub fn html(&self) -> String {
        let line = |name: &str, value: &dyn Fn(&Row) -> Option<f64>| Line {
            name: name.into(),
            points: self.rows.iter().filter_map(|row| Some((row.memory_mb as f64, value(row)?))).collect(),
        };
        let title = format!("{} on {}", self.function, self.profile);
        let times = Plot {
            title: "time by memory".into(),
            x: "MB".into(),
            y: "ms".into(),
            logarithmic: true,
            lines: vec![
                line("warm p50", &|row| row.warm_p50_ms),
                line("warm p95", &|row| row.warm_p95_ms),
                line("cold p50", &|row| row.cold_p50_ms),
            ],
        };
        let prices = Plot {
            title: "price of a million warm calls".into(),
            x: "MB".into(),
            y: "USD".into(),
            logarithmic: false,
            lines: vec![line("USD", &|row| row.usd_per_million)],
        };
        let rows: Vec<_> = self.rows.iter().map(|row| cells(row, String::new())).collect();
        let mut notes = vec![format!("confidence: {}", self.confidence.text())];
        notes.extend(self.notes.iter().cloned());
        let notes = remarks(&notes);
        page(&title, &format!("{}\n{}\n{}\n{notes}", times.svg(), prices.svg(), html_table(&HEAD, &rows)))
    }
}

const HEAD: [&str; 9] =
    ["MEMORY", "VCPU", "WARM P50", "P95", "COLD P50", "P95", "PEAK", "USD/MILLION", "BEST"];

fn cells(row: &Row, mark: String) -> Vec<String> {
    let ms = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1} ms"));
    vec![
        format!("{} MB", row.memory_mb),
        row.vcpu.map_or("-".into(), |cpus| format!("{cpus:.2}")),
        ms(row.warm_p50_ms),
        ms(row.warm_p95_ms),
        ms(row.cold_p50_ms),
        ms(row.cold_p95_ms),
        format!("{:.0} MB", row.peak_mb),
        row.usd_per_million.map_or("-".into(), |usd| format!("{usd:.2}")),
        row.failed.clone().unwrap_or(mark),
    ]
}

fn row(one: &Samples, tariff: &Tariff, scale: f64) -> Row {
    let scaled = |values: &[f64], share| quantile(values, share).map(|value| value * scale);
    let warm = scaled(&one.warm, 0.5);
    let used = warm.map(|warm| Used {
        memory: one.memory as f64,
        peak: one.peak,
        handler: Duration::from_secs_f64(warm / 1e3),
        init: Duration::ZERO,
    });
    Row {
        memory_mb: one.memory,
        vcpu: one.cpus,
        warm_p50_ms: warm,
        warm_p95_ms: scaled(&one.warm, 0.95),
        cold_p50_ms: scaled(&one.cold, 0.5),
        cold_p95_ms: scaled(&one.cold, 0.95),
        peak_mb: one.peak,
        usd_per_million: used.map(|used| tariff.per_million(used)),
        failed: one.failed.clone(),
    }
}

impl Confidence {
    fn text(&self) -> String {
        let level = match self.level {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
        };
        format!("{level} ({})", self.because.join("; "))
    }
}

/// A local time stands for the cloud's only if it is steady, held to the CPU, and tied to one figure from there.
fn confidence(samples: &[Samples], calibrated: bool, held: bool, busy: bool) -> Confidence {
    let mut because = Vec::new();
    let mut level = Level::High;
    let mut lower = |to: Level, why: String| {
        because.push(why);
        to
    };
    if !calibrated {
        level = level.min(lower(Level::Medium, "no --reference: your CPU is not the cloud's".into()));
    }
    if !held {
        level = level.min(lower(Level::Low, "the CPU of a memory size is not held".into()));
    }
    if busy {
        level = level.min(lower(Level::Low, "this machine was busy with other things".into()));
    }
    let spread = samples.iter().filter_map(|one| Some(quantile(&one.warm, 0.95)? / median(&one.warm)?));
    let widest = spread.fold(1.0, f64::max);
    if widest > 2.0 {
        level = level.min(lower(Level::Low, format!("the slowest calls took {widest:.1} times the median")));
    }
    let fewest = samples.iter().filter(|one| one.failed.is_none()).map(|one| one.warm.len()).min();
    match fewest {
        Some(count) if count >= 10 => {}
        count => {
            let why = format!("{} warm calls at a size", count.unwrap_or_default());
            level = level.min(lower(Level::Medium, why));
        }
    }
    if because.is_empty() {
        because.push("steady, CPU held, and tied to a figure of the cloud".into());
    }
    Confidence { level, because }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds;

    fn tariff() -> Tariff {
        Tariff::of(&clouds::profiles().expect("profiles")[0]).expect("prices")
    }

    /// Work of a CPU-second that gets faster with its share, down to what does not.
    fn samples() -> Vec<Samples> {
        [(512, 0.29), (1024, 0.58), (1769, 1.0), (3538, 2.0)]
            .map(|(memory, cpus): (u64, f64)| Samples {
                memory,
                cpus: Some(cpus),
                warm: vec![100.0 / cpus.min(1.0); 10],
                cold: vec![2000.0],
                init: vec![1000.0],
                peak: 120.0,
                failed: None,
            })
            .to_vec()
    }

    #[test]
    fn more_memory_than_helps_is_neither_cheapest_nor_balanced() {
        let tuned = Tuned::new("f", &tariff(), &samples(), None, (true, false));
        assert_eq!(tuned.fastest_mb, Some(1769));
        assert_eq!(tuned.balanced_mb, Some(1769));
        assert!(tuned.rows[3].usd_per_million > tuned.rows[2].usd_per_million);
        assert_eq!(tuned.confidence.level, Level::Medium);
        assert!(tuned.text().contains("fastest") && tuned.html().contains("<svg"));
    }

    #[test]
    fn a_reference_scales_every_time() {
        let reference = Reference::read("1024MB=4.0s warm").expect("understood");
        assert_eq!(reference, Reference { memory: 1024, time: Duration::from_secs(4), cold: false });
        let tuned = Tuned::new("f", &tariff(), &samples(), Some(reference), (true, false));
        let at = |memory: u64| {
            tuned.rows.iter().find(|row| row.memory_mb == memory).and_then(|row| row.warm_p50_ms)
        };
        assert!((at(1024).unwrap() - 4000.0).abs() < 1.0);
        assert!((at(1769).unwrap() - 2320.0).abs() < 1.0);
        assert_eq!(tuned.confidence.level, Level::High);
        for wrong in ["", "1024MB", "1024MB=fast", "1024MB=4s hot", "0MB=4s", "1024MB=0s"] {
            assert!(Reference::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn doubts_are_told() {
        let mut shaky = samples();
        shaky[0].warm = vec![1.0, 1.0, 1.0, 9.0];
        let tuned = Tuned::new("f", &tariff(), &shaky, None, (false, true));
        assert_eq!(tuned.confidence.level, Level::Low);
        assert_eq!(tuned.confidence.because.len(), 5, "{:?}", tuned.confidence);
    }

    #[test]
    fn a_size_that_is_too_small_says_so() {
        let failed = Samples { memory: 128, failed: Some("out of memory".into()), ..Samples::default() };
        let tuned = Tuned::new("f", &tariff(), &[failed], None, (true, false));
        assert_eq!((tuned.fastest_mb, tuned.cheapest_mb), (None, None));
        assert!(tuned.text().contains("out of memory"));
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.95)), (Some(3.0), Some(5.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
