//! Rounds of faults, and the matrix of what they cost. A row is a call of [`play`].

use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Plays `round` as often as is asked for, and notes in the matrix what came of the fault `id`
/// (a row of tests/FAULTS.md), which `words` describe.
///
/// `rounds` are those of an ordinary run and those of a night: `TRAITSINK_ROUNDS` stands in for the
/// former and stops at the latter. `TRAITSINK_SEED` plays the same numbers again.
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
        Row { id, words, round: Round::new(Rng::with_seed(seed), wanted == *rounds.end()) };
    for number in 1..=wanted {
        println!("{id}: round {number}");
        row.round.number = number;
        round(&mut row.round);
    }
}

/// A number from the environment.
pub(crate) fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The round that is being played, and what all so far have measured.
pub(crate) struct Round {
    pub(crate) rng: Rng,
    /// From 1.
    pub(crate) number: u32,
    /// Whether this is the long run, in which faults last as long as the test plan
    /// (tests/FAULTS.md) wants.
    pub(crate) night: bool,
    recoveries: Vec<Duration>,
    /// Acknowledged events that are not there; for rows in which that is not a failure.
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

    /// Waits with `until` for the recovery, and notes how long it took from now: call it right
    /// after the cure.
    pub(crate) fn recovers<T>(&mut self, until: impl FnOnce() -> T) -> T {
        let cured = Instant::now();
        let found = until();
        self.recoveries.push(cured.elapsed());
        found
    }
}

/// One row of the matrix; written when it is dropped, so that one that fails says so.
struct Row {
    id: &'static str,
    words: &'static str,
    round: Round,
}

impl Row {
    /// `id words rounds lost slowest median`, between tabs; times in milliseconds, `-` where
    /// nothing was measured.
    fn line(&mut self) -> String {
        let Round { number, recoveries, lost, .. } = &mut self.round;
        recoveries.sort_unstable();
        let millis = |time: Option<&Duration>| {
            time.map_or("-".to_owned(), |time| time.as_millis().to_string())
        };
        let (slowest, median) =
            (millis(recoveries.last()), millis(recoveries.get(recoveries.len() / 2)));
        let lost = if std::thread::panicking() { "FAILED".to_owned() } else { lost.to_string() };
        format!("{}\t{}\t{number}\t{lost}\t{slowest}\t{median}\n", self.id, self.words)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        note(&self.line());
    }
}

/// Prints a row, and appends it to the file that `TRAITSINK_MATRIX` names.
pub(crate) fn note(line: &str) {
    print!("{line}");
    let Some(path) = std::env::var_os("TRAITSINK_MATRIX") else { return };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // Not a reason for a second panic.
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        println!("{}: {error}", path.display());
    }
}
