//! How fast each method was, by the size of the files.

use std::{collections::BTreeMap, time::Duration};

use blit_contract::{Method, Sample};

/// The smallest size bucket ends here; each next one is four times larger.
const FIRST_BUCKET_BYTES: u64 = 4 << 10;

/// The weight of a new measurement against all before: one slow run shall not rule the next.
const NEW_WEIGHT: f64 = 0.3;

/// Samples shorter than this measure the clock.
const SAMPLE_MIN: Duration = Duration::from_micros(100);

/// A method, and where the bucket of the sizes that it moved ends.
pub(crate) type Key = (Method, u64);

/// The bucket of files of `size_bytes`, which ends at 4 KiB times a power of four.
pub(crate) fn key_of(method: Method, size_bytes: u64) -> Key {
    let mut end = FIRST_BUCKET_BYTES;
    while end < size_bytes {
        end = end.saturating_mul(4);
    }
    (method, end)
}

/// What a sample says in bytes per second, and about which method and size; `None` if it says nothing.
pub(crate) fn rate_of(sample: &Sample) -> Option<(Key, f64)> {
    if sample.took < SAMPLE_MIN || sample.bytes == 0 {
        return None;
    }
    let key = key_of(sample.method, sample.bytes / sample.files.max(1));
    Some((key, sample.bytes as f64 / sample.took.as_secs_f64()))
}

/// What was measured of one method at sizes of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How it was moved.
    pub method: Method,
    /// The largest size of the bucket: 4 KiB times a power of four.
    pub size_bytes_max: u64,
    /// Bytes per second; newer measurements count more.
    pub bytes_per_second: f64,
    /// How many measurements it rests on.
    pub samples: u64,
}

/// Rates by method and size bucket.
#[derive(Debug, Default)]
pub(crate) struct Rates(BTreeMap<Key, Rate>);

impl Rates {
    /// Learns from a measurement.
    pub(crate) fn learn(&mut self, sample: &Sample) {
        let Some((key, measured)) = rate_of(sample) else {
            return;
        };
        let fresh = Rate {
            method: key.0,
            size_bytes_max: key.1,
            bytes_per_second: measured,
            samples: 0,
        };
        let rate = self.0.entry(key).or_insert(fresh);
        rate.bytes_per_second += (measured - rate.bytes_per_second) * NEW_WEIGHT;
        rate.samples += 1;
    }

    /// What is known of a method at about that size.
    pub(crate) fn get(&self, method: Method, size_bytes: u64) -> Option<Rate> {
        self.0.get(&key_of(method, size_bytes)).copied()
    }

    /// Everything, by method and size.
    pub(crate) fn all(&self) -> Vec<Rate> {
        self.0.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(bytes: u64, took: Duration) -> Sample {
        Sample::new(Method::Pump, 1, bytes, took)
    }

    #[test]
    fn buckets_end_at_4_kib_times_powers_of_four_and_hold_every_size() {
        let end = |size| key_of(Method::Pump, size).1;
        assert_eq!([end(0), end(4096), end(4097)], [4096, 4096, 16_384]);
        assert_eq!(end(1 << 20), 1 << 20);
        assert_eq!(end(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_mean_size_of_the_files_chooses_the_bucket() {
        let took = Duration::from_secs(1);
        let many = Sample::new(Method::Pack, 1_000, 1_000 * 5_000, took);
        assert_eq!(rate_of(&many), Some(((Method::Pack, 16_384), 5e6)));
    }

    #[test]
    fn one_slow_run_does_not_rule_the_next() {
        let mut rates = Rates::default();
        rates.learn(&sample(1_000_000, Duration::from_millis(100)));
        rates.learn(&sample(1_000_000, Duration::from_secs(10)));
        let rate = rates.get(Method::Pump, 1_000_000).unwrap();
        assert_eq!(rate.samples, 2);
        assert!((rate.bytes_per_second - 7.03e6).abs() < 1.0, "{rate:?}");
    }

    #[test]
    fn what_only_measures_the_clock_teaches_nothing() {
        let mut rates = Rates::default();
        rates.learn(&sample(1_000, Duration::ZERO));
        rates.learn(&sample(1_000, Duration::from_micros(99)));
        rates.learn(&sample(0, Duration::from_secs(1)));
        assert_eq!(rates.all(), []);
    }
}
