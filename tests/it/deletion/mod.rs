//! The deletion API in this process, with a real Redis: its listener, its store and its runner.
//! Only the lanes are not there: keys are deleted by a connection of the test.

mod bodies;
mod killed;
mod regulations;
mod workers;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use traitsink::config::{self, DeadLetter, UserIds};
use traitsink::dead_letter::DeadLetters;
use traitsink::deletion::{
    ApiLimits, ApiToken, ConfiguredKeys, Deleted, DeletionStore, DeletionTime, KeyDeleter,
    KeyScope, NamedSource, NotDeleted, RegulationApi, Runner, RunnerParts, SeenKeys,
    SuppressionSync, Suppressions,
};
use traitsink::metrics::Metrics;
use traitsink::readiness::Readiness;
use traitsink::redis::{Connector, Route};
use traitsink::server::{ListenerLimits, serve};

use crate::harness::eventually_or;
use crate::harness::http::{Client, Response};
use crate::harness::redis::Redis;

pub(crate) const TOKEN: &str = "deletion-token";
const SUPPRESSIONS: &str = "traitsink:suppressed";

/// What a worker is started with.
struct Settings {
    redis: config::Redis,
    max_suppressed: u64,
    max_body: usize,
    letters: DeadLetter,
}

impl Settings {
    /// For `redis`, with the dead letters in `data_dir`.
    fn new(redis: &[&str], data_dir: &Path) -> Self {
        Self {
            redis: crate::config::set(redis).expect("valid settings").config.redis,
            max_suppressed: 1000,
            max_body: 1 << 20,
            letters: DeadLetter::File {
                path: data_dir.join("dead-letters.ndjson"),
                max_size: 1 << 20,
            },
        }
    }

    fn standalone(redis: &Redis, data_dir: &Path) -> Self {
        Self::new(&[&format!("redis.url=redis://127.0.0.1:{}", redis.port())], data_dir)
    }
}

/// The parts of a worker that delete users. It ends with the test.
pub(crate) struct Deletions {
    address: SocketAddr,
    suppressions: Arc<Suppressions>,
    seen: Arc<SeenKeys>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    runtime: Option<Runtime>,
}

impl Deletions {
    fn start(redis: &Redis, data_dir: &Path) -> Self {
        Self::with(Settings::standalone(redis, data_dir), data_dir)
    }

    fn with(settings: Settings, data_dir: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let store =
            DeletionStore::open(data_dir, settings.max_suppressed).expect("a store on disk");
        let suppressions = store.suppressions();
        let seen = Arc::new(SeenKeys::read(&store).expect("what was seen"));
        let route = Route::new(&settings.redis, &Arc::default()).expect("a route");
        let (metrics, readiness) = (Arc::new(Metrics::new()), Arc::new(Readiness::new([])));
        // The first lane begins to watch the servers.
        runtime.block_on(async { drop(route.writer((0, 1), Arc::clone(&metrics))) });
        let sync = Arc::new(SuppressionSync::new(store.clone(), route, SUPPRESSIONS.into()));
        let parts = RunnerParts {
            store,
            sync: Arc::clone(&sync),
            seen: Arc::clone(&seen),
            letters: DeadLetters::open(&settings.letters, UserIds::Hashed).expect("a file"),
            metrics: Arc::clone(&metrics),
            deleter: RedisDeleter(settings.redis),
            keys: ConfiguredKeys {
                prefixes: vec![String::new(), "old".into()],
                sources: vec![NamedSource {
                    name: "website".into(),
                    prefix: "web".into(),
                    dynamic: false,
                }],
            },
        };
        let (runner, regulations) = Runner::new(parts).expect("a runner");
        let limits = ApiLimits {
            max_body: settings.max_body,
            body_timeout: Duration::from_secs(30),
            max_key: 1024,
        };
        let api = RegulationApi::new(ApiToken::new(&TOKEN.into()), limits, regulations);
        let watched = Arc::clone(&readiness);
        runtime.spawn(async move { sync.run(&watched).await });
        runtime.spawn(runner.run());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let never = CancellationToken::new();
        runtime.spawn(serve(
            listener,
            api.into_router(),
            ListenerLimits::default(),
            never.clone(),
            never,
        ));
        Self { address, suppressions, seen, metrics, readiness, runtime: Some(runtime) }
    }

