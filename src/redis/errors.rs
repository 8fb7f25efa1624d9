//! What an error reply of Redis means: one table, read by code and by the beginning of the text.
//! Pure.
//!
//! Texts of Redis may quote what was sent to it ("unknown command 'HSET', with args beginning with:
//! ..."): they are matched, never passed on. What leaves this file is the code and words of our
//! own.

use super::{Class, unexplained};

/// One known error: the first row whose code is equal and whose `start` begins the text, in either
/// case, wins.
#[derive(Debug, Clone)]
struct Known {
    code: &'static str,
    start: &'static str,
    class: Class,
    /// What happened, in our words.
    says: &'static str,
    /// What to do about it; empty: nothing but wait.
    hint: &'static str,
    /// The write, its key, or the server.
    cause: Cause,
}

/// The part that an error reply to a write concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// This key, for good: it holds another type.
    WrongType,
    /// This write, for good.
    Refused,
    /// The server, or the way to it, and so every write.
    Server,
    /// No row knows it: this write or the server. Equal numbers are the same text; none when the
    /// text speaks of the server.
    Unexplained(Option<u64>),
}

const fn known(
    code: &'static str,
    start: &'static str,
    class: Class,
    says: &'static str,
    hint: &'static str,
) -> Known {
    let cause = if matches!(class, Class::Refused) { Cause::Refused } else { Cause::Server };
    Known { code, start, class, says, hint, cause }
}

const fn wrong_type(code: &'static str, start: &'static str) -> Known {
    let known = known(code, start, Class::Refused, "the key holds another type than a hash", "");
    Known { cause: Cause::WrongType, ..known }
}

/// A row for what a proxy says of the server behind it: other keys may have another one, and are
/// written meanwhile.
const fn behind_proxy(code: &'static str, start: &'static str, says: &'static str) -> Known {
    Known { cause: Cause::Unexplained(None), ..known(code, start, Class::Retry, says, UPSTREAM) }
}

/// The last row of a code whose other texts nobody knows.
const fn unexplained(code: &'static str, says: &'static str) -> Known {
    Known { cause: Cause::Unexplained(None), ..known(code, "", Class::Retry, says, UNKNOWN) }
}

const CLUSTER: &str = "a Redis Cluster needs redis.mode = \"cluster\" here; `redis-cli --cluster \
    check` tells how it is";
const OLD: &str = "traitsink needs Redis 4 or newer, and HSET not renamed";
const PASSWORD: &str = "check redis.username and redis.password";
const NO_PASSWORD: &str = "remove redis.password, or set one on the server";
const DATABASE: &str = "lower redis.database, or raise `databases` on the server";
const PROTOCOL: &str =
    "something between here and Redis changes the bytes, or the port is not a Redis server";
const QUOTA: &str =
    "raise the plan's limit, or wait until it starts anew; writing goes on by itself then";
const UPSTREAM: &str = "does its Redis run, and does the proxy reach it? See the proxy's log";
const UNKNOWN: &str = "if a proxy or a managed service is in between, it may say so (a quota, an \
    upstream that is away): see its log";

/// Rows of one code stand together, the row without a text last.
static TABLE: &[Known] = &[
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
        "set a password on the server and redis.password here, or bind the server to the right \
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
    // Kvrocks.
    wrong_type("ERR", "Invalid argument: WRONGTYPE"),
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
        "set redis.password (and redis.username for an ACL user)",
    ),
    known(
        "NOPERM",
        "",
        Class::Config,
        "the ACL user lacks a permission",
        "`traitsink check --connect` prints the ACL line that is needed",
    ),
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
    known("NOSCRIPT", "", Class::Retry, "the server does not have the script", ""),
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

fn look_up(code: &str, detail: &str) -> Option<&'static Known> {
    let begins = |start: &str| {
        detail
            .as_bytes()
            .get(..start.len())
            .is_some_and(|d| d.eq_ignore_ascii_case(start.as_bytes()))
    };
    TABLE.iter().find(|row| row.code == code && begins(row.start))
}

/// What to do about the error reply `-CODE detail`.
///
/// [`Class::Rediscover`] with a single configured server means: connect anew, resolving its host
/// name again. An unknown code is [`Class::Retry`]; for how long is the caller's choice. A reply of
/// too large a command closes the connection behind it.
pub fn classify(code: &str, detail: &str) -> Class {
    look_up(code, detail).map_or(Class::Retry, |row| row.class)
}

