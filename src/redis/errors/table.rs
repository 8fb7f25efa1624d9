//! The error replies that are known, one row for each: its class, its words, its hint. Pure.
//!
//! Texts of Redis may quote what was sent to it ("unknown command 'HSET', with args beginning with:
//! ..."): they are compared with the rows, and never passed on.

use super::class::Class;

/// A row of the table. The first row whose code is equal and whose `start` begins the text, in
/// either case, is the one that counts.
#[derive(Debug, Clone)]
pub(super) struct KnownError {
    pub(super) code: &'static str,
    pub(super) start: &'static str,
    pub(super) class: Class,
    /// The fault in our words.
    pub(super) says: &'static str,
    /// The remedy; empty: nothing but wait. `{section}` stands for the configuration table
    /// of the server: `redis`.
    pub(super) hint: &'static str,
    /// Whether the write, its key or the server is the reason.
    pub(super) cause: Cause,
}

/// The part that an error reply to a write concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum Cause {
    /// The key, for good: it holds another type.
    WrongType,
    /// The write, for good.
    Refused,
    /// The server, or the way to it, and so every write.
    Server,
    /// Not known: no row has the text, so the reason is the write or the server. Equal numbers
    /// stand for the same text; `None`: the text speaks of the server.
    Unexplained(Option<u64>),
}

const fn known(
    code: &'static str,
    start: &'static str,
    class: Class,
    says: &'static str,
    hint: &'static str,
) -> KnownError {
    let cause = if matches!(class, Class::Refused) { Cause::Refused } else { Cause::Server };
    KnownError { code, start, class, says, hint, cause }
}

const fn wrong_type(code: &'static str, start: &'static str) -> KnownError {
    let known = known(code, start, Class::Refused, "the key holds another type than a hash", "");
    KnownError { cause: Cause::WrongType, ..known }
}

const fn no_document(code: &'static str, start: &'static str) -> KnownError {
    let says = "the key holds another type than a JSON document";
    KnownError { cause: Cause::WrongType, ..known(code, start, Class::Refused, says, "") }
}

/// A row for text that RedisJSON does not take as JSON; its errors have no code.
const fn not_json(code: &'static str, start: &'static str) -> KnownError {
    known(code, start, Class::Refused, "the server does not take this JSON", "")
}

/// A row for an error of a proxy about the server behind it: other keys may have another server,
/// and are written meanwhile.
const fn behind_proxy(code: &'static str, start: &'static str, says: &'static str) -> KnownError {
    KnownError {
        cause: Cause::Unexplained(None),
        ..known(code, start, Class::Retry, says, UPSTREAM)
    }
}

/// The last row of a code that has texts which are not in the table.
const fn unexplained(code: &'static str, says: &'static str) -> KnownError {
    KnownError { cause: Cause::Unexplained(None), ..known(code, "", Class::Retry, says, UNKNOWN) }
}

const CLUSTER: &str = "a Redis Cluster needs redis.mode = \"cluster\" here; `redis-cli --cluster \
    check` tells how it is";
const OLD: &str = "traitsink needs Redis 4 or newer, and HSET not renamed";
const PASSWORD: &str = "check {section}.username and {section}.password";
const PERMISSION: &str = "`traitsink check --connect` prints the ACL line that is needed";
const NO_PASSWORD: &str = "remove {section}.password, or set one on the server";
const DATABASE: &str = "lower redis.database, or raise `databases` on the server";
const PROTOCOL: &str =
    "something between here and Redis changes the bytes, or the port is not a Redis server";
const NO_JSON: &str = "JSON documents (profile.store) need Redis 8, or the module RedisJSON \
    loaded; profile.store = \"hash\" needs neither";
const QUOTA: &str =
    "raise the plan's limit, or wait until it starts anew; writing goes on by itself then";
const UPSTREAM: &str = "does its Redis run, and does the proxy reach it? See the proxy's log";
pub(super) const UNKNOWN: &str = "if a proxy or a managed service is in between, it may say so (a \
    quota, an upstream that is away): see its log";

