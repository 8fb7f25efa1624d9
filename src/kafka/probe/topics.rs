//! Finds the topics, and checks whether they may be read.

use std::time::Instant;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};
use regex_lite::Regex;

use super::reach::{ANSWER_TIMEOUT, POLL_PAUSE, Probe};
use super::report::{BrokerReport, plural};
use crate::kafka::{describe, explain};

/// How many topics that match a pattern are listed.
const MOST_NAMES: usize = 10;
/// How many topics are read: each takes a few round trips, and a pattern may match thousands.
const MOST_READ: usize = 50;

/// A topic that this user may describe.
pub(super) struct Topic {
    pub(super) name: String,
    /// Sorted.
    pub(super) partitions: Vec<i32>,
    /// The first partition that has a leader.
    leading: Option<i32>,
}

impl Topic {
    fn new(metadata: &MetadataTopic) -> Self {
        let partitions = metadata.partitions();
        let mut ids: Vec<i32> = partitions.iter().map(|partition| partition.id()).collect();
        ids.sort_unstable();
        let led = partitions.iter().filter(|partition| partition.leader() >= 0);
        Self {
            name: metadata.name().to_owned(),
            partitions: ids,
            leading: led.map(|partition| partition.id()).min(),
        }
    }

    /// The first partition that has a leader.
    ///
    /// # Errors
    /// There is none, in words for people.
    pub(super) fn leading(&self) -> Result<i32, String> {
        self.leading
            .ok_or_else(|| "none of its partitions has a leader now; are brokers down?".to_owned())
    }
}

impl Probe {
    /// The topics that the names and patterns in `wanted` match now.
    pub(super) fn find(&self, wanted: &[String], report: &mut BrokerReport) -> Vec<Topic> {
        let mut found: Vec<Topic> = Vec::new();
        for wanted in wanted {
            let topics = if wanted.starts_with('^') {
                self.matching(wanted, report)
            } else {
                self.find_one(wanted, report).into_iter().collect()
            };
            for topic in topics {
                if found.iter().all(|known| known.name != topic.name) {
                    found.push(topic);
                }
            }
        }
        found
    }

    fn matching(&self, pattern: &str, report: &mut BrokerReport) -> Vec<Topic> {
        let Ok(regex) = Regex::new(pattern) else {
            report.notes.push(format!(
                "which topics {pattern} matches is not known here: only librdkafka reads \
                 this pattern"
            ));
            return Vec::new();
        };
        let usable =
            |topic: &&MetadataTopic| regex.is_match(topic.name()) && topic.error().is_none();
        let mut topics: Vec<Topic> =
            self.metadata.topics().iter().filter(usable).map(Topic::new).collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if topics.is_empty() {
            report.notes.push(format!(
                "{pattern} matches no topic that this user may see; new ones \
                are found when they appear"
            ));
        } else {
            let names = topics
                .iter()
                .take(MOST_NAMES)
                .map(|topic| topic.name.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            let more = topics.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            report.lines.push(("pattern", format!("{pattern} matches now: {names}{more}")));
        }
        topics
    }

    /// The topic `name`, if it exists and may be seen; reports it in any case.
    pub(super) fn find_one(&self, name: &str, report: &mut BrokerReport) -> Option<Topic> {
        let mut problem =
            |code| report.missing.push(format!("topic {name}: {}", explain(code, "")));
        let asked: Metadata;
        let known = |metadata: &Metadata| {
            metadata.topics().iter().any(|topic| topic.name() == name && topic.error().is_none())
        };
        let metadata = if known(&self.metadata) {
            &self.metadata
        } else {
            // The list of all topics leaves out those that this user may not see.
            match self.consumer.fetch_metadata(Some(name), ANSWER_TIMEOUT) {
                Ok(metadata) => asked = metadata,
                Err(error) => {
                    problem(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail));
                    return None;
                }
            }
            &asked
        };
        let topic = metadata.topics().iter().find(|topic| topic.name() == name)?;
        if let Some(error) = topic.error() {
            problem(error.into());
            return None;
        }
        let (partitions, leaderless) =
            (topic.partitions(), topic.partitions().iter().filter(|one| one.leader() < 0).count());
        report.lines.push(("topic", format!("{name}, {}", plural(partitions.len(), "partition"))));
        if leaderless > 0 {
            report.notes.push(format!(
                "topic {name}: {leaderless} of {} partitions have no leader now",
                partitions.len()
            ));
        }
        Some(Topic::new(topic))
    }

    /// Checks whether `topics` may be read.
    pub(super) fn read(&self, topics: &[Topic], report: &mut BrokerReport) {
        for topic in topics.iter().take(MOST_READ) {
            let fetched = topic.leading().and_then(|partition| self.fetch(&topic.name, partition));
            if let Err(why) = fetched {
                report.missing.push(format!("topic {} cannot be read: {why}", topic.name));
            }
        }
        if topics.len() > MOST_READ {
            report
                .notes
                .push(format!("of {} topics only the first {MOST_READ} were tried", topics.len()));
        }
    }

    /// Fetches from the end of one partition: only a fetch shows whether reading is allowed.
    fn fetch(&self, topic: &str, partition: i32) -> Result<(), String> {
        use RDKafkaErrorCode as E;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::End)
            .map_err(|error| describe(&error))?;
        // A manual assignment needs no group.
        self.consumer.assign(&list).map_err(|error| describe(&error))?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut fetched = None;
        while fetched.is_none() {
            fetched = match self.consumer.poll(POLL_PAUSE) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => Some(Ok(())),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(code @ (E::TopicAuthorizationFailed | E::UnknownTopicOrPartition)) => {
                        Some(Err(explain(code, "")))
                    }
                    _ => None,
                },
                None => None,
            };
            if Instant::now() > deadline {
                fetched = fetched.or_else(|| Some(Err(self.silence())));
            }
        }
        self.consumer.unassign().map_err(|error| describe(&error))?;
        fetched.expect("the loop ends with it")
    }
}
