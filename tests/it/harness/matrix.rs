//! Rounds of faults, and the matrix of their results. Each row is a call of [`play`].

use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::guarded::is_guarded;

/// Plays `round` several times, and adds a row for the fault `id`, named `words`, to the matrix.
///
/// The range `rounds` begins with the number of an ordinary run and ends with that of a long run.
/// `TRAITSINK_ROUNDS` replaces the former, up to the latter. `TRAITSINK_SEED` repeats the same
/// random numbers.
pub(crate) fn play(
    id: &'static str,
    words: &'static str,
    rounds: RangeInclusive<u32>,
    mut round: impl FnMut(&mut Round),
) {
    let seed = variable("TRAITSINK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{id}, {words}: TRAITSINK_SEED={seed}");
    let wanted = variable("TRAITSINK_ROUNDS").unwrap_or(*rounds.start()).min(*rounds.end());
    let mut row =
        MatrixRow { id, words, round: Round::new(Rng::with_seed(seed), wanted == *rounds.end()) };
    for number in 1..=wanted {
        println!("{id}: round {number}");
        row.round.number = number;
        round(&mut row.round);
    }
}

/// A number from an environment variable.
pub(crate) fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The current round, and the measurements of all rounds so far.
pub(crate) struct Round {
    pub(crate) rng: Rng,
    /// The number of the round, from 1.
    pub(crate) number: u32,
    /// True in the long run, in which faults last as long as the test plan wants.
    pub(crate) night: bool,
    recoveries: Vec<Duration>,
    /// Number of acknowledged events that are lost, in rows where that is not a failure.
    pub(crate) lost: usize,
}

impl Round {
    fn new(rng: Rng, night: bool) -> Self {
        Self { rng, number: 0, night, recoveries: Vec::new(), lost: 0 }
    }

    /// A random time of up to `millis` milliseconds.
    pub(crate) fn up_to(&mut self, millis: u64) -> Duration {
        Duration::from_millis(self.rng.u64(0..millis))
    }

    /// Waits for the recovery with `until`, and records its time. The time starts with this call:
    /// call it right after the fault ends.
    pub(crate) fn recovers<T>(&mut self, until: impl FnOnce() -> T) -> T {
        let cured = Instant::now();
        let found = until();
        self.recoveries.push(cured.elapsed());
        found
    }
}

/// One row of the matrix; written on drop, so that a failed fault has a row, too.
struct MatrixRow {
    id: &'static str,
    words: &'static str,
    round: Round,
}

impl MatrixRow {
    /// The row: `id words rounds lost slowest median`, separated by tabs; times in milliseconds,
    /// `-` for a time that was not measured.
    fn line(&mut self) -> String {
        let Round { number, recoveries, lost, .. } = &mut self.round;
        recoveries.sort_unstable();
        let millis = |time: Option<&Duration>| {
            time.map_or("-".to_owned(), |time| time.as_millis().to_string())
        };
        let (slowest, median) =
            (millis(recoveries.last()), millis(recoveries.get(recoveries.len() / 2)));
        let lost = if std::thread::panicking() { "FAILED".to_owned() } else { lost.to_string() };
        let with = if is_guarded() { ", newest_wins and a TTL" } else { "" };
        format!("{}\t{}{with}\t{number}\t{lost}\t{slowest}\t{median}\n", self.id, self.words)
    }
}

impl Drop for MatrixRow {
    fn drop(&mut self) {
        note(&self.line());
    }
}

/// Prints a row, and appends it to the file in `TRAITSINK_MATRIX`.
pub(crate) fn note(line: &str) {
    print!("{line}");
    let Some(path) = std::env::var_os("TRAITSINK_MATRIX") else { return };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // This function runs during a panic, too, and must not cause a second one.
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        println!("{}: {error}", path.display());
    }
}
