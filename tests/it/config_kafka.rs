//! `[kafka]` and dead letters in Kafka: valid settings, and the exact errors.

use std::time::Duration;

use secrecy::ExposeSecret;
use traitsink::config::{DeadLetter, Kafka, OffsetReset, Pem, Sasl, Tombstones};

use crate::config::{Layers, file, set};
use crate::config_profile::refuse;

fn kafka(text: &str) -> Kafka {
    file(text).unwrap().config.kafka.expect("a Kafka source")
}

#[test]
fn an_empty_section_has_the_defaults() {
    let kafka = kafka("[kafka]");
    assert_eq!(kafka.client.bootstrap_servers, "127.0.0.1:9092");
    assert_eq!((kafka.topics, kafka.group_id.as_str()), (vec!["events".to_owned()], "traitsink"));
    assert_eq!(kafka.auto_offset_reset, OffsetReset::Earliest);
    assert_eq!(
        (kafka.session_timeout, kafka.commit_interval),
        (Duration::from_secs(45), Duration::from_secs(5))
    );
    assert!(kafka.failover_replay.is_zero());
    assert!(
        kafka.group_instance_id.is_none()
            && kafka.client.sasl.is_none()
            && kafka.client.tls.is_none()
    );
    assert!(kafka.client.librdkafka.is_empty());
}

#[test]
fn the_source_is_off_without_its_section() {
    assert!(set(&[]).unwrap().config.kafka.is_none());
    let both = file("[http]\n[kafka]").unwrap().config;
    assert!(both.http.is_some() && both.kafka.is_some());
}

#[test]
fn properties_of_librdkafka_may_be_typed_in_every_form() {
    let forms = file(
        "[kafka.librdkafka]\n\"queued.max.messages.kbytes\" = 4096\nclient.rack \
         = \"a\"\nfetch.min.bytes = 1\nlog_level = \"3\"",
    );
    let shown = |kafka: &Kafka| {
        let pairs = kafka
            .client
            .librdkafka
            .iter()
            .map(|(name, value)| format!("{name}={}", value.expose_secret()));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let forms = forms.unwrap().config.kafka.unwrap();
    assert_eq!(
        shown(&forms),
        "client.rack=a fetch.min.bytes=1 log_level=3 queued.max.messages.kbytes=4096"
    );

    let variables = [
        ("TRAITSINK_KAFKA__LIBRDKAFKA__FETCH__MIN__BYTES", "7"),
        ("TRAITSINK_KAFKA__TOPICS", "a, b"),
    ];
    let layers = Layers {
        set: &["kafka.librdkafka.client.rack=1.10", "kafka.librdkafka.socket.nagle.disable=true"],
        variables: &variables,
        ..Layers::default()
    };
    let kafka = layers.load().unwrap().config.kafka.unwrap();
    assert_eq!(shown(&kafka), "client.rack=1.10 fetch.min.bytes=7 socket.nagle.disable=true");
    assert_eq!(kafka.topics, ["a", "b"]);
}

#[test]
fn what_is_typed_for_librdkafka_is_never_printed() {
    let loaded = set(&["kafka.librdkafka.ssl.key.password=canary", "kafka.group_id=g"]).unwrap();
    let toml = loaded.to_toml();
    assert!(toml.contains("\"ssl.key.password\" = \"***\"") && !toml.contains("canary"), "{toml}");
    assert!(!format!("{:?}", loaded.config).contains("canary"));
}

#[test]
fn a_login_has_what_its_mechanism_needs() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "pw\n").unwrap();
    let text = format!(
        "[kafka.sasl]\nmechanism = \"SCRAM-SHA-512\"\nusername = \"u\"\npassword_file = {:?}",
        secret.path().display().to_string()
    );
    let Some(Sasl::Password { mechanism, username, password }) = kafka(&text).client.sasl else {
        panic!("a password")
    };
    assert_eq!(
        (mechanism, username.as_str(), password.expose_secret()),
        ("SCRAM-SHA-512", "u", "pw")
    );

    let text = "[kafka.sasl]\nmechanism = \"OAUTHBEARER\"\ntoken_url = \"https://h/t\"\nclient_id \
        = \"c\"\nclient_secret = \"s\"";
    let Some(Sasl::OAuthBearer { token_url, client_id, scope, .. }) = kafka(text).client.sasl
    else {
        panic!("tokens")
    };
    assert_eq!((token_url.as_str(), client_id.as_str(), scope), ("https://h/t", "c", None));
}

