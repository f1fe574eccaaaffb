//! Durations that were measured again and again.

use std::time::Duration;

/// Sorted samples; never empty where a percentile is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    sorted: Vec<Duration>,
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(samples: I) -> Self {
        let mut sorted: Vec<_> = samples.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

impl Samples {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The smallest sample that at least `percent` (1 to 100) of them don't exceed
    /// (nearest rank: always a sample that was really seen). Zero when there is none.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }

    /// The largest one.
    pub fn max(&self) -> Duration {
        self.percentile(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(milliseconds: impl IntoIterator<Item = u64>) -> Samples {
        milliseconds
            .into_iter()
            .map(Duration::from_millis)
            .collect()
    }

    #[test]
    fn percentiles_are_samples_of_the_nearest_rank() {
        let hundred = samples((1..=100).rev());
        for percent in [1, 50, 99, 100] {
            let expected = Duration::from_millis(percent as u64);
            assert_eq!(hundred.percentile(percent), expected);
        }
        let five = samples([50, 20, 35, 15, 40]);
        assert_eq!(five.percentile(50), Duration::from_millis(35));
        assert_eq!(five.percentile(99), five.max());
        assert_eq!(five.max(), Duration::from_millis(50));
    }

    #[test]
    fn no_sample_is_no_panic() {
        assert_eq!(samples([]).max(), Duration::ZERO);
    }
}
