//! The status page in a real browser. `tests/page/` has the browser's driver, and says what is
//! fetched for it.

mod picture;
mod report;

use nix::sys::signal::Signal;
use serde_json::json;

use self::report::report;
use crate::harness::app::App;
use crate::harness::browser::Browser;
use crate::harness::eventually;
use crate::harness::redis::Redis;
use crate::raw_http::RawClient;

/// A worker that is ready, and its Redis.
fn worker(settings: &[&str]) -> (Redis, App) {
    let redis = Redis::start();
    let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), settings);
    app.wait_ready();
    (redis, app)
}

fn identify(app: &App, events: usize) {
    let mut client = app.client();
    for at in 0..events {
        let body = json!({"userId": format!("u{at}"), "traits": {"plan": "free"}}).to_string();
        assert_eq!(client.post("/v1/identify", body).expect("an answer").status, 200);
    }
}

/// From now on `/api/status` is answered with a report that has `mark` in every text.
fn serve_report(browser: &mut Browser, mark: &str) {
    let body = serde_json::to_string(&report(mark)).unwrap();
    browser.command(json!({"do": "answer", "path": "/api/status", "status": 200, "body": body}));
}

#[test]
fn it_is_one_page_that_nothing_else_can_use() {
    let (_redis, app) = worker(&[]);
    let mut client = RawClient::connect(app.admin);
    for method in ["GET", "HEAD"] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = if method == "GET" { client.response() } else { client.response_to_head() };
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200);
        let header = |name| answer.header(name).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        let policy: Vec<&str> = header("content-security-policy").split("; ").collect();
        for needed in [
            "default-src 'none'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(&needed), "{needed} is not in {policy:?}");
        }
        for inline in ["script-src ", "style-src "] {
            let rule = policy.iter().find(|rule| rule.starts_with(inline)).expect(inline);
            assert!(rule.starts_with(&format!("{inline}'sha256-")), "{rule}");
            assert_eq!(rule.split(' ').count(), 2, "{rule}");
        }
    }
}

#[test]
fn it_shows_what_the_worker_does() {
    let (mut redis, app) = worker(&[]);
    let mut browser = Browser::open(app.admin, 1280, false);
    browser.wait_for("h1", "Ready");
    browser.wait_for("#rejections-empty", "No event was rejected since the start.");
    let written = "#sources tbody tr:first-child td:nth-child(3)";
    browser.wait_for(written, "0");
    identify(&app, 7);
    browser.wait_for(written, "7");
    identify(&app, 5);
    browser.wait_for(written, "12");

    app.client().post("/v1/identify", "{").expect("an answer");
    browser.wait_for("#rejections tbody tr:first-child", "invalid_json");
    browser.wait_for("#sources tbody tr:first-child td:nth-child(5)", "invalid_json 1");
    assert_eq!(browser.text("#rejections-empty"), "");
    browser.wait_for("#nodes tbody tr:first-child", "up");

    redis.kill();
    browser.wait_for("h1", "Not ready");
    browser.wait_for("#waiting", "redis");
    browser.wait_for("#announced", "Not ready: redis");
    browser.wait_for("#nodes tbody tr:first-child", "down");
    redis.restart();
    browser.wait_for("h1", "Ready");
    assert_eq!(browser.text("#waiting"), "");
    browser.assert_no_faults();
}

#[test]
fn it_says_that_the_worker_is_silent_and_goes_on_trying() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::open(app.admin, 1280, false);
    browser.wait_for("h1", "Ready");
    app.signal(Signal::SIGSTOP);
    browser.wait_for("h1", "No answer since ");
    browser.wait_for("#explained", "The figures below are ");
    browser.assert_accessible();
    app.signal(Signal::SIGCONT);
    browser.wait_for("h1", "Ready");

    browser.command(json!({"do": "answer", "path": "/api/status", "status": 502, "body": ""}));
    browser.wait_for("#explained", "The worker answered 502.");
    drop(app);
    browser.command(json!({"do": "release"}));
    browser.wait_for("#explained", "The worker cannot be reached.");
    browser.assert_no_faults();
}

