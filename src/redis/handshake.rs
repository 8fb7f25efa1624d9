//! What is said first on a connection: credentials, database, name; and who we are to the server.

use std::collections::BTreeSet;

use redis::{Cmd, Value};
use secrecy::{ExposeSecret, SecretString};

use super::connector::Settings;
use super::{Class, ConnectError, Connection, hint, refusal};
use crate::config::{Handshake, Protocol};
use crate::printable::printable;
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

/// One command of the greeting, or of what is asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Hello,
    Auth,
    Select,
    SetName,
    ClientInfo,
    ServerInfo,
    Role,
    Ping,
    Hlen,
    /// An HSET without a field, which every server refuses.
    BareHset,
    /// Not of the greeting: see [`super::writable`].
    Multi,
}

/// The last command of the greeting: the first of these that is not hung up on. Its answer,
/// whatever it is, shows that somebody answers at all, and that no password is missing.
const SIGNS_OF_LIFE: [Step; 3] = [Step::Ping, Step::Hlen, Step::BareHset];

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
            Self::Hlen => "HLEN",
            Self::BareHset => "HSET",
            Self::Multi => "MULTI",
        }
    }

    /// Login and database: without these, writes go wrong. An ACL may deny the others, an old
    /// server or a proxy may not know them, and writing works all the same.
    const fn is_optional(self) -> bool {
        !matches!(self, Self::Hello | Self::Auth | Self::Select)
    }

    /// The steps whose command a server does not know if it hangs up on this one.
    const fn command(self) -> &'static [Self] {
        match self {
            Self::SetName | Self::ClientInfo => &[Self::SetName, Self::ClientInfo],
            Self::ServerInfo => &[Self::ServerInfo],
            Self::Role => &[Self::Role],
            Self::Ping => &[Self::Ping],
            Self::Hlen => &[Self::Hlen],
            Self::BareHset => &[Self::BareHset],
            Self::Multi => &[Self::Multi],
            Self::Hello | Self::Auth | Self::Select => &[],
        }
    }
}

/// The result of a greeting.
pub(super) struct Greeted {
    /// The id and address of this connection on the server.
    pub(super) identity: Option<Identity>,
    pub(super) run_id: Option<String>,
    /// The commands that the next connection leaves out.
    pub(super) refused: Vec<Step>,
}

/// Why a greeting came to nothing.
pub(super) enum Ungreeted {
    Failed(ConnectError),
    /// The server closed the connection, perhaps because of these commands; empty: it is not known
    /// because of which.
    HungUp(ConnectError, Vec<Step>),
    /// All that could be said was hung up on before.
    NothingToSay,
}

/// Says who we are and asks who the server is, leaving out what is `omitted`: in one go, or
/// `one_by_one` to learn what the server hangs up on. The first refusal that matters counts: those
/// behind it follow from it.
pub(super) async fn greet(
    connection: &mut Connection,
    settings: &Settings,
    password: Option<&SecretString>,
    tls: Option<&TlsClient>,
    omitted: &BTreeSet<Step>,
    one_by_one: bool,
) -> Result<Greeted, Ungreeted> {
    let steps = steps(settings, password, omitted);
    if steps.is_empty() && settings.handshake != Handshake::Minimal {
        return Err(Ungreeted::NothingToSay);
    }
    let mut replies = Vec::with_capacity(steps.len());
    let mut done = Ok(());
    if one_by_one {
        for (_, command) in &steps {
            done = connection.exchange(&command.get_packed_command(), 1, &mut replies).await;
            if done.is_err() {
                break;
            }
        }
    } else {
        let packed: Vec<u8> =
            steps.iter().flat_map(|(_, command)| command.get_packed_command()).collect();
        done = connection.exchange(&packed, steps.len(), &mut replies).await;
    }
    let mut refused = Vec::new();
    for ((step, _), reply) in steps.iter().zip(&replies) {
        let Value::ServerError(error) = reply else { continue };
        let (code, detail) = (error.code(), error.details().unwrap_or_default());
        if let Some(error) = refusal(*step, code, detail, &settings.node) {
            return Err(Ungreeted::Failed(error));
        }
        refused.push((*step, code == "NOPERM", hint::reply(&settings.node, None, code, detail)));
    }
    if let Err(cause) = done {
        let said = refused.pop();
        // A server that refuses a command and then hangs up does so because of that command.
        let (suspects, error, is_tls) = match said {
            Some((step, _, error)) => (step.command(), error, false),
            None => {
                let step = steps.get(replies.len()).map(|(step, _)| *step);
                let error = hint::greeting(&settings.node, tls, &cause);
                let is_tls = error.class == Class::Config;
                (step.map_or(&[][..], |step| step.command()), error, is_tls)
            }
        };
        if !cause.is_hang_up() || is_tls {
            return Err(Ungreeted::Failed(error));
        }
        return Err(Ungreeted::HungUp(
            error,
            if one_by_one { suspects.to_vec() } else { Vec::new() },
        ));
    }
    let reply_to = |wanted| {
        steps.iter().zip(&replies).find(|((step, _), _)| *step == wanted).map(|(_, reply)| reply)
    };
    if let Some(primary) = reply_to(Step::Role).and_then(primary_of) {
        return Err(Ungreeted::Failed(hint::replica(&settings.node, &primary)));
    }
    let run_id = reply_to(Step::ServerInfo)
        .and_then(text)
        .and_then(|info| field(info, "run_id"))
        .map(str::to_owned);
    let identity =
        reply_to(Step::ClientInfo).and_then(text).and_then(|info| identity(info, run_id.clone()));
    let missing: Vec<&str> = omitted
        .iter()
        .copied()
        .chain(refused.iter().map(|(step, ..)| *step))
        .map(Step::name)
        .collect();
    if !missing.is_empty() && settings.warns() {
        let denied = missing.join(", ");
        tracing::warn!(
            node = settings.node,
            denied,
            fencing = identity.is_some(),
            notices_switches = run_id.is_some(),
            "Redis, or a proxy before it, does not take commands that help after a lost connection \
             or a failover"
        );
    }
    // An ACL may be changed at any time, and that a sign of life is refused is one.
    let lasting = |step: Step, forbidden: bool| !forbidden && !SIGNS_OF_LIFE.contains(&step);
    let refused = refused
        .into_iter()
        .filter(|(step, forbidden, _)| lasting(*step, *forbidden))
        .map(|(step, ..)| step)
        .collect();
    Ok(Greeted { identity, run_id, refused })
}

