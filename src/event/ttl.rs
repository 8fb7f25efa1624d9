//! When a key ends, as its event or the rules say.

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

use super::json::{self, member_at};
use super::profile_rules::ProfileRules;
use super::time_text::Moment;
use super::{Expiry, RejectReason};

/// The largest number of milliseconds.
const MOST: u64 = 1 << 46;

/// What takes the place of an end that is past.
const SOON: Expiry = Expiry::After(1000);

/// The end that an event (its `text`) gives to its key; `None`: it gives none. `now` is in
/// milliseconds since the epoch.
///
/// # Errors
/// `BadTtl`: what the event says is no time to live.
pub(super) fn expiry(
    rules: &ProfileRules,
    text: &str,
    now: i64,
) -> Result<Option<Expiry>, RejectReason> {
    let said = rules.ttl_path.as_ref().and_then(|path| member_at(text, path));
    match said {
        None | Some("null") => Ok(rules.ttl.map(Expiry::After)),
        Some(raw) => said_expiry(raw, now).ok_or(RejectReason::BadTtl),
    }
}

/// Reads seconds, a duration or a moment (raw, valid JSON text). The outer `None`: it is none.
fn said_expiry(raw: &str, now: i64) -> Option<Option<Expiry>> {
    match json::first(raw) {
        b'"' => {
            let text = json::decoded(raw);
            let text = std::str::from_utf8(&text).ok()?;
            if is_number(text) {
                return after_seconds(text.parse().ok()?);
            }
            match Moment::read(text) {
                Some(moment) => at(moment, now).map(Some),
                None => after(duration(text)?.as_secs_f64() * 1000.0),
            }
        }
        b'-' | b'0'..=b'9' => after_seconds(raw.parse().ok()?),
        _ => None,
    }
}

/// Digits, perhaps with a sign before them and a fraction.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction)
}

fn after_seconds(seconds: f64) -> Option<Option<Expiry>> {
    after(seconds * 1000.0)
}

fn after(ms: f64) -> Option<Option<Expiry>> {
    if ms < 0.0 {
        return Some(Some(SOON));
    }
    if ms == 0.0 {
        return Some(None);
    }
    // Redis deletes a key whose end is 0 ms away.
    (ms <= MOST as f64).then(|| Some(Expiry::After((ms.round() as u64).max(1))))
}

fn at(moment: Moment, now: i64) -> Option<Expiry> {
    let ms = u64::try_from(moment.ms).unwrap_or(0);
    if !moment.zoned || ms > MOST {
        return None;
    }
    Some(if moment.ms <= now { SOON } else { Expiry::At(ms) })
}

/// Reads `500ms`, `30m`, `12h`, `90d`, as the configuration does; a day has 24 hours.
fn duration(text: &str) -> Option<Duration> {
    static PARSER: SpanParser = SpanParser::new();
    PARSER.parse_unsigned_duration(text).ok().or_else(|| {
        let span = PARSER.parse_span(text).ok()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
    })
}
