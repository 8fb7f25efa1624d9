//! A lane's connection to one node: made again when lost, and fenced before anything is sent twice.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Once};

use redis::Value;

use super::class::Class;
use super::connection::{Broken, ConnectError, Connection, QueryError};
use super::connector::Connector;
use super::errors::Cause;
use super::handshake::Identity;
use super::writes::{Allowed, Trouble, UnexplainedRefusal, Verdict};
use super::{errors, writable};
use crate::config::Durability;
use crate::metrics::Metrics;

/// The role in `traitsink_redis_up` of a node that takes writes.
const ROLE: &str = "primary";

/// What one reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Is(Verdict),
    /// `MOVED` or `ASK`: another node takes this write.
    Elsewhere(Redirect),
}

impl Answer {
    /// Of a server that is no part of a cluster.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Is(verdict) => verdict,
            Self::Elsewhere(_) => unreachable!("only nodes of a cluster send writes elsewhere"),
        }
    }
}

/// Where a write is to go instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// Only this once, and `ASKING` first.
    pub(super) ask: bool,
    pub(super) slot: u16,
    /// `host:port`; without a host it is that of the node that said so.
    pub(super) place: String,
}

/// One connection, or the memory of one that was lost.
pub(super) struct Link {
    connector: Connector,
    connection: Option<Connection>,
    /// A connection that was lost with replies outstanding: bytes it sent may still be on their way
    /// to Redis.
    fence: Option<Identity>,
    lost: bool,
    /// Of the server that the last connection led to.
    run_id: Option<String>,
    /// [`Switches::count`](super::Switches::count) at the last write that was confirmed.
    seen: u64,
    replies: Vec<Value>,
    /// Equal for connections to the same server.
    server: u64,
    metrics: Arc<Metrics>,
}

impl Link {
    pub(super) fn new(connector: Connector, metrics: Arc<Metrics>) -> Self {
        metrics.redis_up(connector.node(), ROLE).set(0);
        metrics.redis_reconnects(connector.node()).inc_by(0);
        let seen = connector.switches().count();
        let server = server_id(connector.node());
        Self {
            connector,
            connection: None,
            fence: None,
            lost: false,
            run_id: None,
            seen,
            replies: Vec::new(),
            server,
            metrics,
        }
    }

    pub(super) fn has_fence(&self) -> bool {
        self.fence.is_some()
    }

    /// The connection, made and fenced if there is none.
    pub(super) async fn open(&mut self) -> Result<&mut Connection, Trouble> {
        if self.connection.is_none() {
            let mut connection =
                self.connector.connect().await.map_err(|error| self.count(error.into()))?;
            self.note_server(connection.run_id());
            if let Some(old) = &self.fence {
                let fenced = fence(&mut connection, old).await;
                // A server that knows CLIENT no more (a proxy took its address) may hang up on it
                // each time: that must not stop writing.
                if fenced.is_ok() || connection.identity().is_none() {
                    self.fence = None;
                }
                fenced.map_err(|broken| self.count(broken.into()))?;
            }
            if std::mem::take(&mut self.lost) {
                self.metrics.redis_reconnects(self.connector.node()).inc();
            }
            self.metrics.redis_up(self.connector.node(), ROLE).set(1);
            self.connection = Some(connection);
        }
        Ok(self.connection.as_mut().expect("made above"))
    }

    /// Notes a switch when the server is not the one that was there before; what it does not tell
    /// is no switch.
    fn note_server(&mut self, run_id: Option<&str>) {
        let Some(now) = run_id else { return };
        let before = self.run_id.replace(now.to_owned());
        if before.is_some_and(|before| before != now) {
            let node = self.connector.node();
            self.connector.switches().note_since(
                self.seen,
                format_args!("{node} was restarted, or is another server now"),
            );
        }
    }

    /// Closes the connection; `outstanding` when it may have sent what was not answered.
    fn close(&mut self, outstanding: bool) {
        if let Some(connection) = self.connection.take() {
            self.lost = true;
            self.metrics.redis_up(self.connector.node(), ROLE).set(0);
            if outstanding {
                self.fence = connection.identity().cloned();
            }
        }
    }

    /// Gives up what is being written: it may or may not be applied.
    pub(super) fn abandon(&mut self) {
        self.close(true);
    }

    /// Closes it for good: its server takes no writes any more, and is none to watch over.
    pub(super) fn retire(mut self) {
        self.close(false);
        self.metrics.forget_redis(self.connector.node(), ROLE);
    }

