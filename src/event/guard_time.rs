//! The time by which the guard tells which of two events is newer.

use crate::words::words;

use super::envelope::Envelope;
use super::profile_rules::GuardRules;
use super::time_text::read_time;
use super::{Arrival, Origin};

words! {
    /// What an event's time was taken from.
    TimeFrom {
        Timestamp => "timestamp",
        OriginalTimestamp => "originalTimestamp",
        /// The client's clock is wrong: the time is as long before the arrival as it is before
        /// `sentAt` by that clock. Or the event stood in a file: `sentAt` counts as its arrival.
        SentAt => "sentAt",
        ReceivedAt => "receivedAt",
        /// When the event came to us.
        Arrival => "arrival",
    }
}

/// The time of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardTime {
    /// Milliseconds since the epoch.
    pub ms: i64,
    pub from: TimeFrom,
    /// A clock was too far ahead, and an earlier time took the place of what it said.
    pub clamped: bool,
}

impl GuardTime {
    pub(super) fn of(rules: &GuardRules, envelope: &Envelope<'_>, origin: &Origin<'_>) -> Self {
        let latest = |ms: i64| ms.saturating_add(rules.max_ahead);
        let read = |raw: Option<&str>| raw.and_then(read_time);
        let received = if origin.gateway { read(envelope.received_at) } else { None };
        let sent = read(envelope.sent_at).or_else(|| read(origin.sent_at));
        let (arrival, from) = match (origin.arrival, received, sent) {
            (Arrival::Decided(ms), ..) => {
                // An arrival may be ahead of our clock, and an event ahead of its arrival.
                let clamped = ms > latest(latest(origin.now));
                let ms = if clamped { origin.now } else { ms.max(0) };
                return Self { ms, from: TimeFrom::Arrival, clamped };
            }
            (Arrival::At(ms), ..) => (ms, TimeFrom::Arrival),
            (_, Some(received), _) => (received, TimeFrom::ReceivedAt),
            (Arrival::Unknown, None, Some(sent)) => (sent, TimeFrom::SentAt),
            (Arrival::Now | Arrival::Unknown, None, _) => (origin.now, TimeFrom::Arrival),
        };
        let is_ahead = arrival > latest(origin.now);
        let arrival = if is_ahead { origin.now } else { arrival };
        let time = match (base(envelope, received.is_some()), sent) {
            (None, _) => Self { ms: arrival, from, clamped: is_ahead },
            (Some((base, _)), Some(sent))
                if arrival.abs_diff(sent) > rules.max_ahead.unsigned_abs() =>
            {
                let ms = arrival.saturating_sub(sent.saturating_sub(base));
                Self { ms, from: TimeFrom::SentAt, clamped: false }
            }
            (Some((ms, from)), _) => Self { ms, from, clamped: false },
        };
        let time = if time.ms > latest(arrival) {
            Self { ms: arrival, clamped: true, ..time }
        } else {
            time
        };
        Self { ms: time.ms.max(0), ..time }
    }
}

/// When the event happened, by what it says itself. A gateway has corrected `timestamp`; without
/// one, `originalTimestamp` is what the client's clock said.
fn base(envelope: &Envelope<'_>, by_gateway: bool) -> Option<(i64, TimeFrom)> {
    let mut both = [
        (envelope.timestamp, TimeFrom::Timestamp),
        (envelope.original_timestamp, TimeFrom::OriginalTimestamp),
    ];
    if !by_gateway {
        both.reverse();
    }
    both.into_iter().find_map(|(raw, from)| Some((read_time(raw?)?, from)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time() -> impl Strategy<Value = Option<String>> {
        let near = (0_i64..100_000_000).prop_map(|ms| (1_795_860_000_000 + ms).to_string());
        let any = prop_oneof![any::<i64>().prop_map(|ms| ms.to_string()), Just("1e300".into())];
        prop::option::of(prop_oneof![2 => near, 1 => any])
    }

    proptest! {
        #[test]
        fn no_event_is_far_ahead_of_our_clock(
            [timestamp, original_timestamp, sent_at, received_at, batch] in [
                time(), time(), time(), time(), time()
            ],
            arrival in prop_oneof![
                Just(Arrival::Now),
                Just(Arrival::Unknown),
                any::<i64>().prop_map(Arrival::At),
                any::<i64>().prop_map(Arrival::Decided),
            ],
            gateway: bool,
            now in 0_i64..4_000_000_000_000,
            max_ahead in 0_i64..=30 * 24 * 60 * 60 * 1000,
        ) {
            let envelope = Envelope {
                timestamp: timestamp.as_deref(),
                original_timestamp: original_timestamp.as_deref(),
                sent_at: sent_at.as_deref(),
                received_at: received_at.as_deref(),
                ..Envelope::default()
            };
            let origin =
                Origin { arrival, gateway, now, sent_at: batch.as_deref(), ..Origin::default() };
            let rules = GuardRules { time_field: "_ts".into(), max_ahead };
            let time = GuardTime::of(&rules, &envelope, &origin);
            prop_assert!((0..=now + 2 * max_ahead).contains(&time.ms), "{time:?}");
        }
    }
}
