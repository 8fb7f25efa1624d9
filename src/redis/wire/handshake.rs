//! The first commands on a connection: login, database, name, and the questions about the server.

use std::collections::BTreeSet;

use redis::{Cmd, Value};
use secrecy::{ExposeSecret, SecretString};

use super::connection::Connection;
use super::identity::Identity;
use super::info::{field, text};
use super::server_access::ServerAccess;
use super::step::{SIGNS_OF_LIFE, Step};
use super::version::ServerVersion;
use crate::config::{Handshake, Protocol};
use crate::printable::printable;
use crate::redis::errors::{Class, NamedServer, Trouble, code_and_detail, hint, refusal};
use crate::tls::TlsClient;

/// The result of a greeting.
pub(super) struct Greeted {
    /// The id and address of this connection on the server.
    pub(super) identity: Option<Identity>,
    pub(super) run_id: Option<String>,
    /// `None`: the server does not tell.
    pub(super) version: Option<ServerVersion>,
    /// The commands that the next connection leaves out.
    pub(super) refused: Vec<Step>,
}

/// Why a greeting failed.
pub(super) enum Ungreeted {
    Failed(Trouble),
    /// The server closed the connection, perhaps because of these commands; empty: which ones is
    /// not known.
    HungUp(Trouble, Vec<Step>),
    /// The server hung up on every command before, so that none is left to send.
    NothingToSay,
}

/// Logs in, and asks about the connection and the server, without the `omitted` commands: all at
/// once, or `one_by_one` to learn which one the server hangs up on. The first refusal that matters
/// counts: later ones follow from it.
pub(super) async fn greet(
    connection: &mut Connection,
    server: &ServerAccess,
    password: Option<&SecretString>,
    tls: Option<&TlsClient>,
    omitted: &BTreeSet<Step>,
    one_by_one: bool,
) -> Result<Greeted, Ungreeted> {
    let steps = steps(server, password, omitted);
    if steps.is_empty() && server.handshake != Handshake::Minimal {
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
        let (code, detail) = code_and_detail(error);
        if let Some(error) = refusal(*step, code, detail, server.named()) {
            return Err(Ungreeted::Failed(error));
        }
        refused.push((*step, code == "NOPERM", hint::reply(server.named(), None, code, detail)));
    }
    if let Err(cause) = done {
        let said = refused.pop();
        // A server that refuses a command and then hangs up does so because of that command.
        let (unknown, error, is_tls) = match said {
            Some((step, _, error)) => (step.command(), error, false),
            None => {
                let step = steps.get(replies.len()).map(|(step, _)| *step);
                let error = hint::greeting(server.named(), tls, &cause);
                let is_tls = error.class == Class::Config;
                (step.map_or(&[][..], |step| step.command()), error, is_tls)
            }
        };
        if !cause.is_hang_up() || is_tls {
            return Err(Ungreeted::Failed(error));
        }
        return Err(Ungreeted::HungUp(
            error,
            if one_by_one { unknown.to_vec() } else { Vec::new() },
        ));
    }
    let reply_to = |wanted| {
        steps.iter().zip(&replies).find(|((step, _), _)| *step == wanted).map(|(_, reply)| reply)
    };
    if let Some(primary) = reply_to(Step::Role).and_then(primary_of) {
        return Err(Ungreeted::Failed(hint::replica(server.named(), &primary)));
    }
    let info = reply_to(Step::ServerInfo).and_then(text);
    let run_id = info.and_then(|info| field(info, "run_id")).map(str::to_owned);
    let version = info.and_then(ServerVersion::read);
    let identity = reply_to(Step::ClientInfo)
        .and_then(text)
        .and_then(|info| Identity::read(info, run_id.clone()));
    let missing: Vec<&str> = omitted
        .iter()
        .copied()
        .chain(refused.iter().map(|(step, ..)| *step))
        .map(Step::name)
        .collect();
    if !missing.is_empty() && server.warns() {
        let denied = missing.join(", ");
        tracing::warn!(
            node = server.node,
            denied,
            fencing = identity.is_some(),
            notices_switches = run_id.is_some(),
            "Redis, or a proxy before it, does not take commands that help after a lost connection \
             or a failover"
        );
    }
    // An ACL may be changed at any time; and a refused sign of life is a sign of life, too.
    let lasting = |step: Step, forbidden: bool| !forbidden && !SIGNS_OF_LIFE.contains(&step);
    let refused = refused
        .into_iter()
        .filter(|(step, forbidden, _)| lasting(*step, *forbidden))
        .map(|(step, ..)| step)
        .collect();
    Ok(Greeted { identity, run_id, version, refused })
}

/// The trouble that a refused `step` means; `None`: writing works all the same.
fn refusal(step: Step, code: &str, detail: &str, server: NamedServer<'_>) -> Option<Trouble> {
    let concerns_all = refusal::concerns_all(code, detail);
    match step {
        Step::Hello if !concerns_all && code != "NOPERM" && !detail.starts_with("AUTH") => {
            Some(hint::reply(server, Some(step.name()), "NOPROTO", ""))
        }
        _ if !step.is_optional() => Some(hint::reply(server, Some(step.name()), code, detail)),
        _ => concerns_all.then(|| hint::reply(server, None, code, detail)),
    }
}

fn steps(
    server: &ServerAccess,
    password: Option<&SecretString>,
    omitted: &BTreeSet<Step>,
) -> Vec<(Step, Cmd)> {
    let mut steps = Vec::with_capacity(6);
    let mut say = |step, args: &[&str]| {
        let mut command = Cmd::new();
        command.arg(args);
        steps.push((step, command));
    };
    let login = (server.username.as_deref(), password.map(ExposeSecret::expose_secret));
    match (server.protocol, login) {
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
    if server.database != 0 {
        say(Step::Select, &["SELECT", &server.database.to_string()]);
    }
    if server.handshake == Handshake::Minimal {
        return steps;
    }
    let mut help = |step, args: &[&str]| {
        if !omitted.contains(&step) {
            say(step, args);
        }
    };
    if !server.client_name.is_empty() {
        help(Step::SetName, &["CLIENT", "SETNAME", &server.client_name]);
    }
    help(Step::ClientInfo, &["CLIENT", "INFO"]);
    help(Step::ServerInfo, &["INFO", "server"]);
    if server.primary_only {
        help(Step::Role, &["ROLE"]);
    }
    // Last: a server that wants a password accepts the connection without one, and only the reply
    // to this command shows it.
    match SIGNS_OF_LIFE.into_iter().find(|step| !omitted.contains(step)) {
        Some(Step::Hlen) => help(Step::Hlen, &["HLEN", &server.blank_key]),
        Some(Step::BareHset) => help(Step::BareHset, &["HSET", &server.blank_key]),
        Some(_) => help(Step::Ping, &["PING"]),
        None => {}
    }
    steps
}

/// From the reply to ROLE of a replica: `host:port` of the primary that it follows.
fn primary_of(role: &Value) -> Option<String> {
    let Value::Array(parts) = role else { return None };
    match &parts[..] {
        [kind, host, Value::Int(port), ..] if text(kind) == Some("slave") => {
            Some(format!("{}:{port}", printable(text(host)?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::wire::arbitrary::any_value;

    proptest! {
        #[test]
        fn whatever_a_server_answers_to_role_is_read_or_left(value in any_value()) {
            let _ = primary_of(&value);
        }
    }
}
