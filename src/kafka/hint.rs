//! Errors of brokers and of librdkafka in plain words: what happened, and what to try. Pure.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::printable::escaped;

const REFUSED: &str = "is a broker running there, and is kafka.bootstrap_servers right?";
const ADVERTISED: &str = "this is the address that the broker advertises (advertised.listeners), \
    and it must be reachable from here";
const RESOLVE: &str = "is the name spelled right, and does DNS work here?";
const FIREWALL: &str = "is the address right, and is a firewall in between?";
const PLAIN_PORT: &str = "this port seems to speak plain text: leave kafka.tls.enabled off, or use \
    the port of the broker's TLS listener";
const TLS_PORT: &str = "this port seems to speak TLS: set kafka.tls.enabled = true";
const CLIENT_CERTIFICATE: &str =
    "the broker wants a client certificate: set kafka.tls.cert_file and kafka.tls.key_file";
const OUR_CERTIFICATE: &str = "the broker does not accept our client certificate: is \
    kafka.tls.cert_file valid and signed by the CA that the broker trusts?";
const CERTIFICATE: &str = "the broker's certificate is not signed by what kafka.tls.ca_file holds \
    (without it: by what this system trusts), or is for another host name; `traitsink check \
    --connect` says which";
const TLS: &str = "see kafka.tls";
const WANTS_SASL: &str = "the broker closed the connection as soon as something was asked: it may \
    want a login (kafka.sasl)";
const NO_SASL: &str =
    "this port takes no login: remove kafka.sasl, or use the port of the broker's SASL listener";
const MECHANISM: &str = "set kafka.sasl.mechanism to one that the broker supports";
const PASSWORD: &str = "is kafka.sasl.username and its password right? SCRAM credentials are made \
    for one mechanism each: kafka.sasl.mechanism must be that one";
const TOKEN: &str = "the broker does not accept the token: compare the issuer, audience and scope \
    that it expects with kafka.sasl";
const TOPIC_ACL: &str = "allow this user READ on the topic (for dead letters: WRITE), such as with \
    `kafka-acls --add --allow-principal User:NAME --operation Read --topic TOPIC`";
const GROUP_ACL: &str = "allow this user READ on the group, such as with \
    `kafka-acls --add --allow-principal User:NAME --operation Read --group GROUP`";
const CLUSTER_ACL: &str = "allow this user IDEMPOTENT_WRITE on the cluster";
const NO_TOPIC: &str = "create it with `kafka-topics --create --topic TOPIC --partitions 4`, or \
    correct its name in the configuration";
const ANOTHER_MEMBER: &str = "its partitions went to other workers meanwhile; it joins again";
const SAME_INSTANCE: &str =
    "another worker uses the same kafka.group_instance_id: each needs its own";
const OTHER_STRATEGY: &str = "the group's other members use another assignment strategy than \
    cooperative-sticky: give this worker a kafka.group_id of its own";
const SESSION: &str = "set kafka.session_timeout between the broker's group.min.session.timeout.ms \
    and group.max.session.timeout.ms";
const MOVING: &str = "the broker is starting or handing over; it is asked again";
const NO_OFFSET: &str = "the group has no valid offset to begin at, and kafka.auto_offset_reset \
    = \"error\" does not guess: set it to \"earliest\" or \"latest\", or set the group's offsets \
    with kafka-consumer-groups";
const TOO_LARGE: &str = "raise max.message.bytes of the topic";
const REPLICAS: &str = "brokers that hold replicas of the topic are down";
const OVERLOADED: &str = "is the broker overloaded, or is something in between?";
const BUG: &str = "a broker that is older than 0.10 or is none at all?";

/// Says what happened and, if it is known, what to do about it. `reason` is librdkafka's own text,
/// or empty.
pub fn explain(code: RDKafkaErrorCode, reason: &str) -> String {
    let what = if reason.is_empty() { description(code) } else { escaped(&cleaned(reason)) };
    match hint(code, reason) {
        Some(hint) => format!("{what}; {hint}"),
        None => what,
    }
}

