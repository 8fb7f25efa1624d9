//! Which helpful commands one server does not take, remembered for all connections to it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::handshake::Step;

/// After this, a new connection asks for all of it again: the proxy may have been replaced by one
/// that knows more.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The commands that one server refused or hung up on. Shared by all lanes.
#[derive(Debug, Default)]
pub(super) struct Dialect(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    omitted: BTreeSet<Step>,
    /// When the last of them was learned.
    learned: Option<Instant>,
    /// The server that it was learned of.
    run_id: Option<String>,
}

/// One for each server, by its address.
#[derive(Debug, Clone, Default)]
pub(super) struct Dialects(Arc<Mutex<HashMap<String, Arc<Dialect>>>>);

impl Dialects {
    pub(super) fn of(&self, node: &str) -> Arc<Dialect> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(node.to_owned()).or_default())
    }
}

impl Dialect {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commands that a new connection leaves out.
    pub(super) fn at_connect(&self, now: Instant) -> BTreeSet<Step> {
        let mut known = self.lock();
        if known
            .learned
            .is_some_and(|learned| now.saturating_duration_since(learned) >= FORGET_AFTER)
        {
            *known = Known::default();
        }
        known.omitted.clone()
    }

    pub(super) fn omits(&self, step: Step) -> bool {
        self.lock().omitted.contains(&step)
    }

    /// Leaves these out from now on.
    pub(super) fn learn(&self, steps: impl IntoIterator<Item = Step>) {
        let mut known = self.lock();
        let before = known.omitted.len();
        known.omitted.extend(steps);
        if known.omitted.len() > before {
            known.learned = Some(Instant::now());
        }
    }

    /// Notes which server a connection leads to. True when it is another than before and something
    /// was left out for the former: that is forgotten.
    pub(super) fn is_another(&self, run_id: Option<&str>) -> bool {
        let Some(run_id) = run_id else { return false };
        let mut known = self.lock();
        let former = known.run_id.replace(run_id.to_owned());
        if former.is_none_or(|former| former == run_id) || known.omitted.is_empty() {
            return false;
        }
        known.omitted.clear();
        known.learned = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_forgotten_with_the_server_or_after_a_while() {
        let dialects = Dialects::default();
        let dialect = dialects.of("a:1");
        assert!(!dialect.is_another(Some("one")));
        dialect.learn([Step::ClientInfo]);
        let now = Instant::now();
        assert!(
            dialects.of("a:1").at_connect(now).contains(&Step::ClientInfo)
                && dialect.omits(Step::ClientInfo)
        );
        assert!(dialects.of("b:1").at_connect(now).is_empty());
        assert!(!dialect.is_another(Some("one")) && !dialect.is_another(None));
        assert!(dialect.is_another(Some("two")) && !dialect.omits(Step::ClientInfo));
        dialect.learn([Step::Ping]);
        assert!(dialect.at_connect(now).contains(&Step::Ping));
        assert!(dialect.at_connect(Instant::now() + FORGET_AFTER).is_empty());
    }
}
