//! Reads the facts of a server's certificate that make an error readable. Pure.
//!
//! rustls refuses old certificates before it reads their names; hence this small DER reader.

use jiff::civil;
use jiff::tz::TimeZone;

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
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
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

/// The end of a certificate's validity, in seconds since 1970; `None` when `der` is no certificate,
/// or its time is outside of the years 0 to 9999.
pub(super) fn not_after(der: &[u8]) -> Option<i64> {
    let mut body = Der(Der(Der(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
    if body.peek()? == VERSION {
        body.any()?;
    }
    let _serial = body.any()?;
    let _algorithm = body.any()?;
    let _issuer = body.any()?;
    let mut validity = Der(body.expect(SEQUENCE)?);
    let _not_before = validity.any()?;
    let (tag, text) = validity.any()?;
    let text = str::from_utf8(text).ok()?;
    // RFC 5280, section 4.1.2.5: always in UTC, with seconds and a Z.
    let text = match tag {
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
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

    #[test]
    fn the_end_of_validity_is_read_in_both_forms() {
        // date -u -d 2030-01-01 +%s
        for (year, seconds) in [
            (1999, 915_148_800),
            (2030, 1_893_456_000),
            (2050, 2_524_608_000),
            (2100, 4_102_444_800),
        ] {
            let mut params = CertificateParams::new([]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(der.der()), Some(seconds), "{year}");
        }
    }

    proptest! {
        #[test]
        fn total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = not_after(&bytes);
            let _ = PeerCertificate::read(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
            let mut der = certificate(&["localhost"]);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = not_after(&der);
            let _ = PeerCertificate::read(&der);
        }
    }
}
