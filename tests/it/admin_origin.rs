//! Websites and foreign names cannot read `/api/` of an admin listener on a loopback address.

use crate::harness::app::App;
use crate::harness::redis::Redis;
use crate::raw_http::RawClient;

fn worker(settings: &[&str]) -> (Redis, App) {
    let redis = Redis::start();
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    (redis, app)
}

/// The status of `GET path` with `headers`, and the code of its body, if there is one.
fn answer(app: &App, path: &str, headers: &str) -> (u16, Option<String>) {
    let mut client = RawClient::connect(app.admin);
    client.send(format!("GET {path} HTTP/1.1\r\n{headers}\r\n"));
    let response = client.response().expect("an answer");
    let code =
        (response.status != 200).then(|| response.json()["code"].as_str().map(str::to_owned));
    (response.status, code.flatten())
}

#[test]
fn only_names_of_this_machine_read_the_api() {
    let (_redis, app) = worker(&[]);
    for host in ["localhost", "127.0.0.1:9464", "[::1]:9464"] {
        for headers in
            [format!("Host: {host}\r\n"), format!("Host: {host}\r\nOrigin: http://{host}\r\n")]
        {
            assert_eq!(answer(&app, "/api/status", &headers), (200, None), "{headers}");
        }
    }
    let refused = (403, Some("foreign_origin".to_owned()));
    for headers in [
        "Host: evil.example\r\n",
        "Host: localhost\r\nOrigin: https://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: evil.example\r\nOrigin: http://evil.example\r\n",
    ] {
        for path in ["/api/status", "/api/profile?user_id=u1", "/api/tap"] {
            assert_eq!(answer(&app, path, headers), refused, "{path} {headers}");
        }
    }
    for path in ["/", "/live", "/ready", "/metrics"] {
        assert_eq!(answer(&app, path, "Host: worker.example\r\n"), (200, None), "{path}");
    }
}

#[test]
fn a_listener_for_others_takes_every_name() {
    let (_redis, app) = worker(&["admin.listen=0.0.0.0:0"]);
    assert_eq!(answer(&app, "/api/status", "Host: worker.example\r\n"), (200, None));
}
