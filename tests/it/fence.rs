//! Late bytes of a lost connection must not overwrite what was written since.

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::proxy::Proxy;
use crate::harness::redis::Redis;

fn identify(app: &App, number: u32) -> u16 {
    let event = format!(r#"{{"userId":"u","traits":{{"seq":{number}}}}}"#);
    app.client().post("/v1/identify", event).expect("an answer").status
}

/// With one lane it is known which connection sends the write.
const SETTINGS: [&str; 2] = ["delivery.lanes=1", "redis.response_timeout=300ms"];

/// Writes 1; holds back 2, which is then written again over a new connection; writes 3; releases
/// the first 2.
fn play(redis: &Redis, proxy: &Proxy, app: &App) {
    app.wait_ready();
    assert_eq!(identify(app, 1), 200);
    proxy.hold();
    assert_eq!(identify(app, 2), 200);
    assert!(proxy.holds());
    assert_eq!(identify(app, 3), 200);
    proxy.release();
    eventually("the held bytes are sent on", || !proxy.holds());
    // An answer to a later command on another connection proves that Redis has read the proxy's
    // bytes.
    assert_eq!(identify(app, 3), 200);
    app.assert_at_rest();
    assert_eq!(redis.hgetall("user:u"), [(b"seq".to_vec(), b"3".to_vec())].into());
}

#[test]
fn late_bytes_of_a_lost_connection_are_never_executed() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port());
    let app = App::start(&format!("redis://127.0.0.1:{}", proxy.port()), &SETTINGS);
    redis.cli(&["CONFIG", "RESETSTAT"]);
    play(&redis, &proxy, &app);
    // HSET is executed for 1, 2, 3 and 3 again, and not for the 2 that was held back.
    let stats: String =
        redis::from_redis_value(redis.cli(&["INFO", "commandstats"])).expect("text");
    assert!(stats.contains("cmdstat_hset:calls=4,"), "{stats}");
    assert!(stats.contains("cmdstat_client|kill:calls=1,"), "{stats}");
}

#[test]
fn without_the_permission_it_warns_once_and_goes_on() {
    let redis = Redis::start();
    redis.cli(&[
        "ACL",
        "SETUSER",
        "w",
        "on",
        ">p",
        "~user:*",
        "+hset",
        "+ping",
        "+select",
        "+info",
        "+client|setname",
        "+client|info",
    ]);
    let proxy = Proxy::start(redis.port());
    let app = App::start(&format!("redis://w:p@127.0.0.1:{}", proxy.port()), &SETTINGS);
    app.wait_ready();
    for number in [1, 2] {
        proxy.hold();
        assert_eq!(identify(&app, number), 200);
    }
    app.wait_for_line("CLIENT KILL");
    let warnings = app.log().into_iter().filter(|line| line.contains("CLIENT KILL")).count();
    assert_eq!(warnings, 1, "{}", app.log().join("\n"));
}