    /// Connects when needed, and asks whether a write to `key` would be taken. A server that hangs
    /// up on the question is asked less.
    pub(super) async fn reach(&mut self, key: &str) -> Result<(), Trouble> {
        // One hang-up may be the network's.
        let (mut less, mut once_more) = (None, true);
        loop {
            // Where the connection was there before, the server may have closed it for another
            // reason.
            let is_new = self.connection.is_none();
            self.open().await?;
            let connection = self.connection.as_mut().expect("just opened");
            let question = less.unwrap_or_else(|| self.connector.question());
            let error = match writable::ask(connection, key, 1, question).await {
                Ok(answer) => {
                    self.connector.asked(question, answer);
                    return Ok(());
                }
                Err(error) => error,
            };
            let hung_up = self.connector.adapts()
                && matches!(&error, QueryError::Broken(broken) if broken.is_hang_up());
            let trouble = self.count(error.into());
            if trouble.class != Class::Retry {
                self.close(false);
            }
            match question.less() {
                _ if hung_up && (!is_new || std::mem::take(&mut once_more)) => {}
                Some(question) if hung_up => (less, once_more) = (Some(question), true),
                _ => return Err(trouble),
            }
        }
    }

    /// Sends `count` packed writes, each behind an ASKING when `asking`, waits for the replicas
    /// that must have them, and pushes one answer for each onto `answers`, [`Verdict::Retry`] when
    /// nothing was sent.
    pub(super) async fn write(
        &mut self,
        packed: &[u8],
        count: usize,
        asking: bool,
        allowed: Allowed<'_>,
        answers: &mut Vec<Answer>,
    ) -> Option<Trouble> {
        let from = answers.len();
        let trouble = self.send(packed, count, asking, allowed, answers).await;
        let Some(durability) = self.connector.durability() else { return trouble };
        let written = |answer: &&mut Answer| **answer == Answer::Is(Verdict::Written);
        if !answers[from..].iter_mut().any(|answer| written(&answer)) {
            return trouble;
        }
        let Some(unconfirmed) = self.confirm(durability).await else { return trouble };
        answers[from..]
            .iter_mut()
            .filter(written)
            .for_each(|answer| *answer = Answer::Is(Verdict::Unknown));
        Trouble::graver(trouble, Some(unconfirmed))
    }

    /// Waits until enough replicas have all that was written on this connection; or why that is not
    /// known.
    async fn confirm(&mut self, durability: Durability) -> Option<Trouble> {
        let Durability { replicas, timeout } = durability;
        // Closed for what another reply said.
        let Some(connection) = &mut self.connection else { return Some(Broken::Closed.into()) };
        let wait = connection
            .query(redis::cmd("WAIT").arg(replicas).arg(timeout.as_millis() as u64))
            .await;
        let trouble = match wait {
            Ok(Value::Int(have)) if have >= i64::from(replicas) => return None,
            Ok(Value::Int(have)) => missing(&self.connector, have, durability),
            Ok(_) => Broken::Malformed.into(),
            Err(error) => error.into(),
        };
        if trouble.class != Class::Retry {
            self.close(true);
        }
        Some(self.count(trouble))
    }

    async fn send(
        &mut self,
        packed: &[u8],
        count: usize,
        asking: bool,
        allowed: Allowed<'_>,
        answers: &mut Vec<Answer>,
    ) -> Option<Trouble> {
        let wanted = answers.len() + count;
        let mut replies = std::mem::take(&mut self.replies);
        let switches = self.connector.switches().clone();
        let (seen, sent) = match self.open().await {
            // Connecting may have taken long.
            Ok(_) if !allowed() => {
                answers.resize(wanted, Answer::Is(Verdict::Retry(Class::Retry)));
                self.replies = replies;
                return None;
            }
            Ok(connection) => {
                let replies_each = if asking { 2 } else { 1 };
                // Another lane may note a switch while this is on its way: what was begun before is
                // counted with it.
                let seen = switches.count();
                (
                    seen,
                    connection
                        .exchange_while(allowed, packed, count * replies_each, &mut replies)
                        .await,
                )
            }
            Err(trouble) => {
                answers.resize(wanted, Answer::Is(Verdict::Retry(trouble.class)));
                self.replies = replies;
                return Some(trouble);
            }
        };
        let mut trouble = None;
        // The reply to ASKING says nothing.
        let of_writes = replies.drain(..).enumerate().filter(|(at, _)| !asking || at % 2 == 1);
        answers.extend(of_writes.map(|(_, reply)| self.judge(&reply, &mut trouble)));
        self.replies = replies;
        if answers[wanted - count..].contains(&Answer::Is(Verdict::Written)) {
            self.seen = seen;
        }
        if let Err(broken) = sent {
            answers.resize(wanted, Answer::Is(Verdict::Unknown));
            trouble = Some(self.count(broken.into()));
            self.close(true);
        } else if let Some(found) = &trouble
            && found.class != Class::Retry
        {
            self.close(answers.contains(&Answer::Is(Verdict::Unknown)));
        }
        trouble
    }

