//! Load with an oracle: each user belongs to one writer, each event carries its number, every
//! answer is remembered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use super::http::Client;

/// Rotating fields of an event, besides `seq`.
const FIELDS: u64 = 8;

/// Events of a batch.
const BATCH: usize = 5;

/// What a writer does when it is not answered 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// Sends the same event until it is answered 200.
    Retry,
    /// Gives it up and goes on with the next event of that user.
    GiveUp,
}

/// What is known of one user's events, numbered from 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    /// The last number sent.
    sent: u64,
    /// The last number acknowledged, for each field and for `seq`.
    acked: BTreeMap<String, u64>,
}

impl User {
    fn fields_of(number: u64) -> [String; 2] {
        ["seq".into(), format!("f{}", number % FIELDS)]
    }

    /// Acknowledged events that a user's hash does not show, though no later one was acknowledged
    /// in their place.
    pub(crate) fn lost(&self, hash: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
        // Each event has `seq` besides a field of its own.
        self.acked
            .iter()
            .filter(|(field, acked)| *field != "seq" && held(hash, field) < Some(**acked))
            .count()
    }

    /// What is wrong with a user's hash, if anything: a field that is older than an acknowledged
    /// event, a value never sent for that field, or a field that does not belong.
    pub(crate) fn fault(&self, hash: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<String> {
        let older = self.acked.iter().find(|(field, acked)| held(hash, field) < Some(**acked));
        let older = older.map(|(field, acked)| {
            format!("{field}: event {acked} was acknowledged, Redis holds {:?}", held(hash, field))
        });
        older.or_else(|| self.spurious(hash))
    }

    /// A value never sent for its field, or a field that does not belong.
    pub(crate) fn spurious(&self, hash: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<String> {
        hash.iter().find_map(|(field, value)| {
            let field = String::from_utf8_lossy(field).into_owned();
            let sent = held(hash, &field)
                .is_some_and(|found| found <= self.sent && Self::fields_of(found).contains(&field));
            (!sent)
                .then(|| format!("{field} = {:?} was never sent", String::from_utf8_lossy(value)))
        })
    }
}

/// The number of the event that set a field.
fn held(hash: &BTreeMap<Vec<u8>, Vec<u8>>, field: &str) -> Option<u64> {
    hash.get(field.as_bytes()).and_then(|value| str::from_utf8(value).ok()?.parse().ok())
}

/// Invariants I1 and I3 (tests/FAULTS.md): each hash agrees with what its user's writer knows.
pub(crate) fn check_users(
    users: &BTreeMap<String, User>,
    hgetall: impl Fn(&str) -> BTreeMap<Vec<u8>, Vec<u8>>,
) {
    fail_with(users, |name, user| {
        Some(format!("{name}: {}", user.fault(&hgetall(&format!("user:{name}")))?))
    });
}

/// Invariant I3, and how many events are lost: where a master dies, at most those that were
/// acknowledged in that instant, which are one request of each of so many `writers`. Redis answers
/// its clients and its replicas one after the other.
pub(crate) fn count_lost(
    users: &BTreeMap<String, User>,
    writers: usize,
    hgetall: impl Fn(&str) -> BTreeMap<Vec<u8>, Vec<u8>>,
) -> usize {
    fail_with(users, |name, user| {
        Some(format!("{name}: {}", user.spurious(&hgetall(&format!("user:{name}")))?))
    });
    let lost = users.iter().map(|(name, user)| user.lost(&hgetall(&format!("user:{name}")))).sum();
    assert!(lost <= writers * BATCH, "{lost} events are lost");
    lost
}

fn fail_with(users: &BTreeMap<String, User>, fault: impl Fn(&str, &User) -> Option<String>) {
    let faults: Vec<String> = users.iter().filter_map(|(name, user)| fault(name, user)).collect();
    assert!(faults.is_empty(), "{} of {} users:\n{}", faults.len(), users.len(), faults.join("\n"));
}

/// Writers at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    writers: Vec<JoinHandle<BTreeMap<String, User>>>,
}

impl Load {
    /// Starts `writers` threads with `users` users each, that post to `address` until told to stop.
    /// Every third request is a batch.
    pub(crate) fn start(
        address: SocketAddr,
        writers: usize,
        users: usize,
        on_error: OnError,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acked = Arc::new(AtomicU64::new(0));
        let refused = Arc::new(AtomicU64::new(0));
        let writers = (0..writers)
            .map(|writer| {
                let work = Writer {
                    client: Client::new(address),
                    users: (0..users)
                        .map(|user| (format!("w{writer}-{user}"), User::default()))
                        .collect(),
                    stop: Arc::clone(&stop),
                    acked: Arc::clone(&acked),
                    refused: Arc::clone(&refused),
                    on_error,
                };
                std::thread::spawn(move || work.run())
            })
            .collect();
        Self { stop, acked, refused, writers }
    }

    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Ends the writers, whatever they wait for, and returns what they know.
    pub(crate) fn stop(self) -> BTreeMap<String, User> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("a writer does not panic"))
            .collect()
    }
}

struct Writer {
    client: Client,
    users: BTreeMap<String, User>,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    on_error: OnError,
}

impl Writer {
    fn run(mut self) -> BTreeMap<String, User> {
        let names: Vec<String> = self.users.keys().cloned().collect();
        let mut turn = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let size = if turn % 3 == 2 { names.len().min(BATCH) } else { 1 };
            let chosen: Vec<&String> =
                (0..size).map(|offset| &names[(turn * 7 + offset) % names.len()]).collect();
            self.write(&chosen);
            turn += 1;
        }
        self.users
    }

    fn write(&mut self, chosen: &[&String]) {
        let mut numbers = Vec::new();
        let mut events = Vec::new();
        for name in chosen {
            let user = self.users.get_mut(*name).expect("own user");
            user.sent += 1;
            numbers.push(user.sent);
            let field = user.sent % FIELDS;
            events.push(format!(
                r#"{{"type":"identify","userId":"{name}","traits":{{"seq":{n},"f{field}":{n}}}}}"#,
                n = user.sent
            ));
        }
        let (path, body) = match &events[..] {
            [event] => ("/v1/identify", event.clone()),
            _ => ("/v1/batch", format!(r#"{{"batch":[{}]}}"#, events.join(","))),
        };
        while !self.stop.load(Ordering::Relaxed) {
            let status = self.client.post(path, &body).map(|answer| answer.status);
            if status == Some(200) {
                for (name, number) in chosen.iter().zip(numbers) {
                    let user = self.users.get_mut(*name).expect("own user");
                    user.acked.extend(User::fields_of(number).map(|field| (field, number)));
                }
                self.acked.fetch_add(events.len() as u64, Ordering::Relaxed);
                return;
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
            super::pause();
            if self.on_error == OnError::GiveUp {
                return;
            }
        }
    }
}
