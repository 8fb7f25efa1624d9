//! Notices that sentinels publish of a failover. Pure.

use redis::Value;

use crate::config::Node;

const ABOUT_TO_PROMOTE: &str = "+failover-state-send-slaveof-noone";
const ABORTED: [&str; 3] = [
    "-failover-abort-not-elected",
    "-failover-abort-no-good-slave",
    "-failover-abort-slave-timeout",
];
const MOVED: [&str; 4] =
    ["+promoted-slave", "+switch-master", "+failover-end", "+config-update-from"];

/// The channels of all notices.
pub(super) fn channels() -> Vec<&'static str> {
    std::iter::once(ABOUT_TO_PROMOTE).chain(ABORTED).chain(MOVED).collect()
}

/// A message that a sentinel published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// This replica is about to be promoted; its address as it is announced.
    FailoverBegins(Node),
    FailoverAborted,
    /// There may be another master: the sentinels are to be asked.
    MasterMoved,
}

/// Reads `[message, channel, text]`; `None` when it is about another master.
pub(super) fn notice(message: &Value, name: &str) -> Option<Notice> {
    let (_, channel, text): (String, String, String) =
        redis::from_redis_value(message.clone()).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let about = match channel.as_str() {
        // NAME old-ip old-port new-ip new-port
        "+switch-master" => words.first(),
        // kind name ip port @ NAME ip port; without @ it is the master itself: master NAME ip port
        _ => {
            words.iter().position(|word| *word == "@").map_or(words.get(1), |at| words.get(at + 1))
        }
    };
    if about != Some(&name) {
        return None;
    }
    match channel.as_str() {
        ABOUT_TO_PROMOTE => {
            let [host, port] = words.get(2..4)? else { return None };
            Some(Notice::FailoverBegins(Node::announced(host, port.parse().ok()?)?))
        }
        aborted if ABORTED.contains(&aborted) => Some(Notice::FailoverAborted),
        moved if MOVED.contains(&moved) => Some(Notice::MasterMoved),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::arbitrary::any_value;

    #[test]
    fn messages_about_this_master_are_notices() {
        let read = |channel: &str, text: &str| {
            notice(
                &Value::Array(
                    ["message", channel, text].map(|word| Value::BulkString(word.into())).into(),
                ),
                "m",
            )
        };
        let replica = "slave 127.0.0.1:7 127.0.0.1 7 @ m 127.0.0.1 6";
        assert_eq!(
            read("+failover-state-send-slaveof-noone", replica),
            Some(Notice::FailoverBegins(Node { host: "127.0.0.1".into(), port: 7 }))
        );
        assert_eq!(
            read("-failover-abort-no-good-slave", "master m 127.0.0.1 6"),
            Some(Notice::FailoverAborted)
        );
        assert_eq!(read("+promoted-slave", replica), Some(Notice::MasterMoved));
        assert_eq!(read("+switch-master", "m 127.0.0.1 6 127.0.0.1 7"), Some(Notice::MasterMoved));
        for (channel, text) in [
            ("+switch-master", "other 127.0.0.1 6 127.0.0.1 7"),
            ("+promoted-slave", "slave m 127.0.0.1 7 @ other 127.0.0.1 6"),
            ("+failover-end", "master other 127.0.0.1 6"),
            ("+sdown", "master m 127.0.0.1 6"),
        ] {
            assert_eq!(read(channel, text), None, "{channel} {text}");
        }
        assert_eq!(notice(&Value::Okay, "m"), None);
    }

    proptest! {
        #[test]
        fn whatever_a_sentinel_publishes_is_a_notice_or_nothing(
            value in any_value(),
            text in any::<String>(),
        ) {
            let _ = notice(&value, "m");
            let message = ["message", ABOUT_TO_PROMOTE, text.as_str()];
            let message = message.map(|word| Value::BulkString(word.into()));
            let _ = notice(&Value::Array(message.into()), "m");
        }
    }
}
