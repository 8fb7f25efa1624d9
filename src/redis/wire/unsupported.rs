//! The optional commands that a server does not take, remembered for all connections to it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::step::Step;

use crate::lock::lock;

/// After this time, a new connection tries all commands again: the proxy may have been replaced by
/// one that knows more.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The commands that one server refused or hung up on. Shared by all lanes.
#[derive(Debug, Default)]
pub(super) struct UnsupportedCommands(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    omitted: BTreeSet<Step>,
    /// When the last of `omitted` was learned.
    at: Option<Instant>,
    /// `run_id` of the server that refused them.
    run_id: Option<String>,
}

/// [`UnsupportedCommands`] of each server, by its address.
#[derive(Debug, Clone, Default)]
pub(super) struct UnsupportedByServer(Arc<Mutex<HashMap<String, Arc<UnsupportedCommands>>>>);

impl UnsupportedByServer {
    /// Shared by all connections to `node`.
    pub(super) fn of(&self, node: &str) -> Arc<UnsupportedCommands> {
        let mut servers = lock(&self.0);
        Arc::clone(servers.entry(node.to_owned()).or_default())
    }
}

impl UnsupportedCommands {
    fn lock(&self) -> MutexGuard<'_, Learned> {
        lock(&self.0)
    }

    /// The commands that a new connection leaves out.
    pub(super) fn at_connect(&self, now: Instant) -> BTreeSet<Step> {
        let mut learned = self.lock();
        if learned.at.is_some_and(|at| now.saturating_duration_since(at) >= FORGET_AFTER) {
            *learned = Learned::default();
        }
        learned.omitted.clone()
    }

    /// Whether new connections leave `step` out.
    pub(super) fn omits(&self, step: Step) -> bool {
        self.lock().omitted.contains(&step)
    }

    /// Leaves `steps` out from now on.
    pub(super) fn learn(&self, steps: impl IntoIterator<Item = Step>) {
        let mut learned = self.lock();
        let before = learned.omitted.len();
        learned.omitted.extend(steps);
        if learned.omitted.len() > before {
            learned.at = Some(Instant::now());
        }
    }

    /// Notes which server a connection leads to. True when that is another server than before and
    /// commands were left out for the former one: they are forgotten.
    pub(super) fn is_another(&self, run_id: Option<&str>) -> bool {
        let Some(run_id) = run_id else { return false };
        let mut learned = self.lock();
        let former = learned.run_id.replace(run_id.to_owned());
        if former.is_none_or(|former| former == run_id) || learned.omitted.is_empty() {
            return false;
        }
        learned.omitted.clear();
        learned.at = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_forgotten_with_the_server_or_after_a_while() {
        let servers = UnsupportedByServer::default();
        let unsupported = servers.of("a:1");
        assert!(!unsupported.is_another(Some("one")));
        unsupported.learn([Step::ClientInfo]);
        let now = Instant::now();
        assert!(
            servers.of("a:1").at_connect(now).contains(&Step::ClientInfo)
                && unsupported.omits(Step::ClientInfo)
        );
        assert!(servers.of("b:1").at_connect(now).is_empty());
        assert!(!unsupported.is_another(Some("one")) && !unsupported.is_another(None));
        assert!(unsupported.is_another(Some("two")) && !unsupported.omits(Step::ClientInfo));
        unsupported.learn([Step::Ping]);
        assert!(unsupported.at_connect(now).contains(&Step::Ping));
        assert!(unsupported.at_connect(Instant::now() + FORGET_AFTER).is_empty());
    }
}