/// The part that the error reply `-CODE detail` to a write concerns.
pub(super) fn cause(code: &str, detail: &str) -> Cause {
    match look_up(code, detail).map_or(Cause::Unexplained(None), |row| row.cause) {
        Cause::Unexplained(_) => {
            let text = (!unexplained::concerns_server(code, detail))
                .then(|| unexplained::text_id(code, detail));
            Cause::Unexplained(text)
        }
        known => known,
    }
}

/// Whether the error has a row of its own, and is not just any `ERR`.
pub(super) fn is_known(code: &str, detail: &str) -> bool {
    look_up(code, detail).is_some_and(|row| row.code != "ERR" || !row.start.is_empty())
}

/// The error reply in words that are safe to log: `CODE: what happened`. Nothing of `detail` is in
/// it, and of an unknown code only what looks like one.
pub fn redact(code: &str, detail: &str) -> String {
    match look_up(code, detail) {
        Some(row) => format!("{}: {}", row.code, row.says),
        None => format!("{}: an answer that is not known here", safe_word(code)),
    }
}

/// `word` where it can hardly be data: letters, `-` and `_` only; else `OTHER`.
fn safe_word(word: &str) -> &str {
    let is_safe = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
    if (2..=24).contains(&word.len()) && word.bytes().all(is_safe) { word } else { "OTHER" }
}

/// `code` if it looks like one, else `OTHER`.
pub fn safe_code(code: &str) -> &str {
    if is_code(code) { code } else { "OTHER" }
}

/// What an operator can do about the error reply.
pub fn hint(code: &str, detail: &str) -> Option<&'static str> {
    look_up(code, detail)
        .map_or(Some(UNKNOWN), |row| Some(row.hint).filter(|hint| !hint.is_empty()))
}

/// What happened and what to do about it, in words that are safe to log.
pub fn explain(code: &str, detail: &str) -> String {
    match hint(code, detail) {
        Some(hint) => format!("{}: {hint}", redact(code, detail)),
        None => redact(code, detail),
    }
}

