//! Threads that work on pieces side by side; the pieces come back in the order in which they were
//! sent.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

/// Threads that work on pieces of type `P`. `T` is kept for each piece that is with them.
pub(super) struct OrderedThreads<P, T> {
    threads: Vec<PieceThread<P>>,
    /// Those of the pieces that have not come back, oldest first.
    underway: VecDeque<T>,
    /// The thread that gets the next piece, and the one that has the oldest.
    next: usize,
    oldest: usize,
}

struct PieceThread<P> {
    pieces: SyncSender<P>,
    done: Receiver<P>,
}

impl<P, T> OrderedThreads<P, T> {
    /// Starts so many threads, or as many as can be started. They end when this is dropped.
    pub(super) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        (name, count): (&str, usize),
        work: impl Fn(&mut P) + Send + Copy + 'scope,
    ) -> Self
    where
        P: Send + 'scope,
    {
        let start = |_| {
            // Besides the piece that it works on, a thread has the next one.
            let (pieces, inbox) = sync_channel::<P>(1);
            let (outbox, done) = sync_channel(1);
            let run = move || {
                for mut piece in inbox {
                    work(&mut piece);
                    if outbox.send(piece).is_err() {
                        return;
                    }
                }
            };
            let started = Builder::new().name(name.to_owned()).spawn_scoped(scope, run);
            started.ok().map(|_| PieceThread { pieces, done })
        };
        let threads = (0..count).map_while(start).collect();
        Self { threads, underway: VecDeque::new(), next: 0, oldest: 0 }
    }

    /// Whether there are threads at all.
    pub(super) fn exist(&self) -> bool {
        !self.threads.is_empty()
    }

    /// Whether no piece is underway.
    pub(super) fn are_idle(&self) -> bool {
        self.underway.is_empty()
    }

    /// Whether each thread has a piece, and one has its next.
    pub(super) fn are_busy(&self) -> bool {
        self.underway.len() > self.threads.len()
    }

    /// Gives a piece to a thread: there are threads, and not all are busy.
    pub(super) fn send(&mut self, piece: P, with: T) {
        let sent = self.threads[self.next].pieces.send(piece);
        assert!(sent.is_ok(), "a thread has panicked");
        self.underway.push_back(with);
        self.next = (self.next + 1) % self.threads.len();
    }

    /// Waits for the oldest piece that is underway; `None` when there is none.
    pub(super) fn receive(&mut self) -> Option<(P, T)> {
        let with = self.underway.pop_front()?;
        let piece = self.threads[self.oldest].done.recv().expect("a thread has panicked");
        self.oldest = (self.oldest + 1) % self.threads.len();
        Some((piece, with))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_in_order_from_any_number_of_threads() {
        for count in 1..5 {
            std::thread::scope(|scope| {
                // Pieces take different times.
                let work = |piece: &mut (u64, u64)| piece.1 = (0..piece.0 % 7 * 1000).sum();
                let mut threads = OrderedThreads::start(scope, ("test", count), work);
                let (mut sent, mut back) = (0, Vec::new());
                while back.len() < 500 {
                    if sent < 500 && !threads.are_busy() {
                        threads.send((sent, 0), sent * 2);
                        sent += 1;
                        continue;
                    }
                    back.push(threads.receive().unwrap());
                }
                assert!(threads.exist() && threads.are_idle() && threads.receive().is_none());
                for (n, ((piece, sum), with)) in (0..).zip(back) {
                    assert_eq!((piece, sum, with), (n, (0..n % 7 * 1000).sum(), n * 2));
                }
            });
        }
    }

    #[test]
    fn no_threads_are_always_idle() {
        std::thread::scope(|scope| {
            let mut none = OrderedThreads::<u8, ()>::start(scope, ("test", 0), |_| {});
            assert!(!none.exist() && none.are_idle() && none.receive().is_none());
        });
    }
}
