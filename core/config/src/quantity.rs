//! Sizes, times and limits as people write them.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Span, SpanRelativeTo, Timestamp, Zoned, civil};
use serde::{Deserialize, Serialize};

/// Why something is no size, time or limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {expected}")]
pub struct QuantityError {
    text: String,
    expected: &'static str,
}

impl QuantityError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.escape_debug().to_string(),
            expected,
        }
    }
}

/// A number of bytes: `4096`, `20M`, `1.5GiB`.
///
/// As in other copying tools, `M` and `MiB` are 1024², and `MB` is 1000².
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// In bytes.
    pub bytes: u64,
}

const SIZE: &str = "a size, such as 4096, 20M or 1.5GiB";
const SIZE_LETTERS: &str = "KMGTPE";
/// More digits than this after the point are less than a byte of the largest unit.
const FRACTION_DIGITS_MAX: usize = 18;

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        read_size(text).ok_or_else(|| QuantityError::new(text, SIZE))
    }
}

fn read_size(text: &str) -> Option<Size> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let number_end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = read_unit(unit.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > FRACTION_DIGITS_MAX || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let bytes = digits.checked_mul(unit)? / 10_u128.pow(fraction.len() as u32);
    let is_whole = !whole.is_empty();
    let bytes = u64::try_from(bytes).ok().filter(|_| is_whole)?;
    Some(Size { bytes })
}

/// How many bytes `K`, `KB`, `KiB` and their like are.
fn read_unit(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_uppercase();
    let Some(letter) = unit.chars().next().filter(|c| *c != 'B') else {
        return matches!(&*unit, "" | "B").then_some(1);
    };
    let power = SIZE_LETTERS.find(letter)? as u32 + 1;
    match &unit[1..] {
        "" | "IB" => Some(1024_u128.pow(power)),
        "B" => Some(1000_u128.pow(power)),
        _ => None,
    }
}

impl fmt::Display for Size {
    /// In the largest unit that gives a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.bytes;
        let mut unit = None;
        for letter in SIZE_LETTERS.chars() {
            if bytes == 0 || !bytes.is_multiple_of(1024) {
                break;
            }
            bytes /= 1024;
            unit = Some(letter);
        }
        match unit {
            Some(letter) => write!(f, "{bytes}{letter}iB"),
            None => write!(f, "{bytes}"),
        }
    }
}

/// A length of time: `2m`, `1h 30m`, `0`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    /// How long it is.
    pub duration: Duration,
}

const PERIOD: &str = "a length of time, such as 30s, 2m or 1h";

impl FromStr for Period {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        read_period(text).ok_or_else(|| QuantityError::new(text, PERIOD))
    }
}

fn read_period(text: &str) -> Option<Period> {
    if text == "0" {
        return Some(Period::default());
    }
    let span: Span = text.parse().ok()?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let duration = Duration::try_from(signed).ok()?;
    Some(Period { duration })
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.duration) {
            Ok(duration) if !duration.is_zero() => write!(f, "{duration:#}"),
            _ => f.write_str("0"),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = QuantityError;
    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// How old something is: `7d`, or since a date, `2026-01-31` or `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy)]
pub enum Age {
    /// That long before now.
    Before(Span),
    /// Since this time on the clock of this machine.
    Clock(civil::DateTime),
    /// Since this very moment.
    Moment(Timestamp),
}

const AGE: &str = "an age, such as 7d or 2026-01-31";

impl FromStr for Age {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bad = || QuantityError::new(text, AGE);
        if let Ok(moment) = text.parse() {
            return Ok(Self::Moment(moment));
        }
        if let Ok(clock) = text.parse() {
            return Ok(Self::Clock(clock));
        }
        let span: Span = text.parse().map_err(|_| bad())?;
        match span.is_negative() {
            true => Err(bad()),
            false => Ok(Self::Before(span)),
        }
    }
}

impl Age {
    /// The moment that is meant, if now is `now`; `None` if it is before or after all time.
    #[must_use]
    pub fn moment(&self, now: &Zoned) -> Option<Timestamp> {
        match self {
            Self::Before(span) => now.checked_sub(*span).ok().map(|then| then.timestamp()),
            Self::Clock(clock) => {
                let then = clock.to_zoned(now.time_zone().clone());
                then.ok().map(|then| then.timestamp())
            }
            Self::Moment(moment) => Some(*moment),
        }
    }
}

