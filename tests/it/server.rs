//! The serving loop with the tests' own services: clients that stall, that are too many, or that
//! stay.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use traitsink::server::{ListenerLimits, serve};

use crate::harness::{let_pass, pause};
use crate::raw_http::RawClient;

/// A server on its own runtime; ends with the test.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    soft: CancellationToken,
    hard: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(crate) fn start(app: Router, limits: ListenerLimits) -> Self {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let (address, found) = std::sync::mpsc::channel();
        let stops = (soft.clone(), hard.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, app, limits, stops.0, stops.1).await;
            });
        });
        Self { address: found.recv().unwrap(), soft, hard, thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> RawClient {
        RawClient::connect(self.address)
    }

    /// Waits until `serve` has returned.
    fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.hard.cancel();
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(600);

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// A service that answers once `release` has a permit; counts requests begun and given up.
#[derive(Clone)]
struct SlowService {
    begun: Arc<Semaphore>,
    release: Arc<Semaphore>,
    dropped: Arc<Notify>,
}

impl SlowService {
    fn new() -> (Self, Router) {
        let slow = Self {
            begun: Arc::new(Semaphore::new(0)),
            release: Arc::new(Semaphore::new(0)),
            dropped: Arc::default(),
        };
        let inner = slow.clone();
        let answer = move || {
            let inner = inner.clone();
            async move {
                struct OnDrop(Arc<Notify>);
                impl Drop for OnDrop {
                    fn drop(&mut self) {
                        self.0.notify_one();
                    }
                }
                let _on_drop = OnDrop(Arc::clone(&inner.dropped));
                inner.begun.add_permits(1);
                inner.release.acquire().await.unwrap().forget();
                "at last"
            }
        };
        (slow, Router::new().route("/", get(answer)))
    }

    fn wait_begun(&self) {
        block_on(async { self.begun.acquire().await.unwrap().forget() });
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), future).await.expect("the future ends")
    })
}

fn limits(header_timeout: Duration, idle_timeout: Duration) -> ListenerLimits {
    ListenerLimits { max_connections: 10, header_timeout, idle_timeout }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let served = TestServer::start(hello(), limits(SHORT, LONG));
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let begun = Instant::now();
        let mut client = served.client();
        client.send(start);
        client.wait_closed();
        assert!(begun.elapsed() >= SHORT, "{start:?} was closed too early");
    }
}

#[test]
fn dripping_does_not_extend_the_head_deadline() {
    let served = TestServer::start(hello(), limits(SHORT, LONG));
    let mut client = served.client();
    client.send("GET / HTTP/1.1\r\nX: ");
    let mut drops = 0;
    while client.send("x") {
        let_pass(SHORT / 10);
        drops += 1;
        assert!(drops < 1000, "still open after {drops} drops");
    }
}

#[test]
fn a_connection_between_two_requests_has_the_idle_deadline() {
    let served = TestServer::start(hello(), limits(SHORT, LONG));
    let mut client = served.client();
    client.send(GET);
    assert_eq!(client.response().unwrap().text(), "hello");
    assert!(client.is_silent_for(3 * SHORT), "not cut off by the head deadline");
    client.send(GET);
    assert_eq!(client.response().unwrap().text(), "hello");
    client.send("GET / HT");
    client.wait_closed();

    let served = TestServer::start(hello(), limits(LONG, SHORT));
    let mut client = served.client();
    client.send(GET);
    assert_eq!(client.response().unwrap().text(), "hello");
    client.wait_closed();
}

#[test]
fn an_answer_may_take_longer_than_both_deadlines() {
    let (slow, app) = SlowService::new();
    let served = TestServer::start(app, limits(SHORT, SHORT));
    let mut client = served.client();
    client.send(GET);
    slow.wait_begun();
    assert!(client.is_silent_for(3 * SHORT));
    slow.release.add_permits(1);
    assert_eq!(client.response().unwrap().text(), "at last");
}

#[test]
fn a_new_client_takes_the_place_of_the_one_that_is_silent_for_longest() {
    let served =
        TestServer::start(hello(), ListenerLimits { max_connections: 2, ..limits(LONG, LONG) });
    let (mut first, mut second) = (served.client(), served.client());
    let_pass(SHORT / 10);
    second.send(GET);
    assert_eq!(second.response().unwrap().status, 200);
    let mut third = served.client();
    third.send(GET);
    assert_eq!(third.response().unwrap().status, 200, "served at once");
    first.wait_closed();
    second.send(GET);
    assert_eq!(second.response().unwrap().status, 200, "the wrong connection was closed");
}

