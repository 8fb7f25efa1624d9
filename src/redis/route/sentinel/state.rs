//! The state of the master, as the sentinels report it: news -> state. Pure; times are values.

use std::time::Duration;

use tokio::time::Instant;

use super::candidates::{Candidates, candidates};
use super::reply::SentinelReply;
use crate::config::Node;

/// The longest time without writes once a failover has begun, if the sentinels do not finish it.
const FAILOVER_MAX: Duration = Duration::from_secs(10);
/// The time after a failover in which some sentinels may not know of it.
const SPREAD_MAX: Duration = Duration::from_secs(10);

/// The master of the moment. The default knows none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MasterState {
    master: Option<Node>,
    /// When it became the master, as far as is known.
    since: Option<Instant>,
    /// Epoch of the failover that made it the master.
    epoch: u64,
    /// Rises with each confirmation that counts.
    version: u64,
    failover: Option<Failover>,
}

/// A replica is about to become the master, and what is written to the old one until then would be
/// lost.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failover {
    next: Node,
    /// When the failover is believed to have failed.
    until: Instant,
}

/// News that may change a [`MasterState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SentinelNews {
    /// The sentinels named `master` in `epoch`, and the server itself confirmed that it takes
    /// writes. The state had the version `asked` when the sentinels were asked.
    Confirmed { master: Node, epoch: u64, asked: u64, now: Instant },
    /// A sentinel is about to promote `next`.
    FailoverBegins { next: Node, now: Instant },
    /// The sentinels gave up a failover.
    FailoverAborted,
}

/// The change that news made to a [`MasterState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MasterChange {
    /// The state was known already, or is older.
    Nothing,
    /// The same master was confirmed again.
    SameMaster,
    /// There is another master than `old`, or the first.
    OtherMaster {
        old: Option<Node>,
    },
    FailoverBegins,
    FailoverAborted,
}

