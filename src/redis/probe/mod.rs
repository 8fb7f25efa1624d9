//! The report of `check --connect` about one server.

use redis::{Cmd, Value};

use self::info::{notes, product};
use super::command::Writes;
use super::errors::{Broken, QueryError, Trouble, hint};
use super::wire::writable::{self, Question, Writable};
use super::wire::{Connection, Connector, TlsSession, config_value, field, text};
use crate::printable::printable;

mod acl;
mod info;
mod replication;

pub(super) use self::acl::{SHARED_HASH_COMMANDS, minimal_acl};
pub use self::acl::{entity_pattern, key_pattern, one_key};
pub use self::replication::Replication;

const UNKNOWN: &str = "unknown (not permitted)";
const NOT_ASKED: &str = "not asked (redis.handshake = \"minimal\")";

/// A server that answered. Texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    /// `Redis`, or what says so and is something else.
    pub product: &'static str,
    pub version: String,
    /// `master` or `slave`, as Redis says.
    pub role: String,
    pub database: u32,
    pub eviction_policy: String,
    /// `None`: plain text.
    pub tls: Option<TlsSession>,
    pub replication: Replication,
    /// The ACL denies keys with `redis.prefix`; others may be written.
    pub prefix_denied: bool,
    /// Why a write would fail now, in plain words; empty: no reason is known.
    pub refused: Vec<String>,
    /// Things that may go wrong, in plain words.
    pub notes: Vec<String>,
}

/// Connects as the worker does and asks the server about itself; writes nothing.
pub async fn probe(connector: &Connector) -> Result<ServerReport, Trouble> {
    let mut asked = Asked { connector, connection: connector.connect().await? };
    let unknown = if connector.asks_nothing() { NOT_ASKED } else { UNKNOWN };
    let info = asked.ask(&["INFO"]).await?;
    let info = info.as_ref().and_then(text).unwrap_or_default();
    let mut policy = field(info, "maxmemory_policy").map(printable);
    if policy.is_none() {
        let config = asked.ask(&["CONFIG", "GET", "maxmemory-policy"]).await?;
        policy = config.as_ref().and_then(config_value).map(printable);
    }
    let keys_end = connector.forms().keys_end();
    let mut notes = notes(info, policy.as_deref(), connector.in_cluster(), keys_end);
    let (mut refused, mut prefix_denied) = (Vec::new(), false);
    if field(info, "role") == Some("slave") && !connector.is_replica() {
        refused.push(
            "this server is a replica and takes no writes: point redis.url at the primary"
                .to_owned(),
        );
    } else if !connector.is_replica() {
        prefix_denied = asked.writes(&mut refused, &mut notes).await? == Some(Writable::OtherKeys);
    }
    let replicas = field(info, "connected_slaves").and_then(|count| count.parse::<u32>().ok());
    if let Some(wanted) = connector.durability().map(|wait| wait.replicas) {
        if asked.ask(&["WAIT", "0", "0"]).await?.is_none() {
            refused.push(
                "nothing would be acknowledged: redis.durability.wait_replicas needs WAIT, which \
                 this server does not take"
                    .to_owned(),
            );
        } else if let Some(found) = replicas.filter(|found| *found < wanted) {
            notes.push(format!(
                "nothing would be acknowledged: redis.durability.wait_replicas is {wanted}, and \
                 {found} are connected"
            ));
        }
    }
    if connector.asks_nothing() {
        notes.push(
            "redis.handshake is \"minimal\": whether writes are taken is not asked; there is no \
             fencing"
                .to_owned(),
        );
    } else if asked.connection.identity().is_none() {
        notes.push(
            "CLIENT INFO is not permitted: after a lost connection, writes it had sent may be \
             applied late"
                .to_owned(),
        );
    }
    if !connector.is_verified() {
        notes.push(
            "redis.tls.skip_verify is on: anybody in between can read and change everything"
                .to_owned(),
        );
    }
    let (product, version) = product(info);
    Ok(ServerReport {
        product,
        version: version.map_or_else(|| unknown.to_owned(), printable),
        role: field(info, "role").map_or_else(|| unknown.to_owned(), printable),
        database: connector.database(),
        eviction_policy: policy.unwrap_or_else(|| unknown.to_owned()),
        tls: asked.connection.tls().cloned(),
        replication: Replication::of(info),
        prefix_denied,
        refused,
        notes,
    })
}

/// A server that is asked about itself.
struct Asked<'a> {
    connector: &'a Connector,
    connection: Connection,
}

impl Asked<'_> {
    /// The reply, or `None` when the server does not take the command.
    async fn ask(&mut self, args: &[&str]) -> Result<Option<Value>, Trouble> {
        if self.connector.asks_nothing() {
            return Ok(None);
        }
        let mut command = Cmd::new();
        command.arg(args);
        match self.connection.query(&command).await {
            Ok(value) => Ok(Some(value)),
            Err(QueryError::Reply(_)) => Ok(None),
            Err(QueryError::Broken(cause)) => self.again(cause).await.map(|()| None),
        }
    }

    /// A new connection when the server hung up.
    async fn again(&mut self, cause: Broken) -> Result<(), Trouble> {
        if !self.connector.adapts() || !cause.is_hang_up() {
            return Err(hint::greeting(self.connector.named(), None, &cause));
        }
        self.connection = self.connector.connect().await?;
        Ok(())
    }

    /// Whether a write of two fields would be taken; `None`: not now, or it cannot be known.
    async fn writes(
        &mut self,
        refused: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Writable>, Trouble> {
        let mut question = self.connector.question();
        loop {
            match self.writable(2, question).await {
                Ok(answer @ (Writable::Yes | Writable::OtherKeys)) => return Ok(Some(answer)),
                Ok(Writable::Unknown { .. }) if self.connector.asks_nothing() => {}
                Ok(Writable::Unknown { .. }) => notes.push(
                    "MULTI is not taken here: whether writes are, and of several fields at once, \
                     cannot be known without writing"
                        .to_owned(),
                ),
                Err(QueryError::Reply(trouble)) if trouble.code == "MOVED" => {}
                Err(QueryError::Reply(Trouble { message, .. })) => {
                    let one = question == Question::Transaction
                        && matches!(self.writable(1, question).await, Ok(Writable::Yes));
                    let message = if one { ONE_FIELD.to_owned() } else { message };
                    refused.push(format!("a write would be refused now: {message}"));
                }
                Err(QueryError::Broken(cause)) => {
                    self.again(cause).await?;
                    if let Some(less) = question.less() {
                        question = less;
                        continue;
                    }
                }
            }
            return Ok(None);
        }
    }

    async fn writable(&mut self, fields: u32, question: Question) -> Result<Writable, QueryError> {
        let Self { connector, connection } = self;
        let samples = Writes::samples(connector.forms(), connector.blank_key(), fields);
        writable::ask(connection, &samples, question).await
    }
}

const ONE_FIELD: &str = "HSET takes one field at a time here, and an event has several: a server \
    or proxy that knows Redis 4 or newer is needed";
