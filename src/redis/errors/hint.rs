//! Failures to connect in plain words: what happened, and what to try.

use std::io;
use std::time::Duration;

use super::broken::Broken;
use super::class::Class;
use super::look_up;
use super::names::NamedServer;
use super::tls_hint;
use super::trouble::Trouble;
use crate::redis::command::VersionNeed;
use crate::redis::wire::ServerVersion;
use crate::tls::TlsClient;

const PROXY_OR_TLS: &str = "if this port speaks TLS, use rediss://; if it is a proxy that knows \
    few commands, redis.handshake = \"minimal\" sends it nothing but the login and writes";
const PROXY: &str = "or it is a proxy that knows few commands: redis.handshake = \"minimal\" sends \
    it nothing but the login and writes";

/// The name of the server's host was not found.
pub(in crate::redis) fn resolve(server: NamedServer<'_>, host: &str, error: &io::Error) -> Trouble {
    let what = match error.kind() {
        io::ErrorKind::TimedOut => format!("looking up {host:?} took too long"),
        _ => format!("host {host:?} was not found ({error})"),
    };
    Trouble::unreached(
        Class::Reconnect,
        server,
        what,
        "is the name spelled right, and does DNS work here?",
    )
}

/// `redis.password_command` printed no password; `why` begins with the program's name.
pub(in crate::redis) fn password_command(why: &str) -> String {
    format!(
        "redis.password_command: {why}; run it by hand, as the user of this process, to see what \
         it says"
    )
}

/// There is no password to log in with.
pub(in crate::redis) fn password(server: NamedServer<'_>, why: &str) -> Trouble {
    let message = format!("{server}: {}", password_command(why));
    Trouble { class: Class::Config, code: "NONE".to_owned(), message }
}

/// The server is a replica, and a primary is needed.
pub(in crate::redis) fn replica(server: NamedServer<'_>, primary: &str) -> Trouble {
    let message =
        format!("{server}: is a replica of {primary} and takes no writes; was it demoted?");
    Trouble { class: Class::Rediscover, code: "READONLY".to_owned(), message }
}

/// No TCP connection.
pub(in crate::redis) fn dial(
    server: NamedServer<'_>,
    error: &io::Error,
    timeout: Duration,
) -> Trouble {
    let (what, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), format!("is Redis running at {}?", server.node))
        }
        io::ErrorKind::TimedOut => (
            format!("no answer within {timeout:?}"),
            "is the address right, and is a firewall in between?".to_owned(),
        ),
        _ => (error.to_string(), format!("can {} be reached from here?", server.node)),
    };
    Trouble::unreached(Class::Reconnect, server, what, hint)
}

/// No connection to a Unix socket.
pub(in crate::redis) fn dial_unix(server: NamedServer<'_>, error: &io::Error) -> Trouble {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "is Redis running with this `unixsocket`?",
        io::ErrorKind::PermissionDenied => "may this user open the socket (see `unixsocketperm`)?",
        _ => "is Redis running behind this socket?",
    };
    Trouble::unreached(Class::Reconnect, server, error, hint)
}

/// A connection that broke before the first reply.
pub(in crate::redis) fn greeting(
    server: NamedServer<'_>,
    tls: Option<&TlsClient>,
    cause: &Broken,
) -> Trouble {
    let refusal = match cause {
        Broken::Io(error) => tls_hint::rustls_error(error),
        _ => None,
    };
    if let (Some(error), Some(tls)) = (refusal, tls) {
        return tls_hint::of_rustls(server, tls, error, None);
    }
    match (cause, tls) {
        (Broken::Closed | Broken::Io(_), Some(tls)) => {
            let hint = tls_hint::client_certificate(tls.has_client_certificate());
            Trouble::unreached(
                Class::Reconnect,
                server,
                "closed right after the TLS handshake",
                format!("{hint}; {PROXY}"),
            )
        }
        (Broken::Closed | Broken::Io(_), None) => Trouble::unreached(
            Class::Reconnect,
            server,
            "closed as soon as something was sent",
            PROXY_OR_TLS,
        ),
        (Broken::Tls, _) => Trouble::unreached(Class::Config, server, cause, tls_hint::TLS_PORT),
        (Broken::Malformed, _) => {
            Trouble::unreached(Class::Config, server, cause, "is this the port of a Redis server?")
        }
        (Broken::Timeout(_), _) => {
            Trouble::unreached(Class::Reconnect, server, cause, "is Redis overloaded or stopped?")
        }
        (Broken::Unfinished | Broken::Withdrawn | Broken::TooLarge, _) => {
            Trouble::unreached(Class::Reconnect, server, cause, "connect again")
        }
    }
}

/// The server does not know commands that the configured writes need; `found` is its version, which
/// is `None` where nothing is asked.
pub(in crate::redis) fn too_old(
    server: NamedServer<'_>,
    need: VersionNeed,
    found: Option<ServerVersion>,
) -> Trouble {
    let VersionNeed { key, redis, valkey } = need;
    let needed = format!("Redis {}.{} or Valkey {}.{}", redis.0, redis.1, valkey.0, valkey.1);
    let message = match found {
        Some(found) => {
            format!(
                "{server}: {key} needs {needed}, and this is {found}: upgrade it, or unset {key}"
            )
        }
        None => format!(
            "{server}: {key} needs {needed}, and redis.handshake = \"minimal\" does not ask which \
             version this is: use \"auto\", or unset {key}"
        ),
    };
    Trouble { class: Class::Config, code: "NONE".to_owned(), message }
}

/// The server hung up on every command that could show that it is there.
pub(in crate::redis) fn nothing_to_say(server: NamedServer<'_>) -> Trouble {
    Trouble::unreached(
        Class::Reconnect,
        server,
        "closed as soon as something was sent",
        PROXY_OR_TLS,
    )
}

/// An error reply while connecting, to a command that matters (or else to the connection as such).
pub(in crate::redis) fn reply(
    server: NamedServer<'_>,
    command: Option<&str>,
    code: &str,
    detail: &str,
) -> Trouble {
    let mut message = format!("{server}: {}", look_up::redact(code, detail));
    if let Some(command) = command {
        message += &format!(" (answer to {command})");
    }
    if let Some(hint) = look_up::hint(code, detail, server.names) {
        message += &format!("; {hint}");
    }
    if code == "NOPERM" {
        message += server.names.permissions;
    }
    Trouble {
        class: look_up::classify(code, detail),
        code: look_up::safe_code(code).to_owned(),
        message,
    }
}
