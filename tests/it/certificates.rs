//! The metric of when certificates end.

use std::fs;

use crate::harness::app::App;
use crate::harness::certs::Authority;
use crate::harness::eventually_or;
use crate::harness::redis::Redis;
use crate::worker_tls::rediss;

const NAME: &str = "traitsink_certificate_expiry_timestamp_seconds";

/// `date -u -d YEAR-01-01 +%s`
const ENDS: [(i32, f64); 4] = [
    (2031, 1_924_992_000.0),
    (2033, 1_988_150_400.0),
    (2034, 2_019_686_400.0),
    (2036, 2_082_758_400.0),
];

fn wait_for_end(app: &App, year: i32) {
    let (_, seconds) = ENDS.into_iter().find(|(known, _)| *known == year).expect("a known year");
    let found = || app.metric(NAME, "client=\"redis\"");
    eventually_or(|| format!("the end is in {year}, not at {}", found()), || found() == seconds);
}

#[test]
fn the_first_end_counts_and_files_and_servers_are_followed() {
    let authority = Authority::new("CA");
    let server = authority.server_until(2034);
    let redis = Redis::builder().mutual_tls(&server, &authority.ca_file()).start();
    let client = authority.client_until(2033);
    let option = |key: &str, file: &std::path::Path| format!("redis.tls.{key}={}", file.display());
    let settings = [
        option("ca_file", &authority.ca_file()),
        option("cert_file", &client.certificate),
        option("key_file", &client.key),
    ];
    let app = App::start(&rediss(&redis), &settings.each_ref().map(String::as_str));
    app.wait_ready();
    wait_for_end(&app, 2033);
    assert!(!app.metrics().contains(&format!("{NAME}{{client=\"kafka\"}}")));

    // The worker's own certificate is replaced: the server's is the first to end.
    authority.client_until(2036);
    wait_for_end(&app, 2034);

    // The server gets another one, which new connections see.
    authority.server_until(2031);
    redis.cli(&[
        "CONFIG",
        "SET",
        "tls-cert-file",
        &server.certificate.display().to_string(),
        "tls-key-file",
        &server.key.display().to_string(),
    ]);
    redis.kill_clients();
    wait_for_end(&app, 2031);

    // What cannot be read leaves the last end in place.
    fs::write(&client.certificate, "no certificate").expect("writing the certificate");
    authority.server_until(2036);
    wait_for_end(&app, 2031);
    app.wait_ready();
}

#[test]
fn without_tls_there_is_no_end() {
    let redis = Redis::start();
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &[]);
    app.wait_ready();
    assert!(!app.metrics().contains(NAME));
}
