//! Durations that may be longer than a day: they are also typed in hours and days.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::units::{print_duration, text_form};

/// Durations are shorter than this: Redis keeps no time beyond it for a field.
const LIMIT: Duration = Duration::from_millis(1 << 46);

const HOUR: u128 = 60 * 60 * 1_000;

/// A duration, typed as `90d`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LongSpan(pub(crate) Duration);

text_form!(LongSpan, "long_duration", "30d", parse_long_duration, print_long_duration);

impl LongSpan {
    pub(crate) const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 24 * 60 * 60))
    }
}

/// Reads `500ms`, `30m`, `12h`, `90d`; a day has 24 hours.
pub(crate) fn parse_long_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let too_long = || format!("{text:?} is too long: it must be less than 2^46 ms (814453d)");
    match duration(text) {
        Some(duration) if duration < LIMIT => Ok(duration),
        Some(_) => Err(too_long()),
        None if text.parse::<f64>().is_ok() => {
            Err(format!("\"{text}\" has no unit: write \"{text}s\", \"{text}h\" or \"{text}d\""))
        }
        None if duration(&with_small_numbers(text)).is_some() => Err(too_long()),
        None => Err(format!("{text:?} is not a duration such as \"30m\", \"12h\" or \"90d\"")),
    }
}

/// `text` with only the first digit of each number.
fn with_small_numbers(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    text.chars().fold(String::new(), |mut shorter, c| {
        if !(is_digit(c) && shorter.ends_with(is_digit)) {
            shorter.push(c);
        }
        shorter
    })
}

fn duration(text: &str) -> Option<Duration> {
    static PARSER: SpanParser = SpanParser::new();
    PARSER.parse_unsigned_duration(text).ok().or_else(|| {
        let span = PARSER.parse_span(text).ok()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
    })
}

/// The form that [`parse_long_duration`] reads, in the largest unit that divides it.
pub(crate) fn print_long_duration(duration: &Duration) -> String {
    let whole = duration.subsec_nanos().is_multiple_of(1_000_000);
    match duration.as_millis() {
        ms if whole && ms > 0 && ms % (24 * HOUR) == 0 => format!("{}d", ms / (24 * HOUR)),
        ms if whole && ms > 0 && ms % HOUR == 0 => format!("{}h", ms / HOUR),
        _ => print_duration(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_are_durations() {
        for (text, millis) in [
            ("0s", 0),
            ("1ms", 1),
            ("50ms", 50),
            ("1.5s", 1_500),
            ("30m", 1_800_000),
            ("12h", 43_200_000),
            ("1d", 86_400_000),
            ("90d", 7_776_000_000),
            ("1d 12h", 129_600_000),
            ("1w", 604_800_000),
            (" 2h ", 7_200_000),
            ("70368744177663ms", (1 << 46) - 1),
            ("814453d", 814_453 * 86_400_000),
        ] {
            assert_eq!(parse_long_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told() {
        for (text, error) in [
            ("5", "\"5\" has no unit: write \"5s\", \"5h\" or \"5d\""),
            ("-5", "\"-5\" has no unit: write \"-5s\", \"-5h\" or \"-5d\""),
            ("-5s", "\"-5s\" is not a duration such as \"30m\", \"12h\" or \"90d\""),
            ("-1d", "\"-1d\" is not a duration such as \"30m\", \"12h\" or \"90d\""),
            ("soon", "\"soon\" is not a duration such as \"30m\", \"12h\" or \"90d\""),
            ("1month", "\"1month\" is not a duration such as \"30m\", \"12h\" or \"90d\""),
            ("", "\"\" is not a duration such as \"30m\", \"12h\" or \"90d\""),
            (
                "70368744177664ms",
                "\"70368744177664ms\" is too long: it must be less than 2^46 ms (814453d)",
            ),
            (
                "9007199254740992s",
                "\"9007199254740992s\" is too long: it must be less than 2^46 ms (814453d)",
            ),
            (
                "99999999999999999999d",
                "\"99999999999999999999d\" is too long: it must be less than 2^46 ms (814453d)",
            ),
        ] {
            assert_eq!(parse_long_duration(text).unwrap_err(), error);
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for (text, printed) in [
            ("0s", "0s"),
            ("90d", "90d"),
            ("24h", "1d"),
            ("36h", "36h"),
            ("90m", "90m"),
            ("120m", "2h"),
            ("1500us", "1500000ns"),
        ] {
            let duration = parse_long_duration(text).unwrap();
            assert_eq!(print_long_duration(&duration), printed);
            assert_eq!(parse_long_duration(printed), Ok(duration));
        }
    }
}
