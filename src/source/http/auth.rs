//! Write keys: which request may write, and what its events may.

use axum::http::HeaderMap;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::config::WriteKey;
use crate::profile::Prefix;
use crate::server::basic;

/// The write keys, kept as digests, each with what it grants.
pub(super) struct KeyDigests {
    keys: Vec<Key>,
    /// What a request is granted where no key is needed.
    without: KeyGrant,
}

struct Key {
    digest: [u8; 32],
    grant: KeyGrant,
}

/// What the events of a request may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyGrant {
    /// Under which prefix they are written.
    pub(super) prefix: Prefix,
    /// They may delete users.
    pub(super) may_delete: bool,
    /// Its events come through a gateway.
    pub(super) gateway: bool,
}

impl KeyDigests {
    /// Without any key every request may write, under `default_prefix`.
    pub(super) fn new(keys: &[WriteKey], default_prefix: &Prefix) -> Self {
        let key = |key: &WriteKey| Key {
            digest: Sha256::digest(key.key.expose_secret()).into(),
            grant: KeyGrant {
                prefix: key.prefix_rule.as_ref().unwrap_or(default_prefix).clone(),
                may_delete: key.may_delete,
                gateway: key.gateway,
            },
        };
        let without =
            KeyGrant { prefix: default_prefix.clone(), may_delete: false, gateway: false };
        Self { keys: keys.iter().map(key).collect(), without }
    }

    /// True when no key is needed.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What a request's write key grants; `None`: the request may not write.
    ///
    /// Takes the same time for a missing, an unknown and any known key: all digests are compared
    /// whole.
    pub(super) fn grant(&self, headers: &HeaderMap) -> Option<&KeyGrant> {
        if self.keys.is_empty() {
            return Some(&self.without);
        }
        let given = basic_user(headers);
        let digest = Sha256::digest(given.as_deref().unwrap_or_default());
        let mut found = Choice::from(0);
        let mut index = 0;
        for (i, key) in self.keys.iter().enumerate() {
            let same = key.digest.ct_eq(&digest);
            index.conditional_assign(&(i as u64), same);
            found |= same;
        }
        (given.is_some() & bool::from(found)).then(|| &self.keys[index as usize].grant)
    }
}

/// The user name of Basic auth; the password is ignored. `None` without credentials of that kind,
/// or with an empty name.
fn basic_user(headers: &HeaderMap) -> Option<Vec<u8>> {
    basic(headers).map(|(user, _)| user).filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn keys() -> KeyDigests {
        let key = |key: &str, prefix: Option<&str>| WriteKey {
            prefix_rule: prefix.map(fixed),
            may_delete: key == "second",
            gateway: key == "second",
            ..WriteKey::plain(String::new(), key.into())
        };
        KeyDigests::new(
            &[key("first", None), key("second", Some("team")), key("third", Some(""))],
            &fixed("base"),
        )
    }

    fn fixed(text: &str) -> Prefix {
        Prefix::Fixed(text.to_owned())
    }

    /// What is granted without a key of its own.
    fn base() -> KeyGrant {
        KeyGrant { prefix: fixed("base"), may_delete: false, gateway: false }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
    }

    fn basic(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn a_known_key_grants_its_own_prefix_or_the_default() {
        for (user, prefix) in [
            ("first:", "base"),
            ("second:", "team"),
            ("third:", ""),
            ("second:any password:", "team"),
        ] {
            let second = prefix == "team";
            let grant = KeyGrant { prefix: fixed(prefix), may_delete: second, gateway: second };
            assert_eq!(keys().grant(&headers(&[&basic(user)])), Some(&grant), "{user}");
        }
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        let value = basic("first:").replace("Basic", "bAsIc");
        assert_eq!(keys().grant(&headers(&[&value])), Some(&base()));
    }

    #[test]
    fn anything_else_may_not_write() {
        let good = basic("first:");
        let rows: [(&str, &[&str]); 10] = [
            ("none", &[]),
            ("unknown", &[&basic("fourth:")]),
            ("a prefix of a key", &[&basic("firs:")]),
            ("no colon", &[&basic("first")]),
            ("empty user", &[&basic(":first")]),
            ("bad base64", &["Basic !!!"]),
            ("no credentials", &["Basic"]),
            ("bearer", &["Bearer first"]),
            ("the key itself", &["first"]),
            ("two headers", &[&good, &good]),
        ];
        for (what, values) in rows {
            assert_eq!(keys().grant(&headers(values)), None, "{what}");
        }
    }

    #[test]
    fn without_keys_everyone_may_write() {
        let keys = KeyDigests::new(&[], &fixed("base"));
        assert_eq!(keys.grant(&headers(&[])), Some(&base()));
        assert_eq!(keys.grant(&headers(&["Bearer x"])), Some(&base()));
    }
}
