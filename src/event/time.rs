//! The time that an event itself names.

use super::envelope::Envelope;

/// Milliseconds since the Unix epoch: the first of `timestamp`, `originalTimestamp` and `sentAt`
/// that is readable.
pub(super) fn event_time(envelope: &Envelope<'_>) -> Option<i64> {
    [envelope.timestamp, envelope.original_timestamp, envelope.sent_at]
        .into_iter()
        .flatten()
        .find_map(|raw| {
            let text = raw.strip_prefix('"')?.strip_suffix('"')?;
            Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
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
}
