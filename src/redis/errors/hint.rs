//! Failures to connect in plain words: what happened, and what to try.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::broken::Broken;
use super::class::Class;
use super::look_up;
use super::trouble::Trouble;
use crate::printable::printable;
use crate::tls::{HandshakeError, PeerCertificate, TlsClient};

const PLAIN_PORT: &str =
    "is this port TLS? If it is plain text, use redis:// and leave redis.tls.enabled off";
const TLS_PORT: &str =
    "this port seems to speak TLS: use rediss:// or set redis.tls.enabled = true";
const TLS_OR_PROXY: &str = "if this port speaks TLS, use rediss://; if it is a proxy that knows \
    few commands, \
                            redis.handshake = \"minimal\" sends it nothing but the login and \
                            writes";
const PROXY: &str = "or it is a proxy that knows few commands: redis.handshake = \"minimal\" sends \
    it nothing but the login and writes";
const OLD_SERVER: &str = "TLS 1.2 or newer with an ECDHE key exchange and AES-GCM or ChaCha20 is \
    needed: update the server's TLS settings";
const CLIENT_CERTIFICATE: &str = "the server wants a client certificate: set redis.tls.cert_file \
    and redis.tls.key_file (or tls-auth-clients no on the server)";
const OUR_CERTIFICATE: &str = "the server may not accept our client certificate: is \
    redis.tls.cert_file valid and signed by the CA that the server trusts?";
const REISSUE: &str = "reissue it as X.509 version 3 with subjectAltName = DNS:<host> or \
    IP:<address>; \
                       redis.tls.skip_verify = true works meanwhile, unprotected";

/// A broken connection has no code of Redis.
fn broken(class: Class, node: &str, what: impl Display, hint: impl Display) -> Trouble {
    Trouble { class, code: "NONE".to_owned(), message: format!("{node}: {what}; {hint}") }
}

pub(in crate::redis) fn resolve(node: &str, host: &str, error: &io::Error) -> Trouble {
    let what = match error.kind() {
        io::ErrorKind::TimedOut => format!("looking up {host:?} took too long"),
        _ => format!("host {host:?} was not found ({error})"),
    };
    broken(Class::Reconnect, node, what, "is the name spelled right, and does DNS work here?")
}

/// The command tells no password; `why` begins with its name.
pub(in crate::redis) fn password_command(why: &str) -> String {
    format!(
        "redis.password_command: {why}; run it by hand, as the user of this process, to see what \
         it says"
    )
}

pub(in crate::redis) fn password(node: &str, why: &str) -> Trouble {
    let message = format!("{node}: {}", password_command(why));
    Trouble { class: Class::Config, code: "NONE".to_owned(), message }
}

/// A server that takes no writes, though it is said to.
pub(in crate::redis) fn replica(node: &str, primary: &str) -> Trouble {
    let message = format!("{node}: is a replica of {primary} and takes no writes; was it demoted?");
    Trouble { class: Class::Rediscover, code: "READONLY".to_owned(), message }
}

pub(in crate::redis) fn dial(node: &str, error: &io::Error, timeout: Duration) -> Trouble {
    let (what, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), format!("is Redis running at {node}?"))
        }
        io::ErrorKind::TimedOut => (
            format!("no answer within {timeout:?}"),
            "is the address right, and is a firewall in between?".to_owned(),
        ),
        _ => (error.to_string(), format!("can {node} be reached from here?")),
    };
    broken(Class::Reconnect, node, what, hint)
}

pub(in crate::redis) fn dial_unix(path: &Path, error: &io::Error) -> Trouble {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "is Redis running with this `unixsocket`?",
        io::ErrorKind::PermissionDenied => "may this user open the socket (see `unixsocketperm`)?",
        _ => "is Redis running behind this socket?",
    };
    broken(Class::Reconnect, &path.display().to_string(), error, hint)
}

pub(in crate::redis) fn handshake_timeout(node: &str, timeout: Duration) -> Trouble {
    broken(
        Class::Reconnect,
        node,
        format!("connected, but no answer to the TLS handshake within {timeout:?}"),
        PLAIN_PORT,
    )
}

