//! Newest wins on real servers, against a model of it.

mod cases;
mod embedded;
mod model;
mod server;
mod unguarded;

use fastrand::Rng;
use redis::Value;

use self::model::{Deletion, Event, Expiry, Model, Rule, Time};
use self::server::{Server, Stored, VERSIONS};
use crate::harness::matrix::variable;
use crate::harness::redis::Redis;

const HOUR: Time = 3_600_000;
/// A time of an ordinary event.
const NOW: Time = 1_764_400_000_000;
/// Operations on one profile.
const OPERATIONS: usize = 120;

const FIELD: Rule = Rule::Field;
const PROFILE: Rule = Rule::Profile { replace: false };
const REPLACE: Rule = Rule::Profile { replace: true };

/// Names that are short, long, alike, not ASCII, or full of the guard's own characters.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a", "b", "c", "plan", "", ":", "=a", "a:0", "floor", "profile", "größe", "x_ts", "\0\r\n",
        ",", "%2C",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["n".repeat(31), "n".repeat(32), "n".repeat(63), "n".repeat(200)]);
    names
}

#[derive(Debug)]
enum Operation {
    Apply(Rule, Event),
    Delete(Rule, Deletion),
    Set(String, String),
    Remove(String),
    /// The key expires.
    Expire,
}

/// Random operations, for a profile that has few fields or many.
struct Operations {
    rng: Rng,
    names: Vec<String>,
    /// Rules that take turns.
    rules: Vec<Rule>,
    /// Times are within so many milliseconds: few cause many ties.
    span: Time,
    has_field_ttl: bool,
    expiry: bool,
    /// Whether it is deleted now and then; if not, it has many notes.
    deletions: bool,
    counter: u64,
}

impl Operations {
    fn new(mut rng: Rng, rules: &[Rule], has_field_ttl: bool) -> Self {
        let mut names = names();
        rng.shuffle(&mut names);
        names.truncate(rng.usize(1..=names.len()));
        let span = [3, 30, 100_000][rng.usize(..3)];
        let (expiry, deletions) = (rng.bool(), rng.bool());
        Self {
            names,
            rules: rules.to_vec(),
            span,
            has_field_ttl,
            expiry,
            deletions,
            counter: 0,
            rng,
        }
    }

    fn time(&mut self) -> Time {
        NOW + self.rng.i64(0..self.span)
    }

    fn value(&mut self) -> String {
        self.counter += 1;
        format!("v{}", self.counter)
    }

    fn event(&mut self) -> Event {
        let mut names = self.names.clone();
        self.rng.shuffle(&mut names);
        let count = self.rng.usize(1..=names.len());
        let removed_from = if self.rng.u8(..3) == 0 { self.rng.usize(..=count) } else { count };
        let removed = names[removed_from..count].to_vec();
        let set: Vec<_> =
            names[..removed_from].iter().map(|name| (name.clone(), self.value())).collect();
        let expiring = self.has_field_ttl && self.rng.u8(..4) == 0;
        let expiring = if expiring {
            set.iter().map(|(name, _)| name.clone()).filter(|_| self.rng.bool()).collect()
        } else {
            Default::default()
        };
        let expiry = (self.expiry && self.rng.u8(..4) > 0).then(|| Expiry {
            ttl: self.rng.i64(1..=9) * HOUR,
            is_moment: self.rng.bool(),
            once: self.rng.u8(..3) == 0,
        });
        let tombstone_ttl = self.tombstone_ttl();
        Event { time: self.time(), set, removed, expiry, expiring, tombstone_ttl }
    }

    fn deletion(&mut self) -> Deletion {
        Deletion {
            time: self.time(),
            everything: self.rng.u8(..4) == 0,
            tombstone_ttl: self.tombstone_ttl(),
        }
    }

    fn tombstone_ttl(&mut self) -> Time {
        [0, 1_000, 2_000][self.rng.usize(..3)] * HOUR
    }

    fn next(&mut self) -> Operation {
        let rule = self.rules[self.rng.usize(..self.rules.len())];
        match self.rng.u8(..40) {
            0..=2 if self.deletions => Operation::Delete(rule, self.deletion()),
            3 => {
                Operation::Set(self.rng.choice(&self.names).expect("a name").clone(), self.value())
            }
            4 => Operation::Remove(self.rng.choice(&self.names).expect("a name").clone()),
            5 if self.deletions && self.rng.u8(..8) == 0 => Operation::Expire,
            _ => Operation::Apply(rule, self.event()),
        }
    }
}

fn expected(model: &Model, has_field_ttl: bool) -> Stored {
    Stored {
        exists: model.exists(),
        visible: model.visible(),
        expiring: if has_field_ttl { model.expiring() } else { Default::default() },
        ttl: model.ttl.map(|ttl| (ttl + HOUR / 2) / HOUR),
    }
}

