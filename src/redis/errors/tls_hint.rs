//! TLS handshakes that failed, in plain words: what happened, and what to try.
//!
//! In the hints, `{section}` stands for the configuration table of the server, such as `redis`.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::class::Class;
use super::names::NamedServer;
use super::trouble::Trouble;
use crate::printable::printable;
use crate::tls::{HandshakeError, PeerCertificate, TlsClient};

const PLAIN_PORT: &str = "is this port TLS? If it is plain text, use redis:// and leave \
    {section}.tls.enabled off";
pub(super) const TLS_PORT: &str = "this port seems to speak TLS: use rediss:// or set \
    {section}.tls.enabled = true";
const OLD_SERVER: &str = "TLS 1.2 or newer with an ECDHE key exchange and AES-GCM or ChaCha20 is \
    needed: update the server's TLS settings";
const REISSUE: &str = "reissue it as X.509 version 3 with subjectAltName = DNS:<host> or \
    IP:<address>; {section}.tls.skip_verify = true works meanwhile, unprotected";

/// The server may want a client certificate, or another one than it was shown.
pub(super) const fn client_certificate(has_one: bool) -> &'static str {
    if has_one {
        "the server may not accept our client certificate: is {section}.tls.cert_file valid and \
         signed by the CA that the server trusts?"
    } else {
        "the server wants a client certificate: set {section}.tls.cert_file and \
         {section}.tls.key_file (or tls-auth-clients no on the server)"
    }
}

/// The server did not answer the TLS handshake in time.
pub(in crate::redis) fn handshake_timeout(server: NamedServer<'_>, timeout: Duration) -> Trouble {
    Trouble::unreached(
        Class::Reconnect,
        server,
        format!("connected, but no answer to the TLS handshake within {timeout:?}"),
        PLAIN_PORT,
    )
}

/// A TLS handshake that failed.
pub(in crate::redis) fn handshake(
    server: NamedServer<'_>,
    tls: &TlsClient,
    failed: &HandshakeError,
) -> Trouble {
    match rustls_error(&failed.error) {
        Some(error) => of_rustls(server, tls, error, failed.peer.as_ref()),
        None => Trouble::unreached(
            Class::Reconnect,
            server,
            format!("closed during the TLS handshake ({})", failed.error),
            PLAIN_PORT,
        ),
    }
}

/// The error of rustls inside the one of tokio-rustls.
pub(super) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// An error of rustls while connecting.
pub(super) fn of_rustls(
    server: NamedServer<'_>,
    tls: &TlsClient,
    error: &rustls::Error,
    peer: Option<&PeerCertificate>,
) -> Trouble {
    use rustls::Error as E;
    let config =
        |what: &dyn Display, hint: &str| Trouble::unreached(Class::Config, server, what, hint);
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
        other => config(
            &format_args!("TLS failed: {}", printable(&other.to_string())),
            "see {section}.tls",
        ),
    }
}

fn alert_hint(alert: AlertDescription, has_client_certificate: bool) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => client_certificate(false),
        A::ProtocolVersion | A::InsufficientSecurity => OLD_SERVER,
        A::HandshakeFailure if has_client_certificate => OLD_SERVER,
        A::HandshakeFailure => {
            "TLS 1.2 or newer with an ECDHE key exchange and AES-GCM or ChaCha20 is needed; \
             or the server wants a client certificate ({section}.tls.cert_file and key_file)"
        }
        A::UnrecognisedName => {
            "the server does not know this host name: set {section}.tls.server_name"
        }
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
            client_certificate(true)
        }
        _ => "see the server's log",
    }
}

/// The fault of the server's certificate, and the remedy.
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
            "connect by one of these names, or set {section}.tls.server_name to one of them"
                .to_owned(),
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
                "see {section}.tls".to_owned(),
            )
        }
    }
}

/// The names of a certificate. webpki has them in debug format: `DnsName("redis")`,
/// `IpAddress(10.0.0.1)`.
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
            format!(
                "put that certificate itself into {{section}}.tls.ca_file{}",
                nameless(Some(peer))
            ),
        ),
        _ => (
            format!(
                "the server's certificate ({name}) is signed by {:?}, which is not in {trust}",
                peer.map_or("an unknown issuer", |peer| peer.issuer.as_str())
            ),
            format!("put that CA's certificate into {{section}}.tls.ca_file{}", nameless(peer)),
        ),
    }
}

/// A hint at the error that would come next.
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
