//! What `check --connect` tells about the server.

use redis::{Cmd, Value};

use super::handshake::{field, text};
use super::writable::{self, Question, Writable};
use super::{
    Broken, ConnectError, Connection, Connector, QueryError, Replication, TlsSession, hint,
};
use crate::config::{Durability, Mode};
use crate::printable::printable;

const UNKNOWN: &str = "unknown (not permitted)";
const NOT_ASKED: &str = "not asked (redis.handshake = \"minimal\")";

/// A server that answered. Texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
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
pub async fn probe(connector: &Connector) -> Result<Report, ConnectError> {
    let mut asked = Asked { connector, connection: connector.connect().await? };
    let unknown = if connector.asks_nothing() { NOT_ASKED } else { UNKNOWN };
    let info = asked.ask(&["INFO"]).await?;
    let info = info.as_ref().and_then(text).unwrap_or_default();
    let mut policy = field(info, "maxmemory_policy").map(printable);
    if policy.is_none() {
        let config = asked.ask(&["CONFIG", "GET", "maxmemory-policy"]).await?;
        policy = config.as_ref().and_then(config_value).map(printable);
    }
    let mut notes = notes(info, connector.in_cluster());
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
            "redis.handshake is \"minimal\": whether writes are taken is not asked; there \
            is no fencing"
                .to_owned(),
        );
    } else if asked.connection.identity().is_none() {
        notes.push(
            "CLIENT INFO is not permitted: after a lost connection, writes it had sent may \
            be applied late"
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
    Ok(Report {
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
    async fn ask(&mut self, args: &[&str]) -> Result<Option<Value>, ConnectError> {
        if self.connector.asks_nothing() {
            return Ok(None);
        }
        let mut command = Cmd::new();
        command.arg(args);
        match self.connection.query(&command).await {
            Ok(value) => Ok(Some(value)),
            Err(QueryError::Reply { .. }) => Ok(None),
            Err(QueryError::Broken(cause)) => self.again(cause).await.map(|()| None),
        }
    }

    /// A new connection when the server hung up.
    async fn again(&mut self, cause: Broken) -> Result<(), ConnectError> {
        if !self.connector.adapts() || !cause.is_hang_up() {
            return Err(hint::greeting(self.connector.node(), None, &cause));
        }
        self.connection = self.connector.connect().await?;
        Ok(())
    }

    /// Whether a write of two fields would be taken; `None`: not now, or it cannot be known.
    async fn writes(
        &mut self,
        refused: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Writable>, ConnectError> {
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
                Err(QueryError::Reply { code, .. }) if code == "MOVED" => {}
                Err(QueryError::Reply { message, .. }) => {
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

    async fn writable(
        &mut self,
        fields: usize,
        question: Question,
    ) -> Result<Writable, QueryError> {
        writable::ask(&mut self.connection, self.connector.blank_key(), fields, question).await
    }
}

const ONE_FIELD: &str = "HSET takes one field at a time here, and an event has several: a server \
    or proxy that knows Redis 4 or newer is needed";

/// Which server says so, and its own version.
fn product(info: &str) -> (&'static str, Option<&str>) {
    let named = [
        ("Valkey", "valkey_version"),
        ("Dragonfly", "dragonfly_version"),
        ("Kvrocks", "kvrocks_version"),
    ];
    let own =
        named.into_iter().find_map(|(product, name)| Some((product, Some(field(info, name)?))));
    own.unwrap_or(("Redis", field(info, "redis_version")))
}

/// The value in a CONFIG GET reply.
pub(super) fn config_value(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.get(1).and_then(text),
        Value::Map(pairs) => pairs.first().and_then(|(_, value)| text(value)),
        _ => None,
    }
}

/// Warnings from an INFO text.
fn notes(info: &str, in_cluster: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match field(info, "cluster_enabled") {
        Some("1") if !in_cluster => {
            notes.push(
                "this server is part of a Redis Cluster: set redis.mode = \"cluster\"".to_owned(),
            );
        }
        Some("0") if in_cluster => notes.push(
            "this server is no part of a cluster: set redis.mode = \"standalone\"".to_owned(),
        ),
        _ => {}
    }
    let bounded = field(info, "maxmemory").is_some_and(|max| max != "0");
    match field(info, "maxmemory_policy") {
        Some(policy) if bounded && policy.starts_with("allkeys-") => notes.push(format!(
            "maxmemory-policy is {}: when its memory is full, Redis will delete profiles; \
             noeviction is safe",
            printable(policy)
        )),
        _ => {}
    }
    let major = field(info, "redis_version")
        .and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < 4) {
        notes.push(
            "HSET takes several fields only since Redis 4: this server is too old".to_owned(),
        );
    }
    notes
}

/// The `ACL SETUSER` line with exactly what the worker needs to write as `username` to keys with
/// these `prefixes` (`""`: none). To be typed at the prompt of `redis-cli`, with PASSWORD replaced.
pub fn minimal_acl(
    username: &str,
    prefixes: &[&str],
    mode: &Mode,
    durability: Option<Durability>,
) -> String {
    let mut line = format!("ACL SETUSER {username} reset on >PASSWORD");
    for prefix in prefixes {
        let keys = if prefix.is_empty() {
            "~user:*".to_owned()
        } else {
            format!("~{}:user:*", literal(prefix))
        };
        line.push(' ');
        line.push_str(&quoted(keys));
    }
    line.push_str(
        " +hset +multi +discard +ping +select +info +client|setname +client|info +client|kill",
    );
    if durability.is_some() {
        line.push_str(" +wait");
    }
    line.push_str(match mode {
        Mode::Cluster(_) => " +asking +cluster|slots +cluster|info",
        Mode::Sentinel(_) | Mode::PrimaryReplicas(_) => " +role",
        _ => "",
    });
    line
}

/// A glob pattern for `text` itself. A pattern may not hold a space: `?` stands for any one byte.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '[' | ']' | '\\' => pattern.extend(['\\', c]),
            _ if c.is_ascii_whitespace() || c.is_ascii_control() => pattern.push('?'),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// A word as redis-cli reads it: outside quotes only quotes are special.
fn quoted(word: String) -> String {
    if !word.contains(['"', '\'']) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;

    #[test]
    fn a_plain_server_has_no_notes() {
        let info = "role:master\r\ncluster_enabled:0\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nredis_version:7.0.15\r\n";
        for info in [info, "maxmemory:1\r\nmaxmemory_policy:volatile-lru\r\n", ""] {
            assert!(notes(info, false).is_empty(), "{:?}", notes(info, false));
        }
    }

    #[test]
    fn each_trouble_has_a_note() {
        for (info, words) in [
            ("cluster_enabled:1\r\n", "Cluster"),
            ("maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n", "delete profiles"),
            ("redis_version:3.2.1\r\n", "too old"),
        ] {
            assert!(
                matches!(notes(info, false).as_slice(), [note] if note.contains(words)),
                "{info}"
            );
        }
    }

    #[test]
    fn servers_are_called_by_their_own_names() {
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n";
        assert_eq!(product(valkey), ("Valkey", Some("9.1.2")));
        assert_eq!(product("redis_version:7.0.15\r\n"), ("Redis", Some("7.0.15")));
        assert_eq!(product(""), ("Redis", None));
    }

    #[test]
    fn acl_line() {
        let standalone = Mode::Standalone(Address::Unix("/s".into()));
        let minimal_acl = |prefixes: &[&str]| minimal_acl("w", prefixes, &standalone, None);
        let tail =
            " +hset +multi +discard +ping +select +info +client|setname +client|info +client|kill";
        assert_eq!(minimal_acl(&[""]), format!("ACL SETUSER w reset on >PASSWORD ~user:*{tail}"));
        assert_eq!(
            minimal_acl(&["a", "b"]),
            format!("ACL SETUSER w reset on >PASSWORD ~a:user:* ~b:user:*{tail}")
        );
        assert_eq!(
            minimal_acl(&["a *"]),
            format!(r"ACL SETUSER w reset on >PASSWORD ~a?\*:user:*{tail}")
        );
        assert_eq!(
            minimal_acl(&["\"*"]),
            format!(r#"ACL SETUSER w reset on >PASSWORD "~\"\\*:user:*"{tail}"#)
        );
    }
}