/// The same for an error of rdkafka; never the value of a property, which may be a secret.
pub fn describe(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, property, _) => {
            format!("librdkafka does not take the value of its property {property:?}")
        }
        other => {
            other.rdkafka_error_code().map_or_else(|| other.to_string(), |code| explain(code, ""))
        }
    }
}

fn hint(code: RDKafkaErrorCode, reason: &str) -> Option<&'static str> {
    use RDKafkaErrorCode as E;
    let says = |words: &str| reason.contains(words);
    Some(match code {
        E::BrokerTransportFailure | E::SSL | E::NetworkException => return connection(reason),
        E::Resolve if says("/bootstrap") => RESOLVE,
        E::Resolve => ADVERTISED,
        E::AllBrokersDown => "no broker can be reached; librdkafka keeps trying",
        E::OperationTimedOut | E::RequestTimedOut | E::TimedOutQueue => OVERLOADED,
        // Our own text, which says what to do.
        E::Authentication if says("OAUTHBEARER token") => return None,
        E::Authentication | E::SaslAuthenticationFailed
            if says("OAUTHBEARER") && !says("mechanism handshake") =>
        {
            TOKEN
        }
        E::Authentication | E::IllegalSASLState
            if says("current SASL state") || says("not supported by broker") =>
        {
            NO_SASL
        }
        E::Authentication if says("supported mechanisms") => MECHANISM,
        E::UnsupportedSASLMechanism => MECHANISM,
        E::Authentication | E::SaslAuthenticationFailed => PASSWORD,
        E::TopicAuthorizationFailed => TOPIC_ACL,
        E::GroupAuthorizationFailed => GROUP_ACL,
        E::ClusterAuthorizationFailed => CLUSTER_ACL,
        E::UnknownTopic | E::UnknownTopicOrPartition => NO_TOPIC,
        E::UnknownMemberId | E::IllegalGeneration | E::RebalanceInProgress | E::PollExceeded => {
            ANOTHER_MEMBER
        }
        E::FencedInstanceId => SAME_INSTANCE,
        E::InconsistentGroupProtocol => OTHER_STRATEGY,
        E::InvalidSessionTimeout => SESSION,
        E::CoordinatorLoadInProgress
        | E::CoordinatorNotAvailable
        | E::NotCoordinator
        | E::LeaderNotAvailable => MOVING,
        E::AutoOffsetReset | E::OffsetOutOfRange => NO_OFFSET,
        E::MessageSizeTooLarge => TOO_LARGE,
        E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => REPLICAS,
        _ => return None,
    })
}

/// The hint for a connection that failed or broke: librdkafka names the state it was in.
fn connection(reason: &str) -> Option<&'static str> {
    let says = |words: &str| reason.contains(words);
    let tls = says("ssl://");
    Some(match () {
        () if says("certificate verify failed") => CERTIFICATE,
        () if says("bad certificate") || says("certificate required") => CLIENT_CERTIFICATE,
        () if says("unknown ca") || says("certificate unknown") || says("certificate expired") => {
            OUR_CERTIFICATE
        }
        () if says("PLAINTEXT broker listener")
            || says("wrong version number")
            || says("packet length too long") =>
        {
            PLAIN_PORT
        }
        () if says("client SSL authentication might be required") => CLIENT_CERTIFICATE,
        () if says("state SSL_HANDSHAKE") && says("Disconnected") => PLAIN_PORT,
        () if says("SSL handshake failed") => TLS,
        () if says("state CONNECT") && !says("/bootstrap") => ADVERTISED,
        () if says("Connection refused") => REFUSED,
        () if says("timed out") && (says("state CONNECT") || says("setup")) => FIREWALL,
        () if says("state APIVERSION_QUERY") && tls => CLIENT_CERTIFICATE,
        () if says("state APIVERSION_QUERY") && says("Disconnected") => TLS_PORT,
        () if says("state APIVERSION_QUERY") => BUG,
        () if says("state AUTH_") => NO_SASL,
        () if says("state UP") && says("Disconnected") && !says("sasl_") => WANTS_SASL,
        () if says("timed out") => OVERLOADED,
        () if says("unreachable") || says("No route") => FIREWALL,
        () => return None,
    })
}

