//! Why a server cannot be used: one type for connecting, asking and writing.

use std::fmt::Display;

use redis::ServerError;

use super::broken::Broken;
use super::class::Class;
use super::look_up::{classify, explain, safe_code};
use super::names::{NamedServer, ServerNames};

/// Why a server cannot be used, or did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    pub class: Class,
    /// Redis's own first word, or `NONE` when there was no error reply.
    pub code: String,
    /// For people: what happened and what to try, in plain words, without secrets or personal data.
    pub message: String,
}

impl Trouble {
    /// An error reply of a server with these `names`; its text is data and is not passed on.
    pub(in crate::redis) fn reply(error: &ServerError, names: ServerNames) -> Self {
        let (code, detail) = code_and_detail(error);
        let needed = if code == "NOPERM" { names.permissions } else { "" };
        Self {
            class: classify(code, detail),
            code: safe_code(code).to_owned(),
            message: format!("{}{needed}", explain(code, detail, names)),
        }
    }

    /// No usable connection to `server`: what happened, and a hint in which `{section}` stands for
    /// the server's configuration table.
    pub(super) fn unreached(
        class: Class,
        server: NamedServer<'_>,
        what: impl Display,
        hint: impl Display,
    ) -> Self {
        let hint = server.names.fill(&hint.to_string());
        Self { class, code: "NONE".to_owned(), message: format!("{server}: {what}; {hint}") }
    }

    /// Somebody else is to be asked where to write.
    pub(in crate::redis) fn rediscover(message: impl Into<String>) -> Self {
        Self { class: Class::Rediscover, code: "NONE".into(), message: message.into() }
    }

    /// The server answered, and takes no writes.
    pub(in crate::redis) fn is_replica(&self) -> bool {
        self.code == "READONLY"
    }

    /// The one of two that asks for more than another try; else the first.
    pub(in crate::redis) fn graver(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        let grave = |trouble: &Option<Self>| {
            trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry)
        };
        if !grave(&first) && grave(&second) { second } else { first.or(second) }
    }
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self {
            class: Class::Reconnect,
            code: "NONE".into(),
            message: format!("connection lost: {broken}"),
        }
    }
}

/// Why a control command has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Broken(#[from] Broken),
    /// An error reply; the connection is fine.
    #[error(transparent)]
    Reply(Trouble),
}

impl From<QueryError> for Trouble {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Broken(broken) => broken.into(),
            QueryError::Reply(trouble) => trouble,
        }
    }
}

/// The first word of an error reply, and the text behind it.
pub(in crate::redis) fn code_and_detail(error: &ServerError) -> (&str, &str) {
    (error.code(), error.details().unwrap_or_default())
}
