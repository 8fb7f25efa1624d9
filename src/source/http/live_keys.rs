//! The write keys in use, which may be replaced while the program runs.

use std::sync::{Arc, RwLock};

use super::auth::KeyDigests;
use crate::config::WriteKey;
use crate::lock::{read, write};
use crate::profile::Prefix;

/// The write keys that requests are checked against. Clones share them.
#[derive(Clone)]
pub struct LiveKeys(Arc<RwLock<Arc<KeyDigests>>>);

impl LiveKeys {
    pub(super) fn new(keys: &[WriteKey], default_prefix: &Prefix) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(KeyDigests::new(keys, default_prefix)))))
    }

    /// Requests that begin from now on are checked against `keys`. `default_prefix` is
    /// `redis.prefix`.
    pub fn replace(&self, keys: &[WriteKey], default_prefix: &Prefix) {
        *write(&self.0) = Arc::new(KeyDigests::new(keys, default_prefix));
    }

    /// The keys of now: a request keeps them to its end.
    pub(super) fn current(&self) -> Arc<KeyDigests> {
        Arc::clone(&read(&self.0))
    }
}
