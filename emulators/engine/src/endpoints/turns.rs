//! Whose turn it is: smooth weighted round robin, so that shares hold over any stretch of requests and not only in
//! the long run.

use super::said::Variant;

/// One count a variant.
pub(super) struct Turns {
    variants: Vec<Turn>,
}

#[derive(Clone, Copy, Default)]
struct Turn {
    weight: f64,
    due: f64,
    /// How much of an error has come together.
    trouble: f64,
}

impl Turns {
    pub(super) fn of(variants: &[Variant]) -> Self {
        let turn = |variant: &Variant| Turn { weight: variant.weight.max(0.0), ..Turn::default() };
        Self { variants: variants.iter().map(turn).collect() }
    }

    /// The first of all, where no variant has any weight.
    pub(super) fn next(&mut self) -> usize {
        let total: f64 = self.variants.iter().map(|turn| turn.weight).sum();
        let mut best = 0;
        for at in 0..self.variants.len() {
            self.variants[at].due += self.variants[at].weight;
            if self.variants[at].due > self.variants[best].due {
                best = at;
            }
        }
        if let Some(turn) = self.variants.get_mut(best) {
            turn.due -= total;
        }
        best
    }

    /// Whether this request of a variant is one of the share that fails.
    pub(super) fn strikes(&mut self, at: usize, share: f64) -> bool {
        let Some(turn) = self.variants.get_mut(at) else { return false };
        turn.trouble += share.clamp(0.0, 1.0);
        // Sums of tenths are not exact.
        let strikes = turn.trouble > 1.0 - 1e-9;
        if strikes {
            turn.trouble -= 1.0;
        }
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Backend;

    fn variant(weight: f64) -> Variant {
        Variant {
            name: "v".into(),
            weight,
            latency_ms: 0,
            errors: 0.0,
            backend: Backend::Function("f".into()),
        }
    }

    #[test]
    fn shares_hold_over_every_ten() {
        let mut turns = Turns::of(&[variant(0.9), variant(0.1), variant(0.0)]);
        for _ in 0..5 {
            let ten: Vec<_> = (0..10).map(|_| turns.next()).collect();
            assert_eq!(ten.iter().filter(|at| **at == 1).count(), 1, "{ten:?}");
            assert!(!ten.contains(&2));
        }
        assert_eq!(Turns::of(&[variant(0.0), variant(0.0)]).next(), 0);
    }

    #[test]
    fn a_tenth_is_every_tenth() {
        let mut turns = Turns::of(&[variant(1.0)]);
        let struck: Vec<_> = (0..30).filter(|_| turns.strikes(0, 0.1)).collect();
        assert_eq!(struck, [9, 19, 29]);
        assert!(!turns.strikes(0, 0.0) && turns.strikes(0, 1.0));
    }
}
