//! Checks the consumer group without joining it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::reach::{ANSWER_TIMEOUT, POLL_PAUSE, Probe};
use super::report::{BrokerReport, plural};
use super::topics::Topic;
use crate::kafka::{describe, explain};

/// No topic can have this name: a broker refuses an offset for it, but checks the permission first.
const NO_TOPIC: &str = "?";
const STRATEGY: &str = "cooperative-sticky";

impl Probe {
    /// Reports whether the group may be used, how many members it has, and its lag.
    pub(super) fn group(&self, group: &str, topics: &[Topic], report: &mut BrokerReport) {
        let committed = match self.committed(topics) {
            Ok(committed) => committed,
            Err(why) => return report.missing.push(format!("group {group}: {why}")),
        };
        let mut commit = TopicPartitionList::new();
        if commit.add_partition_offset(NO_TOPIC, 0, Offset::Offset(0)).is_ok()
            && let Err(error) = self.consumer.commit(&commit, CommitMode::Sync)
            && error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
        {
            report.missing.push(format!("group {group}: {}", describe(&error)));
        }
        let line = format!("{group}, {}, {}", self.members(group, report), self.lag(&committed));
        report.lines.push(("group", line));
    }

    /// The group's committed offsets of all partitions.
    fn committed(&self, topics: &[Topic]) -> Result<TopicPartitionList, String> {
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for &partition in &topic.partitions {
                list.add_partition(&topic.name, partition);
            }
        }
        if list.count() == 0 {
            list.add_partition(NO_TOPIC, 0);
        }
        let watch = self.consumer.client().context();
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            drop(self.consumer.poll(POLL_PAUSE));
            let error = match self.consumer.committed_offsets(list.clone(), Duration::from_secs(1))
            {
                Ok(committed) => return Ok(committed),
                Err(error) => error.rdkafka_error_code(),
            };
            // A refusal comes with the search for the group's coordinator; the question for the
            // offsets only times out then.
            if watch.is_group_refused() || error == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
            {
                return Err(explain(RDKafkaErrorCode::GroupAuthorizationFailed, ""));
            }
            if Instant::now() > deadline {
                return Err(self.silence());
            }
        }
    }

    fn members(&self, group: &str, report: &mut BrokerReport) -> String {
        let Ok(groups) = self.consumer.fetch_group_list(Some(group), ANSWER_TIMEOUT) else {
            return "members unknown".to_owned();
        };
        let Some(known) = groups.groups().iter().find(|known| known.name() == group) else {
            return plural(0, "member");
        };
        if !known.members().is_empty() && !["", STRATEGY].contains(&known.protocol()) {
            report.notes.push(format!(
                "group {group} has members with the assignment strategy {}, this worker has \
                 {STRATEGY} and cannot join them: give it a kafka.group_id of its own",
                known.protocol()
            ));
        }
        plural(known.members().len(), "member")
    }

    /// How many messages the group is behind, for people.
    fn lag(&self, committed: &TopicPartitionList) -> String {
        let mut ends = TopicPartitionList::new();
        let mut reached = Vec::new();
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset()
                && ends
                    .add_partition_offset(element.topic(), element.partition(), Offset::End)
                    .is_ok()
            {
                reached.push(offset);
            }
        }
        if reached.is_empty() {
            return "nothing committed yet: begins where kafka.auto_offset_reset says".to_owned();
        }
        let Ok(ends) = self.consumer.offsets_for_times(ends, ANSWER_TIMEOUT) else {
            return "lag unknown".to_owned();
        };
        let ends = ends.elements().into_iter().map(|element| element.offset()).zip(reached);
        let behind =
            ends.map(
                |(end, reached)| {
                    if let Offset::Offset(end) = end { (end - reached).max(0) } else { 0 }
                },
            );
        format!("{} messages behind", behind.sum::<i64>())
    }
}
