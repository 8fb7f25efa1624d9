//! What is said first on a connection: credentials, database, name; and who we are to the server.

use redis::{Cmd, Value};
use secrecy::{ExposeSecret, SecretString};

use super::connector::Settings;
use super::{ConnectError, Connection, hint};
use crate::config::Protocol;
use crate::tls::TlsClient;

/// How the server knows a connection: enough to close exactly that one later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: u64,
    /// The client's address as the server sees it.
    pub addr: String,
    /// Changes when the server restarts, and ids with it.
    pub run_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Hello,
    Auth,
    Select,
    SetName,
    ClientInfo,
    ServerInfo,
    Role,
    Ping,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Auth => "AUTH",
            Self::Select => "SELECT",
            Self::SetName => "CLIENT SETNAME",
            Self::ClientInfo => "CLIENT INFO",
            Self::ServerInfo => "INFO",
            Self::Role => "ROLE",
            Self::Ping => "PING",
        }
    }

    /// An ACL may deny these, an old server may not know them, and writing works all the same.
    const fn is_optional(self) -> bool {
        matches!(self, Self::SetName | Self::ClientInfo | Self::ServerInfo | Self::Role | Self::Ping)
    }
}

/// Says everything in one go and reads the answers. The first refusal counts: those behind it follow from it. Returns who we are to
/// the server, and its run id.
pub(super) async fn greet(
    connection: &mut Connection,
    settings: &Settings,
    password: Option<&SecretString>,
    tls: Option<&TlsClient>,
) -> Result<(Option<Identity>, Option<String>), ConnectError> {
    let steps = steps(settings, password);
    let packed: Vec<u8> = steps.iter().flat_map(|(_, command)| command.get_packed_command()).collect();
    let mut replies = Vec::with_capacity(steps.len());
    let done = connection.exchange(&packed, steps.len(), &mut replies).await;
    let mut denied = Vec::new();
    for ((step, _), reply) in steps.iter().zip(&replies) {
        if let Value::ServerError(error) = reply {
            let (code, detail) = (error.code(), error.details().unwrap_or_default());
            if *step == Step::Hello && detail.starts_with("unknown command") {
                return Err(hint::reply(&settings.node, Some(step.name()), "NOPROTO", ""));
            }
            if !step.is_optional() || !matches!(code, "NOPERM" | "ERR") || done.is_err() {
                let command = (!step.is_optional()).then(|| step.name());
                return Err(hint::reply(&settings.node, command, code, detail));
            }
            denied.push(step.name());
        }
    }
    done.map_err(|cause| hint::greeting(&settings.node, tls, &cause))?;
    let reply_to = |wanted| steps.iter().zip(&replies).find(|((step, _), _)| *step == wanted).map(|(_, reply)| reply);
    if let Some(primary) = reply_to(Step::Role).and_then(primary_of) {
        return Err(hint::replica(&settings.node, &primary));
    }
    let run_id = reply_to(Step::ServerInfo).and_then(text).and_then(|info| field(info, "run_id")).map(str::to_owned);
    let identity = reply_to(Step::ClientInfo).and_then(text).and_then(|info| identity(info, run_id.clone()));
    if !denied.is_empty() && settings.warns() {
        let denied = denied.join(", ");
        tracing::warn!(
            node = settings.node,
            denied,
            fencing = identity.is_some(),
            notices_switches = run_id.is_some(),
            "Redis refuses commands that help after a lost connection or a failover"
        );
    }
    Ok((identity, run_id))
}

fn steps(settings: &Settings, password: Option<&SecretString>) -> Vec<(Step, Cmd)> {
    let mut steps = Vec::with_capacity(6);
    let mut say = |step, args: &[&str]| {
        let mut command = Cmd::new();
        command.arg(args);
        steps.push((step, command));
    };
    let login = (settings.username.as_deref(), password.map(ExposeSecret::expose_secret));
    match (settings.protocol, login) {
        (Protocol::Resp2, (None, None)) => {}
        (Protocol::Resp2, (None, Some(password))) => say(Step::Auth, &["AUTH", password]),
        (Protocol::Resp2, (Some(username), password)) => say(Step::Auth, &["AUTH", username, password.unwrap_or_default()]),
        (Protocol::Resp3, (None, None)) => say(Step::Hello, &["HELLO", "3"]),
        (Protocol::Resp3, (username, password)) => {
            say(Step::Hello, &["HELLO", "3", "AUTH", username.unwrap_or("default"), password.unwrap_or_default()]);
        }
    }
    if settings.database != 0 {
        say(Step::Select, &["SELECT", &settings.database.to_string()]);
    }
    if !settings.client_name.is_empty() {
        say(Step::SetName, &["CLIENT", "SETNAME", &settings.client_name]);
    }
    say(Step::ClientInfo, &["CLIENT", "INFO"]);
    say(Step::ServerInfo, &["INFO", "server"]);
    if settings.primary_only {
        say(Step::Role, &["ROLE"]);
    }
    // Last: a server that wants a password takes the connection without one, and says so only now.
    say(Step::Ping, &["PING"]);
    steps
}

/// From `id=7 addr=127.0.0.1:4711 laddr=...`.
fn identity(info: &str, run_id: Option<String>) -> Option<Identity> {
    let value = |name: &str| info.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Some(Identity { id: value("id")?.parse().ok()?, addr: value("addr")?.to_owned(), run_id })
}

/// `host:port` of the server that the answer to ROLE says this one follows, if it is a replica.
fn primary_of(role: &Value) -> Option<String> {
    let Value::Array(parts) = role else { return None };
    match &parts[..] {
        [kind, host, Value::Int(port), ..] if text(kind) == Some("slave") => Some(format!("{}:{port}", text(host)?)),
        _ => None,
    }
}

/// The value of `name:value` in an INFO text.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_from_client_info() {
        let info = "id=7 addr=127.0.0.1:4711 laddr=127.0.0.1:6379 fd=8 name=traitsink age=0 db=0 resp=2\n";
        let expected = Identity { id: 7, addr: "127.0.0.1:4711".to_owned(), run_id: None };
        assert_eq!(identity(info, None), Some(expected));
        assert_eq!(identity("laddr=127.0.0.1:6379 id=x", None), None);
    }

    #[test]
    fn field_of_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n";
        assert_eq!(field(info, "run_id"), Some("abc"));
        assert_eq!(field(info, "version"), None);
    }
}