impl MasterState {
    pub(super) fn master(&self) -> Option<&Node> {
        self.master.as_ref()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn in_failover(&self, now: Instant) -> bool {
        self.failover.as_ref().is_some_and(|failover| now < failover.until)
    }

    /// True when a write that `node` has confirmed by `now` will stay.
    pub(super) fn takes_writes(&self, node: &Node, now: Instant) -> bool {
        !self.in_failover(now) && self.master.as_ref() == Some(node)
    }

    /// The nodes to try as the master, by the replies of some of so many `sentinels`.
    ///
    /// Replies that are older than the state do not count, since a few sentinels that are cut off,
    /// or that do not know yet of a failover, would lead back to an old master. Where most
    /// sentinels reply and the last failover is a while ago, all count: epochs begin anew with
    /// sentinels that are set up anew.
    pub(super) fn candidates(
        &self,
        mut replies: Vec<SentinelReply>,
        sentinels: usize,
        now: Instant,
    ) -> Vec<Candidates> {
        let is_recent = self.since.is_some_and(|since| now < since + SPREAD_MAX);
        if is_recent || replies.len() * 2 <= sentinels {
            replies.retain(|reply| reply.epoch >= self.epoch);
        }
        candidates(replies)
    }

    pub(super) fn apply(&mut self, event: SentinelNews) -> MasterChange {
        match event {
            SentinelNews::Confirmed { master, epoch, asked, .. }
                if self.is_older(&master, epoch, asked) =>
            {
                MasterChange::Nothing
            }
            SentinelNews::Confirmed { master, epoch, asked, now } => {
                self.confirm(master, epoch, asked, now)
            }
            // A notice that comes late is about a failover that is over.
            SentinelNews::FailoverBegins { next, .. } if self.master.as_ref() == Some(&next) => {
                MasterChange::Nothing
            }
            SentinelNews::FailoverBegins { next, now } => {
                self.failover = Some(Failover { next, until: now + FAILOVER_MAX });
                MasterChange::FailoverBegins
            }
            SentinelNews::FailoverAborted => {
                self.failover = None;
                MasterChange::FailoverAborted
            }
        }
    }

    /// True when a confirmation is older than the state: while it was on its way, another master
    /// was confirmed, and not in an older epoch. A master that was frozen and replaced confirms in
    /// the moment in which it wakes.
    fn is_older(&self, master: &Node, epoch: u64, asked: u64) -> bool {
        asked < self.version && epoch <= self.epoch && self.master.as_ref() != Some(master)
    }

    fn confirm(&mut self, master: Node, epoch: u64, asked: u64, now: Instant) -> MasterChange {
        // A confirmation that was overtaken does not say that epochs began anew.
        self.epoch = if asked < self.version { self.epoch.max(epoch) } else { epoch };
        self.version += 1;
        if self.master.as_ref() == Some(&master) {
            return MasterChange::SameMaster;
        }
        self.since = Some(now);
        // The first master that is known may be the one that is about to be replaced.
        let is_first = self.master.is_none();
        self.failover.take_if(|failover| !is_first || failover.next == master);
        MasterChange::OtherMaster { old: self.master.replace(master) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> Node {
        Node { host: "h".into(), port }
    }

    /// The answer to a question that was asked when the state had this version.
    fn confirmed(port: u16, epoch: u64, asked: u64) -> SentinelNews {
        SentinelNews::Confirmed { master: node(port), epoch, asked, now: Instant::now() }
    }

    fn reply(port: u16, epoch: u64) -> SentinelReply {
        SentinelReply { node: node(port), epoch }
    }

    /// Plays a table. Each row: the second, the news, the change that it must make, and the node
    /// that takes writes then.
    fn play(rows: &[(u64, SentinelNews, MasterChange, Option<u16>)]) -> MasterState {
        let start = Instant::now();
        let mut state = MasterState::default();
        for (number, (second, event, change, writes)) in rows.iter().enumerate() {
            let now = start + Duration::from_secs(*second);
            let event = match event.clone() {
                SentinelNews::FailoverBegins { next, .. } => {
                    SentinelNews::FailoverBegins { next, now }
                }
                SentinelNews::Confirmed { master, epoch, asked, .. } => {
                    SentinelNews::Confirmed { master, epoch, asked, now }
                }
                SentinelNews::FailoverAborted => SentinelNews::FailoverAborted,
            };
            assert_eq!(state.apply(event), *change, "row {number}");
            let takes_writes = (1..=9).find(|port| state.takes_writes(&node(*port), now));
            assert_eq!(takes_writes, *writes, "row {number}: {state:?}");
        }
        state
    }

    fn begins(port: u16) -> SentinelNews {
        SentinelNews::FailoverBegins { next: node(port), now: Instant::now() }
    }

    #[test]
    fn a_failover_stops_writes_until_there_is_another_master() {
        play(&[
            (0, confirmed(1, 0, 0), MasterChange::OtherMaster { old: None }, Some(1)),
            (1, confirmed(1, 0, 1), MasterChange::SameMaster, Some(1)),
            (2, begins(2), MasterChange::FailoverBegins, None),
            // The old master goes on answering.
            (3, confirmed(1, 0, 2), MasterChange::SameMaster, None),
            (4, confirmed(2, 1, 3), MasterChange::OtherMaster { old: Some(node(1)) }, Some(2)),
            // The notices of other sentinels come late.
            (4, begins(2), MasterChange::Nothing, Some(2)),
            (5, begins(3), MasterChange::FailoverBegins, None),
            (6, SentinelNews::FailoverAborted, MasterChange::FailoverAborted, Some(2)),
            (6, SentinelNews::FailoverAborted, MasterChange::FailoverAborted, Some(2)),
        ]);
    }

    #[test]
    fn a_failover_that_nobody_finishes_stops_writes_for_a_while() {
        let state = play(&[
            (0, confirmed(1, 0, 0), MasterChange::OtherMaster { old: None }, Some(1)),
            (0, begins(2), MasterChange::FailoverBegins, None),
            // Another begins before the first has ended.
            (8, begins(3), MasterChange::FailoverBegins, None),
            (12, confirmed(1, 0, 1), MasterChange::SameMaster, None),
            (18, confirmed(1, 0, 2), MasterChange::SameMaster, Some(1)),
        ]);
        assert_eq!(state.version(), 3);
    }

    #[test]
    fn a_failover_may_begin_before_any_master_is_known() {
        play(&[
            (0, begins(2), MasterChange::FailoverBegins, None),
            (1, confirmed(1, 0, 0), MasterChange::OtherMaster { old: None }, None),
            (2, confirmed(2, 1, 1), MasterChange::OtherMaster { old: Some(node(1)) }, Some(2)),
        ]);
        play(&[
            (0, begins(2), MasterChange::FailoverBegins, None),
            (1, confirmed(2, 1, 0), MasterChange::OtherMaster { old: None }, Some(2)),
        ]);
    }

    #[test]
    fn a_confirmation_that_was_overtaken_changes_nothing() {
        let state = play(&[
            (0, confirmed(1, 0, 0), MasterChange::OtherMaster { old: None }, Some(1)),
            // The frozen master is asked here, and answers below.
            (2, confirmed(2, 1, 1), MasterChange::OtherMaster { old: Some(node(1)) }, Some(2)),
            (3, confirmed(1, 0, 1), MasterChange::Nothing, Some(2)),
            (3, confirmed(1, 1, 1), MasterChange::Nothing, Some(2)),
            // The same master, and one of a newer epoch, are news all the same.
            (3, confirmed(2, 1, 1), MasterChange::SameMaster, Some(2)),
            (4, confirmed(3, 2, 1), MasterChange::OtherMaster { old: Some(node(2)) }, Some(3)),
        ]);
        assert_eq!((state.epoch, state.version()), (2, 4));
    }

    #[test]
    fn a_confirmation_that_was_overtaken_does_not_bring_back_its_epoch() {
        let state = play(&[
            (0, confirmed(1, 0, 0), MasterChange::OtherMaster { old: None }, Some(1)),
            (1, confirmed(2, 1, 1), MasterChange::OtherMaster { old: Some(node(1)) }, Some(2)),
            (2, confirmed(1, 2, 2), MasterChange::OtherMaster { old: Some(node(2)) }, Some(1)),
            (3, confirmed(1, 0, 1), MasterChange::SameMaster, Some(1)),
        ]);
        assert_eq!(state.epoch, 2);
    }

    #[test]
    fn epochs_may_begin_anew() {
        let state = play(&[
            (0, confirmed(1, 7, 0), MasterChange::OtherMaster { old: None }, Some(1)),
            (1, confirmed(2, 0, 1), MasterChange::OtherMaster { old: Some(node(1)) }, Some(2)),
        ]);
        assert_eq!((state.epoch, state.master()), (0, Some(&node(2))));
    }

    #[test]
    fn older_replies_count_only_where_most_sentinels_reply_long_after_a_failover() {
        let state =
            play(&[(0, confirmed(2, 5, 0), MasterChange::OtherMaster { old: None }, Some(2))]);
        let since = state.since.expect("a master is known");
        let [old, same, newer] = [reply(1, 4), reply(2, 5), reply(3, 6)];
        for (replies, sentinels, soon, later) in [
            (vec![&old], 3, vec![], vec![]),
            (vec![&old, &same], 4, vec![2], vec![2]),
            (vec![&newer], 3, vec![3], vec![3]),
            (vec![&old, &old], 3, vec![], vec![1]),
            (vec![&old, &old, &same], 5, vec![2], vec![2, 1]),
        ] {
            for (seconds, expected) in [(0, &soon), (9, &soon), (10, &later)] {
                let replies = replies.iter().map(|&reply| reply.clone()).collect();
                let now = since + Duration::from_secs(seconds);
                let candidates = state.candidates(replies, sentinels, now).into_iter();
                let ports = candidates.flat_map(|group| group.nodes).map(|node| node.port);
                assert_eq!(&ports.collect::<Vec<_>>(), expected, "after {seconds} s");
            }
        }
    }
}