#[test]
fn it_rests_while_it_is_paused_or_hidden() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::open(app.admin, 1280, false);
    browser.wait_for("h1", "Ready");
    browser.command(json!({"do": "freeze"}));
    let asked = |browser: &mut Browser| browser.command(json!({"do": "asked"})).as_u64().unwrap();
    let pass = |browser: &mut Browser| browser.command(json!({"do": "pass", "seconds": 60}));
    let assert_asks = |browser: &mut Browser| {
        let before = asked(browser);
        eventually("the page asks again and again", || {
            pass(browser);
            asked(browser) > before + 2
        });
    };
    let assert_rests = |browser: &mut Browser| {
        pass(browser);
        let before = asked(browser);
        pass(browser);
        assert_eq!(asked(browser), before);
    };
    assert_asks(&mut browser);
    browser.click("#pause");
    browser.wait_for("#updated", "Paused at ");
    assert_rests(&mut browser);
    browser.click("#pause");
    assert_asks(&mut browser);

    browser.command(json!({"do": "hide", "hidden": true}));
    assert_rests(&mut browser);
    browser.command(json!({"do": "hide", "hidden": false}));
    assert_asks(&mut browser);
    browser.assert_no_faults();
}

#[test]
fn everybody_can_use_it_in_every_width_and_colour() {
    let (_redis, app) = worker(&["admin.profile_lookup=false"]);
    let mut browser = Browser::start();
    for dark in [false, true] {
        for width in [1280, 320] {
            browser.command(json!({"do": "release"}));
            browser.visit(app.admin, width, dark);
            browser.wait_for("h1", "Ready");
            browser.assert_accessible();
            serve_report(&mut browser, "");
            browser.wait_for("#kafka-said", "300 partitions");
            browser.click("summary");
            browser.click("#partitions-more");
            browser.assert_accessible();
            browser.assert_no_faults();
        }
    }
}

#[test]
fn nothing_moves_when_it_refreshes() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::open(app.admin, 1280, false);
    browser.wait_for("h1", "Ready");
    browser.command(json!({"do": "shifted"}));
    let written = "#sources tbody tr:first-child td:nth-child(3)";
    for events in [3, 40, 900] {
        let before = browser.text(written);
        identify(&app, events);
        eventually("the page shows them", || browser.text(written) != before);
    }
    let shifted = browser.command(json!({"do": "shifted"})).as_f64().expect("a number");
    assert!(shifted < 0.01, "the content moved by {shifted}");
}

#[test]
fn hundreds_of_partitions_stay_usable() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::start();
    serve_report(&mut browser, "");
    browser.visit(app.admin, 320, false);
    browser.wait_for("#kafka-said", "300 partitions, 1 of them paused. Lag 448,500 in all");
    browser.wait_for("#partitions tbody tr:first-child", "299\t2,990");
    assert_eq!(browser.count("#partitions tbody tr"), 10);
    browser.wait_for("#partitions-more", "Show all 300");
    browser.click("#partitions-more");
    assert_eq!(browser.count("#partitions tbody tr"), 300);
    browser.click("#partitions-more");
    assert_eq!(browser.count("#partitions tbody tr"), 10);
    assert_eq!(browser.count("#rejections tbody tr"), 8);
    browser.click("#rejections-more");
    assert_eq!(browser.count("#rejections tbody tr"), 50);
    // Lanes with the same trouble share a line.
    browser.wait_for("#lane-reasons", "Lane 3: it is full");
    browser.assert_no_faults();
}

