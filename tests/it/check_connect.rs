//! `check --connect`: which writes would succeed, found out without writing, and what the check
//! does not accept.

use crate::harness::app::run;
use crate::harness::command_proxy::{CommandProxy, Reaction, Words};
use crate::harness::redis::Redis;
use crate::proxies::{QUOTA, UNSUPPORTED, check};

/// An old Pika: HSET takes one pair of field and value, and there are transactions.
fn old_pika(words: Words<'_>) -> Reaction {
    match words[0].as_str() {
        "HSET" if words.len() > 4 => {
            Reaction::Answer("-ERR wrong number of arguments for 'hset' command\r\n")
        }
        _ => Reaction::Pass,
    }
}

#[test]
fn check_fails_when_a_write_would_be_refused_now() {
    let redis = Redis::start();
    for (act, words) in [
        (QUOTA, "daily quota of requests"),
        (Reaction::Answer("-upstream failure\r\n"), "does not reach the Redis behind it"),
        (Reaction::Answer("-no upstream host\r\n"), "has no Redis behind it"),
    ] {
        let proxy = CommandProxy::start(redis.port(), move |_| act);
        let (code, said) = check(&proxy.url(), &[]);
        assert!(code == Some(69) && said.contains(words), "{code:?} {said}");
    }
    let proxy = CommandProxy::start(redis.port(), |words| match words[0].as_str() {
        "HSET" => Reaction::Answer("-throttled-upstream for jane@example.com\r\n"),
        _ => Reaction::Pass,
    });
    let (code, said) = check(&proxy.url(), &[]);
    assert!(
        code == Some(69) && said.contains("throttled-upstream: an answer that is not known here"),
        "{code:?} {said}"
    );
    assert!(said.contains("a proxy or a managed service") && !said.contains("jane"), "{said}");

    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let (code, said) = check(&url, &[]);
    assert!(
        code == Some(69) && said.contains("a write would be refused now: OOM: "),
        "{code:?} {said}"
    );
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(check(&url, &[]).0, Some(0));
    redis.cli(&["ACL", "SETUSER", "w", "on", ">p", "~*", "+@all", "-hset"]);
    let (code, said) = check(&format!("redis://w:p@127.0.0.1:{}", redis.port()), &[]);
    assert!(
        code == Some(69) && said.contains("NOPERM") && said.contains("minimal acl"),
        "{code:?} {said}"
    );
    redis.cli(&["ACL", "SETUSER", "w", "resetkeys", "~team:user:*", "+hset"]);
    let team = format!("redis://w:p@127.0.0.1:{}", redis.port());
    let (code, said) = check(&team, &[]);
    assert!(
        code == Some(69) && said.contains("may not write keys with redis.prefix"),
        "{code:?} {said}"
    );
    assert_eq!(check(&team, &["redis.prefix=team"]).0, Some(0));
    let own_prefix = r#"http.sources=[{write_key="k", prefix="team"}]"#;
    assert_eq!(check(&team, &[own_prefix]).0, Some(0), "nothing is written with redis.prefix");
    let replica = Redis::builder().replica_of(&redis);
    let (code, said) = check(&format!("redis://127.0.0.1:{}", replica.port()), &[]);
    assert!(
        code == Some(69) && said.contains("is a replica and takes no writes"),
        "{code:?} {said}"
    );
    assert_eq!(redis.hgetall("user:").len(), 0, "nothing is written");
}

#[test]
fn check_tells_of_one_field_at_a_time_and_of_a_missing_wait() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), old_pika);
    let (code, said) = check(&proxy.url(), &[]);
    assert!(code == Some(69) && said.contains("one field at a time"), "{code:?} {said}");

    for act in [Reaction::HangUp, UNSUPPORTED] {
        let proxy = CommandProxy::start(redis.port(), move |words| {
            if words[0] == "WAIT" { act } else { Reaction::Pass }
        });
        let (code, said) = check(&proxy.url(), &["redis.durability.wait_replicas=1"]);
        assert!(
            code == Some(69) && said.contains("needs WAIT, which this server does not take"),
            "{code:?} {said}"
        );
    }
}

#[test]
fn what_a_server_says_of_itself_reaches_no_terminal_raw() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), |words| match words[0].as_str() {
        "INFO" => Reaction::Answer(
            "$62\r\nredis_version:7\x1b[2J\r\nrole:\x1b]0;\
             x\x07\r\nmaxmemory_policy:\x1bc\u{9b}\r\nx:y\r\n\r\n",
        ),
        _ => Reaction::Pass,
    });
    let (code, said) = check(&proxy.url(), &[]);
    assert!(code == Some(0) && said.contains(r"7\u{1b}[2J"), "{code:?} {said}");
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
}

#[test]
fn what_contradicts_a_minimal_handshake_is_an_error() {
    let minimal = "redis.handshake=minimal";
    for (more, words) in [
        (
            &["redis.mode=cluster", "redis.nodes=a:1"][..],
            "does not send CLUSTER SLOTS, which redis.mode = \"cluster\" needs",
        ),
        (&["redis.mode=primary_replicas", "redis.replicas.nodes=b:1"], "does not send ROLE"),
        (&["redis.durability.wait_replicas=1"], "does not send WAIT"),
        (
            &["redis.client_name=me"],
            "redis.client_name (--set): has no effect with redis.handshake = \"minimal\"",
        ),
        #[cfg(feature = "kafka")]
        (
            &["kafka.failover_replay=15s"],
            "kafka.failover_replay (--set): has no effect with redis.handshake = \"minimal\"",
        ),
        (&["redis.handshake=some"], "redis.handshake (--set)"),
    ] {
        let settings = [&["data_dir=/tmp", minimal], more].concat();
        let options: Vec<&str> = settings.iter().flat_map(|setting| ["-s", setting]).collect();
        let output = run(&[&options[..], &["check"]].concat(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(78) && said.contains(words), "{more:?}: {said}");
    }
}

#[test]
fn an_empty_client_name_is_none() {
    let show = |args: &[&str]| {
        String::from_utf8(
            run(&[&["-s", "data_dir=/tmp"], args, &["config", "show"]].concat(), b"").stdout,
        )
        .unwrap()
    };
    assert!(show(&["-s", "redis.client_name="]).contains("client_name = \"\"\n"));
    assert!(show(&[]).contains("client_name = \"traitsink\"\n"));
}
