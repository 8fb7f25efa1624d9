//! Attacks, and their effect on honest clients. Each row of their table is a call of [`attack`].

mod attackers;
mod figures;
mod honest;
mod prober;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::app::App;
use super::redis::Redis;
use super::{eventually, let_pass};

pub(crate) use attackers::Attacker;

use attackers::Attackers;
use figures::Figures;
use honest::HonestClients;
use prober::Prober;

/// Seconds of an attack in an ordinary run.
const SHORT: u64 = 3;

/// Honest clients start when all attackers are connected.
const HEAD_START: Duration = Duration::from_secs(1);

/// An attack of at least so many seconds is a long one, and its times are asserted, too.
const LONG: u64 = 60;

/// `delivery.max_in_flight`, which all attacks leave at its default, and the documented constant.
/// The pages of a debug build's code are about 12 MiB more than those of a release.
const MOST_MEMORY_KIB: u64 = (32 + 64 + if cfg!(debug_assertions) { 12 } else { 0 }) << 10;

/// Memory that may remain a minute after an attack.
const MEMORY_AT_REST_KIB: u64 = 64 << 10;

/// Descriptors that a worker may open at its start: the usual soft limit.
const DESCRIPTORS: u32 = 1024;

/// Addresses of the attacked worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttackTarget {
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// Runs `attackers` against a worker while honest clients use it. Asserts that the honest clients
/// are served, that memory stays bounded, and that every event answered 200 is in Redis. Adds a row
/// to the table, named `words`.
///
/// `TRAITSINK_ATTACK_SECONDS` is the length. From a minute on, times are asserted, and the memory
/// after the attack.
pub(crate) fn attack(words: &'static str, attackers: impl FnOnce(AttackTarget) -> Vec<Attacker>) {
    let seconds = super::matrix::variable("TRAITSINK_ATTACK_SECONDS").unwrap_or(SHORT);
    let redis = Redis::start();
    let mut command = Command::new("prlimit");
    command.args([&format!("--nofile={DESCRIPTORS}:"), env!("CARGO_BIN_EXE_traitsink")]);
    let app =
        App::start_command(command, &[&format!("redis.url=redis://127.0.0.1:{}", redis.port())]);
    app.wait_ready();

    let running = Attackers::start(attackers(AttackTarget { http: app.http, admin: app.admin }));
    let_pass(HEAD_START);
    let honest = HonestClients::start(app.http);
    let prober = Prober::start(app.admin);
    let_pass(Duration::from_secs(seconds).saturating_sub(HEAD_START));
    // The attack goes on until every honest request has its answer or has timed out.
    let sent = honest.stop();
    let probes = prober.stop();
    let attempts = running.stop();
    let figures = Figures::new(words, seconds, &sent, &probes, app.memory_kib("VmHWM:"));

    let mut faults = figures.faults(seconds >= LONG);
    faults.extend(honest::missing(&redis, &sent));
    if attempts == 0 {
        faults.push("no attacker ever reached the worker".to_owned());
    }
    println!("{words}: {attempts} connections of attackers");
    assert!(faults.is_empty(), "{words}:\n{}", faults.join("\n"));
    app.assert_at_rest();
    if seconds >= LONG {
        eventually("the worker's memory is released", || {
            app.memory_kib("VmRSS:") <= MEMORY_AT_REST_KIB
        });
    }
}
