//! The credentials of a request, and comparing them with what is right. Pure.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 of a secret: it is compared in its place.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether `given` is the secret. Takes the same time wherever the two differ, and whatever
    /// their lengths.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(given).0).into()
    }
}

/// The token of Bearer authentication. `None` without one, or with several `Authorization` headers:
/// a proxy may have checked another one than we would.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let token = credentials(headers, "Bearer ")?;
    (!token.is_empty()).then_some(token)
}

/// The user name and the password of Basic authentication. `None` without a colon between them, or
/// with several `Authorization` headers.
pub fn basic(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut user = STANDARD.decode(credentials(headers, "Basic ")?).ok()?;
    let colon = user.iter().position(|&byte| byte == b':')?;
    let password = user.split_off(colon + 1);
    user.truncate(colon);
    Some((user, password))
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (given, rest) = value.split_at_checked(scheme.len())?;
    given.eq_ignore_ascii_case(scheme.as_bytes()).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn the_password_of_basic_is_all_behind_the_first_colon() {
        for (credentials, found) in [
            ("user:word", Some(("user", "word"))),
            (":word", Some(("", "word"))),
            ("user:", Some(("user", ""))),
            ("user:a:b", Some(("user", "a:b"))),
            ("user", None),
        ] {
            let value = format!("bAsic  {}", STANDARD.encode(credentials));
            let expected = found.map(|(user, word)| (user.into(), word.into()));
            assert_eq!(basic(&headers(&[&value])), expected, "{credentials}");
        }
        assert_eq!(basic(&headers(&["Basic !!!"])), None);
        assert_eq!(basic(&headers(&["Bearer x"])), None);
    }
}
