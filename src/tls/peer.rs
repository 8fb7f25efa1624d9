//! Reads the facts of a server's certificate that make an error readable. Pure.
//!
//! rustls refuses old certificates before it reads their names; hence this small DER reader.

use crate::printable::printable;

/// The contents of a certificate, none of them verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// X.509 version, 1 to 3.
    pub version: u8,
    /// `CN=..., O=...`
    pub subject: String,
    pub issuer: String,
    /// The certificate has a subjectAltName, the only place where host names count.
    pub has_names: bool,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The last number of the object ids 2.5.4.n (X.520 attributes) that are shown, and their names.
const ATTRIBUTES: &[(u8, &str)] = &[(3, "CN"), (10, "O"), (11, "OU")];

impl PeerCertificate {
    /// `None` when `der` is not a certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut body = Der(Der(Der(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
        let version = match body.peek()? {
            VERSION => Der(body.expect(VERSION)?).any()?.1.last()?.saturating_add(1),
            _ => 1,
        };
        let _serial = body.any()?;
        let _algorithm = body.any()?;
        let issuer = name(body.expect(SEQUENCE)?)?;
        let _validity = body.any()?;
        let subject = name(body.expect(SEQUENCE)?)?;
        let _public_key = body.any()?;
        let mut has_names = false;
        while let Some((tag, content)) = body.any() {
            has_names |= tag == EXTENSIONS && has_subject_alt_name(content)?;
        }
        Some(Self { version, subject, issuer, has_names })
    }

    /// True when subject and issuer are the same.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

fn has_subject_alt_name(extensions: &[u8]) -> Option<bool> {
    let mut list = Der(Der(extensions).expect(SEQUENCE)?);
    while list.peek().is_some() {
        if Der(list.expect(SEQUENCE)?).expect(OBJECT_ID)? == SUBJECT_ALT_NAME {
            return Some(true);
        }
    }
    Some(false)
}

/// An X.501 name: a sequence of sets of (object id, string).
fn name(bytes: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = Der(bytes);
    while sets.peek().is_some() {
        let mut attributes = Der(sets.expect(SET)?);
        while attributes.peek().is_some() {
            let mut attribute = Der(attributes.expect(SEQUENCE)?);
            let id = attribute.expect(OBJECT_ID)?;
            let (_, value) = attribute.any()?;
            let label = ATTRIBUTES.iter().find(|(n, _)| id == [0x55, 0x04, *n]);
            if let Some((_, label)) = label {
                parts.push(format!("{label}={}", printable(&String::from_utf8_lossy(value))));
            }
        }
    }
    Some(parts.join(", "))
}

/// The rest of DER-encoded bytes.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element's tag and content.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut len = usize::from(first);
        if first & 0x80 != 0 {
            let (digits, tail) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if digits.len() > 4 {
                return None;
            }
            len = digits.iter().fold(0, |n, &digit| n << 8 | usize::from(digit));
            rest = tail;
        }
        let (content, tail) = rest.split_at_checked(len)?;
        self.0 = tail;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[&str]) -> Vec<u8> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "red\nis");
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn reads_names_and_version() {
        let read = PeerCertificate::read(&certificate(&["localhost"])).unwrap();
        let name = r"CN=red\u{a}is, O=Example".to_owned();
        assert_eq!(
            read,
            PeerCertificate { version: 3, subject: name.clone(), issuer: name, has_names: true }
        );
        assert!(read.is_self_signed());
        assert!(!PeerCertificate::read(&certificate(&[])).unwrap().has_names);
    }

    proptest! {
        #[test]
        fn total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PeerCertificate::read(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
            let mut der = certificate(&["localhost"]);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = PeerCertificate::read(&der);
        }
    }
}
