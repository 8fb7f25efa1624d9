//! A broker with every kind of protection: TLS, client certificates, logins, permissions.

use std::path::PathBuf;
use std::sync::LazyLock;

use super::Kafka;
use super::node::{Addition, java};
use crate::harness::certs::Authority;

/// The password of every user.
pub(crate) const PASSWORD: &str = "kafka-s3cret";

/// The listeners of the broker, in the order of [`LISTENERS`].
#[derive(Clone, Copy)]
pub(crate) enum Listener {
    /// Neither TLS nor login.
    Plain = 0,
    /// TLS without login.
    Tls = 2,
    /// TLS with a client certificate.
    MutualTls,
    /// A login without TLS.
    Login,
    LoginTls,
}

const LISTENERS: &[(&str, &str)] =
    &[("TLS", "SSL"), ("MUTUAL", "SSL"), ("LOGIN", "SASL_PLAINTEXT"), ("LOGINTLS", "SASL_SSL")];

/// A broker with three kinds of users. Clients without a login may do everything. `reader` may read
/// topics and groups that begin with `open`, and describe those that begin with `seen`. `writer`
/// may write to topics that begin with `open`.
pub(crate) struct Secured {
    pub(crate) kafka: Kafka,
}

impl Secured {
    /// The broker that tests share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Secured> = LazyLock::new(Secured::start);
        &SHARED
    }

    fn start() -> Self {
        let authority = Authority::new("kafka ca");
        let (server, client) = (authority.server(&["127.0.0.1"]), authority.client());
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a PEM file");
        let addition = Addition {
            listeners: LISTENERS,
            settings: settings(),
            files: vec![
                ("server.pem", read(&server.key) + &read(&server.certificate)),
                ("ca.pem", authority.ca_pem()),
                ("stranger.pem", Authority::new("stranger").ca_pem()),
                ("client.pem", read(&client.certificate)),
                ("client.key", read(&client.key)),
            ],
            scram: ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .map(|mechanism| format!("{mechanism}=[name=reader,password={PASSWORD}]"))
                .to_vec(),
        };
        let secured = Self { kafka: Kafka::with(1, &addition) };
        secured.allow("reader", &["Read"], &["--topic", "open", "--group", "open"]);
        secured.allow("reader", &["Describe"], &["--topic", "seen", "--group", "seen"]);
        secured.allow("writer", &["Write"], &["--topic", "open"]);
        secured
    }

    /// `host:port` of the listener.
    pub(crate) fn server(&self, listener: Listener) -> String {
        format!("127.0.0.1:{}", self.kafka.nodes[0].port(listener as usize))
    }

    /// The path of `ca.pem`, `client.pem`, `client.key`, or of `stranger.pem`, a CA that signed
    /// nothing here.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.kafka.nodes[0].dir().join(name)
    }

    fn allow(&self, user: &str, operations: &[&str], prefixes: &[&str]) {
        let (server, principal) = (self.server(Listener::Plain), format!("User:{user}"));
        let operations = operations.iter().flat_map(|operation| ["--operation", operation]);
        let mut args = vec![
            "kafka.admin.AclCommand",
            "--bootstrap-server",
            &server,
            "--add",
            "--allow-principal",
            &principal,
        ];
        args.extend(operations);
        args.extend(["--resource-pattern-type", "prefixed"]);
        args.extend(prefixes);
        java(self.kafka.nodes[0].dir(), &args);
    }
}

/// Settings of all listeners.
const COMMON: &str = "ssl.keystore.type=PEM\n\
    ssl.keystore.location=server.pem\n\
    ssl.truststore.type=PEM\n\
    ssl.truststore.location=ca.pem\n\
    listener.name.mutual.ssl.client.auth=required\n\
    sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER\n\
    authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
    super.users=User:ANONYMOUS;User:CN=traitsink\n";

fn settings() -> String {
    let security = "org.apache.kafka.common.security";
    let oauth = format!("{security}.oauthbearer");
    let mut text = COMMON.to_owned();
    for listener in ["login", "logintls"] {
        let listener = format!("listener.name.{listener}");
        text += &format!(
            "{listener}.plain.sasl.jaas.config={security}.plain.PlainLoginModule required \
             user_reader=\"{PASSWORD}\" user_writer=\"{PASSWORD}\";\n\
             {listener}.scram-sha-256.sasl.jaas.config={security}.scram.ScramLoginModule \
             required;\n\
             {listener}.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule \
             required;\n\
             {listener}.oauthbearer.sasl.jaas.config={oauth}.OAuthBearerLoginModule required \
             unsecuredLoginStringClaim_sub=\"broker\";\n\
             {listener}.oauthbearer.sasl.server.callback.handler.class=\
             {oauth}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler\n"
        );
    }
    text
}
