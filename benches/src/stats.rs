//! Medians and spreads.

use serde::{Deserialize, Serialize};

/// A sample in five numbers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The median absolute deviation from it.
    pub mad: f64,
    /// The tenth percentile.
    pub p10: f64,
    /// The ninetieth percentile.
    pub p90: f64,
}

impl Spread {
    /// Of a sample that is not empty.
    #[must_use]
    pub fn of(sample: &[f64]) -> Self {
        let sorted = sorted(sample);
        let median = quantile(&sorted, 0.5);
        let away: Vec<_> = sample.iter().map(|x| (x - median).abs()).collect();
        let mad = quantile(&self::sorted(&away), 0.5);
        let (p10, p90) = (quantile(&sorted, 0.1), quantile(&sorted, 0.9));
        // A tenth of a nanosecond is beyond what any of this can tell.
        let round = |x: f64| (x * 10.0).round() / 10.0;
        Self {
            median: round(median),
            mad: round(mad),
            p10: round(p10),
            p90: round(p90),
        }
    }
}

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * q;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quantiles_interpolate() {
        let spread = Spread::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((spread.median, spread.mad), (3.0, 1.0));
        assert_eq!((spread.p10, spread.p90), (1.4, 4.6));
    }

    #[test]
    fn an_even_sample_has_its_median_between() {
        assert_eq!(Spread::of(&[1.0, 2.0]).median, 1.5);
    }
}
