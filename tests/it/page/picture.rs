//! The picture of the page in `docs/`. `UPDATE=1 cargo test --test it page::picture` takes it anew,
//! which lasts ten minutes: that long a plot reaches back.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::worker;
use crate::harness::browser::Browser;
use crate::harness::let_pass;

const PICTURE: &str = "docs/status-page.png";

#[test]
fn the_picture_is_of_a_worker_under_load() {
    let update = std::env::var_os("UPDATE").is_some();
    let load = Duration::from_secs(if update { 610 } else { 0 });
    let (redis, app) = worker(&["admin.profile_lookup=false"]);
    // A profile that cannot be written.
    redis.cli(&["SET", "user:taken", "a string"]);
    let start = Instant::now();
    let mut client = app.client();
    let mut round: u32 = 0;
    while round < 10 || start.elapsed() < load {
        // A rate that swells and ebbs.
        let wave = (f64::from(round) / 130.0).sin() * 30.0 + (f64::from(round) / 31.0).sin() * 14.0;
        let events: Vec<_> = (0..(75.0 + wave) as u32)
            .map(|at| {
                let user = format!("u{}", (round * 7 + at) % 5000);
                let now = jiff::Timestamp::now().to_string();
                json!({"type": if at % 9 == 0 { "track" } else { "identify" }, "userId": user,
                       "timestamp": now, "traits": {"plan": "free", "visits": at}})
            })
            .collect();
        let body = json!({"batch": events}).to_string();
        std::thread::scope(|scope| {
            // Redis stands still for a moment, once.
            if round == 1500 {
                redis.pause();
                scope.spawn(|| {
                    let_pass(Duration::from_secs(3));
                    redis.resume();
                });
            }
            client.post("/v1/batch", body);
        });
        if round % 397 == 4 {
            client.post("/v1/identify", "{\"userId\": ");
        }
        if round % 900 == 100 {
            client.post("/v1/identify", json!({"userId": "taken", "traits": {"a": 1}}).to_string());
        }
        round += 1;
        let_pass(Duration::from_millis(200));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PICTURE);
    let mut browser = Browser::open(app.admin, 1280, false);
    browser.wait_for("h1", "Ready");
    browser.wait_for("#rejections", "invalid_json");
    let taken = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    let target = if update { path.as_path() } else { taken.path() };
    browser.command(json!({"do": "picture", "path": target, "last": "#lanes"}));
    for file in [target, path.as_path()] {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(bytes.starts_with(b"\x89PNG"), "{} is no picture", file.display());
        assert!(bytes.len() < 200_000, "{}: {} bytes", file.display(), bytes.len());
        // The width is in the head of a PNG.
        assert_eq!(&bytes[16..20], 1280u32.to_be_bytes(), "{}", file.display());
    }
}