#[test]
fn tls_is_that_of_the_section_and_its_files_are_known() {
    let loaded = file(
        "[kafka.tls]\nenabled = true\nca_file = \"/ca\"\ncert_file \
        = \"/cert\"\nkey_file = \"/key\"",
    )
    .unwrap();
    let tls = loaded.config.kafka.unwrap().client.tls.unwrap();
    assert!(matches!(tls.ca, Some(Pem::File(path)) if path.to_str() == Some("/ca")));
    assert!(tls.client.is_some() && !tls.skip_verify);
    let keys: Vec<_> =
        loaded.pem_files.iter().map(|(key, _)| key.split(' ').next().unwrap()).collect();
    assert_eq!(keys, ["kafka.tls.ca_file", "kafka.tls.cert_file", "kafka.tls.key_file"]);

    let loud = file("[kafka.tls]\nenabled = true\nskip_verify = true").unwrap();
    assert_eq!(
        loud.warnings,
        ["kafka: TLS certificates are NOT verified: anyone in between can read and change \
             everything"]
    );
}

#[test]
fn dead_letters_go_to_the_brokers_of_the_source_or_to_others() {
    let to = |text: &str| match file(text).unwrap().config.dead_letter {
        DeadLetter::Kafka { client, topic } => {
            (client.bootstrap_servers, topic, client.tls.is_some())
        }
        other => panic!("{other:?}"),
    };
    let source = "[kafka]\nbootstrap_servers = \"a:1,b:2\"\n[kafka.tls]\nenabled = \
        true\n[dead_letter]\nto = \"kafka\"\ntopic = \"dead\"\n";
    assert_eq!(to(source), ("a:1,b:2".into(), "dead".into(), true));
    assert_eq!(
        to(&format!("{source}bootstrap_servers = \"c:3\"")),
        ("c:3".into(), "dead".into(), true)
    );
    let alone =
        "[http]\n[dead_letter]\nto = \"kafka\"\ntopic = \"dead\"\nbootstrap_servers = \"c:3\"";
    assert_eq!(to(alone), ("c:3".into(), "dead".into(), false));
}

#[test]
fn one_mistake_has_one_exact_error() {
    for (line, error) in [
        (
            "kafka.topic=a",
            "kafka.topic (--set): unknown key; the nearest known key is kafka.topics",
        ),
        ("kafka.topics=[]", "kafka.topics (--set): name at least one topic"),
        ("kafka.topics=[\"\"]", "kafka.topics[0] (--set): a topic needs a name"),
        (
            "kafka.topics=[\"a\", \"web.*\"]",
            "kafka.topics[1] (--set): \"web.*\" is not the name of a topic: those are made of \
             letters, digits, \".\", \"_\" and \"-\"; a pattern begins with \"^\"",
        ),
        (
            "kafka.auto_offset_reset=none",
            "kafka.auto_offset_reset (--set): \"none\" is not known; known are: earliest, latest, \
             error",
        ),
        ("kafka.session_timeout=500ms", "kafka.session_timeout (--set): must be at least 1s"),
        ("kafka.commit_interval=0s", "kafka.commit_interval (--set): must be longer than 0s"),
        (
            "kafka.bootstrap_servers=a:1,b",
            "kafka.bootstrap_servers (--set): \"b\" needs a port, such as \"b:9092\"",
        ),
        (
            "kafka.bootstrap_servers=kafka://a:1",
            "kafka.bootstrap_servers (--set): \"kafka://a:1\" is not host:port, such \
             as \"broker-1:9092\"",
        ),
        (
            "kafka.sasl.mechanism=GSSAPI",
            "kafka.sasl.mechanism (--set): \"GSSAPI\" is not known; known are: PLAIN, \
             SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
        ),
        (
            "kafka.sasl.username=u",
            "kafka.sasl.username (--set): has no effect without kafka.sasl.mechanism",
        ),
        (
            "kafka.tls.ca_file=/ca",
            "kafka.tls.ca_file (--set): has no effect without kafka.tls.enabled = true",
        ),
        (
            "kafka.tls.skip_verify=true",
            "kafka.tls.skip_verify (--set): has no effect without kafka.tls.enabled = true",
        ),
        (
            "kafka.librdkafka.enable.auto.commit=false",
            "kafka.librdkafka.enable.auto.commit (--set): cannot be changed: offsets are committed \
             only once Redis has confirmed their events",
        ),
        (
            "kafka.librdkafka={\"enable.auto.offset.store\"=true}",
            "kafka.librdkafka.enable.auto.offset.store (--set): cannot be changed: offsets are \
             committed only once Redis has confirmed their events",
        ),
        (
            "kafka.librdkafka.group.id=g",
            "kafka.librdkafka.group.id (--set): has a key of its own: kafka.group_id",
        ),
        (
            "kafka.librdkafka.debug=[1]",
            "kafka.librdkafka.debug (--set): expected a text, found a list",
        ),
        ("kafka.librdkafka=7", "kafka.librdkafka (--set): expected a table of texts, found a text"),
        (
            "dead_letter.topic=d",
            "dead_letter.topic (--set): has no effect with dead_letter.to = \"file\"",
        ),
        (
            "dead_letter.breaker.ratio=0.1",
            "dead_letter.breaker.ratio (--set): has no effect without [kafka]",
        ),
        (
            "dead_letter.breaker.ratio=1.5",
            "dead_letter.breaker.ratio (--set): 1.5 is not a number from 0 to 1",
        ),
        (
            "dead_letter.breaker.ratio=half",
            "dead_letter.breaker.ratio (--set): half is not a number from 0 to 1",
        ),
    ] {
        assert_eq!(set(&[line]).map(|_| ()).unwrap_err(), [error], "{line}");
    }
}

