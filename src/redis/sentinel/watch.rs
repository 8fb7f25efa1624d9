//! Listening to the sentinels: they publish what they are about to do.
//!
//! Between the promotion of a replica and `+switch-master`, which comes seconds later, the old
//! master goes on confirming writes that will be lost. The sentinel that leads a failover tells of
//! it before it promotes: from then on nothing is written until there is another master. Messages
//! are hints: what counts is what [`Sentinel::find`] finds.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{HANDOVER_MAX, Sentinel};
use crate::config::Node;
use crate::metrics::Metrics;
use crate::redis::{Connection, Connector, Trouble};

/// Between two questions to all sentinels: a failover that nobody was heard to tell of is noticed
/// after at most this.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Before a sentinel that could not be listened to is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// A sentinel that was not heard for this long is asked whether it is still there.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The role in `traitsink_redis_up`.
const ROLE: &str = "sentinel";

const ABOUT_TO_PROMOTE: &str = "+failover-state-send-slaveof-noone";
const ABORTED: [&str; 3] = [
    "-failover-abort-not-elected",
    "-failover-abort-no-good-slave",
    "-failover-abort-slave-timeout",
];
const MOVED: [&str; 4] =
    ["+promoted-slave", "+switch-master", "+failover-end", "+config-update-from"];

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hint {
    /// To this replica, as it is announced.
    HandoverBegins(Node),
    HandoverEnds,
    AskAgain,
}

/// Listens to every sentinel and asks all of them regularly, until the handles are dropped.
pub(super) fn begin(
    sentinel: &Arc<Sentinel>,
    metrics: &Arc<Metrics>,
) -> Vec<AbortOnDropHandle<()>> {
    let mut tasks: Vec<_> = sentinel
        .witnesses
        .iter()
        .map(|witness| {
            tokio::spawn(listen(
                witness.connector.clone(),
                Arc::downgrade(sentinel),
                Arc::clone(metrics),
            ))
        })
        .collect();
    tasks.push(tokio::spawn(ask_regularly(Arc::downgrade(sentinel))));
    tasks.into_iter().map(AbortOnDropHandle::new).collect()
}

async fn ask_regularly(sentinel: Weak<Sentinel>) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(sentinel) = sentinel.upgrade() else { return };
        sentinel.look().await;
    }
}

/// Listens to one sentinel for as long as there is somebody to tell.
async fn listen(connector: Connector, sentinel: Weak<Sentinel>, metrics: Arc<Metrics>) {
    let up = metrics.redis_up(connector.node(), ROLE);
    loop {
        up.set(0);
        if let Ok(mut connection) = subscribe(&connector).await {
            up.set(1);
            while let Some(message) = next(&mut connection).await {
                let Some(sentinel) = sentinel.upgrade() else { return };
                if let Some(hint) = hint(&message, &sentinel.name) {
                    sentinel.heed(hint).await;
                }
            }
        }
        if sentinel.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The next message; `None` when the sentinel is gone.
async fn next(connection: &mut Connection) -> Option<Value> {
    if let Ok(message) = timeout(SILENCE_MAX, connection.receive()).await {
        return message.ok();
    }
    // The answer is a message that is about no master.
    connection.exchange(&redis::cmd("PING").get_packed_command(), 0, &mut Vec::new()).await.ok()?;
    timeout(SILENCE_MAX, connection.receive()).await.ok()?.ok()
}

async fn subscribe(connector: &Connector) -> Result<Connection, Trouble> {
    let mut connection = connector.connect().await?;
    let channels: Vec<&str> =
        std::iter::once(ABOUT_TO_PROMOTE).chain(ABORTED).chain(MOVED).collect();
    let mut replies = Vec::with_capacity(channels.len());
    let subscribe = redis::cmd("SUBSCRIBE").arg(&channels).get_packed_command();
    connection.exchange(&subscribe, channels.len(), &mut replies).await?;
    match replies.iter().any(|reply| matches!(reply, Value::ServerError(_))) {
        true => Err(Trouble::rediscover("the sentinel refuses SUBSCRIBE")),
        false => Ok(connection),
    }
}

impl Sentinel {
    async fn heed(&self, hint: Hint) {
        match hint {
            Hint::HandoverBegins(next) => {
                let next = self.nat_map.reached(next);
                self.told.send_if_modified(|told| {
                    // A message that comes late tells of what is over.
                    let begins = told.master.as_ref() != Some(&next);
                    if begins {
                        tracing::info!(
                            name = self.name,
                            "a failover begins: nothing is written until there is another master"
                        );
                        told.handover = Some(Instant::now() + HANDOVER_MAX);
                    }
                    begins
                });
            }
            Hint::HandoverEnds => self.told.send_modify(|told| told.handover = None),
            Hint::AskAgain => self.look().await,
        }
    }
}

/// Reads `[message, channel, text]`; `None` when it is about another master.
fn hint(message: &Value, name: &str) -> Option<Hint> {
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
            Some(Hint::HandoverBegins(Node::announced(host, port.parse().ok()?)?))
        }
        aborted if ABORTED.contains(&aborted) => Some(Hint::HandoverEnds),
        moved if MOVED.contains(&moved) => Some(Hint::AskAgain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::arbitrary::any_value;

    #[test]
    fn messages_about_this_master_are_hints() {
        let read = |channel: &str, text: &str| {
            hint(
                &Value::Array(
                    ["message", channel, text].map(|word| Value::BulkString(word.into())).into(),
                ),
                "m",
            )
        };
        let replica = "slave 127.0.0.1:7 127.0.0.1 7 @ m 127.0.0.1 6";
        assert_eq!(
            read("+failover-state-send-slaveof-noone", replica),
            Some(Hint::HandoverBegins(Node { host: "127.0.0.1".into(), port: 7 }))
        );
        assert_eq!(
            read("-failover-abort-no-good-slave", "master m 127.0.0.1 6"),
            Some(Hint::HandoverEnds)
        );
        assert_eq!(read("+promoted-slave", replica), Some(Hint::AskAgain));
        assert_eq!(read("+switch-master", "m 127.0.0.1 6 127.0.0.1 7"), Some(Hint::AskAgain));
        for (channel, text) in [
            ("+switch-master", "other 127.0.0.1 6 127.0.0.1 7"),
            ("+promoted-slave", "slave m 127.0.0.1 7 @ other 127.0.0.1 6"),
            ("+failover-end", "master other 127.0.0.1 6"),
            ("+sdown", "master m 127.0.0.1 6"),
        ] {
            assert_eq!(read(channel, text), None, "{channel} {text}");
        }
        assert_eq!(hint(&Value::Okay, "m"), None);
    }

    proptest! {
        #[test]
        fn whatever_a_sentinel_publishes_is_a_hint_or_nothing(value in any_value(), text in any::<String>()) {
            let _ = hint(&value, "m");
            let message = ["message", ABOUT_TO_PROMOTE, text.as_str()].map(|word| Value::BulkString(word.into()));
            let _ = hint(&Value::Array(message.into()), "m");
        }
    }
}