/// Plays an operation on both; the reply and what the model says that it is.
fn play(server: &mut Server, key: &str, operation: &Operation, model: &mut Model) -> [Value; 2] {
    let (reply, meant) = match operation {
        Operation::Apply(rule, event) => {
            (server.apply(*rule, key, event), model.apply(*rule, event))
        }
        Operation::Delete(rule, deletion) => {
            (server.delete(*rule, key, *deletion), model.delete(*rule, *deletion))
        }
        Operation::Set(name, _) if !model.may_set_unguarded(name) => {
            return [Value::Nil, Value::Nil];
        }
        Operation::Set(name, value) => {
            model.set_unguarded(name, value);
            return [server.run(&["HSET", key, name, value]), Value::Nil];
        }
        Operation::Remove(name) => {
            model.remove_unguarded(name);
            return [server.run(&["HDEL", key, name]), Value::Nil];
        }
        Operation::Expire => {
            *model = Model::default();
            return [server.run(&["DEL", key]), Value::Nil];
        }
    };
    [reply, Value::Int(meant)]
}

/// Number of profiles for each server and set of rules.
fn profiles() -> usize {
    variable("PROPTEST_CASES").unwrap_or(10).clamp(1, 400)
}

/// Plays random operations on profiles, and compares after each with the model.
fn compare_with_model(rules: &[Rule]) {
    let seed = variable("TRAITSINK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("TRAITSINK_SEED={seed}");
    for version in VERSIONS {
        let mut server = Server::start(version);
        let mut rng = Rng::with_seed(seed);
        for number in 0..profiles() {
            let mut operations = Operations::new(rng.fork(), rules, server.has_field_ttl);
            let key = format!("user:{number}");
            let mut model = Model::default();
            let mut history = Vec::new();
            for _ in 0..OPERATIONS {
                history.push(operations.next());
                let operation = &history[history.len() - 1];
                let before = server.run(&["HGETALL", &key]);
                let replies = play(&mut server, &key, operation, &mut model);
                let (stored, meant) = (server.stored(&key), expected(&model, server.has_field_ttl));
                assert!(
                    stored == meant && (replies[1] == Value::Nil || replies[0] == replies[1]),
                    "{version:?}, profile {number}\nbefore {before:?}\n{history:#?}\nstored \
                     {stored:#?}\nmeant {meant:#?}\nreplied and meant {replies:?}"
                );
            }
        }
    }
}

#[test]
fn each_field_is_the_newest() {
    compare_with_model(&[FIELD]);
}

#[test]
fn the_newest_event_is_the_profile() {
    compare_with_model(&[PROFILE, REPLACE]);
}

#[test]
fn the_rule_may_change() {
    compare_with_model(&[FIELD, FIELD, PROFILE, REPLACE]);
}

/// The same events in any order come to the same profile. No two have the same time: of those the
/// later wins.
#[test]
fn the_order_of_delivery_is_of_no_concern() {
    let seed = variable("TRAITSINK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("TRAITSINK_SEED={seed}");
    for version in VERSIONS {
        let mut server = Server::start(version);
        let mut rng = Rng::with_seed(seed);
        for number in 0..profiles() {
            let rule = if rng.bool() { FIELD } else { REPLACE };
            let mut operations = Operations::new(rng.fork(), &[rule], server.has_field_ttl);
            let mut delivered: Vec<Operation> = Vec::new();
            for place in 0..30 {
                let time = NOW + 10 * place;
                delivered.push(if rng.u8(..10) == 0 {
                    let tombstone_ttl = HOUR;
                    Operation::Delete(rule, Deletion { time, everything: false, tombstone_ttl })
                } else {
                    let mut event = operations.event();
                    if rule == REPLACE {
                        event.set.push(("always".to_owned(), place.to_string()));
                        event.removed.clear();
                    }
                    Operation::Apply(
                        rule,
                        Event { time, expiry: None, tombstone_ttl: HOUR, ..event },
                    )
                });
            }
            let mut meant = Model::default();
            for (order, key) in
                ["sorted", "any", "other"].map(|it| format!("{it}:{number}")).iter().enumerate()
            {
                if order > 0 {
                    rng.shuffle(&mut delivered);
                }
                let mut model = Model::default();
                for operation in &delivered {
                    let replies = play(&mut server, key, operation, &mut model);
                    assert_eq!(replies[0], replies[1], "{version:?}, {operation:?}");
                }
                if order == 0 {
                    meant = model;
                }
                let stored = server.stored(key);
                assert_eq!(
                    stored,
                    expected(&meant, server.has_field_ttl),
                    "{version:?}, {delivered:#?}"
                );
            }
        }
    }
}

/// Replicas receive what the scripts did.
#[test]
fn a_replica_has_the_same_profiles() {
    for version in VERSIONS {
        let mut server = Server::start(version);
        let builder = Redis::builder();
        let builder = version.into_iter().fold(builder, |builder, it| builder.version(it));
        let replica = builder.replica_of(&server.redis);
        let mut rng = Rng::with_seed(7);
        let keys: Vec<String> = (0..30).map(|number| format!("user:{number}")).collect();
        for key in &keys {
            let rules = [FIELD, FIELD, PROFILE, REPLACE];
            let mut operations = Operations::new(rng.fork(), &rules, server.has_field_ttl);
            let mut model = Model::default();
            for _ in 0..30 {
                let operation = operations.next();
                play(&mut server, key, &operation, &mut model);
            }
        }
        assert_eq!(server.run(&["WAIT", "1", "60000"]), Value::Int(1));
        for key in &keys {
            assert_eq!(replica.hgetall(key), server.redis.hgetall(key), "{version:?}, {key}");
        }
    }
}