#[test]
fn what_is_missing_is_told_at_once() {
    for (lines, errors) in [
        (
            &["kafka.failover_replay=15s", "redis.mode=embedded"][..],
            &["kafka.failover_replay (--set): has no effect with redis.mode = \"embedded\", \
                 which keeps nothing"][..],
        ),
        (
            &["kafka.sasl.mechanism=PLAIN", "kafka.sasl.scope=s"][..],
            &[
                "kafka.sasl.scope (--set): has no effect with kafka.sasl.mechanism = \"PLAIN\"",
                "kafka.sasl.username: is needed for kafka.sasl.mechanism = \"PLAIN\"",
                "kafka.sasl.password: is needed for kafka.sasl.mechanism = \"PLAIN\"",
            ][..],
        ),
        (
            &["kafka.sasl.mechanism=OAUTHBEARER", "kafka.sasl.client_id=c"],
            &[
                "kafka.sasl.token_url: is needed for kafka.sasl.mechanism = \"OAUTHBEARER\"",
                "kafka.sasl.client_secret: is needed for kafka.sasl.mechanism = \"OAUTHBEARER\"",
            ],
        ),
        (
            &["dead_letter.to=kafka"],
            &[
                "dead_letter.topic: is needed with dead_letter.to = \"kafka\"",
                "dead_letter.bootstrap_servers: is needed without [kafka]",
            ],
        ),
        (
            &[
                "kafka.topics=a,b",
                "dead_letter.to=kafka",
                "dead_letter.topic=b",
                "dead_letter.path=/x",
            ],
            &[
                "dead_letter.path (--set): has no effect with dead_letter.to = \"kafka\"",
                "dead_letter.topic (--set): \"b\" is read by this worker: its dead letters would \
                 come back",
            ],
        ),
    ] {
        assert_eq!(set(lines).map(|_| ()).unwrap_err(), errors, "{lines:?}");
    }
}

#[test]
fn what_show_prints_loads_to_the_same() {
    for lines in [
        &[
            "kafka.topics=^web-.*",
            "kafka.librdkafka.client.rack=a",
            "dead_letter.breaker.ratio=0.25",
        ][..],
        &[
            "kafka.sasl.mechanism=PLAIN",
            "kafka.sasl.username=u",
            "kafka.sasl.password=p",
            "kafka.tls.enabled=true",
        ],
        &["kafka.group_instance_id=w-1", "dead_letter.to=kafka", "dead_letter.topic=d"],
    ] {
        let shown = set(lines).unwrap().to_toml();
        assert_eq!(file(&shown).unwrap().to_toml(), shown);
    }
}

#[test]
fn a_tombstone_is_skipped_or_deletes() {
    for (settings, tombstones) in [
        (&["kafka.topics=a"][..], Tombstones::Skip),
        (&["kafka.tombstones=skip"], Tombstones::Skip),
        (&["kafka.tombstones=delete"], Tombstones::Delete),
        (&["kafka.tombstones=delete", "deletion.event=e"], Tombstones::Delete),
        (
            &["kafka.tombstones=delete", "profile.newest_wins=field", "deletion.tombstone_ttl=1d"],
            Tombstones::Delete,
        ),
    ] {
        let config = set(settings).unwrap().config;
        assert_eq!(config.kafka.unwrap().tombstones, tombstones, "{settings:?}");
    }
    refuse(&[
        (
            "kafka.tombstones=drop",
            "kafka.tombstones (--set): \"drop\" is not known; known are: skip, delete",
        ),
        (
            "kafka.tombstones=delete; deletion.tombstone_ttl=1d",
            "deletion.tombstone_ttl (--set): has no effect with profile.newest_wins = \"off\", \
             which writes no tombstones",
        ),
    ]);
}
