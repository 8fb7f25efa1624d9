//! Load on HTTP, with an oracle: each user belongs to one writer, each event carries a number, and
//! each answer is recorded.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::http::Client;

/// Number of fields that take turns in the events, besides `seq`.
const FIELDS: u64 = 8;

/// Events of a batch.
const BATCH: usize = 5;

/// Reaction of a writer to an answer other than 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// Send the same event until it is answered 200.
    Retry,
    /// Give the event up, and send the next event of that user.
    GiveUp,
}

/// The known state of one user's events, numbered from 1.
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

    /// The number of acknowledged events that the hash does not show, and that no later
    /// acknowledged event overwrote.
    pub(crate) fn lost(&self, hash: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
        // Each event has `seq` and one other field.
        self.acked
            .iter()
            .filter(|(field, acked)| *field != "seq" && held(hash, field) < Some(**acked))
            .count()
    }

    /// An error in the user's hash, if any: a field older than an acknowledged event, a value never
    /// sent for that field, or an unknown field.
    pub(crate) fn fault(&self, hash: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<String> {
        let older = self.acked.iter().find(|(field, acked)| held(hash, field) < Some(**acked));
        let older = older.map(|(field, acked)| {
            format!("{field}: event {acked} was acknowledged, Redis holds {:?}", held(hash, field))
        });
        older.or_else(|| self.spurious(hash))
    }

    /// An error in the user's hash, if any: a value never sent for its field, or an unknown field.
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

/// Checks invariants I1 and I3: each hash agrees with its user's state.
pub(crate) fn check_users(
    users: &BTreeMap<String, User>,
    hgetall: impl Fn(&str) -> BTreeMap<Vec<u8>, Vec<u8>>,
) {
    fail_with(users, |name, user| {
        Some(format!("{name}: {}", user.fault(&hgetall(&format!("user:{name}")))?))
    });
}

/// Checks invariant I3 and returns the number of lost events. Where a master dies, the events
/// acknowledged at that instant may be lost: at most one request of each of `writers`, because
/// Redis answers its clients and its replicas one after the other.
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

/// The running writers.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    writers: Vec<JoinHandle<BTreeMap<String, User>>>,
}

impl Load {
    /// Starts `writers` threads with `users` users each; they post to `address` until
    /// [`Load::stop`]. Every third request is a batch.
    pub(crate) fn start(
        address: SocketAddr,
        writers: usize,
        users: usize,
        on_error: OnError,
    ) -> Self {
        Self::start_paced(address, writers, users, on_error, Duration::ZERO)
    }

    /// [`Load::start`] with writers that pause for `pause` after each request.
    pub(crate) fn start_paced(
        address: SocketAddr,
        writers: usize,
        users: usize,
        on_error: OnError,
        pause: Duration,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acked = Arc::new(AtomicU64::new(0));
        let refused = Arc::new(AtomicU64::new(0));
        let writers = (0..writers)
            .map(|writer| {
                let work = LoadWriter {
                    client: Client::new(address),
                    users: (0..users)
                        .map(|user| (format!("w{writer}-{user}"), User::default()))
                        .collect(),
                    stop: Arc::clone(&stop),
                    acked: Arc::clone(&acked),
                    refused: Arc::clone(&refused),
                    on_error,
                    pause,
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

    /// Ends the writers at once, and returns the state of each user.
    pub(crate) fn stop(self) -> BTreeMap<String, User> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("a writer does not panic"))
            .collect()
    }
}

struct LoadWriter {
    client: Client,
    users: BTreeMap<String, User>,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    on_error: OnError,
    pause: Duration,
}

impl LoadWriter {
    fn run(mut self) -> BTreeMap<String, User> {
        let names: Vec<String> = self.users.keys().cloned().collect();
        let mut turn = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let size = if turn % 3 == 2 { names.len().min(BATCH) } else { 1 };
            let chosen: Vec<&String> =
                (0..size).map(|offset| &names[(turn * 7 + offset) % names.len()]).collect();
            self.write(&chosen);
            turn += 1;
            if !self.pause.is_zero() {
                super::let_pass(self.pause);
            }
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