/// A TLS handshake that failed.
pub(in crate::redis) fn handshake(node: &str, tls: &TlsClient, failed: &HandshakeError) -> Trouble {
    match rustls_error(&failed.error) {
        Some(error) => from_rustls(node, tls, error, failed.peer.as_ref()),
        None => broken(
            Class::Reconnect,
            node,
            format!("closed during the TLS handshake ({})", failed.error),
            PLAIN_PORT,
        ),
    }
}

/// A connection that broke before the first reply.
pub(in crate::redis) fn greeting(node: &str, tls: Option<&TlsClient>, cause: &Broken) -> Trouble {
    let refusal = match cause {
        Broken::Io(error) => rustls_error(error),
        _ => None,
    };
    if let (Some(error), Some(tls)) = (refusal, tls) {
        return from_rustls(node, tls, error, None);
    }
    match (cause, tls) {
        (Broken::Closed | Broken::Io(_), Some(tls)) => {
            let hint =
                if tls.has_client_certificate() { OUR_CERTIFICATE } else { CLIENT_CERTIFICATE };
            broken(
                Class::Reconnect,
                node,
                "closed right after the TLS handshake",
                format!("{hint}; {PROXY}"),
            )
        }
        (Broken::Closed | Broken::Io(_), None) => {
            broken(Class::Reconnect, node, "closed as soon as something was sent", TLS_OR_PROXY)
        }
        (Broken::Tls, _) => broken(Class::Config, node, cause, TLS_PORT),
        (Broken::Malformed, _) => {
            broken(Class::Config, node, cause, "is this the port of a Redis server?")
        }
        (Broken::Timeout(_), _) => {
            broken(Class::Reconnect, node, cause, "is Redis overloaded or stopped?")
        }
        (Broken::Unfinished | Broken::Withdrawn, _) => {
            broken(Class::Reconnect, node, cause, "connect again")
        }
    }
}

/// Every command that could show that a server is there has been hung up on.
pub(in crate::redis) fn nothing_to_say(node: &str) -> Trouble {
    broken(Class::Reconnect, node, "closed as soon as something was sent", TLS_OR_PROXY)
}

/// An error reply while connecting, to a command that matters (or else to the connection as such).
pub(in crate::redis) fn reply(
    node: &str,
    command: Option<&str>,
    code: &str,
    detail: &str,
) -> Trouble {
    let mut message = format!("{node}: {}", look_up::redact(code, detail));
    if let Some(command) = command {
        message += &format!(" (answer to {command})");
    }
    if let Some(hint) = look_up::hint(code, detail) {
        message += &format!("; {hint}");
    }
    Trouble {
        class: look_up::classify(code, detail),
        code: look_up::safe_code(code).to_owned(),
        message,
    }
}

/// rustls' own error, as tokio-rustls wraps it.
fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn from_rustls(
    node: &str,
    tls: &TlsClient,
    error: &rustls::Error,
    peer: Option<&PeerCertificate>,
) -> Trouble {
    use rustls::Error as E;
    let config = |what: &dyn Display, hint: &str| broken(Class::Config, node, what, hint);
    match error {
        E::InvalidCertificate(error) => {
            let (what, hint) = certificate(tls, error, peer);
            config(&what, &hint)
        }
        E::AlertReceived(alert) => {
            let hint = alert_hint(*alert, tls.has_client_certificate());
            config(
                &format_args!("the server ended the TLS handshake with the alert {alert:?}"),
                hint,
            )
        }
        E::InvalidMessage(_) | E::InappropriateMessage { .. } | E::PeerSentOversizedRecord => {
            config(&"the answer to the TLS handshake is not TLS", PLAIN_PORT)
        }
        E::PeerIncompatible(why) => {
            config(&format_args!("no common TLS version or cipher ({why:?})"), OLD_SERVER)
        }
        other => {
            config(&format_args!("TLS failed: {}", printable(&other.to_string())), "see redis.tls")
        }
    }
}