/// The error that a refusal of `step` is, unless writing works all the same.
fn refusal(step: Step, code: &str, detail: &str, node: &str) -> Option<ConnectError> {
    let concerns_all = refusal::concerns_all(code, detail);
    match step {
        Step::Hello if !concerns_all && code != "NOPERM" && !detail.starts_with("AUTH") => {
            Some(hint::reply(node, Some(step.name()), "NOPROTO", ""))
        }
        _ if !step.is_optional() => Some(hint::reply(node, Some(step.name()), code, detail)),
        _ => concerns_all.then(|| hint::reply(node, None, code, detail)),
    }
}

fn steps(
    settings: &Settings,
    password: Option<&SecretString>,
    omitted: &BTreeSet<Step>,
) -> Vec<(Step, Cmd)> {
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
        (Protocol::Resp2, (Some(username), password)) => {
            say(Step::Auth, &["AUTH", username, password.unwrap_or_default()])
        }
        (Protocol::Resp3, (None, None)) => say(Step::Hello, &["HELLO", "3"]),
        (Protocol::Resp3, (username, password)) => {
            say(
                Step::Hello,
                &[
                    "HELLO",
                    "3",
                    "AUTH",
                    username.unwrap_or("default"),
                    password.unwrap_or_default(),
                ],
            );
        }
    }
    if settings.database != 0 {
        say(Step::Select, &["SELECT", &settings.database.to_string()]);
    }
    if settings.handshake == Handshake::Minimal {
        return steps;
    }
    let mut help = |step, args: &[&str]| {
        if !omitted.contains(&step) {
            say(step, args);
        }
    };
    if !settings.client_name.is_empty() {
        help(Step::SetName, &["CLIENT", "SETNAME", &settings.client_name]);
    }
    help(Step::ClientInfo, &["CLIENT", "INFO"]);
    help(Step::ServerInfo, &["INFO", "server"]);
    if settings.primary_only {
        help(Step::Role, &["ROLE"]);
    }
    // Last: a server that wants a password takes the connection without one, and says so only now.
    match SIGNS_OF_LIFE.into_iter().find(|step| !omitted.contains(step)) {
        Some(Step::Hlen) => help(Step::Hlen, &["HLEN", &settings.blank_key]),
        Some(Step::BareHset) => help(Step::BareHset, &["HSET", &settings.blank_key]),
        Some(_) => help(Step::Ping, &["PING"]),
        None => {}
    }
    steps
}

/// From `id=7 addr=127.0.0.1:4711 laddr=...`.
fn identity(info: &str, run_id: Option<String>) -> Option<Identity> {
    let value = |name: &str| {
        info.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    Some(Identity { id: value("id")?.parse().ok()?, addr: value("addr")?.to_owned(), run_id })
}

/// `host:port` of the server that the answer to ROLE says this one follows, if it is a replica.
fn primary_of(role: &Value) -> Option<String> {
    let Value::Array(parts) = role else { return None };
    match &parts[..] {
        [kind, host, Value::Int(port), ..] if text(kind) == Some("slave") => {
            Some(format!("{}:{port}", printable(text(host)?)))
        }
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
    use proptest::prelude::*;

    use super::*;
    use crate::redis::Replication;
    use crate::redis::arbitrary::any_value;
    use crate::redis::probe::config_value;

    #[test]
    fn identity_from_client_info() {
        let info =
            "id=7 addr=127.0.0.1:4711 laddr=127.0.0.1:6379 fd=8 name=traitsink age=0 db=0 resp=2\n";
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

    proptest! {
        #[test]
        fn whatever_a_server_says_of_itself_is_read_or_left(value in any_value(), info in any::<String>()) {
            let _ = (primary_of(&value), text(&value), config_value(&value));
            let _ = (identity(&info, None), field(&info, "run_id"), Replication::of(&info));
        }
    }
}
