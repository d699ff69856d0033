//! How a quantity is spread: one number, a log-normal curve, several of them, or points of a measured one.
//!
//! Every form answers the same question, which value a share of all cases stays below. So a typical case is the
//! half, a range is two shares, and a draw is a share that somebody's dice gave.

use serde::{Deserialize, Serialize};

/// The form is told by its keys, as it stands in a profile. Values have whatever unit the figure's name says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Spread {
    /// Always the same.
    Fixed(f64),
    /// Several log-normal curves; what is measured beside the quantity itself, `less`, is taken off.
    Mixture {
        mixture: Vec<Curve>,
        #[serde(default)]
        less: f64,
        #[serde(default = "whole")]
        times: f64,
    },
    /// One log-normal curve.
    Lognormal { p50: f64, sigma: f64 },
    /// Values and the share of cases that stay below each, both rising.
    Points { points: Vec<(f64, f64)> },
}

/// A log-normal curve among others: `mu` and `sigma` are of the natural logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub weight: f64,
    pub mu: f64,
    pub sigma: f64,
}

fn whole() -> f64 {
    1.0
}

impl Spread {
    /// The value that half of all cases stay below.
    pub fn typical(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The value that `share` of all cases stay below; `share` is from 0 to 1. Never negative.
    pub fn quantile(&self, share: f64) -> f64 {
        // The ends of a curve are nowhere: no case is further out than one in a hundred thousand.
        let share = share.clamp(1e-5, 1.0 - 1e-5);
        match self {
            Spread::Fixed(value) => *value,
            Spread::Lognormal { p50, sigma } => p50 * (sigma * normal(share)).exp(),
            Spread::Mixture { mixture, less, times } => (mixed(mixture, share) - less) * times,
            Spread::Points { points } => between(points, share),
        }
        .max(0.0)
    }

    /// Whether it says something that can be drawn from.
    pub fn is_sound(&self) -> bool {
        match self {
            Spread::Fixed(value) => value.is_finite() && *value >= 0.0,
            Spread::Lognormal { p50, sigma } => p50.is_finite() && *p50 > 0.0 && (0.0..=5.0).contains(sigma),
            Spread::Mixture { mixture, less, times } => {
                let sound = |curve: &Curve| {
                    curve.weight > 0.0 && curve.mu.abs() < 50.0 && (0.0..=5.0).contains(&curve.sigma)
                };
                !mixture.is_empty() && mixture.iter().all(sound) && *less >= 0.0 && *times > 0.0
            }
            Spread::Points { points } => {
                let rises = |pair: &[(f64, f64)]| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1;
                points.len() > 1
                    && points.windows(2).all(rises)
                    && points.iter().all(|(value, share)| *value >= 0.0 && (0.0..=1.0).contains(share))
            }
        }
    }
}

/// Where the standard normal curve has `share` of its area to the left.
fn normal(share: f64) -> f64 {
    halved(-8.0, 8.0, |at| area(at) < share)
}

fn mixed(curves: &[Curve], share: f64) -> f64 {
    let all: f64 = curves.iter().map(|curve| curve.weight).sum();
    let below = |log: f64| {
        let of = |curve: &Curve| curve.weight * area((log - curve.mu) / curve.sigma.max(1e-9));
        curves.iter().map(of).sum::<f64>() / all
    };
    let least = curves.iter().map(|curve| curve.mu - 8.0 * curve.sigma).fold(f64::INFINITY, f64::min);
    let most = curves.iter().map(|curve| curve.mu + 8.0 * curve.sigma).fold(f64::NEG_INFINITY, f64::max);
    halved(least, most, |log| below(log) < share).exp()
}

fn between(points: &[(f64, f64)], share: f64) -> f64 {
    let Some(next) = points.iter().position(|(_, below)| *below >= share) else {
        return points.last().map_or(0.0, |(value, _)| *value);
    };
    let (value, below) = points[next];
    let Some((before, start)) = next.checked_sub(1).map(|at| points[at]) else { return value };
    if below > start { before + (value - before) * (share - start) / (below - start) } else { value }
}

/// The place from which on `low` no longer holds.
fn halved(mut from: f64, mut to: f64, low: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = f64::midpoint(from, to);
        if low(middle) {
            from = middle;
        } else {
            to = middle;
        }
    }
    f64::midpoint(from, to)
}

/// The area of the standard normal curve to the left of `at`, to within 2e-7.
///
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
fn area(at: f64) -> f64 {
    let x = at.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = terms.iter().fold(0.0, |sum, term| (sum + term) * t);
    let erf = 1.0 - polynomial * (-x * x).exp();
    if at < 0.0 { f64::midpoint(1.0, -erf) } else { f64::midpoint(1.0, erf) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Spread {
        serde_json::from_str(text).unwrap()
    }

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= expected * 0.001
    }

    #[test]
    fn each_form_is_told_by_its_keys() {
        assert_eq!(read("15"), Spread::Fixed(15.0));
        let curve = read(r#"{"p50": 110, "sigma": 0.35}"#);
        assert!(near(curve.typical(), 110.0));
        assert!(near(curve.quantile(0.9), 110.0 * (0.35_f64 * 1.281_55).exp()));
        let points = read(r#"{"points": [[5, 0], [6, 0.4], [7, 1]]}"#);
        assert_eq!((points.quantile(0.2), points.quantile(0.7)), (5.5, 6.5));
        assert!(points.quantile(1.0) <= 7.0);
    }

    #[test]
    fn a_mixture_meets_what_was_measured() {
        // Two modes of a measured cloud: half below 1.3 s, nine in ten below 3.2 s.
        let text = r#"{"mixture": [{"weight": 0.512, "mu": 7.013, "sigma": 0.136},
            {"weight": 0.488, "mu": 7.783, "sigma": 0.326}]}"#;
        let spread = read(text);
        assert!((1_250.0..1_400.0).contains(&spread.typical()), "{}", spread.typical());
        assert!((3_000.0..3_400.0).contains(&spread.quantile(0.9)), "{}", spread.quantile(0.9));
        let Spread::Mixture { mixture, .. } = spread else { panic!("a mixture") };
        let less = Spread::Mixture { mixture, less: 5_000.0, times: 1.0 };
        assert!(less.typical() <= 0.0, "never negative, and nothing is left");
    }

    #[test]
    fn a_larger_share_is_never_a_smaller_value() {
        for spread in [
            read(r#"{"p50": 10, "sigma": 1.5}"#),
            read(
                r#"{"mixture": [{"weight": 1, "mu": 1, "sigma": 0.1}, {"weight": 3, "mu": 4, "sigma": 1}]}"#,
            ),
            read(r#"{"points": [[2, 0.0], [8, 0.1], [50, 1.0]]}"#),
        ] {
            let values: Vec<f64> =
                (0..=100).map(|percent| spread.quantile(f64::from(percent) / 100.0)).collect();
            assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "{spread:?}");
            assert!(values.iter().all(|value| value.is_finite()));
            assert!(spread.is_sound());
        }
    }

    #[test]
    fn nonsense_is_told() {
        for nonsense in [
            "-1",
            r#"{"p50": 0, "sigma": 1}"#,
            r#"{"p50": 1, "sigma": -1}"#,
            r#"{"mixture": []}"#,
            r#"{"points": [[1, 0.5], [0, 1]]}"#,
            r#"{"points": [[1, 0], [2, 7]]}"#,
        ] {
            assert!(!read(nonsense).is_sound(), "{nonsense}");
        }
    }
}
