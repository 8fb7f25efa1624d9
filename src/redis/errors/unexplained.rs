//! Error replies that are not in the table: whether they speak of the server, and whether two of
//! them have the same text. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Beginnings and parts of words in texts about a server, or about the way to it, in lower case.
/// An error of a proxy or a managed service about a backend that is gone, a quota or maintenance
/// concerns all keys, whichever key was written.
const OF_SERVERS: &[&str] = &[
    "connect",
    "timeout",
    "time-out",
    "time out",
    "timed out",
    "upstream",
    "backend",
    "availab",
    "unreachable",
    "no route",
    "network",
    "maintenance",
    "failover",
    "shutting down",
    "shutdown",
    "starting",
    "loading",
    "try again",
    "retry",
    "temporar",
    "overload",
    "too busy",
    "throttl",
    "quota",
    "too many",
    "daily",
    "monthly",
    "per second",
    "rate limit",
    "limit exceeded",
    "max number of clients",
    "operation not permitted",
    "protocol error",
    "no space",
    "read only",
    "read-only",
    "readonly",
];

/// How many words of a text are compared: later words may be data.
const WORDS: usize = 2;

/// Whether the text speaks of a connection, a time-out, an upstream, a backend, availability, or
/// the like.
pub(in crate::redis) fn concerns_server(code: &str, detail: &str) -> bool {
    let text = format!("{code} {detail}").to_lowercase();
    OF_SERVERS.iter().any(|words| text.contains(words))
}

/// A number that is equal for replies with the same text. Texts may quote a key, a field or a
/// value, so only the code and the first plain words count: two texts may count as one, but one
/// text never counts as two.
pub(in crate::redis) fn text_id(code: &str, detail: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let plain = |word: &&str| {
        word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b':' || byte == b',')
    };
    for word in std::iter::once(code).chain(detail.split_whitespace().take(WORDS)).take_while(plain)
    {
        word.to_ascii_lowercase().hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_the_server_is_known_in_either_case() {
        for (code, detail) in [
            ("ERR", "Backend timed out"),
            ("upstream", "failure"),
            ("ERR", "Connection lost"),
            ("ERR", "request Time-Out"),
            ("ERR", "service unavailable"),
            ("PROXY", "no route to host"),
            ("ERR", "quota of this plan is used up"),
        ] {
            assert!(concerns_server(code, detail), "{code} {detail}");
        }
        for (code, detail) in [
            ("ERR", "value is not good"),
            ("ERR", "Invalid argument: field too large"),
            ("NEWCODE", ""),
        ] {
            assert!(!concerns_server(code, detail), "{code} {detail}");
        }
    }

    #[test]
    fn quoted_data_makes_no_other_text() {
        let same = [("ERR", "bad key 'user:1' x"), ("ERR", "bad key user:2"), ("ERR", "Bad key")];
        assert!(
            same.iter().all(|(code, detail)| text_id(code, detail) == text_id("ERR", "bad key"))
        );
        assert_eq!(text_id("ERR", "'user:1' is bad"), text_id("ERR", "user:2 is bad"));
        assert_eq!(text_id("jane@example.com", "x"), text_id("joe@example.com", "y"));
        assert_ne!(text_id("ERR", "bad key"), text_id("ERR", "bad value"));
        assert_ne!(text_id("ERR", "bad key"), text_id("BAD", "bad key"));
    }
}