#[test]
fn silent_clients_keep_nobody_out() {
    let served =
        TestServer::start(hello(), ListenerLimits { max_connections: 20, ..limits(LONG, LONG) });
    // Clients that are silent from the start, in a head, in a body, or that do not read their
    // answers.
    let starts = [
        "",
        "GET / HTTP/1.1\r\nX: ",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        &GET.repeat(50),
    ];
    let silent: Vec<RawClient> = (0..100)
        .map(|n| {
            let mut client = served.client();
            client.send(starts[n % starts.len()]);
            client
        })
        .collect();
    for _ in 0..20 {
        let mut client = served.client();
        client.send(GET);
        assert_eq!(client.response().unwrap().status, 200);
    }
    drop(silent);
}

#[test]
fn a_request_that_is_being_answered_never_gives_way() {
    let (slow, app) = SlowService::new();
    let served =
        TestServer::start(app, ListenerLimits { max_connections: 2, ..limits(LONG, LONG) });
    let (mut first, mut second) = (served.client(), served.client());
    for client in [&mut first, &mut second] {
        client.send(GET);
        slow.wait_begun();
    }
    let mut third = served.client();
    third.send(GET);
    assert!(third.is_silent_for(SHORT), "the connection limit holds");
    slow.release.add_permits(1);
    // The connection that is answered is idle then, and is closed for a new one.
    slow.wait_begun();
    slow.release.add_permits(2);
    for client in [&mut first, &mut second, &mut third] {
        assert_eq!(client.response().unwrap().text(), "at last");
    }
}

#[test]
fn a_client_that_leaves_ends_its_request() {
    let (slow, app) = SlowService::new();
    let served = TestServer::start(app, limits(LONG, LONG));
    let mut client = served.client();
    client.send(GET);
    slow.wait_begun();
    drop(client);
    block_on(slow.dropped.notified());
}

#[test]
fn the_soft_stop_answers_what_was_begun_and_closes_the_rest() {
    let (slow, app) = SlowService::new();
    let served = TestServer::start(app, limits(LONG, LONG));
    let (mut busy, mut idle) = (served.client(), served.client());
    slow.release.add_permits(1);
    idle.send(GET);
    assert_eq!(idle.response().unwrap().text(), "at last");
    slow.wait_begun();
    busy.send(GET);
    slow.wait_begun();

    served.soft.cancel();
    idle.wait_closed();
    let refused = (0..1000).any(|_| {
        pause();
        TcpStream::connect(served.address).is_err()
    });
    assert!(refused, "no connection is accepted any more");
    slow.release.add_permits(1);
    let last = busy.response().unwrap();
    assert_eq!((last.text(), last.header("connection")), ("at last", Some("close")));
    busy.wait_closed();
    drop((busy, idle));
    served.join();
}

#[test]
fn the_hard_stop_drops_what_is_left() {
    let (slow, app) = SlowService::new();
    let served = TestServer::start(app, limits(LONG, LONG));
    let mut client = served.client();
    client.send(GET);
    slow.wait_begun();
    served.soft.cancel();
    served.hard.cancel();
    assert!(client.response().is_none());
    block_on(slow.dropped.notified());
    served.join();
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let app =
        Router::new().route("/", post(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "too large") }));
    let served = TestServer::start(app, limits(LONG, LONG));
    let body = vec![b'x'; 16 * 1024 * 1024];
    let mut client = served.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
    assert!(client.send(&body), "reset while sending");
    assert_eq!(client.response().unwrap().status, 413);
    client.wait_closed();
}

#[test]
fn a_head_is_bounded() {
    let served = TestServer::start(hello(), limits(LONG, LONG));
    let many: String = (0..101).map(|i| format!("X-{i}: y\r\n")).collect();
    let large = format!("X: {}\r\n", "y".repeat(9_000));
    for headers in [many, large] {
        let mut client = served.client();
        client.send(format!("GET / HTTP/1.1\r\n{headers}\r\n"));
        assert_eq!(client.response().unwrap().status, 431);
        client.wait_closed();
    }
    let enough: String = (0..99).map(|i| format!("X-{i}: {}\r\n", "y".repeat(60))).collect();
    let mut client = served.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: x\r\n{enough}\r\n"));
    assert_eq!(client.response().unwrap().status, 200);
}

#[test]
fn a_connection_is_used_again_and_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let app = Router::new().route(
        "/",
        get(move || async move { counter.fetch_add(1, Ordering::Relaxed).to_string() }),
    );
    let served = TestServer::start(app, limits(LONG, LONG));
    let mut client = served.client();
    client.send(GET.repeat(3));
    for i in 0..3 {
        assert_eq!(
            client.response().unwrap().text(),
            i.to_string(),
            "pipelined, answered in order"
        );
    }
    client.send(GET);
    assert_eq!(client.response().unwrap().text(), "3");
}
