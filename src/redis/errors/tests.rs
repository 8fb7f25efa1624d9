//! Replies as real servers send them.

use proptest::prelude::*;
use proptest::sample::select;

use super::class::Class;
use super::look_up::{cause, classify, explain, hint, look_up, redact, safe_word};
use super::names::ServerNames;
use super::table::{Cause, TABLE};

/// Replies as real servers send them, and the class that reliability asks for.
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
    ("ERR", "unknown command 'HSET', with args beginning with: 'user:1' 'email'", Class::Config),
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
        "ERR",
        "The user executing the script can't run this command or subcommand script: 5d, on \
         @user_script:1.",
        Class::Config,
    ),
    (
        "ERR",
        "ACL failure in script: User writer has no permissions to run the 'hset' command",
        Class::Config,
    ),
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
    ("NOSCRIPT", "No matching script. Please use EVAL.", Class::Reconnect),
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
    ("Existing", "key has wrong Redis type", Class::Refused),
    ("ERR", "Existing key has wrong Redis type", Class::Refused),
    ("recursion", "limit exceeded at line 1 column 636", Class::Refused),
    ("number", "out of range at line 1 column 10", Class::Refused),
    ("unexpected", "end of hex escape at line 1 column 13", Class::Refused),
    ("Couldn't", "parse as UTF-8 string", Class::Refused),
    ("ERR", "new objects must be created at the root", Class::Retry),
    ("ERR", "unknown command 'JSON.SET', with args beginning with: 'user:1' '$'", Class::Config),
    ("ERR", "unknown command `JSON.MERGE`, with args beginning with: `user:1`,", Class::Config),
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
        ("WRONGTYPE", "Operation against a key holding the wrong kind of value", Cause::WrongType),
        ("ERR", kvrocks, Cause::WrongType),
        ("Existing", "key has wrong Redis type", Cause::WrongType),
        ("ERR", "Existing key has wrong Redis type", Cause::WrongType),
        ("recursion", "limit exceeded at line 1 column 636", Cause::Refused),
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
    let said =
        redact("ERR", "unknown command 'HSET', with args beginning with: 'user:jane@example.com'");
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
    assert!(explain("new-word", "", ServerNames::REDIS).contains("a proxy or a managed service"));
    assert!(
        explain("ERR", "max daily request limit exceeded. Limit: 10000", ServerNames::REDIS)
            .contains("daily quota")
    );
    let no_module = explain("ERR", "unknown command 'JSON.SET', with", ServerNames::REDIS);
    assert!(no_module.contains("need Redis 8, or the module RedisJSON"), "{no_module}");
    assert_eq!(hint("WRONGTYPE", "", ServerNames::REDIS), None);
    assert!(
        hint("WRONGPASS", "", ServerNames::REDIS).is_some_and(|h| h.contains("redis.password"))
    );
}

proptest! {
    #[test]
    fn total_and_never_echoes(
        row in select(TABLE),
        other in any::<String>(),
        known: bool,
        tail in "[a-z0-9@]{12,40}",
    ) {
        let code = if known { row.code } else { &other };
        let detail = format!("{}{tail}", row.start);
        classify(code, &detail);
        let said = redact(code, &detail);
        prop_assert!(!said.contains(&tail));
        let ours = TABLE.iter().any(|row| said == format!("{}: {}", row.code, row.says));
        let word = said.strip_suffix(": an answer that is not known here");
        prop_assert!(ours || word.is_some_and(|word| safe_word(word) == word), "{said}");
        let unfilled = ServerNames { section: "{section}", ..ServerNames::REDIS };
        if let Some(hint) = hint(code, &detail, unfilled) {
            prop_assert!(TABLE.iter().any(|row| row.hint == hint));
        }
    }
}
