//! When certificates end: of those that are configured, and of a chain that a server sent.

use rustls::pki_types::CertificateDer;

use super::peer::not_after;
use super::pem::certificates;
use crate::config::Tls;

/// When the first certificate of `chain` ends, in seconds since 1970; `None` where no end can be
/// read.
pub fn chain_end(chain: &[CertificateDer<'_>]) -> Option<i64> {
    chain.iter().filter_map(|certificate| not_after(certificate)).min()
}

/// When the first of the certificates in `tls` ends: the client's own chain and the authorities.
/// The system's authorities do not count. `None` where there are none, or none can be read.
pub fn first_end(tls: &Tls) -> Option<i64> {
    let own = tls.client.iter().map(|(certificate, _)| certificate);
    own.chain(&tls.ca).filter_map(|pem| chain_end(&certificates(pem).ok()?.0)).min()
}
