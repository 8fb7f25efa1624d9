//! The time that an event itself names.

use std::ops::Range;

use super::envelope::Envelope;

/// Milliseconds since the Unix epoch: the first of `timestamp`, `originalTimestamp` and `sentAt`
/// that is readable.
pub(super) fn event_time(envelope: &Envelope<'_>) -> Option<i64> {
    [envelope.timestamp, envelope.original_timestamp, envelope.sent_at]
        .into_iter()
        .flatten()
        .find_map(|raw| {
            let text = raw.strip_prefix('"')?.strip_suffix('"')?;
            usual_time(text)
                .or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()))
        })
}

/// Reads a time as JavaScript prints it: `2026-01-02T03:04:05.678Z`. `None`: the time is none, or
/// unusual, as a leap day is.
fn usual_time(text: &str) -> Option<i64> {
    let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let mut form = text.iter().zip(b"0000-00-00T00:00:00.000Z");
    if !form.all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit())) {
        return None;
    }
    let number = |place: Range<usize>| {
        text[place].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let [year, month, day] = [0..4, 5..7, 8..10].map(number);
    let [hour, minute, second, ms] = [11..13, 14..16, 17..19, 20..23].map(number);
    let has_day = match day {
        1..=28 => (1..=12).contains(&month),
        29 | 30 => matches!(month, 1 | 3..=12),
        31 => matches!(month, 1 | 3 | 5 | 7 | 8 | 10 | 12),
        _ => false,
    };
    if !has_day || !(1..=9998).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let hours = days_since_epoch(year, month, day) * 24 + hour;
    Some(((hours * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Days from the first of January 1970 to a day of the year 1 or later.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin with March end with the leap day, and have months of 30.6 days.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_readable_time_counts() {
        let envelope = |timestamp, sent_at| Envelope { timestamp, sent_at, ..Envelope::default() };
        let at = Some(1_700_000_000_123);
        assert_eq!(
            event_time(&envelope(
                Some("\"2023-11-14T22:13:20.123Z\""),
                Some("\"2000-01-01T00:00:00Z\"")
            )),
            at
        );
        assert_eq!(
            event_time(&envelope(Some("\"soon\""), Some("\"2023-11-14T23:43:20.123456+01:30\""))),
            at
        );
        assert_eq!(event_time(&envelope(Some("1700000000"), None)), None);
    }

    #[test]
    fn usual_times_are_read_as_any_others() {
        let jiff = |text: &str| Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond());
        let base = b"2026-01-02T03:04:05.678Z";
        let mut usual = 0;
        for at in 0..base.len() {
            for byte in b' '..=b'~' {
                for (other, digit) in [(0, base[0]), (3, b'4'), (6, b'2'), (9, b'9'), (17, b'6')] {
                    let mut text = *base;
                    text[other] = digit;
                    text[at] = byte;
                    let text = std::str::from_utf8(&text).unwrap();
                    if let Some(ms) = usual_time(text) {
                        usual += 1;
                        assert_eq!(Some(ms), jiff(text), "{text}");
                    }
                }
            }
        }
        assert!(usual > 300, "{usual}");
        for year in (0..=9999).step_by(101).chain([1900, 2000, 2023, 2024, 2100]) {
            for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
                let text = format!("{year:04}-{month:02}-{day:02}T23:59:59.999Z");
                let ms = usual_time(&text);
                assert!(ms.is_none() || ms == jiff(&text), "{text}");
            }
        }
        for text in ["1970-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(usual_time(text), jiff(text));
        }
        for text in ["2023-02-29T00:00:00.000Z", "2026-01-02T03:04:60.678Z", "2026-01-02"] {
            assert_eq!(usual_time(text), None, "{text}");
        }
    }
}
