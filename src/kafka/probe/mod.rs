//! Checks the brokers for `check --connect`. The probe joins no group and writes nothing.

mod certificate;
mod context;
mod group;
mod reach;
mod report;
mod topics;
mod write;

use self::reach::Probe;
pub use self::reach::ProbeError;
pub use self::report::BrokerReport;
use super::client_config;
use crate::config::KafkaClient;

/// Checks all that the source needs from the brokers: its topics, permission to read them, its
/// group. Blocks the calling thread, up to ten seconds for the first answer.
///
/// # Errors
/// The settings cannot work, or no broker answers.
pub fn probe_consumer(
    client: &KafkaClient,
    topics: &[String],
    group_id: &str,
) -> Result<BrokerReport, ProbeError> {
    let mut settings = client_config(client)?;
    settings.set("group.id", group_id).set("isolation.level", "read_committed");
    let probe = Probe::reach(client, settings)?;
    let mut report = probe.greeting(client);
    let found = probe.find(topics, &mut report);
    probe.group(group_id, &found, &mut report);
    probe.read(&found, &mut report);
    Ok(report)
}

/// Checks all that dead letters need from the brokers: their topic, and permission to write to it.
/// Blocks the calling thread as [`probe_consumer`] does.
///
/// # Errors
/// The same as those of [`probe_consumer`].
pub fn probe_producer(client: &KafkaClient, topic: &str) -> Result<BrokerReport, ProbeError> {
    let probe = Probe::reach(client, client_config(client)?)?;
    let mut report = probe.greeting(client);
    if let Some(found) = probe.find_one(topic, &mut report) {
        write::may_write(client, &found, &mut report)?;
    }
    Ok(report)
}
