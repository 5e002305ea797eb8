//! How fast each method was, by the size of the files.

use std::{collections::BTreeMap, time::Duration};

use blit_contract::{Cost, Method, Sample};
use serde::{Deserialize, Serialize};

/// The smallest size bucket ends here; each next one is four times larger.
const FIRST_BUCKET_BYTES: u64 = 4 << 10;

/// The weight of a new measurement against all before: one slow run shall not rule the next.
const NEW_WEIGHT: f64 = 0.3;

/// Samples shorter than this measure the clock.
const SAMPLE_MIN: Duration = Duration::from_micros(100);

/// The size bucket of a file: 0 up to 4 KiB, 1 up to 16 KiB, and so on by powers of four.
#[must_use]
pub fn bucket_of(size_bytes: u64) -> u8 {
    let mut bucket = 0;
    let mut end = FIRST_BUCKET_BYTES;
    while size_bytes > end && bucket < 20 {
        end = end.saturating_mul(4);
        bucket += 1;
    }
    bucket
}

/// What was measured of one method at one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Bytes per second.
    pub bytes_per_sec: f64,
    /// How many measurements it rests on.
    pub samples: u64,
}

impl Rate {
    /// The cost of moving bytes at this rate.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost {
            bytes_per_sec: self.bytes_per_sec,
            ..Cost::default()
        }
    }

    fn learn(&mut self, bytes_per_sec: f64) {
        self.bytes_per_sec = if self.samples == 0 {
            bytes_per_sec
        } else {
            self.bytes_per_sec * (1.0 - NEW_WEIGHT) + bytes_per_sec * NEW_WEIGHT
        };
        self.samples += 1;
    }
}

/// Rates by method and size bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rates(BTreeMap<(Method, u8), Rate>);

impl Rates {
    pub(crate) fn learn(&mut self, sample: &Sample) {
        if sample.took < SAMPLE_MIN || sample.bytes == 0 {
            return;
        }
        let size = sample.bytes / sample.files.max(1);
        let rate = sample.bytes as f64 / sample.took.as_secs_f64();
        let key = (sample.method, bucket_of(size));
        self.0.entry(key).or_default().learn(rate);
    }

    pub(crate) fn get(&self, method: Method, size_bytes: u64) -> Option<Rate> {
        self.0.get(&(method, bucket_of(size_bytes))).copied()
    }

    pub(crate) fn all(&self) -> Vec<(Method, u8, Rate)> {
        let rates = self.0.iter();
        rates
            .map(|((method, bucket), rate)| (*method, *bucket, *rate))
            .collect()
    }
}