/// Rows with the same code stand together, the row without a text last.
pub(super) static TABLE: &[KnownError] = &[
    known("ASK", "", Class::Rediscover, "the key is moving to another node", CLUSTER),
    known(
        "BUSY",
        "",
        Class::Retry,
        "a script or function keeps the server busy",
        "see SCRIPT KILL and FUNCTION KILL",
    ),
    known(
        "CLUSTERDOWN",
        "",
        Class::Rediscover,
        "the cluster is down or does not serve this slot",
        CLUSTER,
    ),
    known("CROSSSLOT", "", Class::Config, "keys of one command are in different slots", CLUSTER),
    known(
        "DENIED",
        "",
        Class::Config,
        "the server is in protected mode: it has no password and takes connections from its own \
         host only",
        "set a password on the server and {section}.password here, or bind the server to the right \
         address",
    ),
    known(
        "ERR",
        "max number of clients",
        Class::Reconnect,
        "the server has no room for more clients",
        "raise maxclients on the server",
    ),
    known(
        "ERR",
        "Protocol error: unauthenticated",
        Class::Config,
        "the server wants a password before larger commands",
        PASSWORD,
    ),
    known(
        "ERR",
        "Protocol error: invalid bulk length",
        Class::Refused,
        "a value is longer than the server takes",
        "see proto-max-bulk-len on the server",
    ),
    known(
        "ERR",
        "Protocol error: invalid multibulk length",
        Class::Refused,
        "a command has more parts than the server takes",
        "",
    ),
    known(
        "ERR",
        "Protocol error: too big bulk count",
        Class::Refused,
        "a value is longer than the server takes",
        "",
    ),
    known(
        "ERR",
        "Protocol error: too big mbulk count",
        Class::Refused,
        "a command has more parts than the server takes",
        "",
    ),
    known(
        "ERR",
        "string exceeds maximum allowed size",
        Class::Refused,
        "a value is longer than the server takes",
        "see proto-max-bulk-len on the server",
    ),
    known(
        "ERR",
        "Protocol error",
        Class::Reconnect,
        "the server could not read what was sent",
        PROTOCOL,
    ),
    known(
        "ERR",
        "unknown command 'JSON.",
        Class::Config,
        "the server does not know JSON documents",
        NO_JSON,
    ),
    known(
        "ERR",
        "unknown command `JSON.",
        Class::Config,
        "the server does not know JSON documents",
        NO_JSON,
    ),
    known("ERR", "unknown command", Class::Config, "the server does not know a command", OLD),
    known("ERR", "unknown subcommand", Class::Config, "the server does not know a subcommand", OLD),
    known(
        "ERR",
        "wrong number of arguments",
        Class::Config,
        "the server takes a command with other arguments",
        OLD,
    ),
    known(
        "ERR",
        "DB index is out of range",
        Class::Config,
        "the server has no database with this number",
        DATABASE,
    ),
    known(
        "ERR",
        "invalid DB index",
        Class::Config,
        "the server has no database with this number",
        DATABASE,
    ),
    known(
        "ERR",
        "SELECT is not allowed in cluster mode",
        Class::Config,
        "a cluster has only database 0",
        CLUSTER,
    ),
    known(
        "ERR",
        "AUTH <password> called without any password",
        Class::Config,
        "a password was sent, but the server has none",
        NO_PASSWORD,
    ),
    known(
        "ERR",
        "Client sent AUTH, but no password is set",
        Class::Config,
        "a password was sent, but the server has none",
        NO_PASSWORD,
    ),
    known(
        "ERR",
        "invalid password",
        Class::Config,
        "the server does not accept the password",
        PASSWORD,
    ),
    known("ERR", "operation not permitted", Class::Config, "the server wants a password", PASSWORD),
    // Redis 7.2 and newer, then older.
    known(
        "ERR",
        "ACL failure in script",
        Class::Config,
        "the ACL user lacks a permission that a script needs",
        PERMISSION,
    ),
    known(
        "ERR",
        "The user executing the script can't",
        Class::Config,
        "the ACL user lacks a permission that a script needs",
        PERMISSION,
    ),
    // Kvrocks.
    wrong_type("ERR", "Invalid argument: WRONGTYPE"),
    // RedisJSON.
    no_document("ERR", "Existing key has wrong Redis type"),
    known(
        "ERR",
        "new objects must be created at the root",
        Class::Retry,
        "the document was deleted while it was written",
        "",
    ),
    // Upstash.
    known(
        "ERR",
        "max request size exceeded",
        Class::Refused,
        "a command is longer than the server takes",
        "",
    ),
    known(
        "ERR",
        "max daily request limit",
        Class::Retry,
        "the managed service's daily quota of requests is used up",
        QUOTA,
    ),
    known(
        "ERR",
        "max requests limit",
        Class::Retry,
        "the managed service's quota of requests is used up",
        QUOTA,
    ),
    known(
        "ERR",
        "max monthly request limit",
        Class::Retry,
        "the managed service's monthly quota of requests is used up",
        QUOTA,
    ),
    unexplained("ERR", "the server answered with an error"),
    no_document("Existing", "key has wrong Redis type"),
    known("EXECABORT", "", Class::Retry, "the server gave up a transaction", ""),
    known("LOADING", "", Class::Retry, "the server is still loading its data", ""),
    known(
        "MASTERDOWN",
        "",
        Class::Rediscover,
        "the server is a replica that lost its primary",
        "point redis.url at the primary",
    ),
    known(
        "MISCONF",
        "",
        Class::Retry,
        "the server cannot save to disk and refuses writes",
        "look at the server's disk and log",
    ),
    known("MOVED", "", Class::Rediscover, "the key belongs to another node", CLUSTER),
    known(
        "NOAUTH",
        "",
        Class::Config,
        "the server wants a password",
        "set {section}.password (and {section}.username for an ACL user)",
    ),
    known("NOPERM", "", Class::Config, "the ACL user lacks a permission", PERMISSION),
    known(
        "NOPROTO",
        "",
        Class::Config,
        "the server does not speak RESP3",
        "set redis.protocol = 2",
    ),
    known(
        "NOREPLICAS",
        "",
        Class::Retry,
        "too few replicas are in step, so the server refuses writes",
        "see min-replicas-to-write",
    ),
    // A new connection loads the scripts again.
    known("NOSCRIPT", "", Class::Reconnect, "the server does not have the script", ""),
    known(
        "OOM",
        "",
        Class::Retry,
        "the server's memory is full (maxmemory)",
        "raise maxmemory, or free memory on the server",
    ),
    known(
        "READONLY",
        "",
        Class::Rediscover,
        "the server is a replica and takes no writes",
        "point redis.url at the primary",
    ),
    not_json("Couldn't", "parse as UTF-8"),
    not_json("number", "out of range"),
    not_json("recursion", "limit exceeded"),
    not_json("unexpected", "end of hex escape"),
    known("TRYAGAIN", "", Class::Retry, "the keys are moving between nodes", CLUSTER),
    known(
        "UNBLOCKED",
        "",
        Class::Rediscover,
        "the server changed its role",
        "point redis.url at the primary",
    ),
    behind_proxy("no", "upstream host", "the proxy has no Redis behind it that is well"),
    known(
        "unsupported",
        "command",
        Class::Config,
        "the proxy does not know a command",
        "see redis.handshake; writes need HSET of several fields",
    ),
    behind_proxy("upstream", "", "the proxy does not reach the Redis behind it"),
    known(
        "WRONGPASS",
        "",
        Class::Config,
        "the server does not accept the user name or the password",
        PASSWORD,
    ),
    wrong_type("WRONGTYPE", ""),
];
