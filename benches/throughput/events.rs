//! The events that every part of the benchmark writes, and what Redis holds of them in the end.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Number of different users.
pub(super) const USERS: u64 = 100_000;

/// The type of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identify,
    /// Is skipped.
    Track,
}

/// How many of a topic's events are `identify`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    All,
    /// Four of five events are `track`.
    Fifth,
}

impl Mix {
    pub(super) fn kind(self, number: u64) -> Kind {
        if self == Self::All || number.is_multiple_of(5) { Kind::Identify } else { Kind::Track }
    }
}

/// The traits of one browser event, about 1 KB with its envelope. The age shows which of a user's
/// events was written last.
pub(super) fn traits(user: u64, number: u64) -> [(&'static str, String); 8] {
    [
        ("name", format!("Maria Gonzalez {user}")),
        ("email", format!("maria.gonzalez.{user}@example.com")),
        ("plan", "enterprise-annual".into()),
        ("age", (10 + number % 90).to_string()),
        ("address.city", "San Francisco".into()),
        ("address.country", "United States".into()),
        ("company", "Example Widgets Incorporated".into()),
        ("createdAt", "2026-01-15T09:30:00.000Z".into()),
    ]
}

/// Appends an event, without the end of the line. A `track` event has the same values as
/// properties.
pub(super) fn event(out: &mut String, user: u64, number: u64, kind: Kind) {
    let [name, email, plan, age, city, country, company, created] =
        traits(user, number).map(|(_, value)| value);
    let (kind, values) = match kind {
        Kind::Identify => ("identify", "traits"),
        Kind::Track => ("track", r#"event":"Plan Viewed","properties"#),
    };
    write!(
        out,
        concat!(
            r#"{{"type":"{kind}","messageId":"4a8f9d2e-5b7c-4e31-9f60-{number:012}","#,
            r#""anonymousId":"9c1d7e52-3f4b-4a68-8d2e-7b6a5c4f3e2d","#,
            r#""userId":"user-{user}","channel":"web","#,
            r#""context":{{"app":{{"name":"RudderLabs JavaScript SDK","#,
            r#""namespace":"com.rudderlabs.javascript","version":"3.34.1"}},"#,
            r#""library":{{"name":"RudderLabs JavaScript SDK","version":"3.34.1"}},"#,
            r#""userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML,"#,
            r#" like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","#,
            r#""screen":{{"width":1920,"height":1080,"density":1}},"#,
            r#""page":{{"path":"/pricing","referrer":"https://example.com/","#,
            r#""search":"","title":"Pricing","url":"https://example.com/pricing"}}}},"#,
            r#""{values}":{{"name":"{name}","email":"{email}","plan":"{plan}","#,
            r#""age":{age},"address":{{"city":"{city}","country":"{country}"}},"#,
            r#""company":"{company}","createdAt":"{created}"}},"#,
            r#""integrations":{{"All":true}},"#,
            r#""originalTimestamp":"2026-01-15T09:30:00.123Z","#,
            r#""sentAt":"2026-01-15T09:30:00.456Z"}}"#,
        ),
        kind = kind,
        number = number,
        user = user,
        values = values,
        name = name,
        email = email,
        plan = plan,
        age = age,
        city = city,
        country = country,
        company = company,
        created = created
    )
    .expect("writing to a string");
}

/// Events of random users, the same ones in every run. Remembers what Redis holds once all of them
/// are written.
pub(super) struct Events {
    random: fastrand::Rng,
    mix: Mix,
    next: u64,
    /// The number of each user's last `identify` event.
    pub(super) last: Vec<Option<u64>>,
}

impl Events {
    pub(super) fn new(mix: Mix) -> Self {
        let last = vec![None; USERS as usize];
        Self { random: fastrand::Rng::with_seed(14), mix, next: 0, last }
    }

    /// Puts the next event into `out`; returns its user.
    pub(super) fn next(&mut self, out: &mut String) -> u64 {
        let (user, number, kind) = (self.random.u64(0..USERS), self.next, self.mix.kind(self.next));
        out.clear();
        event(out, user, number, kind);
        if kind == Kind::Identify {
            self.last[user as usize] = Some(number);
        }
        self.next += 1;
        user
    }

    /// Writes the next events into a file, one a line.
    pub(super) fn write(&mut self, path: &Path, events: u64) {
        let mut file = BufWriter::new(std::fs::File::create(path).expect("a temporary file"));
        let mut line = String::new();
        for _ in 0..events {
            self.next(&mut line);
            writeln!(file, "{line}").expect("room for the events");
        }
        file.flush().expect("room for the events");
    }
}
