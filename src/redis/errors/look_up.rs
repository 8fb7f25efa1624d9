//! The meaning of an error reply: that of its row in the table, or that of an unknown error. Pure.
//!
//! Texts of Redis may quote what was sent to it. What leaves this file is the code and words of our
//! own.

use super::class::Class;
use super::names::ServerNames;
use super::table::{Cause, KnownError, TABLE, UNKNOWN};
use super::unexplained;

pub(super) fn look_up(code: &str, detail: &str) -> Option<&'static KnownError> {
    let begins = |start: &str| {
        detail
            .as_bytes()
            .get(..start.len())
            .is_some_and(|d| d.eq_ignore_ascii_case(start.as_bytes()))
    };
    TABLE.iter().find(|row| row.code == code && begins(row.start))
}

/// The class of the error reply `-CODE detail`.
///
/// [`Class::Rediscover`] with a single configured server means: connect anew, resolving its host
/// name again. An unknown code is [`Class::Retry`]; the caller chooses for how long. After the
/// reply to a command that is too large, the server closes the connection.
pub fn classify(code: &str, detail: &str) -> Class {
    look_up(code, detail).map_or(Class::Retry, |row| row.class)
}

/// The reason of the error reply `-CODE detail` to a write.
pub(in crate::redis) fn cause(code: &str, detail: &str) -> Cause {
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
pub(in crate::redis) fn is_known(code: &str, detail: &str) -> bool {
    look_up(code, detail).is_some_and(|row| row.code != "ERR" || !row.start.is_empty())
}

/// The error reply in words that are safe to log: `CODE: what happened`. They contain nothing of
/// `detail`, and an unknown code only if it looks like one.
pub fn redact(code: &str, detail: &str) -> String {
    match look_up(code, detail) {
        Some(row) => format!("{}: {}", row.code, row.says),
        None => format!("{}: an answer that is not known here", safe_word(code)),
    }
}

/// `word` if it has only letters, `-` and `_`, and so can hardly be data; else `OTHER`.
pub(super) fn safe_word(word: &str) -> &str {
    let is_safe = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
    if (2..=24).contains(&word.len()) && word.bytes().all(is_safe) { word } else { "OTHER" }
}

/// `code` if it looks like one, else `OTHER`.
pub fn safe_code(code: &str) -> &str {
    if is_code(code) { code } else { "OTHER" }
}

/// Advice for an operator about the error reply of a server with these `names`.
pub fn hint(code: &str, detail: &str, names: ServerNames) -> Option<String> {
    let hint = look_up(code, detail).map_or(UNKNOWN, |row| row.hint);
    (!hint.is_empty()).then(|| names.fill(hint))
}

/// The error in words that are safe to log: what happened, and what to do about it.
pub fn explain(code: &str, detail: &str, names: ServerNames) -> String {
    match hint(code, detail, names) {
        Some(hint) => format!("{}: {hint}", redact(code, detail)),
        None => redact(code, detail),
    }
}

/// Redis's codes are one upper-case word; anything else may be data.
fn is_code(code: &str) -> bool {
    (2..=16).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase())
}