fn alert_hint(alert: AlertDescription, has_client_certificate: bool) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => CLIENT_CERTIFICATE,
        A::ProtocolVersion | A::InsufficientSecurity => OLD_SERVER,
        A::HandshakeFailure if has_client_certificate => OLD_SERVER,
        A::HandshakeFailure => {
            "TLS 1.2 or newer with an ECDHE key exchange and AES-GCM or ChaCha20 is needed; \
             or the server wants a client certificate (redis.tls.cert_file and key_file)"
        }
        A::UnrecognisedName => "the server does not know this host name: set redis.tls.server_name",
        A::UnknownCA
        | A::BadCertificate
        | A::CertificateUnknown
        | A::CertificateExpired
        | A::CertificateRevoked
        | A::UnsupportedCertificate
        | A::DecryptError
        | A::AccessDenied
            if has_client_certificate =>
        {
            OUR_CERTIFICATE
        }
        _ => "see the server's log",
    }
}

/// What is wrong with the server's certificate, and what to do.
fn certificate(
    tls: &TlsClient,
    error: &CertificateError,
    peer: Option<&PeerCertificate>,
) -> (String, String) {
    use CertificateError as E;
    let name = peer.map_or("?", |peer| peer.subject.as_str());
    match error {
        E::Other(_) if peer.is_some_and(|peer| peer.version < 3) => (
            format!(
                "the server's certificate ({name}) is X.509 version 1, which cannot name its \
                host"
            ),
            REISSUE.to_owned(),
        ),
        E::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            format!(
                "the server's certificate ({name}) is a CA certificate (CA:TRUE), which must \
                not be used by a server"
            ),
            format!(
                "make one with basicConstraints = CA:FALSE and a \
                subjectAltName{}",
                nameless(peer)
            ),
        ),
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            format!(
                "the server's certificate ({name}) has no subjectAltName; a Common Name alone \
                is not accepted"
            ),
            REISSUE.to_owned(),
        ),
        E::NotValidForNameContext { expected, presented } => (
            format!(
                "the server's certificate is not valid for {:?}, only \
                for {}",
                expected.to_str(),
                names(presented)
            ),
            "connect by one of these names, or set redis.tls.server_name to one of them".to_owned(),
        ),
        E::ExpiredContext { time, not_after } => (
            format!(
                "the server's certificate ({name}) expired on {}; it is \
                now {}",
                date(*not_after),
                date(*time)
            ),
            "renew it, and check the clocks".to_owned(),
        ),
        E::NotValidYetContext { time, not_before } => (
            format!(
                "the server's certificate ({name}) is valid only from {}; it is \
                now {}",
                date(*not_before),
                date(*time)
            ),
            "check the clocks".to_owned(),
        ),
        E::InvalidPurposeContext { presented, .. } => {
            let allowed = presented.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            (
                format!(
                    "the server's certificate ({name}) is not made for servers; it allows \
                    {allowed}"
                ),
                "reissue it with extendedKeyUsage = serverAuth".to_owned(),
            )
        }
        E::UnknownIssuer => unknown_issuer(tls, name, peer),
        E::BadSignature
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            format!(
                "the key or the signature of the server's certificate ({name}) is too weak or \
                damaged"
            ),
            "RSA of at least 2048 bits or ECDSA, signed with SHA-256 or better, is needed: \
             reissue it"
                .to_owned(),
        ),
        other => {
            let why = printable(&other.to_string());
            (
                format!(
                    "the server's certificate ({name}) is not accepted: \
                {why}"
                ),
                "see redis.tls".to_owned(),
            )
        }
    }
}

/// webpki gives names as it debugs them: `DnsName("redis")`, `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &str| {
        let inner =
            name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        printable(inner.trim_matches('"'))
    };
    presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", ")
}

fn unknown_issuer(tls: &TlsClient, name: &str, peer: Option<&PeerCertificate>) -> (String, String) {
    let trust = tls.trust();
    match peer {
        Some(peer) if peer.is_self_signed() => (
            format!("the server's certificate ({name}) is self-signed and not in {trust}"),
            format!("put that certificate itself into redis.tls.ca_file{}", nameless(Some(peer))),
        ),
        _ => (
            format!(
                "the server's certificate ({name}) is signed by {:?}, which is not in {trust}",
                peer.map_or("an unknown issuer", |peer| peer.issuer.as_str())
            ),
            format!("put that CA's certificate into redis.tls.ca_file{}", nameless(peer)),
        ),
    }
}

/// The next error, told early.
fn nameless(peer: Option<&PeerCertificate>) -> &'static str {
    match peer {
        Some(peer) if !peer.has_names => {
            " (it has no subjectAltName either, so it must be reissued with one)"
        }
        _ => "",
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
