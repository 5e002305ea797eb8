//! Numbers for people: sizes, counts, durations, rates.

use std::time::Duration;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A size with three significant digits: `118 GiB`, `74.1 GiB`, `512 B`.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be shown as 1000, which has four digits.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match (unit, value) {
        (0, _) => format!("{bytes} B"),
        (_, value) if value < 9.995 => format!("{value:.2} {}", UNITS[unit]),
        (_, value) if value < 99.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A count with groups of three digits: `31 204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun: `1 file`, `31 204 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Entries, counted.
pub fn entries(number: u64) -> String {
    counted(number, "entry", "entries")
}

/// Files, counted.
pub fn files(number: u64) -> String {
    counted(number, "file", "files")
}

/// A duration in two units at most: `4m 51s`, `3.1 s`, `2h 05m`.
pub fn duration(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{secs} s"),
        60..3600 => format!("{}m {:02}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// Bytes per second, if it took long enough and moved enough to mean anything.
pub fn rate(bytes: u64, time: Duration) -> Option<f64> {
    let means_something = time >= Duration::from_secs(1) && bytes >= 1 << 20;
    means_something.then(|| bytes as f64 / time.as_secs_f64())
}

/// A share in percent, never 100 before it is all.
pub fn percent(part: u64, whole: u64) -> u64 {
    match whole {
        0 => 100,
        _ => (u128::from(part) * 100 / u128::from(whole)).min(100) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_never_a_fourth() {
        let shown: Vec<_> = [
            0,
            999,
            1000,
            1023,
            1024,
            10_240,
            1 << 20,
            126_701_535_232,
            u64::MAX,
        ]
        .into_iter()
        .map(size)
        .collect();
        let expected = [
            "0 B", "999 B", "0.98 KiB", "1.00 KiB", "1.00 KiB", "10.0 KiB", "1.00 MiB", "118 GiB",
            "16.0 EiB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn counts_are_grouped_by_three() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(31_204), "31 204");
        assert_eq!(count(1_000_000), "1 000 000");
        assert_eq!(files(1), "1 file");
        assert_eq!(entries(2), "2 entries");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown =
            [100, 3_100, 59_900, 291_000, 7_500_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.1 s", "3.1 s", "59 s", "4m 51s", "2h 05m"]);
    }

    #[test]
    fn a_rate_needs_a_second_and_a_mebibyte() {
        assert_eq!(rate(1 << 30, Duration::from_millis(999)), None);
        assert_eq!(rate(1000, Duration::from_secs(2)), None);
        assert_eq!(rate(2 << 20, Duration::from_secs(2)), Some(1_048_576.0));
    }
}
