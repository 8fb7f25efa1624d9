//! Write keys: which request may write, and under which prefix.

use axum::http::HeaderMap;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::config::WriteKey;
use crate::server::basic;

/// The write keys, kept as digests, each with the prefix that it grants.
pub(super) struct KeyDigests {
    keys: Vec<Key>,
    default_prefix: String,
}

struct Key {
    digest: [u8; 32],
    prefix: String,
}

impl KeyDigests {
    /// Without any key every request may write, under `default_prefix`.
    pub(super) fn new(keys: &[WriteKey], default_prefix: &str) -> Self {
        let key = |key: &WriteKey| Key {
            digest: Sha256::digest(key.key.expose_secret()).into(),
            prefix: key.prefix.clone().unwrap_or_else(|| default_prefix.to_owned()),
        };
        Self { keys: keys.iter().map(key).collect(), default_prefix: default_prefix.to_owned() }
    }

    /// True when no key is needed.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The prefix that a request's write key grants; `None`: the request may not write.
    ///
    /// Takes the same time for a missing, an unknown and any known key: all digests are compared
    /// whole.
    pub(super) fn prefix(&self, headers: &HeaderMap) -> Option<&str> {
        if self.keys.is_empty() {
            return Some(&self.default_prefix);
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
        (given.is_some() & bool::from(found)).then(|| self.keys[index as usize].prefix.as_str())
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
            name: String::new(),
            key: key.into(),
            prefix: prefix.map(str::to_owned),
        };
        KeyDigests::new(
            &[key("first", None), key("second", Some("team")), key("third", Some(""))],
            "base",
        )
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
            assert_eq!(keys().prefix(&headers(&[&basic(user)])), Some(prefix), "{user}");
        }
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        let value = basic("first:").replace("Basic", "bAsIc");
        assert_eq!(keys().prefix(&headers(&[&value])), Some("base"));
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
            assert_eq!(keys().prefix(&headers(values)), None, "{what}");
        }
    }

    #[test]
    fn without_keys_everyone_may_write() {
        let keys = KeyDigests::new(&[], "base");
        assert_eq!(keys.prefix(&headers(&[])), Some("base"));
        assert_eq!(keys.prefix(&headers(&["Bearer x"])), Some("base"));
    }
}
