//! `profile.ttl` and `profile.ttl_path`: when the key of a profile expires.

use std::time::Duration;

use crate::config::engine::long_span::LongSpan;
use crate::config::engine::report::ConfigReport;

/// `None`: the key does not expire.
pub(super) fn of_key(ttl: LongSpan, report: &mut ConfigReport) -> Option<Duration> {
    if ttl.0.is_zero() {
        return None;
    }
    not_below_a_millisecond("profile.ttl", ttl, report);
    Some(ttl.0)
}

/// Redis counts in milliseconds: less would be none at all.
pub(super) fn not_below_a_millisecond(key: &str, ttl: LongSpan, report: &mut ConfigReport) {
    if ttl.0 < Duration::from_millis(1) {
        report.error(key, "must be at least 1ms");
    }
}

/// The names that `typed` goes through, from the event down.
pub(super) fn path(typed: Option<&str>, report: &mut ConfigReport) -> Option<Vec<String>> {
    let names: Vec<String> = typed?.split('.').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        report.error(
            "profile.ttl_path",
            "has a dot without a name beside it: write names and dots, such as \"context.ttl\"",
        );
    }
    Some(names)
}
