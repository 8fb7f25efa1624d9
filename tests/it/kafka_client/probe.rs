//! The report of `check --connect` about brokers.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use traitsink::config::{KafkaClient, Tls};
use traitsink::kafka::{BrokerReport, ProbeError, probe_consumer, probe_producer};

use super::*;

fn reader() -> KafkaClient {
    client(Listener::Login, password("SCRAM-SHA-256", "reader", PASSWORD), None)
}

fn writer() -> KafkaClient {
    client(Listener::LoginTls, password("PLAIN", "writer", PASSWORD), Some(tls("ca.pem")))
}

fn consumer(
    client: &KafkaClient,
    topics: &[&str],
    group: &str,
) -> Result<BrokerReport, ProbeError> {
    let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
    probe_consumer(client, &topics, group)
}

fn line<'r>(report: &'r BrokerReport, what: &str) -> &'r str {
    &report
        .lines
        .iter()
        .find(|(name, _)| *name == what)
        .unwrap_or_else(|| panic!("no {what} in {report:?}"))
        .1
}

fn topic(name: &str) -> String {
    Secured::shared().kafka.topic(name, 2, &[])
}

#[test]
fn nothing_is_missing() {
    let (topic, group) = (topic("open"), unique("open"));
    let report = consumer(&reader(), &[&topic], &group).expect("brokers answer");
    assert_eq!(report.missing, [""; 0]);
    assert_eq!(line(&report, "reached"), Secured::shared().server(Listener::Login));
    assert_eq!(line(&report, "brokers").split(" of cluster ").next(), Some("1"));
    assert_eq!(line(&report, "tls"), "none");
    assert_eq!(line(&report, "login"), "reader, SCRAM-SHA-256");
    assert_eq!(line(&report, "topic"), format!("{topic}, 2 partitions"));
    assert!(line(&report, "group").contains("nothing committed yet"), "{report:?}");

    let report = probe_producer(&writer(), &topic).expect("brokers answer");
    assert_eq!((&report.missing, &report.notes), (&Vec::new(), &Vec::new()));
    assert_eq!(line(&report, "tls"), "on, verified");
    assert_eq!(line(&report, "login"), "writer, PLAIN");
    assert_eq!(
        Secured::shared().kafka.watermarks(&topic),
        [(0, 0), (0, 0)],
        "the probe wrote something"
    );
}

#[test]
fn a_running_group_is_seen_and_left_alone() {
    let kafka = &Secured::shared().kafka;
    let (topic, group) = (topic("open"), unique("open"));
    produce(kafka, &topic, &["a", "b", "c"]);
    assert_eq!(consume(kafka, &group, &topic, 3).len(), 3);
    produce(kafka, &topic, &["d", "e"]);
    let member: BaseConsumer = kafka
        .client()
        .set("group.id", &group)
        .set("partition.assignment.strategy", "range")
        .create()
        .expect("a consumer");
    member.subscribe(&[&topic]).expect("a valid name");
    eventually("the member has its partitions", || {
        drop(member.poll(Duration::from_millis(10)));
        member.assignment().is_ok_and(|assigned| assigned.count() == 2)
    });
    let before = member.group_metadata();
    let report = consumer(&reader(), &[&topic], &group).expect("brokers answer");
    assert_eq!(line(&report, "group"), format!("{group}, 1 member, 2 messages behind"));
    assert!(
        matches!(report.notes.as_slice(), [note] if note.contains("assignment strategy range")),
        "{report:?}"
    );
    assert_eq!(kafka.committed(&group, &topic), [Some(3), None], "the probe committed something");
    drop(member.poll(Duration::from_millis(10)));
    assert!(
        before.is_some()
            && !member.assignment_lost()
            && member.assignment().expect("one").count() == 2
    );
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let (seen, hidden) = (topic("seen"), topic("hidden"));
    let report =
        consumer(&reader(), &["open-nowhere", &seen, &hidden], "closed").expect("brokers answer");
    let wanted: [(&str, &str); 4] = [
        ("topic open-nowhere", "kafka-topics --create"),
        (&format!("topic {hidden}"), "--operation Read --topic"),
        ("group closed", "--operation Read --group"),
        (&format!("topic {seen} cannot be read"), "--operation Read --topic"),
    ];
    assert_eq!(report.missing.len(), wanted.len(), "{:#?}", report.missing);
    for (missing, (what, hint)) in report.missing.iter().zip(wanted) {
        assert!(missing.starts_with(what) && missing.contains(hint), "{missing}");
    }
}

