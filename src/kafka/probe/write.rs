//! Whether a topic may be written.

use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::topics::Topic;
use super::watch::Watch;
use super::{PATIENCE, Report, TICK};
use crate::config::KafkaClient;
use crate::kafka::{ClientError, client_config, creation_error, describe, explain};

/// Sends a record that a broker must refuse, which it does only after it looked at the permission:
/// two replicas that have it is nothing that can be asked for (only none, the leader or all).
pub(super) fn may_write(
    client: &KafkaClient,
    topic: &Topic,
    report: &mut Report,
) -> Result<(), ClientError> {
    let mut settings = client_config(client)?;
    settings.set("acks", "2").set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer: BaseProducer<Watch> =
        settings.create_with_context(Watch::new(client)?).map_err(creation_error)?;
    let name = &topic.name;
    let mut missing =
        |why: String| report.missing.push(format!("topic {name} cannot be written: {why}"));
    let send = |partition| {
        let sent = producer.send(BaseRecord::<(), ()>::to(name).partition(partition));
        sent.map_err(|(error, _)| describe(&error))
    };
    if let Err(why) = topic.leading().and_then(send) {
        missing(why);
        return Ok(());
    }
    let watch = producer.context();
    let deadline = Instant::now() + PATIENCE;
    loop {
        producer.poll(TICK);
        match watch.delivered() {
            Some(Err(RDKafkaErrorCode::InvalidRequiredAcks)) => break,
            Some(Err(code)) => break missing(explain(code, "")),
            Some(Ok(())) => {
                break report.notes.push(format!(
                    "the broker is not Kafka: it took the probe's empty record into {name}"
                ));
            }
            None if Instant::now() > deadline => {
                break missing(watch.events.trouble().unwrap_or_else(|| "no answer".to_owned()));
            }
            None => {}
        }
    }
    Ok(())
}
