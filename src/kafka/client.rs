//! From a valid configuration to librdkafka's properties.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use secrecy::ExposeSecret;

use super::describe;
use crate::config::{KafkaClient, Pem, Sasl, Tls};
use crate::tls::{self, TlsError};

/// Settings that cannot work, which is a start-up error. The text names keys and files, never a
/// secret or a file's content.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{key}: {source}")]
    Tls { key: &'static str, source: TlsError },
    #[error("kafka.sasl.token_url: {why}")]
    TokenUrl { why: &'static str },
    #[error("the token endpoint cannot be reached securely: {0}")]
    TokenTls(TlsError),
    #[error("kafka.librdkafka: librdkafka has no property {property:?}")]
    UnknownProperty { property: String },
    #[error("kafka.librdkafka: the value of {property:?} is not one that librdkafka takes")]
    PropertyValue { property: String },
    /// A value that was derived from our own keys, such as a NUL in a password.
    #[error("librdkafka does not take the value that it was given for its property {property:?}")]
    OwnValue { property: String },
    /// librdkafka's own text: properties that contradict each other, certificates that it cannot
    /// use.
    #[error("librdkafka cannot create a client from these settings: {0}")]
    Creation(String),
}

/// The properties that every client of these brokers has; the source, the dead letters and the
/// probe add their own.
///
/// # Errors
/// Files that cannot be read or are not PEM, and properties that librdkafka does not take.
pub fn client_config(client: &KafkaClient) -> Result<ClientConfig, ClientError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &client.bootstrap_servers)
        .set("client.id", "traitsink")
        .set("security.protocol", protocol(client))
        .set("socket.keepalive.enable", "true")
        .set("socket.connection.setup.timeout.ms", "10000")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000");
    if let Some(tls) = &client.tls {
        // With a password for it, the key may be encrypted: then librdkafka checks it, not we.
        set_tls(&mut config, tls, client.librdkafka.contains_key("ssl.key.password"))?;
    }
    match &client.sasl {
        None => {}
        Some(Sasl::Password { mechanism, username, password }) => {
            config.set("sasl.mechanism", *mechanism);
            config.set("sasl.username", username).set("sasl.password", password.expose_secret());
        }
        Some(Sasl::OAuthBearer { .. }) => {
            config.set("sasl.mechanism", "OAUTHBEARER");
        }
    }
    for (property, value) in &client.librdkafka {
        config.set(property, value.expose_secret());
    }
    // By default rdkafka takes the level from the `log` crate, which is not used here, and would
    // hide the lines that `debug` asks for.
    let debug = client.librdkafka.contains_key("debug");
    config.set_log_level(if debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    match config.create_native_config() {
        Ok(_) => Ok(config),
        Err(error) => Err(refused(client, error)),
    }
}

/// Why librdkafka cannot create a client.
pub fn creation_error(error: KafkaError) -> ClientError {
    match error {
        KafkaError::ClientConfig(_, _, property, _) => ClientError::OwnValue { property },
        KafkaError::ClientCreation(why) => ClientError::Creation(why),
        other => ClientError::Creation(describe(&other)),
    }
}

/// librdkafka's own text quotes the value, which may be a secret.
fn refused(client: &KafkaClient, error: KafkaError) -> ClientError {
    match error {
        KafkaError::ClientConfig(why, _, property, _)
            if client.librdkafka.contains_key(&property) =>
        {
            match why {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => ClientError::UnknownProperty { property },
                _ => ClientError::PropertyValue { property },
            }
        }
        other => creation_error(other),
    }
}

fn protocol(client: &KafkaClient) -> &'static str {
    match (&client.sasl, &client.tls) {
        (None, None) => "plaintext",
        (None, Some(_)) => "ssl",
        (Some(_), None) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls, key_password: bool) -> Result<(), ClientError> {
    let wrong = |key| move |source| ClientError::Tls { key, source };
    match &tls.ca {
        // OpenSSL is linked in and does not know where this system keeps its certificates: `probe`
        // tries the usual places.
        None => _ = config.set("ssl.ca.location", "probe"),
        Some(pem) => {
            tls::check_certificates(pem).map_err(wrong("kafka.tls.ca_file"))?;
            set_pem(config, pem, "ssl.ca.location", "ssl.ca.pem");
        }
    }
    if let Some((certificate, key)) = &tls.client {
        tls::check_certificates(certificate).map_err(wrong("kafka.tls.cert_file"))?;
        set_pem(config, certificate, "ssl.certificate.location", "ssl.certificate.pem");
        if !key_password {
            tls::check_private_key(key).map_err(wrong("kafka.tls.key_file"))?;
        }
        set_pem(config, key, "ssl.key.location", "ssl.key.pem");
    }
    if tls.skip_verify {
        config.set("enable.ssl.certificate.verification", "false");
        config.set("ssl.endpoint.identification.algorithm", "none");
    }
    Ok(())
}

fn set_pem(config: &mut ClientConfig, pem: &Pem, location: &str, inline: &str) {
    match pem {
        Pem::File(path) => config.set(location, path.to_string_lossy()),
        Pem::Inline(text, _) => config.set(inline, text.expose_secret()),
    };
}