#[test]
fn a_group_that_may_only_be_seen() {
    let topic = topic("open");
    let report = consumer(&reader(), &[&topic], "seen").expect("brokers answer");
    assert!(
        matches!(report.missing.as_slice(), [missing] if missing.starts_with("group seen")),
        "{report:?}"
    );
}

#[test]
fn a_dead_letter_topic_that_cannot_be_written() {
    let (topic, wanted) = (topic("open"), "cannot be written");
    let report = probe_producer(&reader(), &topic).expect("brokers answer");
    assert!(
        matches!(report.missing.as_slice(), [missing] if missing.contains(wanted)),
        "{report:?}"
    );
    let report = probe_producer(&writer(), "open-nowhere").expect("brokers answer");
    assert!(
        matches!(report.missing.as_slice(), [missing] if missing.contains("kafka-topics --create")),
        "{report:?}"
    );
}

#[test]
fn patterns() {
    let mark = unique("open-pattern");
    let topics = [format!("{mark}-a"), format!("{mark}-b")];
    topics.iter().for_each(|topic| Secured::shared().kafka.create_topic(topic, 1, &[]));
    let report =
        consumer(&reader(), &[&format!("^{mark}-.*"), &topics[0]], "open").expect("brokers answer");
    assert_eq!(line(&report, "pattern"), format!("^{mark}-.* matches now: {mark}-a, {mark}-b"));
    assert_eq!(report.missing, [""; 0]);
    let report = consumer(&reader(), &["^nothing-like-this"], "open").expect("brokers answer");
    assert!(
        matches!(report.notes.as_slice(), [note] if note.contains("matches no topic")),
        "{report:?}"
    );
}

#[test]
fn brokers_out_of_reach() {
    use Listener as L;
    let nowhere =
        KafkaClient { bootstrap_servers: "127.0.0.1:1".to_owned(), ..client(L::Plain, None, None) };
    // The certificate is valid for the address only.
    let port = Secured::shared().server(L::Tls).replace("127.0.0.1", "localhost");
    let elsewhere =
        KafkaClient { bootstrap_servers: port, ..client(L::Tls, None, Some(tls("ca.pem"))) };
    let cases = [
        ("nothing listens", nowhere, "is a broker running there"),
        ("plain text to TLS", client(L::Tls, None, None), "set kafka.tls.enabled = true"),
        (
            "TLS to plain text",
            client(L::Plain, None, Some(tls("ca.pem"))),
            "leave kafka.tls.enabled off",
        ),
        (
            "wrong password",
            client(L::Login, password("SCRAM-SHA-512", "reader", "wrong-s3cret"), None),
            "kafka.sasl.username",
        ),
        ("wrong client secret", client(L::Login, token("wrong-s3cret"), None), "invalid_client"),
        ("unknown CA", client(L::Tls, None, Some(Tls::default())), "signed by \"CN=kafka ca\""),
        ("wrong CA", client(L::Tls, None, Some(tls("stranger.pem"))), "stranger.pem"),
        ("wrong name", elsewhere, "localhost"),
    ];
    let mut wrong = Vec::new();
    for (case, client, words) in cases {
        match consumer(&client, &["open"], "open") {
            Err(ProbeError::Unreachable(why)) if why.contains(words) && !why.contains("s3cret") => {
            }
            other => wrong.push(format!("{case}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