#[test]
fn data_is_text_and_never_markup() {
    let (_redis, app) = worker(&[]);
    let mark = "\"'><img src=x onerror=alert(1)><script>alert(2)</script><b>";
    let mut browser = Browser::start();
    serve_report(&mut browser, mark);
    let profile = json!({
        "key": format!("user:{mark}"), "fields": {mark: mark}, "ttl_seconds": null
    });
    browser.command(json!({
        "do": "answer", "path": "/api/profile", "status": 200, "body": profile.to_string()
    }));
    browser.visit(app.admin, 1280, false);
    browser.wait_for("#waiting", mark);
    for place in [
        "#host",
        "#version",
        "#sources tbody th",
        "#sources tbody td:nth-child(4)",
        "#nodes tbody th",
        "#nodes tbody td:nth-child(5)",
        "#lane-reasons",
        "#partitions tbody tr:first-child th",
        "#rejections tbody tr:first-child td:nth-child(4)",
        "#rejections tbody tr:first-child td:nth-child(5)",
        "#letters-place",
        "#certificates tbody th",
    ] {
        browser.wait_for(place, mark);
    }
    browser.click("summary");
    browser.wait_for("#config", mark);
    browser.click("#lookup-user");
    browser.write(mark);
    browser.click("#lookup-token");
    browser.write("token");
    browser.press("Enter");
    browser.wait_for("#lookup-said", mark);
    browser.wait_for("#profile tbody th", mark);
    browser.wait_for("#profile tbody td", mark);
    assert_eq!(browser.count("img"), 0);
    assert_eq!(browser.count("body script"), 1);
    browser.assert_no_faults();
}

/// Presses Tab until the element with this id has the focus.
fn tab_to(browser: &mut Browser, id: &str) {
    let mut seen = Vec::new();
    loop {
        let focused = browser.command(json!({"do": "focused"}));
        if focused == id {
            return;
        }
        seen.push(focused);
        assert!(seen.len() < 40, "Tab does not lead to {id}: {seen:?}");
        browser.press("Tab");
    }
}

#[test]
fn a_profile_is_looked_up_with_the_keyboard_alone() {
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, "a-long-token\n").unwrap();
    let token_setting = format!("admin.token_file={}", token_file.display());
    let (_redis, app) = worker(&["admin.profile_lookup=true", &token_setting]);
    identify(&app, 1);
    let mut browser = Browser::open(app.admin, 320, false);
    browser.wait_for("#lookup", "User id");
    tab_to(&mut browser, "lookup-user");
    browser.write("u0");
    tab_to(&mut browser, "lookup-token");
    browser.write("another");
    browser.press("Enter");
    browser.wait_for("#lookup-said", "admin.token_file");
    assert_eq!(browser.text("#lookup-result"), "");
    browser.press("Control+a");
    browser.write("a-long-token");
    browser.press("Enter");
    browser.wait_for("#lookup-said", "user:u0 has 1 field. It does not expire.");
    tab_to(&mut browser, "lookup-result");
    browser.wait_for("#lookup-result", "plan\tfree");
    browser.assert_accessible();
    browser.assert_no_faults();
    assert!(!app.log().join("\n").contains("a-long-token"));
}

#[test]
fn a_look_up_that_is_off_says_how_to_turn_it_on() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::open(app.admin, 1280, true);
    browser.wait_for("#lookup-hint", "set profile_lookup and token_file in [admin]");
    assert_eq!(browser.text("#lookup"), "");
    browser.assert_no_faults();
}

#[test]
fn plots_are_read_with_the_arrow_keys() {
    let (_redis, app) = worker(&[]);
    let mut browser = Browser::start();
    serve_report(&mut browser, "");
    browser.visit(app.admin, 1280, false);
    browser.wait_for("#rate .legend", "1.6\u{202f}k/s");
    browser.wait_for("#rate .legend", "now");
    browser.click("#rate .moment");
    browser.press("End");
    browser.press("ArrowLeft");
    browser.wait_for("#rate .when", "5\u{202f}s ago");
    browser.press("Home");
    browser.wait_for("#rate .when", "9\u{202f}min 55\u{202f}s ago");
    browser.wait_for("#rate .legend", "990\u{202f}/s");
    let spoken = browser.command(json!({
        "do": "attribute", "selector": "#rate .moment", "name": "aria-valuetext"
    }));
    let spoken = spoken.as_str().expect("a text");
    assert!(spoken.contains("ago: Written 990\u{202f}/s, Received 1\u{202f}k/s"), "{spoken}");
    browser.press("Escape");
    browser.wait_for("#rate .when", "now");
    browser.assert_no_faults();
}
