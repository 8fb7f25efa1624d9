//! Reading a time that an event says: RFC 3339 text, or a number.

use jiff::civil::{DateTime, date};

use super::json;

/// From this number on, a number is in milliseconds; below it is in seconds.
const FIRST_MILLISECOND: f64 = 1e11;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// A time in the form of RFC 3339.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since the epoch; may be negative.
    pub(super) ms: i64,
    /// Whether the text says the zone; else it is taken for UTC.
    pub(super) zoned: bool,
}

/// Milliseconds since the epoch, at least 0, for any JSON value (raw, valid text): RFC 3339, also
/// without a zone (UTC) or a time of day (midnight); numbers, and texts of digits alone, are
/// seconds or milliseconds. `None`: anything else.
pub(super) fn read_time(raw: &str) -> Option<i64> {
    let ms = match json::first(raw) {
        b'"' => {
            let text = json::decoded(raw);
            if text.iter().all(u8::is_ascii_digit) {
                from_number(std::str::from_utf8(&text).ok()?)
            } else {
                Moment::read(std::str::from_utf8(&text).ok()?).map(|moment| moment.ms)
            }
        }
        b'-' | b'0'..=b'9' => from_number(raw),
        _ => None,
    };
    ms.map(|ms| ms.max(0))
}

fn from_number(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let ms = if number >= FIRST_MILLISECOND { number } else { number * 1000.0 };
    Some(ms.round() as i64)
}

impl Moment {
    /// `2023-11-14T22:13:20.123+01:00`; the fraction, the zone, and all behind the date may be
    /// missing; a space may stand for `T`. Years 0000 to 9999.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (day, rest) = text.split_at_checked(10)?;
        let [year, month, day] = numbers(day, [4, 2, 2], b'-')?;
        let (clock, rest) = match rest.strip_prefix(['T', 't', ' ']) {
            Some(rest) => rest.split_at_checked(8)?,
            None if rest.is_empty() => ("00:00:00", ""),
            None => return None,
        };
        let [hour, minute, second] = numbers(clock, [2, 2, 2], b':')?;
        let (fraction, zone) = fraction(rest)?;
        let offset = offset(zone)?;
        // The 61st second of a minute, which is a leap second, counts as the 60th.
        let second = if second == 60 { 59 } else { second };
        let [month, day, hour, minute, second] =
            [month, day, hour, minute, second].map(|number| number as i8);
        let at = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let ms = at.duration_since(EPOCH).as_secs() * 1000 + fraction;
        Some(Self { ms: ms - offset, zoned: !zone.is_empty() })
    }
}

/// Three numbers of so many digits, with `between` between them.
fn numbers(text: &str, digits: [usize; 3], between: u8) -> Option<[i16; 3]> {
    let mut parts = text.split(char::from(between));
    let mut next = |count| {
        let part = parts.next().filter(|part| part.len() == count)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let numbers = [next(digits[0])?, next(digits[1])?, next(digits[2])?];
    parts.next().is_none().then_some(numbers)
}

/// Milliseconds of the fraction with which `text` may begin, and what follows it.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at(end);
    let thousandths = format!("{digits:0<3.3}");
    (end > 0).then(|| Some((thousandths.parse().ok()?, zone)))?
}

/// Milliseconds by which a zone is ahead of UTC: `Z`, `+01:30`, or nothing.
fn offset(zone: &str) -> Option<i64> {
    let ahead = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return zone.eq_ignore_ascii_case("z").then_some(0),
    };
    let [hours, minutes, _] = numbers(&format!("{}:00", &zone[1..]), [2, 2, 2], b':')?;
    let minutes =
        (hours < 24 && minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))?;
    Some(ahead * minutes * 60_000)
}