    /// What one reply says; notes the trouble when the write must be tried again.
    fn judge(&mut self, reply: &Value, trouble: &mut Option<Trouble>) -> Answer {
        Answer::Is(match reply {
            Value::Int(_) => {
                self.connector.taken().fetch_add(1, Relaxed);
                Verdict::Written
            }
            Value::ServerError(error) => {
                let (code, detail) = (error.code(), error.details().unwrap_or_default());
                let found = self.count(Trouble::reply(code, detail));
                if let Some(redirect) =
                    redirect(code, detail).filter(|_| self.connector.in_cluster())
                {
                    return Answer::Elsewhere(redirect);
                }
                match errors::cause(code, detail) {
                    Cause::WrongType => Verdict::WrongType,
                    Cause::Refused => Verdict::Refused,
                    Cause::Unexplained(text) => {
                        *trouble = Trouble::graver(trouble.take(), Some(found));
                        let taken = self.connector.taken().load(Relaxed);
                        Verdict::Unexplained(UnexplainedRefusal {
                            text,
                            server: self.server,
                            taken,
                        })
                    }
                    Cause::Server => {
                        let class = found.class;
                        *trouble = Trouble::graver(trouble.take(), Some(found));
                        Verdict::Retry(class)
                    }
                }
            }
            _ => {
                // Not an answer to HSET: requests and replies no longer match.
                trouble.get_or_insert(self.count(Broken::Malformed.into()));
                Verdict::Unknown
            }
        })
    }

    fn count(&self, trouble: Trouble) -> Trouble {
        self.metrics.redis_error(trouble.class.as_str(), &trouble.code).inc();
        trouble
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close(false);
    }
}

fn server_id(node: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    hasher.finish()
}

fn missing(
    connector: &Connector,
    have: i64,
    Durability { replicas, timeout }: Durability,
) -> Trouble {
    let node = connector.node();
    let message = format!(
        "{node}: {have} of {replicas} replicas have what was written after {timeout:?} \
         (redis.durability.wait_replicas); it is \
         written again until they do"
    );
    Trouble { class: Class::Retry, code: "NOREPLICAS".into(), message }
}

/// Reads `MOVED 3999 127.0.0.1:6381`.
fn redirect(code: &str, detail: &str) -> Option<Redirect> {
    let ask = match code {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    let (slot, place) = detail.split_once(' ')?;
    Some(Redirect { ask, slot: slot.parse().ok()?, place: place.trim().to_owned() })
}

/// Has Redis close the old connection, so that what it sent and Redis has not read is never
/// executed.
async fn fence(connection: &mut Connection, old: &Identity) -> Result<(), Broken> {
    match connection.fence(old).await {
        Ok(_) => Ok(()),
        Err(QueryError::Broken(broken)) => Err(broken),
        Err(QueryError::Reply { .. }) => {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "Redis does not let this user run CLIENT KILL: after a lost connection, writes \
                     that were held back on the way \
                     could overwrite newer values; `traitsink check --connect` prints the ACL line \
                     that allows it"
                );
            });
            Ok(())
        }
    }
}

impl Trouble {
    /// What an error reply means; its text is data and is not passed on.
    fn reply(code: &str, detail: &str) -> Self {
        let (class, message) = (errors::classify(code, detail), errors::explain(code, detail));
        Self { class, code: errors::safe_code(code).to_owned(), message }
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        Self { class: error.class, code: error.code, message: error.message }
    }
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self {
            class: Class::Reconnect,
            code: "NONE".into(),
            message: format!("connection lost: {broken}"),
        }
    }
}

impl From<QueryError> for Trouble {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Broken(broken) => broken.into(),
            QueryError::Reply { class, code, message } => Self { class, code, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_name_a_slot_and_a_place() {
        let to = |ask, slot, place: &str| Some(Redirect { ask, slot, place: place.to_owned() });
        assert_eq!(redirect("MOVED", "3999 127.0.0.1:6381"), to(false, 3999, "127.0.0.1:6381"));
        assert_eq!(redirect("ASK", "0 :7000"), to(true, 0, ":7000"));
        assert_eq!(redirect("MOVED", "x 127.0.0.1:1"), None);
        assert_eq!(redirect("ERR", "3999 127.0.0.1:6381"), None);
    }
}
