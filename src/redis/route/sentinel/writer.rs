//! The writes of one lane to the master of the moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout};

use super::discovery::Sentinel;
use super::state::MasterState;
use super::watch;
use crate::config::Node;
use crate::metrics::Metrics;
use crate::redis::command::{Verdict, Writes};
use crate::redis::link::{Link, NodeReply};
use crate::redis::{Allowed, Class, Trouble};

/// The longest time that one attempt waits for a failover to end.
const FAILOVER_WAIT: Duration = Duration::from_millis(500);

/// The connections of one lane: to the master, and to earlier masters that may still apply what was
/// sent to them.
pub struct SentinelWriter {
    sentinel: Arc<Sentinel>,
    state: Receiver<MasterState>,
    links: HashMap<Node, Link>,
    /// The version of the state whose master could not be written to.
    stale: Option<u64>,
    metrics: Arc<Metrics>,
}

impl SentinelWriter {
    pub(in crate::redis::route) fn new(sentinel: Arc<Sentinel>, metrics: Arc<Metrics>) -> Self {
        watch::begin(&sentinel, &metrics);
        let state = sentinel.state();
        Self { sentinel, state, links: HashMap::new(), stale: None, metrics }
    }

    pub(in crate::redis::route) async fn reach(&mut self) -> Result<(), Trouble> {
        let (master, version) = self.master().await?;
        let key = self.sentinel.base().blank_key().to_owned();
        let reached = self.link(&master).reach(&key).await;
        if reached.is_err() {
            self.stale = Some(version);
        }
        reached
    }

    pub(in crate::redis::route) async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        let all = verdicts.len() + writes.len();
        let (master, version) = match self.master().await {
            Ok(found) => found,
            Err(trouble) => {
                verdicts.resize(all, Verdict::Retry(trouble.class));
                return Some(trouble);
            }
        };
        self.link(&master);
        let Self { links, state, .. } = self;
        let link = links.get_mut(&master).expect("made above");
        let mut replies = Vec::with_capacity(writes.len());
        let written = tokio::select! {
            biased;
            trouble = link.write(writes.whole(), false, allowed, &mut replies) => Some(trouble),
            () = replaced(state, &master) => None,
        };
        let Some(trouble) = written else {
            // A write that the old master has not confirmed by now is not in the new master's data.
            link.abandon();
            verdicts.resize(all, Verdict::Unknown);
            return Some(Trouble::rediscover(format!("{master} is no longer the master")));
        };
        let from = verdicts.len();
        verdicts.extend(replies.into_iter().map(NodeReply::verdict));
        let is_master = state.borrow().takes_writes(&master, Instant::now());
        if !is_master {
            // The old master may have read the write after it last sent anything to the next one.
            verdicts[from..]
                .iter_mut()
                .filter(|verdict| verdict.is_confirmed())
                .for_each(|verdict| *verdict = Verdict::Unknown);
        }
        if trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry) {
            self.stale = Some(version);
        }
        trouble.or_else(|| (!is_master).then(under_way))
    }

    /// The master, and the version of the state that names it; asks when the last one could not be
    /// written to.
    async fn master(&mut self) -> Result<(Node, u64), Trouble> {
        let in_failover = |state: &MasterState| state.in_failover(Instant::now());
        let ends = self.state.wait_for(|state| !in_failover(state));
        let ended = timeout(FAILOVER_WAIT, ends).await.is_ok();
        if !ended && in_failover(&self.state.borrow()) {
            return Err(under_way());
        }
        let mut state = self.state.borrow().clone();
        if self.stale == Some(state.version()) || state.master().is_none() {
            state = self.sentinel.find(state.version()).await?;
        }
        self.stale = None;
        let master = state.master().expect("a confirmation names a master").clone();
        let gone = self.links.extract_if(|node, link| *node != master && !link.has_fence());
        gone.for_each(|(_, link)| link.retire());
        Ok((master, state.version()))
    }

    fn link(&mut self, master: &Node) -> &mut Link {
        let Self { links, sentinel, metrics, .. } = self;
        links
            .entry(master.clone())
            .or_insert_with(|| Link::new(sentinel.connector(master), Arc::clone(metrics)))
    }
}

/// Ends when there is another master.
async fn replaced(state: &mut Receiver<MasterState>, master: &Node) {
    if state.wait_for(|state| state.master() != Some(master)).await.is_err() {
        std::future::pending().await
    }
}

fn under_way() -> Trouble {
    Trouble::rediscover("a failover is under way: the sentinels are about to name another master")
}
