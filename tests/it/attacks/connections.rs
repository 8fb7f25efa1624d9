//! Connections that send nothing, or nearly nothing, and take the places of others.

use std::time::Duration;

use super::payload::{MAX_BODY, head};
use crate::harness::attack::{Attacker, attack};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn bodies_that_stop_before_their_last_byte() {
    let body = head(&format!("content-length: {MAX_BODY}\r\n")) + &" ".repeat(MAX_BODY - 1);
    attack("5 bodies of 8 MiB that stop before their last byte", |at| {
        vec![Attacker::new(at.http, 5, body)]
    });
}

#[test]
fn silent_connections() {
    attack("1,030 silent connections, at a limit of 1,024 descriptors", |at| {
        vec![Attacker::new(at.http, 1030, "")]
    });
}

#[test]
fn few_silent_connections_to_the_admin_port() {
    attack("70 silent connections to the admin port", |at| vec![Attacker::new(at.admin, 70, "")]);
}

#[test]
fn many_silent_connections_to_the_admin_port() {
    attack("1,000 silent connections to the admin port", |at| {
        vec![Attacker::new(at.admin, 1000, "")]
    });
}

#[test]
fn slow_heads() {
    let slow =
        |to, count| Attacker::new(to, count, "POST /v1/identify HTTP/1.1\r\nx: ").drip("y", SECOND);
    attack("1,030 heads of a byte a second, and 70 to the admin port", |at| {
        vec![slow(at.http, 1030), slow(at.admin, 70)]
    });
}

#[test]
fn connections_that_close_at_once() {
    attack("500 connections a second that close at once, to both ports", |at| {
        vec![
            Attacker::new(at.http, 50, "").closes_at_once(),
            Attacker::new(at.admin, 10, "").closes_at_once(),
        ]
    });
}
