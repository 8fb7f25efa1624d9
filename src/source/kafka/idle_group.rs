//! A group in which no member has a partition although the topics have some.
//!
//! The member that leads the group assigns what its broker knew at that moment. A broker that was
//! behind, such as after a restart, may not have known a new topic; librdkafka, which does know it,
//! sees no reason later to join again.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use regex_lite::Regex;

use super::member::GroupMember;

/// How long a member is without partitions before the group is asked.
const ASK_AFTER: Duration = Duration::from_secs(10);
/// How long brokers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Since when this member has no partition, or when it was last found to have none for a reason.
#[derive(Default)]
pub(super) struct IdleTimer(Option<Instant>);

impl IdleTimer {
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }

    /// Whether it is time to ask the group; then the time begins again.
    pub(super) fn is_long(&mut self) -> bool {
        let long = self.0.get_or_insert_with(Instant::now).elapsed() >= ASK_AFTER;
        if long {
            self.reset();
        }
        long
    }
}

/// Asks the brokers whether all members of the group are idle although a topic has partitions.
///
/// # Errors
/// Brokers that do not answer, or may not be asked.
pub(super) fn is_group_idle(
    consumer: &BaseConsumer<GroupMember>,
    group_id: &str,
    topics: &[String],
) -> KafkaResult<bool> {
    let groups = consumer.fetch_group_list(Some(group_id), TIMEOUT)?;
    let idle = groups.groups().iter().any(|group| {
        group.state() == "Stable"
            && group.members().iter().all(|member| member.assignment().is_none_or(is_empty))
    });
    if !idle {
        return Ok(false);
    }
    for topic in topics {
        let pattern = topic.starts_with('^').then(|| Regex::new(topic));
        let metadata = consumer.fetch_metadata(pattern.is_none().then_some(topic), TIMEOUT)?;
        let wanted = |name: &str| match &pattern {
            None => true,
            Some(pattern) => pattern.as_ref().is_ok_and(|pattern| pattern.is_match(name)),
        };
        if metadata
            .topics()
            .iter()
            .any(|topic| wanted(topic.name()) && !topic.partitions().is_empty())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an assignment names no topic. It begins with a version (16 bits) and the number of
/// topics (32 bits).
fn is_empty(assignment: &[u8]) -> bool {
    assignment.get(2..6).is_none_or(|topics| topics == [0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_begin_with_the_number_of_topics() {
        assert!(is_empty(b"") && is_empty(&[0, 1, 0, 0, 0, 0, 255, 255, 255, 255]));
        assert!(!is_empty(&[0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]));
    }
}
