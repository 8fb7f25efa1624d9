//! Real brokers: the promises of the harness, and every way to connect.

mod probe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use traitsink::config::{KafkaClient, Pem, Sasl, Tls};
use traitsink::kafka::{ClientEvents, PlainContext, client_config};

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, Listener, PASSWORD, Secured, Tokens, unique};
use crate::harness::redis::Redis;

const PATIENCE: Duration = Duration::from_secs(60);

fn produce(kafka: &Kafka, topic: &str, values: &[&str]) {
    // A paused broker accepts connections and answers nothing.
    let producer: ThreadedProducer<DefaultProducerContext> =
        kafka.client().set("socket.timeout.ms", "3000").create().expect("a producer");
    for value in values {
        producer
            .send(BaseRecord::<(), str>::to(topic).payload(value).partition(0))
            .expect("room in the queue");
    }
    producer.flush(PATIENCE).expect("brokers answer");
}

/// Reads `count` records of `topic` as a member of `group`, and commits.
fn consume(kafka: &Kafka, group: &str, topic: &str, count: usize) -> Vec<String> {
    let consumer: BaseConsumer = kafka
        .client()
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("a valid name");
    let mut values = Vec::new();
    eventually("records arrive", || {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
            values.push(
                String::from_utf8(record.payload().expect("a value").to_vec()).expect("text"),
            );
        }
        values.len() == count
    });
    consumer.commit_consumer_state(CommitMode::Sync).expect("a group");
    values
}

#[test]
fn records_and_commits_are_there() {
    let kafka = Kafka::shared();
    let (topic, group) = (kafka.topic("smoke", 2, &[("retention.ms", "-1")]), unique("smoke"));
    produce(kafka, &topic, &["a", "b", "c"]);
    assert_eq!(kafka.watermarks(&topic), [(0, 3), (0, 0)]);
    assert_eq!(kafka.committed(&group, &topic), [None, None]);
    assert_eq!(consume(kafka, &group, &topic, 3), ["a", "b", "c"]);
    assert_eq!(kafka.committed(&group, &topic), [Some(3), None]);
}

#[test]
fn a_killed_broker_comes_back_with_its_records() {
    let mut kafka = Kafka::start();
    let topic = kafka.topic("kept", 1, &[]);
    produce(&kafka, &topic, &["a", "b"]);
    kafka.kill(0);
    kafka.restart(0);
    assert_eq!(consume(&kafka, "after", &topic, 2), ["a", "b"]);
}

#[test]
fn a_cluster_survives_a_killed_and_a_paused_broker() {
    let mut kafka = Kafka::cluster(3);
    assert_eq!(kafka.servers().split(',').count(), 3);
    let topic = kafka.topic("replicated", 1, &[]);
    kafka.pause(1);
    produce(&kafka, &topic, &["a"]);
    kafka.resume(1);
    kafka.kill(0);
    produce(&kafka, &topic, &["b"]);
    kafka.restart(0);
    assert_eq!(consume(&kafka, "after", &topic, 2), ["a", "b"]);
}

fn client(listener: Listener, sasl: Option<Sasl>, tls: Option<Tls>) -> KafkaClient {
    KafkaClient {
        bootstrap_servers: Secured::shared().server(listener),
        sasl,
        tls,
        librdkafka: BTreeMap::new(),
    }
}

fn password(mechanism: &'static str, username: &str, password: &str) -> Option<Sasl> {
    Some(Sasl::Password {
        mechanism,
        username: username.to_owned(),
        password: password.to_owned().into(),
    })
}

fn token(client_secret: &str) -> Option<Sasl> {
    let (token_url, client_id) = (Tokens::start().url(), "reader".to_owned());
    Some(Sasl::OAuthBearer {
        token_url,
        client_id,
        client_secret: client_secret.to_owned().into(),
        scope: None,
    })
}

/// TLS settings that trust the CA in this file.
fn tls(ca: &str) -> Tls {
    Tls { ca: Some(Pem::File(Secured::shared().file(ca))), ..Tls::default() }
}

fn with_certificate() -> Tls {
    let file = |name| Pem::File(Secured::shared().file(name));
    Tls { client: Some((file("client.pem"), file("client.key"))), ..tls("ca.pem") }
}

/// Asks for the list of topics; returns the error as plain text.
fn reach(client: &KafkaClient) -> Result<(), String> {
    let events = Arc::new(ClientEvents::new("kafka", client).expect("usable settings"));
    let settings = client_config(client).expect("usable settings");
    let consumer: BaseConsumer<_> =
        settings.create_with_context(PlainContext(Arc::clone(&events))).expect("a consumer");
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        drop(consumer.poll(Duration::from_millis(10)));
        if consumer.fetch_metadata(None, Duration::from_millis(500)).is_ok() {
            return Ok(());
        }
        if let Some(trouble) = events.trouble() {
            assert!(!trouble.contains("s3cret"), "{trouble}");
            return Err(trouble);
        }
    }
    panic!("neither an answer nor a reason");
}

