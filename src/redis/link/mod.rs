//! A lane's connection to one node: made again when lost, and fenced before anything is sent twice.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use redis::{ServerError, Value};

use self::fence::fence;
use super::command::{
    Applied, PackedWrites, Unconfirmed, UnexplainedRefusal, Verdict, Writes, replies_by_write,
};
use super::errors::{self, Broken, Cause, Class, QueryError, Trouble, code_and_detail};
use super::wire::writable;
use super::wire::{Allowed, Connection, Connector, Identity};
use crate::config::Durability;
use crate::metrics::Metrics;
use crate::trace::WorkSpan;

mod fence;
mod follow_up;
mod node_reply;

pub(super) use self::follow_up::ASKING;
pub(super) use self::node_reply::{NodeReply, Redirect};

/// The role in `traitsink_redis_up` of a node that takes writes.
const ROLE: &str = "primary";

/// One connection, or what is known of one that was lost.
pub(super) struct Link {
    connector: Connector,
    connection: Option<Connection>,
    /// A connection that was lost with replies outstanding: bytes it sent may still be on their way
    /// to Redis.
    fence: Option<Identity>,
    lost: bool,
    /// `run_id` of the last server connected to.
    run_id: Option<String>,
    /// [`LossEpochs::count`](super::LossEpochs::count) at the last write that was confirmed.
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
        let seen = connector.loss_epochs().count();
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
                self.connector.connect().await.map_err(|trouble| self.count(trouble))?;
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
            for script in self.connector.forms().scripts() {
                let mut load = redis::cmd("SCRIPT");
                load.arg("LOAD").arg(script.source());
                connection.query(&load).await.map_err(|error| self.count(error.into()))?;
            }
            if std::mem::take(&mut self.lost) {
                self.metrics.redis_reconnects(self.connector.node()).inc();
            }
            self.metrics.redis_up(self.connector.node(), ROLE).set(1);
            self.connection = Some(connection);
        }
        Ok(self.connection.as_mut().expect("made above"))
    }

    /// Counts a possible loss when the server is another one than before; without a `run_id` that
    /// is not known.
    fn note_server(&mut self, run_id: Option<&str>) {
        let Some(now) = run_id else { return };
        let before = self.run_id.replace(now.to_owned());
        if before.is_some_and(|before| before != now) {
            let node = self.connector.node();
            self.connector.loss_epochs().note_since(
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

    /// Gives up the writes that are on their way: they may or may not be applied.
    pub(super) fn abandon(&mut self) {
        self.close(true);
    }

    /// Closes the connection for good: its server takes no writes any more.
    pub(super) fn retire(mut self) {
        self.close(false);
        self.connector.forget_certificate();
        self.metrics.forget_redis(self.connector.node(), ROLE);
    }

    /// Connects when needed, and asks whether a write to `key` would be taken. A server that hangs
    /// up on the question is asked less.
    pub(super) async fn reach(&mut self, key: &str) -> Result<(), Trouble> {
        // The network may be the reason of one hang-up.
        let (mut less, mut once_more) = (None, true);
        loop {
            // Where the connection was there before, the server may have closed it for another
            // reason.
            let is_new = self.connection.is_none();
            self.open().await?;
            let connection = self.connection.as_mut().expect("just opened");
            let question = less.unwrap_or_else(|| self.connector.question());
            let samples = Writes::samples(self.connector.forms(), key, 1);
            let error = match writable::ask(connection, &samples, question).await {
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

    /// Sends `writes`, each command behind an ASKING when `asking`, and then what follows those
    /// that were confirmed; waits for the replicas that must have them, and pushes one answer for
    /// each write onto `answers`, [`Verdict::Retry`] when nothing was sent.
    pub(super) async fn write(
        &mut self,
        writes: PackedWrites<'_>,
        asking: bool,
        allowed: Allowed<'_>,
        answers: &mut Vec<NodeReply>,
    ) -> Option<Trouble> {
        let span = WorkSpan::redis_write(self.connector.node(), writes.expected.len());
        let from = answers.len();
        let trouble = self.send(writes, asking, allowed, answers).await;
        let not_followed = self.follow_up(writes, asking, allowed, &mut answers[from..]).await;
        let trouble = Trouble::graver(trouble, not_followed);
        let unconfirmed = match self.connector.durability() {
            Some(durability) if answers[from..].iter().any(NodeReply::is_confirmed) => {
                self.confirm(durability).await
            }
            _ => None,
        };
        if unconfirmed.is_some() {
            answers[from..]
                .iter_mut()
                .filter(|answer| answer.is_confirmed())
                .for_each(|answer| *answer = NodeReply::Is(Verdict::Unknown));
        }
        let trouble = Trouble::graver(trouble, unconfirmed);
        if let Some(trouble) = &trouble {
            span.failed(Metrics::redis_code(&trouble.code));
        }
        trouble
    }

    /// Waits until enough replicas have all that was written on this connection; `Some`: why that
    /// is not known.
    async fn confirm(&mut self, durability: Durability) -> Option<Trouble> {
        let Durability { replicas, timeout } = durability;
        // The connection was closed because of another reply.
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
        PackedWrites { commands: packed, expected, .. }: PackedWrites<'_>,
        asking: bool,
        allowed: Allowed<'_>,
        answers: &mut Vec<NodeReply>,
    ) -> Option<Trouble> {
        let from = answers.len();
        let wanted = from + expected.len();
        let mut replies = std::mem::take(&mut self.replies);
        let loss_epochs = self.connector.loss_epochs().clone();
        let (seen, sent) = match self.open().await {
            // Connecting may have taken long.
            Ok(_) if !allowed() => {
                answers.resize(wanted, NodeReply::Is(Verdict::Retry(Class::Retry)));
                self.replies = replies;
                return None;
            }
            Ok(connection) => {
                let commands: usize = expected.iter().map(|write| write.replies).sum();
                let count = if asking { 2 * commands } else { commands };
                // Another lane may count a loss while these writes are on their way: writes that
                // began before it are part of that loss.
                let seen = loss_epochs.count();
                (seen, connection.exchange_while(allowed, packed, count, &mut replies).await)
            }
            Err(trouble) => {
                answers.resize(wanted, NodeReply::Is(Verdict::Retry(trouble.class)));
                self.replies = replies;
                return Some(trouble);
            }
        };
        let mut trouble = None;
        if asking {
            // The replies to ASKING say nothing.
            let mut at = 0..;
            replies.retain(|_| at.next().is_some_and(|at: usize| at % 2 == 1));
        }
        let mut taken = 0;
        for (write, replies) in replies_by_write(expected, &replies) {
            let answer = match write.judge(replies) {
                Ok(applied) => {
                    taken += 1;
                    NodeReply::Is(match applied {
                        Applied::Yes => Verdict::Written,
                        Applied::Absent => Verdict::Absent,
                        Applied::Stale => Verdict::Stale,
                    })
                }
                Err(unconfirmed) => {
                    self.connector.taken().fetch_add(std::mem::take(&mut taken), Relaxed);
                    self.judge(unconfirmed, &mut trouble)
                }
            };
            answers.push(answer);
        }
        self.connector.taken().fetch_add(taken, Relaxed);
        replies.clear();
        self.replies = replies;
        if answers[from..].iter().any(NodeReply::is_confirmed) {
            self.seen = seen;
        }
        if let Err(broken) = sent {
            answers.resize(wanted, NodeReply::Is(Verdict::Unknown));
            trouble = Some(self.count(broken.into()));
            self.close(true);
        } else if let Some(found) = &trouble
            && found.class != Class::Retry
        {
            self.close(answers.contains(&NodeReply::Is(Verdict::Unknown)));
        }
        trouble
    }

    /// The answer to a write that is not confirmed; notes the trouble when it must be tried again.
    fn judge(&mut self, unconfirmed: Unconfirmed<'_>, trouble: &mut Option<Trouble>) -> NodeReply {
        let error: &ServerError = match unconfirmed {
            Unconfirmed::Error(error) => error,
            Unconfirmed::Mismatch => {
                trouble.get_or_insert(self.count(Broken::Malformed.into()));
                return NodeReply::Is(Verdict::Unknown);
            }
        };
        let (code, detail) = code_and_detail(error);
        let found = self.count(Trouble::reply(error, self.connector.named().names));
        if self.connector.in_cluster()
            && let Some(redirect) = Redirect::read(code, detail)
        {
            return NodeReply::Elsewhere(redirect);
        }
        NodeReply::Is(match errors::cause(code, detail) {
            Cause::WrongType => Verdict::WrongType,
            Cause::Refused => Verdict::Refused,
            Cause::Unexplained(text) => {
                *trouble = Trouble::graver(trouble.take(), Some(found));
                let taken = self.connector.taken().load(Relaxed);
                Verdict::Unexplained(UnexplainedRefusal { text, server: self.server, taken })
            }
            Cause::Server => {
                let class = found.class;
                *trouble = Trouble::graver(trouble.take(), Some(found));
                Verdict::Retry(class)
            }
        })
    }

    fn count(&self, trouble: Trouble) -> Trouble {
        let Trouble { class, code, message } = &trouble;
        let (node, class) = (self.connector.node(), class.as_str());
        self.metrics.redis_error(class, code).inc();
        self.metrics.note_redis_error(node, class, code, message);
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
         (redis.durability.wait_replicas); it is written again until they do"
    );
    Trouble { class: Class::Retry, code: "NOREPLICAS".into(), message }
}