/// How much may be deleted: a number of entries, or percent of the target's: `500`, `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum DeleteLimit {
    /// So many entries.
    Entries(u64),
    /// So many percent of the target's entries, 100 at most.
    Percent(u8),
}

const DELETE_LIMIT: &str = "a number of entries or a percentage from 0% to 100%";

impl FromStr for DeleteLimit {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let is_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        let limit = match text.strip_suffix('%') {
            Some(digits) if is_digits(digits) => {
                let percent = digits.parse().ok().filter(|percent| *percent <= 100);
                percent.map(Self::Percent)
            }
            None if is_digits(text) => text.parse().ok().map(Self::Entries),
            _ => None,
        };
        limit.ok_or_else(|| QuantityError::new(text, DELETE_LIMIT))
    }
}

impl fmt::Display for DeleteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(entries) => write!(f, "{entries}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<DeleteLimit> for String {
    fn from(limit: DeleteLimit) -> Self {
        limit.to_string()
    }
}

impl<'de> Deserialize<'de> for DeleteLimit {
    /// A bare number is a number of entries, in quotes or not.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(entries)) => Ok(Self::Entries(entries)),
            Ok(Written::Text(text)) => text.parse().map_err(serde::de::Error::custom),
            Err(_) => Err(serde::de::Error::custom(format!("expected {DELETE_LIMIT}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_as_other_copying_tools_read_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4_096),
            ("7B", 7),
            ("1k", 1_024),
            ("20M", 20 << 20),
            ("20MB", 20_000_000),
            ("1.5GiB", 3 << 29),
            ("1.5 GiB", 3 << 29),
            ("0.1K", 102),
            ("16E", 0),
        ] {
            let expected = Some(Size { bytes }).filter(|_| text != "16E");
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
        for bad in [
            "", "M", ".5M", "5.M", "1.2.3M", "-1", "1X", "1MiBB", "1iB", "1e3", "١",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_are_lengths_of_time_and_never_negative() {
        for (text, seconds) in [
            ("0", 0),
            ("90s", 90),
            ("2m", 120),
            ("1h30m", 5_400),
            ("1d", 86_400),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration.as_secs(), seconds, "{text}");
        }
        for bad in ["", "5", "-2m", "2 parsecs", "1 month"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_age_is_counted_back_or_read_off_the_local_clock() {
        let now: Zoned = "2026-03-30T12:00:00[Europe/Berlin]".parse().unwrap();
        for (text, moment) in [
            ("7d", "2026-03-23T11:00:00Z"), // Summer time began between.
            ("36h", "2026-03-28T22:00:00Z"),
            ("1mo", "2026-02-28T11:00:00Z"),
            ("2026-03-01", "2026-02-28T23:00:00Z"),
            ("2026-03-01T06:00:00", "2026-03-01T05:00:00Z"),
            ("2026-03-01T06:00:00Z", "2026-03-01T06:00:00Z"),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.moment(&now).unwrap().to_string(), moment, "{text}");
        }
        for bad in ["", "7", "-7d", "2026-13-01", "yesterday"] {
            assert!(bad.parse::<Age>().is_err(), "{bad}");
        }
        let too_old: Age = "15000y".parse().unwrap();
        assert_eq!(too_old.moment(&now), None);
    }

    #[test]
    fn a_limit_of_deletions_is_a_number_or_a_percentage() {
        assert_eq!("500".parse(), Ok(DeleteLimit::Entries(500)));
        assert_eq!("100%".parse(), Ok(DeleteLimit::Percent(100)));
        for bad in ["", "%", "101%", "-1", "50 %", "5.5%", "many"] {
            assert!(bad.parse::<DeleteLimit>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: u64, seconds in 0..100_000_000_u64, nanos in 0..1_000_000_000_u32) {
            let size = Size { bytes };
            prop_assert_eq!(size.to_string().parse(), Ok(size));
            let period = Period { duration: Duration::new(seconds, nanos) };
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (text.parse::<Size>(), text.parse::<Period>(), text.parse::<Age>(), text.parse::<DeleteLimit>());
        }
    }
}
