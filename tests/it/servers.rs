//! Redis and Valkey in other versions: each receives the same writes.

use std::process::Output;

use crate::harness::app::{App, run};
use crate::harness::guide;
use crate::harness::redis::{Redis, ServerVersion};

#[test]
fn the_examples_of_the_guide_are_written_to_each() {
    for version in ServerVersion::ALL {
        for protocol in ["redis.protocol=2", "redis.protocol=3"] {
            let redis = Redis::builder().version(*version).start();
            let url = format!("redis://127.0.0.1:{}", redis.port());
            let app = App::start(&url, &[&guide::WRITE_KEYS[..], &[protocol]].concat());
            guide::check_examples(&app, |key| redis.hgetall(key));
            let url = format!("redis.url={url}");
            let Output { status, stdout, stderr } =
                run(&["-s", &url, "-s", protocol, "check", "--connect"], b"");
            let said =
                [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            assert!(status.success(), "{version:?}, {protocol}: {status}\n{said}");
        }
    }
}
