//! Checks whether a topic may be written.

use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::context::ProbeContext;
use super::reach::{ANSWER_TIMEOUT, POLL_PAUSE};
use super::report::BrokerReport;
use super::topics::Topic;
use crate::config::KafkaClient;
use crate::kafka::{ClientError, client_config, creation_error, describe, explain};

/// Sends a record that a broker must refuse, after it has checked the permission: `acks` may be 0,
/// 1 or -1, and this record asks for 2.
pub(super) fn may_write(
    client: &KafkaClient,
    topic: &Topic,
    report: &mut BrokerReport,
) -> Result<(), ClientError> {
    let mut settings = client_config(client)?;
    settings.set("acks", "2").set("message.timeout.ms", ANSWER_TIMEOUT.as_millis().to_string());
    let producer: BaseProducer<ProbeContext> =
        settings.create_with_context(ProbeContext::new(client)?).map_err(creation_error)?;
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
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        producer.poll(POLL_PAUSE);
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