/// `Broker: Unknown topic or partition`: the code's own text, without its name in the source.
fn description(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    text.split_once(" (").and_then(|(_, text)| text.strip_suffix(')')).unwrap_or(&text).to_owned()
}

/// librdkafka's text without times, counts, threads and its own advice, which names its properties
/// and not our keys.
fn cleaned(reason: &str) -> String {
    let mut text = reason.split(" (after ").next().unwrap_or(reason);
    for advice in [
        ": broker certificate could not be verified",
        ": connecting to a PLAINTEXT",
        ": requesting ApiVersion",
        ": verify that security.protocol",
        ": client SSL authentication might",
    ] {
        text = text.split(advice).next().unwrap_or(text);
    }
    let text = match text.strip_prefix("[thrd:") {
        Some(threaded) => threaded.split_once("]: ").map_or(text, |(_, text)| text),
        None => text,
    };
    text.replacen("/bootstrap: ", ": ", 1)
}

#[cfg(test)]
mod tests {
    use RDKafkaErrorCode as E;

    use super::*;

    /// Errors of librdkafka 2.12.1 and Kafka 3.9.1, each with its hint.
    const SEEN: &[(RDKafkaErrorCode, &str, &str)] = &[
        (
            E::BrokerTransportFailure,
            "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after \
             0ms in state CONNECT)",
            REFUSED,
        ),
        (
            E::BrokerTransportFailure,
            "kafka-1:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms \
             in state CONNECT)",
            ADVERTISED,
        ),
        (
            E::BrokerTransportFailure,
            "10.0.0.1:9092/bootstrap: Connection setup timed out in state CONNECT (after 10029ms \
             in state CONNECT)",
            FIREWALL,
        ),
        (
            E::Resolve,
            "nowhere:9092/bootstrap: Failed to resolve 'nowhere:9092': Name or service not known \
             (after 3ms)",
            RESOLVE,
        ),
        (
            E::Resolve,
            "nowhere:9092/1: Failed to resolve 'nowhere:9092': Name or service not known (after \
             3ms)",
            ADVERTISED,
        ),
        (
            E::SSL,
            "ssl://127.0.0.1:9093/bootstrap: SSL handshake failed: error:0A000086:SSL \
             routines::certificate verify failed: broker certificate could not be verified, verify \
             that ssl.ca.location is correctly configured or root CA certificates are installed \
             (install ca-certificates package) (after 2ms in state SSL_HANDSHAKE)",
            CERTIFICATE,
        ),
        (
            E::BrokerTransportFailure,
            "ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection \
             closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state \
             SSL_HANDSHAKE)",
            PLAIN_PORT,
        ),
        (
            E::BrokerTransportFailure,
            "ssl://127.0.0.1:9092/bootstrap: Disconnected: SSL connection closed by peer (after \
             0ms in state SSL_HANDSHAKE)",
            PLAIN_PORT,
        ),
        (
            E::BrokerTransportFailure,
            "[thrd:127.0.0.1:9093/bootstrap]: 127.0.0.1:9093/bootstrap: Disconnected: connection \
             closed by peer: receive 0 after POLLIN (after 1ms in state APIVERSION_QUERY)",
            TLS_PORT,
        ),
        (
            E::BrokerTransportFailure,
            "ssl://127.0.0.1:9094/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls \
             alert bad certificate: SSL alert number 42 (after 3ms in state APIVERSION_QUERY)",
            CLIENT_CERTIFICATE,
        ),
        (
            E::BrokerTransportFailure,
            "127.0.0.1:9095/bootstrap: Disconnected: connection closed by peer: receive 0 after \
             POLLIN (after 293ms in state UP)",
            WANTS_SASL,
        ),
        (
            E::Authentication,
            "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL PLAIN mechanism handshake failed: \
             Broker: Request not valid in current SASL state: broker's supported mechanisms:  \
             (after 0ms in state AUTH_HANDSHAKE)",
            NO_SASL,
        ),
        (
            E::Authentication,
            "sasl_ssl://127.0.0.1:9096/bootstrap: SASL PLAIN mechanism handshake failed: Broker: \
             Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-256 (after 300ms \
             in state AUTH_HANDSHAKE)",
            MECHANISM,
        ),
        (
            E::Authentication,
            "sasl_plaintext://127.0.0.1:9095/bootstrap: SASL authentication error: Authentication \
             failed: Invalid username or password (after 300ms in state AUTH_REQ)",
            PASSWORD,
        ),
        (
            E::Authentication,
            "sasl_plaintext://127.0.0.1:9095/bootstrap: SASL authentication error: Authentication \
             failed during authentication due to invalid credentials with SASL mechanism \
             SCRAM-SHA-256 (after 316ms in state AUTH_REQ)",
            PASSWORD,
        ),
        (
            E::TopicAuthorizationFailed,
            "Fetch from broker 1 failed: Broker: Topic authorization failed",
            TOPIC_ACL,
        ),
        (
            E::GroupAuthorizationFailed,
            "FindCoordinator response error: Group authorization failed.",
            GROUP_ACL,
        ),
        (
            E::UnknownTopicOrPartition,
            "Subscribed topic not available: events: Broker: Unknown topic or partition",
            NO_TOPIC,
        ),
        (E::UnknownMemberId, "", ANOTHER_MEMBER),
        (E::FencedInstanceId, "", SAME_INSTANCE),
    ];

