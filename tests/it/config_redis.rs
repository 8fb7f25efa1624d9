//! The effective settings of `[redis]` and its tables.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use traitsink::config::{Address, Local, Mode, Node, Pem, Protocol, Tcp};

use crate::config::{file, set, typed};
use crate::harness::{address, tcp};

#[test]
fn a_url_says_what_keys_can_say() {
    for (layers, place, database, user, tls) in [
        (&["redis.url=redis://h"][..], tcp("h", 6379), 0, None, false),
        (&["redis.url=valkeys://u:p@h:1/2"], tcp("h", 1), 2, Some("u"), true),
        (&["redis.url=redis://[::1]:7/3", "redis.tls.enabled=true"], tcp("::1", 7), 3, None, true),
        (&["redis.host=::1", "redis.port=7", "redis.database=3"], tcp("::1", 7), 3, None, false),
        (&["redis.url=redis://h", "redis.port=7", "redis.database=3"], tcp("h", 7), 3, None, false),
        (
            &["redis.url=redis://u@h/3", "redis.password=p", "redis.host=h", "redis.database=3"],
            tcp("h", 6379),
            3,
            Some("u"),
            false,
        ),
        (&["redis.url=unix:///s?db=4"], Address::Unix("/s".into()), 4, None, false),
    ] {
        let redis = set(layers).unwrap().config.redis;
        let found =
            (address(&redis), redis.database, redis.username.as_deref(), redis.tls.is_some());
        assert_eq!(found, (place, database, user, tls));
    }
    let redis =
        set(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"]).unwrap().config.redis;
    assert!(
        matches!(redis.mode, Mode::Embedded(listen) if listen == "127.0.0.1:0".parse().unwrap())
    );
}

#[test]
fn every_mode_takes_a_protocol() {
    let nodes = "redis.nodes=[\"a\", \"b\"]";
    for mode in [
        &["redis.mode=standalone"][..],
        &["redis.mode=embedded"],
        &["redis.mode=local"],
        &["redis.mode=cluster", nodes],
        &["redis.mode=sharded", nodes],
        &["redis.mode=primary_replicas", "redis.replicas.nodes=[\"b\"]"],
        &["redis.mode=sentinel", "redis.sentinel.master=m", "redis.sentinel.nodes=[\"a\"]"],
    ] {
        let loaded = set(&[mode, &["redis.protocol=3"]].concat()).unwrap();
        assert_eq!(loaded.config.redis.protocol, Protocol::Resp3, "{mode:?}");
        assert!(loaded.to_toml().contains("protocol = 3"), "{mode:?}");
    }
}

#[test]
fn nodes_of_a_cluster_are_merged_and_may_have_logins() {
    let text = "[redis]\nmode = \"cluster\"\npassword = \"all\"\n\
                nodes = [\"a:1\", { host = \"b\", port = 2, password = \"own\" }, { url \
                = \"redis://u:p@c:3\" }, \"a:1\", \"d\"]\n\
                [redis.cluster.nat_map]\n\"10.0.0.1:6379\" = \"d:1\"";
    let loaded = file(text).unwrap();
    let redis = &loaded.config.redis;
    let Mode::Cluster(cluster) = &redis.mode else { panic!("a cluster") };
    assert_eq!(
        cluster.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a:1", "b:2", "c:3", "d:6379"]
    );
    let announced = |port| Node { host: "10.0.0.1".into(), port };
    assert_eq!(cluster.nat_map.reached(announced(6379)).to_string(), "d:1");
    assert_eq!(cluster.nat_map.reached(announced(1)), announced(1));
    let logins: Vec<_> = redis
        .logins
        .iter()
        .map(|(node, login)| {
            (node.to_string(), login.username.clone(), typed(login.password.clone()))
        })
        .collect();
    assert_eq!(
        logins,
        [
            ("b:2".into(), None, "own".to_owned()),
            ("c:3".into(), Some("u".to_owned()), "p".to_owned())
        ]
    );
    let shown = loaded.to_toml();
    assert!(!shown.contains("own") && !shown.contains(":p@"), "{shown}");
    assert_eq!(file(&shown).unwrap().to_toml(), shown);

    for (line, error) in [
        ("nodes=[{port=1}]", "redis.nodes[0] (--set): needs a url or a host"),
        (
            "nodes=[\"a\",{url=\"redis://b/2\"}]",
            "redis.nodes[1] (--set): a cluster has only database 0",
        ),
        (
            "nodes=[\"a\",{url=\"rediss://b\"}]",
            "redis.url (--set): says redis://, but redis.nodes[1] (--set) says rediss://: TLS is \
             for all nodes or for none",
        ),
        (
            "nodes=[{url=\"redis://a\", host=\"b\"}]",
            "redis.nodes[0] (--set): url is given beside host or port: give one",
        ),
        ("nodes=[\"a:x\"]", "redis.nodes[0] (--set): \"a:x\" has no port from 1 to 65535"),
        (
            "nodes=[{hots=\"a\"}]",
            "redis.nodes[0].hots (--set): unknown key; the nearest known key is redis.nodes[].host",
        ),
        (
            "cluster.nat_map={\"a:x\"=\"b\"}",
            "redis.cluster.nat_map.a:x (--set): \"a:x\" has no port from 1 to 65535",
        ),
        (
            "nodes=[{url=\"redis://u:p@a\", username=\"v\"}]",
            "redis.nodes[0] (--set): its url and its username differ: give one",
        ),
        (
            "nodes=[{url=\"redis://:p@a\", password=\"q\"}]",
            "redis.nodes[0] (--set): its url and its password differ: give one",
        ),
        (
            "nodes=[{host=\"a\", password=\"p\"}, {host=\"a\", password=\"q\"}]",
            "redis.nodes[1] (--set): a:6379 has another login above: a server has one",
        ),
        ("database=1", "redis.database (--set): a cluster has only database 0"),
        (
            "cluster.nat_map={\"a:1\"=\"b:x\"}",
            "redis.cluster.nat_map.a:1 (--set): \"b:x\" has no port from 1 to 65535",
        ),
    ] {
        let errors =
            set(&["redis.mode=cluster", &format!("redis.{line}"), "redis.url=redis://s:1"])
                .map(|_| ())
                .unwrap_err();
        assert_eq!(errors[0], error, "{line}");
    }
}

#[test]
fn shards_have_names_of_their_own_and_lanes() {
    let nodes = "redis.nodes=[\"b\", {url=\"redis://a:1/2\"}, {host=\"b\", database=5}, \
        {host=\"::1\", port=7}, \"b:6379\"]";
    let config = set(&["redis.mode=sharded", "redis.database=3", nodes]).unwrap().config;
    let Mode::Sharded(shards) = &config.redis.mode else { panic!("shards") };
    let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["b:6379/3", "a:1/2", "b:6379/5", "[::1]:7/3"]);
    assert_eq!(config.delivery.lanes, 16);
    assert_eq!(
        set(&["redis.mode=sharded", nodes, "delivery.lanes=4"]).unwrap().config.delivery.lanes,
        4
    );
}

