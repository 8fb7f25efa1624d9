//! Memory in which the updates of one lane stand side by side: an update is not freed by itself, on
//! another thread than the one that packed it.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::event::Update;

/// Bytes of one segment.
const SEGMENT: usize = 64 * 1024;
/// Larger updates stay where they are.
const LARGEST: usize = SEGMENT / 8;
/// Full segments that are kept, to be used again when their updates are settled.
const KEPT: usize = 8;

/// The open segment of a lane, and full ones from the oldest on.
#[derive(Default)]
pub(super) struct Segments {
    open: Option<BytesMut>,
    full: VecDeque<BytesMut>,
}

impl Segments {
    /// Moves the bytes of `update` into the open segment. Whoever keeps an update for longer than
    /// those beside it moves it out again, or all of them would be kept.
    pub(super) fn take_in(&mut self, update: &mut Update) {
        let bytes = update.packed().len();
        if bytes > LARGEST {
            return;
        }
        match &mut self.open {
            Some(open) if open.capacity() >= bytes => update.move_into(open),
            _ => {
                let mut next = self.next();
                update.move_into(&mut next);
                if let Some(full) = self.open.replace(next) {
                    self.keep(full);
                }
            }
        }
    }

    /// The oldest segment, if all of its updates are settled, or a new one.
    fn next(&mut self) -> BytesMut {
        let settled = self.full.front_mut().is_some_and(|oldest| oldest.try_reclaim(SEGMENT));
        let oldest = if settled { self.full.pop_front() } else { None };
        oldest.unwrap_or_else(|| BytesMut::with_capacity(SEGMENT))
    }

    fn keep(&mut self, full: BytesMut) {
        if self.full.len() == KEPT {
            self.full.pop_front();
        }
        self.full.push_back(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(value: &[u8]) -> Update {
        let fields = std::iter::once((b"name".as_slice(), value));
        Update::pack(b"key", fields, std::iter::empty(), None)
    }

    #[test]
    fn updates_stay_what_they_are_while_segments_are_used_again() {
        let mut segments = Segments::default();
        let mut waiting = VecDeque::new();
        for round in 0..20_000_usize {
            let value = vec![round as u8; round % 1000];
            let mut packed = update(&value);
            segments.take_in(&mut packed);
            waiting.push_back((value, packed));
            // A few segments at first, and then more than are kept.
            if waiting.len() > if round < 10_000 { 500 } else { 5000 } {
                let (value, packed) = waiting.pop_front().unwrap();
                assert_eq!(packed, update(&value));
            }
            assert!(segments.full.len() <= KEPT);
        }
        waiting.iter().for_each(|(value, packed)| assert_eq!(*packed, update(value)));
    }

    #[test]
    fn a_segment_is_used_again_once_no_update_is_in_it() {
        let mut segments = Segments::default();
        let mut kept = update(&[b'x'; 1000]);
        segments.take_in(&mut kept);
        let first = kept.packed().as_ptr();
        let fill = |segments: &mut Segments| {
            (0..SEGMENT / 1000)
                .map(|_| {
                    let mut next = update(&[b'y'; 1000]);
                    segments.take_in(&mut next);
                    next.packed().as_ptr()
                })
                .any(|place| place == first)
        };
        assert!((0..3).all(|_| !fill(&mut segments)), "an update is in it");
        kept.move_out();
        assert_eq!(kept, update(&[b'x'; 1000]));
        assert!((0..3).any(|_| fill(&mut segments)));
        let mut large = update(&vec![b'z'; LARGEST]);
        let place = large.packed().as_ptr();
        segments.take_in(&mut large);
        assert_eq!(large.packed().as_ptr(), place);
    }
}