    #[test]
    fn each_error_has_its_hint() {
        for (code, reason, hint) in SEEN {
            let text = explain(*code, reason);
            assert!(text.ends_with(&format!("; {hint}")), "{reason}\n-> {text}");
        }
    }

    #[test]
    fn what_is_librdkafkas_own_business_is_left_out() {
        for (code, reason, _) in SEEN {
            let text = explain(*code, reason);
            for noise in [
                "(after",
                "bootstrap:",
                "[thrd",
                "security.protocol",
                "ssl.ca.location",
                "PLAINTEXT",
            ] {
                assert!(!text.contains(noise), "{noise} in {text}");
            }
        }
        let refused = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection \
            refused (after 0ms in state CONNECT)";
        assert_eq!(
            explain(E::BrokerTransportFailure, refused),
            format!(
                "127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused; {REFUSED}"
            )
        );
    }

    #[test]
    fn an_error_without_a_reason_says_what_it_is() {
        assert_eq!(explain(E::Fail, "said\u{1b}[2J\r\n"), r"said\u{1b}[2J\u{d}\u{a}");
        assert_eq!(
            explain(E::UnknownTopicOrPartition, ""),
            format!("Broker: Unknown topic or partition; {NO_TOPIC}")
        );
        assert_eq!(explain(E::Fail, "odd"), "odd");
        assert_eq!(
            describe(&KafkaError::MessageConsumption(E::PartitionEOF)),
            "Broker: No more messages"
        );
    }

    #[test]
    fn the_value_of_a_property_is_never_shown() {
        let mut config = rdkafka::ClientConfig::new();
        config.set("socket.timeout.ms", "s3cret");
        let error = config.create_native_config().map(drop).expect_err("no number");
        assert!(error.to_string().contains("s3cret"), "the reason for this test is gone: {error}");
        assert_eq!(
            describe(&error),
            "librdkafka does not take the value of its property \"socket.timeout.ms\""
        );
    }
}
