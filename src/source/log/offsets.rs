//! Which offset of a partition may be committed. Pure.

use std::collections::VecDeque;

/// Records of one partition in delivered order, and the watermark: everything before it is settled.
/// Offsets are sparse (compaction, transactions), so contiguous means "nothing delivered in
/// between", never `offset + 1`.
#[derive(Debug, Default)]
pub struct Offsets {
    /// From the first record that is not settled on.
    records: VecDeque<Delivered>,
    /// Position of the first of them.
    first: u64,
    watermark: Option<i64>,
}

#[derive(Debug)]
struct Delivered {
    offset: i64,
    /// Events that have no outcome yet.
    pending: u32,
}

impl Offsets {
    /// Notes a record of `events` events, delivered after all before it; returns its position.
    pub fn deliver(&mut self, offset: i64, events: u32) -> u64 {
        match self.records.back_mut() {
            // Records in a row that are settled already need one place.
            Some(last) if events == 0 && last.pending == 0 => last.offset = offset,
            _ => self.records.push_back(Delivered { offset, pending: events }),
        }
        let position = self.first + self.records.len() as u64 - 1;
        self.advance();
        position
    }

    /// One event of the record at `position` is written, skipped, or durably elsewhere.
    ///
    /// # Panics
    /// More events are settled than were delivered.
    pub fn settle(&mut self, position: u64) {
        let record =
            usize::try_from(position - self.first).ok().and_then(|at| self.records.get_mut(at));
        let record = record.expect("only unsettled records have pending events");
        record.pending -= 1;
        if position == self.first {
            self.advance();
        }
    }

    /// The offset to commit: that of the record after the last one up to which all are settled.
    /// `None` before the first.
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// The first record that is not settled.
    pub fn unsettled(&self) -> Option<i64> {
        self.records.front().map(|record| record.offset)
    }

    /// Records from the first one that is not settled on.
    pub fn behind(&self) -> usize {
        self.records.len()
    }

    /// The offset behind the last record that was delivered, if any of them waits.
    pub fn next(&self) -> Option<i64> {
        self.records.back().map(|record| record.offset + 1)
    }

    fn advance(&mut self) {
        while let Some(Delivered { offset, pending: 0 }) = self.records.front() {
            self.watermark = Some(offset + 1);
            self.first += 1;
            self.records.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_waits_for_all_before_it() {
        let mut offsets = Offsets::default();
        let [a, b, c] = [10, 17, 18].map(|offset| offsets.deliver(offset, 1));
        assert_eq!((offsets.watermark(), offsets.unsettled()), (None, Some(10)));
        offsets.settle(c);
        offsets.settle(b);
        assert_eq!(offsets.watermark(), None);
        offsets.settle(a);
        assert_eq!((offsets.watermark(), offsets.unsettled()), (Some(19), None));
    }

    #[test]
    fn a_record_of_several_events_is_settled_with_the_last_and_one_of_none_at_once() {
        let mut offsets = Offsets::default();
        let batch = offsets.deliver(5, 2);
        offsets.deliver(6, 0);
        offsets.settle(batch);
        assert_eq!(offsets.watermark(), None);
        offsets.settle(batch);
        assert_eq!(offsets.watermark(), Some(7));
        offsets.deliver(20, 0);
        assert_eq!(offsets.watermark(), Some(21));
        let first = offsets.deliver(30, 1);
        (31..90).for_each(|offset| _ = offsets.deliver(offset, 0));
        let last = offsets.deliver(90, 1);
        assert_eq!((offsets.behind(), offsets.unsettled()), (3, Some(30)));
        offsets.settle(first);
        assert_eq!((offsets.watermark(), offsets.unsettled()), (Some(90), Some(90)));
        offsets.settle(last);
        assert_eq!((offsets.watermark(), offsets.next()), (Some(91), None));
    }

    proptest! {
        /// Against a model that looks at every record: killed at any point, nothing below the
        /// watermark is unsettled.
        #[test]
        fn never_passes_an_unsettled_record(
            gaps in prop::collection::vec((1i64..5, 0u32..4), 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let mut offsets = Offsets::default();
            let mut pending = Vec::new();
            let mut delivered = BTreeSet::new();
            let mut unsettled = BTreeSet::new();
            let mut next = 0;
            let mut picks = order.into_iter();
            for (gap, events) in gaps {
                next += gap;
                let position = offsets.deliver(next, events);
                delivered.insert(next);
                pending.extend((0..events).map(|event| (next, position, event)));
                unsettled.extend((0..events).map(|event| (next, event)));
                if let Some(pick) = picks.next().filter(|_| !pending.is_empty()) {
                    let (offset, position, event) = pending.swap_remove(pick.index(pending.len()));
                    offsets.settle(position);
                    unsettled.remove(&(offset, event));
                }
                let lowest = unsettled.first().map(|(offset, _)| *offset);
                let is_below = |&&offset: &&i64| lowest.is_none_or(|lowest| offset < lowest);
                let expected = delivered.iter().rev().find(is_below);
                prop_assert_eq!(offsets.watermark(), expected.map(|offset| offset + 1));
                prop_assert_eq!(offsets.unsettled(), lowest);
            }
            for (_, position, _) in pending {
                offsets.settle(position);
            }
            prop_assert_eq!(offsets.watermark(), Some(next + 1));
        }
    }
}