#[test]
fn every_way_in() {
    for listener in [Listener::Login, Listener::LoginTls] {
        let tls = || matches!(listener, Listener::LoginTls).then(|| tls("ca.pem"));
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            assert_eq!(
                reach(&client(listener, password(mechanism, "reader", PASSWORD), tls())),
                Ok(()),
                "{mechanism}"
            );
        }
        assert_eq!(reach(&client(listener, token(PASSWORD), tls())), Ok(()), "OAUTHBEARER");
    }
    let careless = || Tls { skip_verify: true, ..Tls::default() };
    assert_eq!(reach(&client(Listener::Plain, None, None)), Ok(()));
    assert_eq!(reach(&client(Listener::Tls, None, Some(tls("ca.pem")))), Ok(()));
    assert_eq!(reach(&client(Listener::Tls, None, Some(careless()))), Ok(()));
    assert_eq!(reach(&client(Listener::MutualTls, None, Some(with_certificate()))), Ok(()));
}

#[test]
fn every_way_to_be_refused() {
    use Listener as L;
    let cases = [
        ("unknown CA", client(L::Tls, None, Some(Tls::default())), "kafka.tls.ca_file"),
        ("wrong CA", client(L::Tls, None, Some(tls("stranger.pem"))), "kafka.tls.ca_file"),
        (
            "no client certificate",
            client(L::MutualTls, None, Some(tls("ca.pem"))),
            "kafka.tls.cert_file",
        ),
        ("TLS to plain text", client(L::Plain, None, Some(tls("ca.pem"))), "speak plain text"),
        ("plain text to TLS", client(L::Tls, None, None), "speak TLS"),
        ("no login", client(L::Login, None, None), "kafka.sasl"),
        ("no login, TLS", client(L::LoginTls, None, Some(tls("ca.pem"))), "kafka.sasl"),
        (
            "login where there is none",
            client(L::Plain, password("PLAIN", "reader", PASSWORD), None),
            "takes no login",
        ),
        (
            "wrong password, PLAIN",
            client(L::Login, password("PLAIN", "reader", "wrong-s3cret"), None),
            "kafka.sasl.username",
        ),
        (
            "wrong password",
            client(L::Login, password("SCRAM-SHA-256", "reader", "wrong-s3cret"), None),
            "kafka.sasl.username",
        ),
        (
            "wrong user",
            client(L::Login, password("SCRAM-SHA-512", "nobody", PASSWORD), None),
            "kafka.sasl.username",
        ),
        ("wrong client secret", client(L::Login, token("wrong-s3cret"), None), "invalid_client"),
    ];
    let mut wrong = Vec::new();
    for (case, client, words) in cases {
        match reach(&client) {
            Err(reason) if reason.contains(words) => {}
            other => wrong.push(format!("{case}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The worker itself, with its configuration, reads from each protected listener.
#[test]
fn a_worker_reads_behind_every_lock() {
    let (secured, redis) = (Secured::shared(), Redis::start());
    let topic = secured.kafka.topic("open", 1, &[]);
    produce(&secured.kafka, &topic, &[r#"{"type":"identify","userId":"u","traits":{"a":1}}"#]);
    let tokens = Tokens::start();
    let file = |name| secured.file(name).display().to_string();
    let trust =
        ["kafka.tls.enabled=true".to_owned(), format!("kafka.tls.ca_file={}", file("ca.pem"))];
    let login = |mechanism: &str| {
        [
            format!("kafka.sasl.mechanism={mechanism}"),
            "kafka.sasl.username=reader".into(),
            format!("kafka.sasl.password={PASSWORD}"),
        ]
    };
    let token = [
        "kafka.sasl.mechanism=OAUTHBEARER".to_owned(),
        format!("kafka.sasl.token_url={}", tokens.url()),
        "kafka.sasl.client_id=reader".to_owned(),
        format!("kafka.sasl.client_secret={PASSWORD}"),
    ];
    let certificate = [
        format!("kafka.tls.cert_file={}", file("client.pem")),
        format!("kafka.tls.key_file={}", file("client.key")),
    ];
    for (listener, settings) in [
        (Listener::Login, login("SCRAM-SHA-256").to_vec()),
        (Listener::LoginTls, [&login("SCRAM-SHA-512")[..], &trust].concat()),
        (Listener::LoginTls, [&token[..], &trust].concat()),
        (Listener::MutualTls, [&certificate[..], &trust].concat()),
    ] {
        let group = unique("open");
        let place = [
            format!("kafka.bootstrap_servers={}", secured.server(listener)),
            format!("kafka.topics={topic}"),
            format!("kafka.group_id={group}"),
            "kafka.commit_interval=100ms".to_owned(),
        ];
        let all: Vec<&str> = place.iter().chain(&settings).map(String::as_str).collect();
        redis.cli(&["FLUSHALL"]);
        let app = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &all);
        eventually("the offset is committed", || {
            secured.kafka.committed(&group, &topic) == [Some(1)]
        });
        assert_eq!(redis.hgetall("user:u").len(), 1, "{settings:?}");
        app.wait_ready();
        assert!(!app.log().join("\n").contains("s3cret"), "{}", app.log().join("\n"));
    }
}
