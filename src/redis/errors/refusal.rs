//! Whether the refusal of one command concerns the others as well. Pure.
//!
//! A proxy or a managed service may refuse the optional commands (CLIENT, INFO, MULTI ..), in words
//! of its own, and take writes all the same. Other refusals concern every command: a write would be
//! refused, too.

use super::{look_up, unexplained};

/// Codes that concern the connection or the server, whatever the command is.
const OF_ALL: &[&str] = &[
    "BUSY",
    "CLUSTERDOWN",
    "DENIED",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Words that say that only this command is refused. The text may go on with what was sent, so
/// these words are looked for first.
const OF_ONE: &[&str] = &[
    "unknown",
    "unsupported",
    "not supported",
    "not available",
    "not allowed",
    "not permitted to run",
    "disabled",
    "renamed",
];

/// Whether a write would get the error reply `-CODE detail` as well, and not only the command that
/// was sent.
pub(in crate::redis) fn concerns_all(code: &str, detail: &str) -> bool {
    if OF_ALL.contains(&code) {
        return true;
    }
    if code == "NOPERM" {
        return false;
    }
    let text = format!("{code} {detail}").to_ascii_lowercase();
    !OF_ONE.iter().any(|word| text.contains(word)) && unexplained::concerns_server(code, detail)
}

/// Whether the error reply to a write inside a transaction shows that a write outside of one would
/// be refused.
pub(in crate::redis) fn concerns_write(code: &str, detail: &str) -> bool {
    concerns_all(code, detail) || look_up::is_known(code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_command_and_of_all() {
        for (code, detail) in [
            ("unsupported", "command"),
            (
                "ERR",
                "unknown command 'CLIENT', with args beginning with: 'SETNAME' \
                 'upstream-connection'",
            ),
            ("ERR", "Unknown subcommand or wrong number of arguments for 'INFO'"),
            ("ERR", "command 'INFO' is not allowed"),
            ("ERR", "This instance does not support this"),
            ("NOPERM", "this user has no permissions to run the 'info' command"),
            ("DISABLED", ""),
            ("", ""),
        ] {
            assert!(!concerns_all(code, detail), "{code} {detail}");
        }
        for (code, detail) in [
            ("NOAUTH", "Authentication required."),
            ("LOADING", "Redis is loading the dataset in memory"),
            ("MISCONF", "Redis is configured to save RDB snapshots"),
            ("ERR", "max number of clients reached"),
            ("ERR", "operation not permitted"),
            ("ERR", "Protocol error: unauthenticated multibulk length"),
            ("ERR", "max daily request limit exceeded. Limit: 10000, Usage: 10000."),
            ("upstream", "failure"),
            ("no", "upstream host"),
            ("ERR", "backend server timed out"),
        ] {
            assert!(concerns_all(code, detail), "{code} {detail}");
        }
    }

    #[test]
    fn only_a_known_answer_to_a_write_in_a_transaction_tells() {
        assert!(concerns_write("ERR", "wrong number of arguments for 'hset' command"));
        assert!(concerns_write("ERR", "unknown command 'HSET'"));
        assert!(!concerns_write("ERR", "transactions are a thing of tomorrow"));
        assert!(!concerns_write("odd", "words"));
    }
}