    /// Sends a request with the token.
    fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let token = format!("Bearer {TOKEN}");
        let headers = [("authorization", token.as_str())];
        let mut client = Client::with_patience(self.address, Duration::from_secs(60));
        client.send(method, path, &headers, body.as_bytes()).expect("an answer")
    }

    /// The body of the answer, whose status must be `status`.
    fn ask(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(method, path, &body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Has `users` treated as `kind` says, and returns the id of the regulation.
    fn regulate(&self, kind: &str, users: &[&str]) -> String {
        self.regulate_at("/regulations", kind, users)
    }

    fn regulate_at(&self, path: &str, kind: &str, users: &[&str]) -> String {
        let body = json!({"regulationType": kind, "subjectType": "USER_ID", "subjectIds": users});
        let answer = self.ask(200, "POST", path, &body);
        answer["data"]["regulateId"].as_str().expect("an id").to_owned()
    }

    fn state(&self, id: &str) -> Value {
        let answer = self.ask(200, "GET", &format!("/regulations/{id}"), &Value::Null);
        answer["data"]["regulation"].clone()
    }

    /// Waits until the regulation has ended, and returns it.
    fn ended(&self, id: &str) -> Value {
        let mut found = Value::Null;
        eventually_or(
            || format!("the regulation {id} ends"),
            || {
                found = self.state(id);
                !found["finishedAt"].is_null()
            },
        );
        found
    }

    /// Ends the worker in the middle of whatever it does.
    fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(20));
        }
    }
}

impl Drop for Deletions {
    fn drop(&mut self) {
        self.end();
    }
}

/// Deletes hashes in Redis, each on a connection of its own.
struct RedisDeleter(config::Redis);

impl RedisDeleter {
    async fn delete_all(&self, keys: Vec<Vec<u8>>) -> Result<Deleted, String> {
        let connector: Connector =
            crate::harness::connector(&self.0).map_err(|error| error.to_string())?;
        let mut connection = connector.connect().await.map_err(|error| error.to_string())?;
        let mut deleted = Deleted::default();
        for key in keys {
            let kind = connection.query(redis::cmd("TYPE").arg(&key)).await;
            match kind.map_err(|error| error.to_string())? {
                redis::Value::SimpleString(kind) if kind == "none" => {}
                redis::Value::SimpleString(kind) if kind == "hash" => {
                    let done = connection.query(redis::cmd("DEL").arg(&key)).await;
                    done.map_err(|error| error.to_string())?;
                    deleted.keys += 1;
                }
                _ => deleted.wrong_type += 1,
            }
        }
        Ok(deleted)
    }
}

impl KeyDeleter for RedisDeleter {
    fn keys_of(&self, user: &str, scope: &KeyScope) -> Vec<Vec<u8>> {
        let key = |prefix: &String| match prefix.as_str() {
            "" => format!("user:{user}"),
            prefix => format!("{prefix}:user:{user}"),
        };
        let of_users = scope.prefixes.iter().map(key);
        let of_entities =
            scope.entities.iter().map(|(entity, kind)| format!("w:d:{entity}:{kind}:{user}"));
        of_users.chain(of_entities).map(String::into_bytes).collect()
    }

    async fn delete(&self, keys: Vec<Vec<u8>>, at: DeletionTime) -> Result<Deleted, NotDeleted> {
        assert!(matches!(at, DeletionTime::Everything { now } if now > 1_600_000_000_000));
        self.delete_all(keys).await.map_err(|why| NotDeleted { why })
    }
}
