//! Events of any shape.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

pub(super) struct Shape {
    /// Number of traits.
    pub(super) traits: usize,
    /// Bytes of one event: what is missing is filled up in `context`.
    pub(super) size: usize,
    pub(super) users: u64,
    /// How many of a hundred events are `track`.
    pub(super) skipped: u64,
}

impl Shape {
    /// Like the events of the other parts: 8 traits, 1 KB.
    pub(super) fn usual() -> Self {
        Self { traits: 8, size: 1_000, users: 100_000, skipped: 0 }
    }

    /// Names and values of the traits.
    pub(super) fn fields(&self, number: u64) -> Vec<(String, String)> {
        let field = |field| (format!("trait_{field}"), format!("value {field} of {number}"));
        (0..self.traits).map(field).collect()
    }

    /// Writes `most` events, or fewer if the file would be larger than `bytes`; returns how many.
    pub(super) fn write(&self, path: &Path, most: u64, bytes: u64) -> u64 {
        let mut random = fastrand::Rng::with_seed(14);
        let mut file = BufWriter::new(std::fs::File::create(path).expect("a temporary file"));
        let (mut events, mut written) = (0, 0);
        while events < most && written < bytes {
            let event = self.event(random.u64(0..self.users), events);
            written += event.len() as u64;
            events += 1;
            writeln!(file, "{event}").expect("room for the events");
        }
        file.flush().expect("room for the events");
        events
    }

    fn event(&self, user: u64, number: u64) -> String {
        let (kind, values) = if number % 100 < self.skipped {
            ("track", r#"event":"Plan Viewed","properties"#)
        } else {
            ("identify", "traits")
        };
        let mut traits = String::new();
        for (name, value) in self.fields(number) {
            let comma = if traits.is_empty() { "" } else { "," };
            write!(traits, r#"{comma}"{name}":"{value}""#).expect("writing to a string");
        }
        let head = format!(r#"{{"type":"{kind}","userId":"user-{user}","context":{{"library":["#);
        let tail = format!(r#"]}},"{values}":{{{traits}}}}}"#);
        let mut filling = String::new();
        let mut modules = 0;
        while head.len() + filling.len() + tail.len() + 50 < self.size {
            let comma = if filling.is_empty() { "" } else { "," };
            write!(
                filling,
                r#"{comma}{{"name":"module-{modules}","version":"3.34.1","beta":false}}"#
            )
            .expect("writing to a string");
            modules += 1;
        }
        head + &filling + &tail
    }
}
