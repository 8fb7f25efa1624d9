//! Topics that were deleted and created again under the same name, which shows in their ids. Pure.
//!
//! librdkafka learns the id of each topic with its metadata, and asks brokers for records by that
//! id; it keeps its positions all the same, and offers no call to read the id. It does log each
//! change of an id, in the debug context [`CONTEXT`], and brokers answer nothing to the old id, so
//! that the line comes before the first record of the new topic.

use std::collections::HashMap;

/// librdkafka's `debug` context that logs changes of ids.
pub(super) const CONTEXT: &str = "metadata";

/// The text that librdkafka prints for no id: not known yet, or brokers older than Kafka 2.8.
const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The last id of each topic, and which topics got another one.
#[derive(Debug, Default)]
pub(super) struct TopicIds {
    known: HashMap<String, String>,
    recreated: Vec<String>,
}

impl TopicIds {
    /// Takes notice of a line of librdkafka's log.
    pub(super) fn note(&mut self, line: &str) {
        let Some((topic, before, now)) = change(line).filter(|(.., now)| *now != NONE) else {
            return;
        };
        let known = self.known.insert(topic.to_owned(), now.to_owned());
        let before = known.as_deref().unwrap_or(before);
        if before != now && before != NONE {
            self.recreated.push(topic.to_owned());
        }
    }

    /// Topics that were created again since the last call.
    pub(super) fn take_recreated(&mut self) -> Vec<String> {
        std::mem::take(&mut self.recreated)
    }
}

/// The topic of `[thrd:main]: Topic events changed id from A to B`, and its ids.
fn change(line: &str) -> Option<(&str, &str, &str)> {
    let (_, text) = line.split_once("Topic ")?;
    let (topic, ids) = text.split_once(" changed id from ")?;
    let (before, now) = ids.split_once(" to ")?;
    Some((topic, before, now.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recreated(lines: &[(&str, &str, &str)]) -> Vec<String> {
        let mut ids = TopicIds::default();
        for (topic, before, now) in lines {
            ids.note(&format!("[thrd:main]: Topic {topic} changed id from {before} to {now}"));
        }
        ids.take_recreated()
    }

    #[test]
    fn another_id_is_another_topic() {
        assert_eq!(recreated(&[("t", NONE, "A"), ("t", "A", "B"), ("u", "C", "D")]), ["t", "u"]);
        // librdkafka forgot the topic in between.
        assert_eq!(recreated(&[("t", NONE, "A"), ("t", NONE, "B")]), ["t"]);
    }

    #[test]
    fn an_id_that_becomes_known_or_unknown_is_none() {
        assert_eq!(
            recreated(&[("t", NONE, "A"), ("t", "A", NONE), ("t", NONE, "A")]),
            Vec::<String>::new()
        );
        let mut ids = TopicIds::default();
        ids.note("[thrd:main]: Topic t [0] Leader 1 Epoch 0");
        ids.note("[thrd:main]: Topic t partition 0 Leader 1 changed id");
        assert_eq!(ids.take_recreated(), Vec::<String>::new());
    }
}
