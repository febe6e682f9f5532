//! Sizes and times for people.

/// A size in bytes: `470 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1000.0;
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match value < 9.95 {
        true => format!("{value:.1} {}", UNITS[unit]),
        false => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// How long ago something was: `3 days`.
pub(super) fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        let shown = [0, 999, 1000, 9_940, 9_960, 999_499, 999_500, 470_000_000, 3_000_000_000_000].map(bytes);
        assert_eq!(
            shown,
            ["0 bytes", "999 bytes", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "470 MB", "3.0 TB"]
        );
    }

    #[test]
    fn ages_are_in_the_unit_that_says_most() {
        assert_eq!([1, 59, 60, 7200, 172_799, 172_800].map(age), [
            "1 second", "59 seconds", "1 minute", "2 hours", "47 hours", "2 days"
        ]);
    }
}
