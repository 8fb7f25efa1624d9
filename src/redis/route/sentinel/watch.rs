//! Listening to the sentinels: they publish what they are about to do.
//!
//! Between the promotion of a replica and `+switch-master`, which comes seconds later, the old
//! master goes on confirming writes that will be lost. The sentinel that leads a failover publishes
//! a notice before it promotes: from then on nothing is written until there is another master.
//! No notice names the master: the master is the one that [`Sentinel::find`] finds.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::discovery::Sentinel;
use super::notice::{Notice, channels, notice};
use super::state::SentinelNews;
use crate::metrics::Metrics;
use crate::redis::{Connection, Connector, Trouble};

/// The pause between two questions to all sentinels: a failover whose notices did not arrive is
/// noticed after at most this.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The pause before a sentinel that could not be listened to is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// A sentinel that has sent nothing for this long is asked whether it is still there.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The role in `traitsink_redis_up`.
const ROLE: &str = "sentinel";

/// Begins, once, to listen to every sentinel and to ask all of them regularly, for as long as there
/// is `sentinel`.
pub(super) fn begin(sentinel: &Arc<Sentinel>, metrics: &Arc<Metrics>) {
    sentinel.watching.get_or_init(|| {
        let mut tasks: Vec<_> = sentinel
            .sentinels
            .iter()
            .map(|asked| {
                tokio::spawn(listen(
                    asked.connector.clone(),
                    Arc::downgrade(sentinel),
                    Arc::clone(metrics),
                ))
            })
            .collect();
        tasks.push(tokio::spawn(ask_regularly(Arc::downgrade(sentinel))));
        tasks.into_iter().map(AbortOnDropHandle::new).collect()
    });
}

async fn ask_regularly(sentinel: Weak<Sentinel>) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(sentinel) = sentinel.upgrade() else { return };
        sentinel.look().await;
    }
}

/// Listens to one sentinel for as long as there is somebody to act on its notices.
async fn listen(connector: Connector, sentinel: Weak<Sentinel>, metrics: Arc<Metrics>) {
    let up = metrics.redis_up(connector.node(), ROLE);
    loop {
        up.set(0);
        match subscribe(&connector).await {
            Ok(mut connection) => {
                up.set(1);
                while let Some(message) = next(&mut connection).await {
                    let Some(sentinel) = sentinel.upgrade() else { return };
                    if let Some(notice) = notice(&message, &sentinel.name) {
                        act_on(notice, &sentinel).await;
                    }
                }
            }
            Err(Trouble { class, code, message }) => {
                metrics.note_redis_error(connector.node(), class.as_str(), &code, &message);
            }
        }
        if sentinel.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn act_on(notice: Notice, sentinel: &Sentinel) {
    match notice {
        Notice::FailoverBegins(next) => {
            let (next, now) = (sentinel.reached(next), Instant::now());
            sentinel.apply(SentinelNews::FailoverBegins { next, now });
        }
        Notice::FailoverAborted => {
            sentinel.apply(SentinelNews::FailoverAborted);
        }
        Notice::MasterMoved => sentinel.look().await,
    }
}

/// The next message; `None` when the sentinel is gone.
async fn next(connection: &mut Connection) -> Option<Value> {
    if let Ok(message) = timeout(SILENCE_MAX, connection.receive()).await {
        return message.ok();
    }
    // The reply is a message that is about no master.
    connection.exchange(&redis::cmd("PING").get_packed_command(), 0, &mut Vec::new()).await.ok()?;
    timeout(SILENCE_MAX, connection.receive()).await.ok()?.ok()
}

async fn subscribe(connector: &Connector) -> Result<Connection, Trouble> {
    let mut connection = connector.connect().await?;
    let channels = channels();
    let mut replies = Vec::with_capacity(channels.len());
    let subscribe = redis::cmd("SUBSCRIBE").arg(&channels).get_packed_command();
    connection.exchange(&subscribe, channels.len(), &mut replies).await?;
    match replies.iter().any(|reply| matches!(reply, Value::ServerError(_))) {
        true => Err(Trouble::rediscover("the sentinel refuses SUBSCRIBE")),
        false => Ok(connection),
    }
}