/// Redis' codes are one upper-case word; anything else may be data.
fn is_code(code: &str) -> bool {
    (2..=16).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Replies as real servers send them, and the class that each must have.
    const REPLIES: &[(&str, &str, Class)] = &[
        ("READONLY", "You can't write against a read only replica.", Class::Rediscover),
        ("LOADING", "Redis is loading the dataset in memory", Class::Retry),
        (
            "BUSY",
            "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            Class::Retry,
        ),
        (
            "MASTERDOWN",
            "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            Class::Rediscover,
        ),
        ("CLUSTERDOWN", "Hash slot not served", Class::Rediscover),
        ("TRYAGAIN", "Multiple keys request during rehashing of slot", Class::Retry),
        ("MOVED", "3999 127.0.0.1:6381", Class::Rediscover),
        ("ASK", "3999 127.0.0.1:6381", Class::Rediscover),
        ("CROSSSLOT", "Keys in request don't hash to the same slot", Class::Config),
        ("ERR", "wrong number of arguments for 'hset' command", Class::Config),
        (
            "ERR",
            "unknown command 'HSET', with args beginning with: 'user:1' 'email'",
            Class::Config,
        ),
        ("ERR", "unknown command `HSET`, with args beginning with: `user:1`,", Class::Config),
        (
            "ERR",
            "Unknown subcommand or wrong number of arguments for 'INFO'. Try CLIENT HELP.",
            Class::Config,
        ),
        ("ERR", "DB index is out of range", Class::Config),
        ("ERR", "invalid DB index", Class::Config),
        ("ERR", "SELECT is not allowed in cluster mode", Class::Config),
        ("OOM", "command not allowed when used memory > 'maxmemory'.", Class::Retry),
        (
            "MISCONF",
            "Redis is configured to save RDB snapshots, but it's currently unable to persist on \
             disk.",
            Class::Retry,
        ),
        ("NOREPLICAS", "Not enough good replicas to write.", Class::Retry),
        ("WRONGTYPE", "Operation against a key holding the wrong kind of value", Class::Refused),
        ("NOAUTH", "Authentication required.", Class::Config),
        ("WRONGPASS", "invalid username-password pair or user is disabled.", Class::Config),
        ("NOPERM", "this user has no permissions to run the 'hset' command", Class::Config),
        (
            "DENIED",
            "Redis is running in protected mode because protected mode is enabled",
            Class::Config,
        ),
        ("ERR", "max number of clients reached", Class::Reconnect),
        ("ERR", "max number of clients + cluster connections reached", Class::Reconnect),
        ("ERR", "Protocol error: invalid bulk length", Class::Refused),
        ("ERR", "Protocol error: invalid multibulk length", Class::Refused),
        ("ERR", "Protocol error: too big bulk count string", Class::Refused),
        ("ERR", "Protocol error: unauthenticated multibulk length", Class::Config),
        ("ERR", "Protocol error: expected '$', got 'x'", Class::Reconnect),
        (
            "ERR",
            "AUTH <password> called without any password configured for the default user.",
            Class::Config,
        ),
        ("unsupported", "command", Class::Config),
        ("upstream", "failure", Class::Retry),
        ("no", "upstream host", Class::Retry),
        ("ERR", "max daily request limit exceeded. Limit: 10000, Usage: 10000.", Class::Retry),
        ("NOSCRIPT", "No matching script. Please use EVAL.", Class::Retry),
        ("EXECABORT", "Transaction discarded because of previous errors.", Class::Retry),
        (
            "UNBLOCKED",
            "force unblock from blocking operation, instance state changed",
            Class::Rediscover,
        ),
        (
            "ERR",
            "Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value",
            Class::Refused,
        ),
        (
            "ERR",
            "max request size exceeded. Limit: 1000000 bytes, Actual: 1000050 bytes.",
            Class::Refused,
        ),
        ("ERR", "max daily request limit exceeded. Limit: 10000, Usage: 10000.", Class::Retry),
        ("ERR", "something that a later version says", Class::Retry),
        ("NEWCODE", "that this version does not know", Class::Retry),
        ("", "", Class::Retry),
    ];

    #[test]
    fn every_reply_has_its_class() {
        for (code, detail, class) in REPLIES {
            assert_eq!(classify(code, detail), *class, "{code} {detail}");
        }
    }

    #[test]
    fn what_is_known_needs_no_proof_and_what_is_not_is_told_apart() {
        let kvrocks =
            "Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value";
        for (code, detail, expected) in [
            (
                "WRONGTYPE",
                "Operation against a key holding the wrong kind of value",
                Cause::WrongType,
            ),
            ("ERR", kvrocks, Cause::WrongType),
            ("ERR", "max request size exceeded. Limit: 1000000 bytes", Cause::Refused),
            ("ERR", "Protocol error: invalid bulk length", Cause::Refused),
            ("ERR", "max daily request limit exceeded", Cause::Server),
            ("ERR", "backend timed out", Cause::Unexplained(None)),
            ("upstream", "failure", Cause::Unexplained(None)),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", Cause::Server),
        ] {
            assert_eq!(cause(code, detail), expected, "{code} {detail}");
        }
        for (code, detail) in
            [("ERR", "something new"), ("NEWCODE", "something new"), ("unsupported", "field")]
        {
            assert!(matches!(cause(code, detail), Cause::Unexplained(Some(_))), "{code} {detail}");
        }
    }

    #[test]
    fn no_row_hides_another() {
        for row in TABLE {
            let found = look_up(row.code, row.start).is_some_and(|found| std::ptr::eq(found, row));
            assert!(found, "{} {:?} is hidden by an earlier row", row.code, row.start);
        }
    }

    #[test]
    fn known_errors_are_told_in_our_words() {
        let said = redact(
            "ERR",
            "unknown command 'HSET', with args beginning with: 'user:jane@example.com'",
        );
        assert_eq!(said, "ERR: the server does not know a command");
        assert_eq!(
            redact("NEWCODE", "with jane@example.com"),
            "NEWCODE: an answer that is not known here"
        );
        assert_eq!(
            redact("new-word", "with jane@example.com"),
            "new-word: an answer that is not known here"
        );
        assert_eq!(redact("jane@example.com", ""), "OTHER: an answer that is not known here");
        assert!(explain("new-word", "").contains("a proxy or a managed service"));
        assert!(
            explain("ERR", "max daily request limit exceeded. Limit: 10000")
                .contains("daily quota")
        );
        assert_eq!(hint("WRONGTYPE", ""), None);
        assert!(hint("WRONGPASS", "").is_some_and(|h| h.contains("redis.password")));
    }

    proptest! {
        #[test]
        fn total_and_never_echoes(row in select(TABLE), other in any::<String>(), known: bool, tail in "[a-z0-9@]{12,40}") {
            let code = if known { row.code } else { &other };
            let detail = format!("{}{tail}", row.start);
            classify(code, &detail);
            let said = redact(code, &detail);
            prop_assert!(!said.contains(&tail));
            let ours = TABLE.iter().any(|row| said == format!("{}: {}", row.code, row.says));
            let word = said.strip_suffix(": an answer that is not known here");
            prop_assert!(ours || word.is_some_and(|word| safe_word(word) == word), "{said}");
            if let Some(hint) = hint(code, &detail) {
                prop_assert!(TABLE.iter().any(|row| row.hint == hint));
            }
        }
    }
}
