//! Numbers, times and rows of bars as short texts. Pure.

use jiff::Timestamp;

/// What stands for a number that is not known.
pub(super) const UNKNOWN: &str = "-";

/// `1234567` as `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Events in a second.
pub(super) fn rate(number: f64) -> String {
    if number > 0.0 && number < 10.0 {
        format!("{number:.1}/s")
    } else {
        format!("{}/s", count(number.round() as u64))
    }
}

/// Bytes in binary units.
pub(super) fn bytes(number: u64) -> String {
    bytesize::ByteSize(number).to_string()
}

/// A short time.
pub(super) fn seconds(number: f64) -> String {
    match number {
        _ if number < 0.9995 => format!("{:.0} ms", number * 1e3),
        _ if number < 9.95 => format!("{number:.1} s"),
        _ => long(number as i64),
    }
}

/// The time from one moment to a later one, in its two largest units.
pub(super) fn age(from: Timestamp, to: Timestamp) -> String {
    long(to.as_second().saturating_sub(from.as_second()).max(0))
}

fn long(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// The time of day in UTC, with the date if it is not that of `today`.
pub(super) fn clock(at: Timestamp, today: Timestamp) -> String {
    let same_day = at.as_second().div_euclid(86400) == today.as_second().div_euclid(86400);
    at.strftime(if same_day { "%H:%M:%SZ" } else { "%m-%d %H:%M:%SZ" }).to_string()
}

/// The latest of `values` as a row of bars, `width` characters at most. The highest bar is `most`;
/// a value that is not known is a space. When there are more values than characters, each bar is
/// the largest of several.
pub(super) fn bars(values: &[Option<f64>], width: usize, most: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |values: &[Option<f64>]| {
        let largest = values.iter().copied().flatten().reduce(f64::max);
        largest.map_or(' ', |value| {
            let level = if most > 0.0 { (value / most * 7.0).ceil() } else { 0.0 };
            BARS[(level as usize).min(7)]
        })
    };
    let columns = width.min(values.len());
    let begin = |column| column * values.len() / columns;
    (0..columns).map(|column| bar(&values[begin(column)..begin(column + 1)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [(0.0, "0/s"), (0.25, "0.2/s"), (9.9, "9.9/s"), (1234.4, "1,234/s")] {
            assert_eq!(rate(number), text);
        }
        for (number, text) in [
            (0.0, "0 ms"),
            (0.0124, "12 ms"),
            (1.0, "1.0 s"),
            (59.0, "59 s"),
            (61.0, "1 min 1 s"),
            (7500.0, "2 h 5 min"),
            (180_000.0, "2 d 2 h"),
        ] {
            assert_eq!(seconds(number), text);
        }
        assert_eq!(bytes(54 << 20), "54.0 MiB");
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let today = "2026-11-29T10:00:00Z".parse().unwrap();
        assert_eq!(clock("2026-11-29T00:00:00.5Z".parse().unwrap(), today), "00:00:00Z");
        assert_eq!(clock("2026-11-28T23:59:59Z".parse().unwrap(), today), "11-28 23:59:59Z");
        assert_eq!(age("2026-11-28T09:00:00Z".parse().unwrap(), today), "1 d 1 h");
        assert_eq!(age(today, Timestamp::UNIX_EPOCH), "0 s", "clocks differ");
    }

    #[test]
    fn bars_fit_and_keep_the_peaks() {
        let values: Vec<_> = (0..120).map(|n| Some(f64::from(n))).collect();
        assert_eq!(bars(&values[..8], 8, 7.0), "▁▂▃▄▅▆▇█");
        for width in [1, 40, 50, 119, 120, 121] {
            let row = bars(&values, width, 119.0);
            assert_eq!((row.chars().count(), row.chars().last()), (width.min(120), Some('█')));
        }
        assert_eq!(bars(&[None, Some(0.0), Some(0.1), Some(9.0)], 4, 7.0), " ▁▂█");
        assert_eq!(bars(&[Some(0.0)], 4, 0.0), "▁");
        assert_eq!(bars(&values, 0, 1.0) + &bars(&[], 4, 1.0), "");
    }
}
