//! The time that an event itself names.

use jiff::civil::{DateTime, date};

use super::envelope::Envelope;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

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

/// Reads a time as JavaScript prints it: `2026-01-02T03:04:05.678Z`.
fn usual_time(text: &str) -> Option<i64> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        mo0,
        mo1,
        b'-',
        d0,
        d1,
        b'T', //
        h0,
        h1,
        b':',
        mi0,
        mi1,
        b':',
        s0,
        s1,
        b'.',
        f0,
        f1,
        f2,
        b'Z',
    ] = *<&[u8; 24]>::try_from(text.as_bytes()).ok()?
    else {
        return None;
    };
    let two = |ten, one| number(&[ten, one]).map(|number| number as i8);
    let (year, ms) = (number(&[y0, y1, y2, y3])?, number(&[f0, f1, f2])?);
    let (month, day) = (two(mo0, mo1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(mi0, mi1)?, two(s0, s1)?);
    if !(1..=9998).contains(&year) {
        return None;
    }
    let at = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(at.duration_since(EPOCH).as_secs() * 1000 + i64::from(ms))
}

/// The number that so many digits make, at most four.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0'))
    })
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
        for text in ["1970-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(usual_time(text), jiff(text));
        }
        for text in ["2023-02-29T00:00:00.000Z", "2026-01-02T03:04:60.678Z", "2026-01-02"] {
            assert_eq!(usual_time(text), None, "{text}");
        }
    }
}
