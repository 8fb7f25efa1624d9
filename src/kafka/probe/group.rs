//! The consumer group, seen from outside.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::topics::Topic;
use super::{PATIENCE, Probe, Report, TICK};
use crate::kafka::{describe, explain};

/// No topic can have this name: what is committed for it is refused, but only after the permission was looked at.
const NO_TOPIC: &str = "?";
const STRATEGY: &str = "cooperative-sticky";

impl Probe {
    /// Whether the group may be used, who is in it, and how far it is.
    pub(super) fn group(&self, group: &str, topics: &[Topic], report: &mut Report) {
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

    /// The group's offsets, of all partitions.
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
        let deadline = Instant::now() + PATIENCE;
        loop {
            drop(self.consumer.poll(TICK));
            let answer = self.consumer.committed_offsets(list.clone(), Duration::from_secs(1));
            let refused = watch.group_refused();
            match answer {
                Ok(committed) => return Ok(committed),
                Err(_) if refused.is_some() => return Err(refused.map(|code| explain(code, "")).unwrap_or_default()),
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                    return Err(describe(&error));
                }
                Err(_) if Instant::now() > deadline => return Err(self.silence()),
                Err(_) => {}
            }
        }
    }

    fn members(&self, group: &str, report: &mut Report) -> String {
        let groups = self.consumer.fetch_group_list(Some(group), PATIENCE);
        let known = groups.as_ref().ok().and_then(|groups| groups.groups().iter().find(|known| known.name() == group));
        let Some(known) = known else { return "no members".to_owned() };
        if !known.members().is_empty() && !["", STRATEGY].contains(&known.protocol()) {
            report.notes.push(format!(
                "group {group} has members that use the assignment strategy {}: this worker uses {STRATEGY} and cannot join them; \
                 give it a kafka.group_id of its own",
                known.protocol()
            ));
        }
        match known.members().len() {
            0 => "no members".to_owned(),
            1 => "1 member".to_owned(),
            members => format!("{members} members"),
        }
    }

    /// How far the group is behind.
    fn lag(&self, committed: &TopicPartitionList) -> String {
        let mut ends = TopicPartitionList::new();
        let mut reached = Vec::new();
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset()
                && ends.add_partition_offset(element.topic(), element.partition(), Offset::End).is_ok()
            {
                reached.push(offset);
            }
        }
        if reached.is_empty() {
            return "nothing committed yet: begins where kafka.auto_offset_reset says".to_owned();
        }
        let Ok(ends) = self.consumer.offsets_for_times(ends, PATIENCE) else { return "lag unknown".to_owned() };
        let behind =
            |(element, reached): (rdkafka::topic_partition_list::TopicPartitionListElem<'_>, &i64)| match element.offset() {
                Offset::Offset(end) => (end - reached).max(0),
                _ => 0,
            };
        let lag: i64 = ends.elements().into_iter().zip(&reached).map(behind).sum();
        format!("{lag} messages behind")
    }
}
