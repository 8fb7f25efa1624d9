//! How long the worker takes from its start until it is ready, while Redis is up.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::harness::http::Client;
use super::harness::let_pass;
use super::process::Killed;
use super::redis::{BenchServer, free_port};
use super::report::Report;
use super::targets::Row;

const STARTS: usize = 11;

pub(super) fn measure(report: &mut Report, dir: &Path) {
    let redis = BenchServer::start(dir);
    println!("start to ready, {STARTS} times");
    for _ in 0..STARTS {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
        for setting in [
            format!("redis.url={}", redis.url()),
            format!("data_dir={}", dir.display()),
            format!("admin.listen={admin}"),
            "http.listen=127.0.0.1:0".to_owned(),
        ] {
            command.args(["-s", &setting]);
        }
        command.arg("run").stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let _worker = Killed::start(&mut command);
        while Client::new(admin).get("/ready").is_none_or(|answer| answer.status != 200) {
            assert!(start.elapsed() < Duration::from_secs(30), "the worker is not ready");
            let_pass(Duration::from_micros(500));
        }
        report.row(Row::Start, start.elapsed().as_secs_f64() * 1e3);
    }
}
