//! A lane's way to Redis: its own connection, made again when lost, and fenced before anything is sent twice.

use std::sync::{Arc, Once};

use redis::Value;

use super::class::Class;
use super::connection::{Broken, ConnectError, Connection, Connector, QueryError};
use super::handshake::Identity;
use super::writes::{Allowed, Apply, Trouble, Verdict, Writes};
use super::{errors, writable};
use crate::metrics::Metrics;

/// The role of a standalone node in `traitsink_redis_up`.
const ROLE: &str = "primary";

/// One lane's connection to the node that owns its keys. With one node, every lane has the same owner.
pub struct Store {
    connector: Connector,
    connection: Option<Connection>,
    /// A connection that was lost with replies outstanding: bytes it sent may still be on their way to Redis.
    fence: Option<Identity>,
    lost: bool,
    replies: Vec<Value>,
    metrics: Arc<Metrics>,
}

impl Store {
    pub fn new(connector: Connector, metrics: Arc<Metrics>) -> Self {
        metrics.redis_up(connector.node(), ROLE).set(0);
        metrics.redis_reconnects(connector.node()).inc_by(0);
        Self { connector, connection: None, fence: None, lost: false, replies: Vec::new(), metrics }
    }

    /// The connection, made and fenced if there is none.
    async fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        if self.connection.is_none() {
            let mut connection = self.connector.connect().await.map_err(|error| self.count(error.into()))?;
            if let Some(old) = &self.fence {
                fence(&mut connection, old).await.map_err(|broken| self.count(broken.into()))?;
                self.fence = None;
            }
            if std::mem::take(&mut self.lost) {
                self.metrics.redis_reconnects(self.connector.node()).inc();
            }
            self.metrics.redis_up(self.connector.node(), ROLE).set(1);
            self.connection = Some(connection);
        }
        Ok(self.connection.as_mut().expect("made above"))
    }

    /// Closes the connection; `outstanding` when it may have sent what was not answered.
    fn disconnect(&mut self, outstanding: bool) {
        if let Some(connection) = self.connection.take() {
            self.lost = true;
            self.metrics.redis_up(self.connector.node(), ROLE).set(0);
            if outstanding {
                self.fence = connection.identity().cloned();
            }
        }
    }

    fn count(&self, trouble: Trouble) -> Trouble {
        self.metrics.redis_error(trouble.class, &trouble.code).inc();
        trouble
    }

    /// What one reply says; notes the trouble when the write must be tried again.
    fn judge(&mut self, reply: &Value, trouble: &mut Option<Trouble>) -> Verdict {
        match reply {
            Value::Int(_) => Verdict::Written,
            Value::ServerError(error) => {
                let found = self.count(Trouble::reply(error.code(), error.details().unwrap_or_default()));
                match found.class {
                    Class::Refused if found.code == "WRONGTYPE" => Verdict::WrongType,
                    Class::Refused => Verdict::Refused,
                    class => {
                        trouble.get_or_insert(found);
                        Verdict::Retry(class)
                    }
                }
            }
            _ => {
                // Not an answer to HSET: requests and replies no longer match.
                trouble.get_or_insert(self.count(Broken::Malformed.into()));
                Verdict::Unknown
            }
        }
    }
}

impl Apply for Store {
    async fn reach(&mut self) -> Result<(), Trouble> {
        let connector = self.connector.clone();
        let connection = self.connection().await?;
        let Err(error) = writable::ask(connection, connector.blank_key()).await else { return Ok(()) };
        let trouble = self.count(error.into());
        if trouble.class != Class::Retry {
            self.disconnect(false);
        }
        Err(trouble)
    }

    async fn apply(&mut self, writes: &Writes, allowed: Allowed<'_>, verdicts: &mut Vec<Verdict>) -> Option<Trouble> {
        let mut replies = std::mem::take(&mut self.replies);
        let sent = match self.connection().await {
            // Connecting may have taken long.
            Ok(_) if !allowed() => {
                verdicts.resize(writes.len(), Verdict::Retry(Class::Retry));
                self.replies = replies;
                return None;
            }
            Ok(connection) => connection.exchange_while(allowed, writes.packed(), writes.len(), &mut replies).await,
            Err(trouble) => {
                verdicts.resize(writes.len(), Verdict::Retry(trouble.class));
                self.replies = replies;
                return Some(trouble);
            }
        };
        let mut trouble = None;
        verdicts.extend(replies.drain(..).map(|reply| self.judge(&reply, &mut trouble)));
        self.replies = replies;
        if let Err(broken) = sent {
            verdicts.resize(writes.len(), Verdict::Unknown);
            trouble = Some(self.count(broken.into()));
            self.disconnect(true);
        } else if let Some(found) = &trouble
            && found.class != Class::Retry
        {
            self.disconnect(verdicts.contains(&Verdict::Unknown));
        }
        trouble
    }
}

/// Has Redis close the old connection, so that what it sent and Redis has not read is never executed.
async fn fence(connection: &mut Connection, old: &Identity) -> Result<(), Broken> {
    match connection.fence(old).await {
        Ok(_) => Ok(()),
        Err(QueryError::Broken(broken)) => Err(broken),
        Err(QueryError::Reply { .. }) => {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "Redis does not let this user run CLIENT KILL: after a lost connection, writes that were held back on the way \
                     could overwrite newer values; `traitsink check --connect` prints the ACL line that allows it"
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
        Self { class: Class::Reconnect, code: "NONE".into(), message: format!("connection lost: {broken}") }
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