#[test]
fn a_local_server_keeps_its_data_in_the_data_directory() {
    let local = |layers: &[&str]| match set(&[&["redis.mode=local"], layers].concat())
        .unwrap()
        .config
        .redis
        .mode
    {
        Mode::Local(local) => local,
        mode => panic!("{mode:?}"),
    };
    let default =
        Local { binary: None, port: 0, data_dir: "/home/u/.local/state/traitsink/redis".into() };
    assert_eq!(local(&[]), default);
    assert_eq!(local(&["data_dir=/d"]).data_dir, Path::new("/d/redis"));
    assert_eq!(local(&["data_dir=/d", "redis.local.data_dir=/e"]).data_dir, Path::new("/e"));
}

#[test]
fn insecure_skips_verification_and_says_so() {
    let loaded = set(&["redis.url=rediss://h#insecure"]).unwrap();
    assert!(loaded.config.redis.tls.unwrap().skip_verify);
    assert!(
        loaded.warnings.iter().any(|warning| warning.contains("NOT verified")),
        "{:?}",
        loaded.warnings
    );
    let plain = set(&["redis.url=redis://h#insecure"]).unwrap();
    assert!(plain.config.redis.tls.is_none());
    assert_eq!(plain.warnings, ["redis.url (--set): #insecure changes nothing without TLS"]);
}

#[test]
fn tcp_options_have_defaults_and_can_be_switched_off() {
    let tcp = |layers: &[&str]| set(layers).unwrap().config.redis.tcp;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(tcp(&[]), Tcp { keepalive: seconds(15), user_timeout: seconds(10) });
    assert_eq!(
        tcp(&["redis.keepalive=1m", "redis.user_timeout=3s"]),
        Tcp { keepalive: seconds(60), user_timeout: seconds(3) }
    );
    assert_eq!(
        tcp(&["redis.keepalive=0s", "redis.user_timeout=0s"]),
        Tcp { keepalive: None, user_timeout: None }
    );
    for layers in [&["redis.keepalive=0s"][..], &["redis.url=unix:///s"], &["redis.mode=embedded"]]
    {
        let loaded = set(layers).unwrap();
        assert_eq!(
            file(&loaded.to_toml()).unwrap().config.redis.tcp,
            loaded.config.redis.tcp,
            "{layers:?}"
        );
    }
}

#[test]
fn tls_takes_a_bundle_as_a_file_or_as_text_and_a_client_certificate() {
    let text = "[redis]\nurl = \"rediss://h\"\n[redis.tls]\nca_pem \
        = \"\"\"\nPEM\n\"\"\"\ncert_file = \"c\"\nkey_file = \"k\"";
    let tls = file(text).unwrap().config.redis.tls.unwrap();
    assert!(matches!(
        tls.ca,
        Some(Pem::Inline(pem, "redis.tls.ca_pem")) if pem.expose_secret() == "PEM\n"
    ));
    assert!(matches!(
        tls.client,
        Some((Pem::File(cert), Pem::File(key)))
            if cert == Path::new("c") && key == Path::new("k")
    ));
}
