//! The passwords of all servers of one kind, which may be replaced while the program runs.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use super::password::LivePassword;
use super::settings::ConnectionSettings;
use crate::config::Node;
use crate::lock::{read, write};

/// The passwords that new connections log in with.
pub(super) struct LivePasswords(RwLock<PasswordSet>);

struct PasswordSet {
    /// Of servers that have none of their own.
    shared: Option<Arc<LivePassword>>,
    own: BTreeMap<Node, Arc<LivePassword>>,
}

impl PasswordSet {
    fn of(settings: &ConnectionSettings) -> Self {
        let own = settings.logins.iter().filter_map(|(node, login)| {
            let password = LivePassword::new(login.password.as_ref()?);
            Some((node.clone(), Arc::new(password)))
        });
        Self {
            shared: settings.password.as_ref().map(LivePassword::new).map(Arc::new),
            own: own.collect(),
        }
    }
}

impl LivePasswords {
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        Self(RwLock::new(PasswordSet::of(settings)))
    }

    /// The passwords in `settings` take the place of those before.
    pub(super) fn replace(&self, settings: &ConnectionSettings) {
        *write(&self.0) = PasswordSet::of(settings);
    }

    /// The password of `node`; without a node, and where it has none of its own, the shared one.
    pub(super) fn of(&self, node: Option<&Node>) -> Option<Arc<LivePassword>> {
        let set = read(&self.0);
        node.and_then(|node| set.own.get(node)).or(set.shared.as_ref()).cloned()
    }
}
