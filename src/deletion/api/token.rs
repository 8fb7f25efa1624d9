//! The token that every request must bring.

use std::sync::{Arc, RwLock};

use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use crate::lock;
use crate::server::{SecretDigest, basic, bearer};

/// The token of the API, which may be replaced while it is used. Clones share it.
#[derive(Clone)]
pub struct ApiToken(Arc<RwLock<SecretDigest>>);

impl ApiToken {
    /// The token is `secret`.
    pub fn new(secret: &SecretString) -> Self {
        Self(Arc::new(RwLock::new(digest(secret))))
    }

    /// From now on the token is `secret`.
    pub fn replace(&self, secret: &SecretString) {
        *lock::write(&self.0) = digest(secret);
    }

    /// Whether a request brings the token: as a Bearer token, or as the password of Basic
    /// authentication (with any user name).
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let token = *lock::read(&self.0);
        match (bearer(headers), basic(headers)) {
            (Some(given), _) => token.is(given),
            (None, Some((_, password))) => token.is(&password),
            (None, None) => false,
        }
    }
}

fn digest(secret: &SecretString) -> SecretDigest {
    SecretDigest::of(secret.expose_secret().as_bytes())
}
