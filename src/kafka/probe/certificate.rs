//! Says what is wrong with a broker's certificate: OpenSSL only says that verification failed.

use std::fmt::Display;
use std::time::Duration;

use rustls::{CertificateError, Error};
use tokio::net::TcpStream;

use crate::config::Tls;
use crate::tls::{HandshakeError, TlsClient};

/// Time limit for one server.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Repeats the handshake with rustls, and explains the first certificate of `servers` that does not
/// verify. `None`: all of them verify here.
pub(super) fn explain(servers: &str, tls: &Tls) -> Option<String> {
    let tls = TlsClient::new(tls).ok()?;
    // The caller's thread may run a runtime already.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let explained = runtime.block_on(async {
                for server in servers.split(',') {
                    if let Ok(Some(text)) =
                        tokio::time::timeout(TIMEOUT, ask(server.trim(), &tls)).await
                    {
                        return Some(text);
                    }
                }
                None
            });
            runtime.shutdown_background();
            explained
        });
        thread.join().expect("asking does not panic")
    })
}

async fn ask(server: &str, tls: &TlsClient) -> Option<String> {
    let (host, _) = server.rsplit_once(':')?;
    let stream = TcpStream::connect(server).await.ok()?;
    let failed = tls.connect(host.trim_matches(['[', ']']), stream).await.err()?;
    Some(format!("{server}: {}", sentence(tls.trust(), &failed)?))
}

fn sentence(trust: &str, failed: &HandshakeError) -> Option<String> {
    let Error::InvalidCertificate(error) = failed.error.get_ref()?.downcast_ref()? else {
        return None;
    };
    let subject = failed.peer.as_ref().map_or("?", |peer| peer.subject.as_str());
    let what = |what: &dyn Display| format!("the broker's certificate ({subject}) {what}");
    Some(match error {
        CertificateError::UnknownIssuer => {
            let (signed, remedy) = match &failed.peer {
                Some(peer) if !peer.is_self_signed() => {
                    (format!("signed by {:?}", peer.issuer), "that CA's certificate")
                }
                _ => ("self-signed".to_owned(), "that certificate itself"),
            };
            what(&format_args!(
                "is {signed}, which is not in {trust}; put {remedy} into kafka.tls.ca_file"
            ))
        }
        CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName => {
            what(&format_args!(
                "is not for this host: {error}; kafka.bootstrap_servers and advertised.listeners \
                 must use its names"
            ))
        }
        other => what(&format_args!("is not accepted: {other}; renew or reissue it")),
    })
}
