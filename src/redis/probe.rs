//! What `check --connect` tells about the server.

use redis::Value;

use super::handshake::{field, text};
use super::{Broken, ConnectError, Connection, Connector, QueryError, Replication, TlsSession, hint, writable};
use crate::config::{Durability, Mode};

const UNKNOWN: &str = "unknown (not permitted)";

/// A server that answered. Texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub version: String,
    /// `master` or `slave`, as Redis says.
    pub role: String,
    pub database: u32,
    pub eviction_policy: String,
    /// `None`: plain text.
    pub tls: Option<TlsSession>,
    pub replication: Replication,
    /// What will or may go wrong, in plain words.
    pub notes: Vec<String>,
}

/// Connects as the worker does and asks the server about itself; writes nothing.
pub async fn probe(connector: &Connector) -> Result<Report, ConnectError> {
    let mut connection = connector.connect().await?;
    let broken = |cause: Broken| hint::greeting(connector.node(), None, &cause);
    let info = ask(&mut connection, &["INFO"]).await.map_err(broken)?;
    let info = info.as_ref().and_then(text).unwrap_or_default();
    let mut policy = field(info, "maxmemory_policy").map(str::to_owned);
    if policy.is_none() {
        let config = ask(&mut connection, &["CONFIG", "GET", "maxmemory-policy"]).await.map_err(broken)?;
        policy = config.as_ref().and_then(second).map(str::to_owned);
    }
    let known = |name| field(info, name).unwrap_or(UNKNOWN).to_owned();
    let mut notes = notes(info, connector.in_cluster());
    if field(info, "role") == Some("slave") && !connector.is_replica() {
        notes.push("this server is a replica and takes no writes: point redis.url at the primary".to_owned());
    }
    match writable::ask(&mut connection, connector.blank_key()).await {
        Ok(()) => {}
        Err(QueryError::Broken(cause)) => return Err(broken(cause)),
        // Told above, or as it should be.
        Err(QueryError::Reply { code, .. }) if matches!(code.as_str(), "MOVED" | "READONLY") => {}
        Err(QueryError::Reply { message, .. }) => notes.push(format!("a write would be refused now: {message}")),
    }
    let replicas = field(info, "connected_slaves").and_then(|count| count.parse::<u32>().ok());
    if let Some((wanted, found)) = connector.durability().map(|wait| wait.replicas).zip(replicas)
        && found < wanted
    {
        notes.push(format!(
            "nothing would be acknowledged: redis.durability.wait_replicas is {wanted}, and {found} are connected"
        ));
    }
    if connection.identity().is_none() {
        notes.push("CLIENT INFO is not permitted: after a lost connection, writes it had sent may be applied late".to_owned());
    }
    if !connector.is_verified() {
        notes.push("redis.tls.skip_verify is on: anybody in between can read and change everything".to_owned());
    }
    Ok(Report {
        version: known("redis_version"),
        role: known("role"),
        database: connector.database(),
        eviction_policy: policy.unwrap_or_else(|| UNKNOWN.to_owned()),
        tls: connection.tls().cloned(),
        replication: Replication::of(info),
        notes,
    })
}

/// The reply, or `None` when the server refuses the command.
async fn ask(connection: &mut Connection, args: &[&str]) -> Result<Option<Value>, Broken> {
    let mut command = redis::Cmd::new();
    command.arg(args);
    match connection.query(&command).await {
        Ok(value) => Ok(Some(value)),
        Err(QueryError::Reply { .. }) => Ok(None),
        Err(QueryError::Broken(broken)) => Err(broken),
    }
}

/// The value in a CONFIG GET reply.
pub(super) fn second(value: &Value) -> Option<&str> {
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
            notes.push("this server is part of a Redis Cluster: set redis.mode = \"cluster\"".to_owned());
        }
        Some("0") if in_cluster => notes.push("this server is no part of a cluster: set redis.mode = \"standalone\"".to_owned()),
        _ => {}
    }
    let bounded = field(info, "maxmemory").is_some_and(|max| max != "0");
    match field(info, "maxmemory_policy") {
        Some(policy) if bounded && policy.starts_with("allkeys-") => notes.push(format!(
            "maxmemory-policy is {policy}: when its memory is full, Redis will delete profiles; noeviction is safe"
        )),
        _ => {}
    }
    let major = field(info, "redis_version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < 4) {
        notes.push("HSET takes several fields only since Redis 4: this server is too old".to_owned());
    }
    notes
}

/// The `ACL SETUSER` line with exactly what the worker needs to write as `username` to keys with these `prefixes` (`""`: none).
/// To be typed at the prompt of `redis-cli`, with PASSWORD replaced.
pub fn minimal_acl(username: &str, prefixes: &[&str], mode: &Mode, durability: Option<Durability>) -> String {
    let mut line = format!("ACL SETUSER {username} reset on >PASSWORD");
    for prefix in prefixes {
        let keys = if prefix.is_empty() { "~user:*".to_owned() } else { format!("~{}:user:*", literal(prefix)) };
        line.push(' ');
        line.push_str(&quoted(keys));
    }
    line.push_str(" +hset +multi +discard +ping +select +info +client|setname +client|info +client|kill");
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
            assert!(matches!(notes(info, false).as_slice(), [note] if note.contains(words)), "{info}");
        }
    }

    #[test]
    fn acl_line() {
        let standalone = Mode::Standalone(Address::Unix("/s".into()));
        let minimal_acl = |prefixes: &[&str]| minimal_acl("w", prefixes, &standalone, None);
        let tail = " +hset +multi +discard +ping +select +info +client|setname +client|info +client|kill";
        assert_eq!(minimal_acl(&[""]), format!("ACL SETUSER w reset on >PASSWORD ~user:*{tail}"));
        assert_eq!(minimal_acl(&["a", "b"]), format!("ACL SETUSER w reset on >PASSWORD ~a:user:* ~b:user:*{tail}"));
        assert_eq!(minimal_acl(&["a *"]), format!(r"ACL SETUSER w reset on >PASSWORD ~a?\*:user:*{tail}"));
        assert_eq!(minimal_acl(&["\"*"]), format!(r#"ACL SETUSER w reset on >PASSWORD "~\"\\*:user:*"{tail}"#));
    }
}
