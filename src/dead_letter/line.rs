//! A dead letter as a line of JSON. Pure.

use std::borrow::Cow;

use base64::Engine;
use serde::{Deserialize, Serialize};

use super::letter::Letter;

/// The lines of `letters`, each with its line end.
pub(super) fn lines(letters: &[Letter]) -> Vec<u8> {
    let mut lines = Vec::new();
    for letter in letters {
        serde_json::to_writer(&mut lines, &Line::of(letter)).expect("a letter is plain data");
        lines.push(b'\n');
    }
    lines
}

/// The JSON of one letter.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339.
    at: jiff::Timestamp,
    reason: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    /// The prefix of the event's source.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    /// Where the event says its prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_path: Option<&'a str>,
    /// The type that an HTTP path imposed on the event.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    path_type: Option<&'a str>,
    /// What the guard took for the event's time, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<i64>,
    /// The original text, when it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_base64: Option<String>,
    /// The id of the user whom a record without a value deletes, when it is UTF-8; there is no
    /// text.
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstone_base64: Option<String>,
    #[serde(flatten)]
    position: Option<RecordPosition<'a>>,
}

/// Where a Kafka message stands.
#[derive(Serialize)]
struct RecordPosition<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
}

impl<'a> Line<'a> {
    fn of(letter: &'a Letter) -> Self {
        let text = str::from_utf8(&letter.event).ok();
        let encoded =
            text.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(&letter.event));
        let (event, tombstone) = if letter.is_tombstone { (None, text) } else { (text, None) };
        let (event_base64, tombstone_base64) =
            if letter.is_tombstone { (None, encoded) } else { (encoded, None) };
        Self {
            at: letter.at,
            reason: letter.reason.as_str(),
            source: letter.source.as_str(),
            key: letter.key.as_deref().map(String::from_utf8_lossy),
            prefix: letter.prefix.as_deref(),
            prefix_path: letter.prefix_path.as_deref(),
            path_type: letter.path_type.as_deref(),
            event_time: letter.time,
            event,
            event_base64,
            tombstone,
            tombstone_base64,
            position: letter.record.as_ref().map(|record| RecordPosition {
                topic: &record.topic,
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
            }),
        }
    }
}

/// What the line of a letter says of the user that its event is about.
#[derive(Deserialize)]
pub struct LetterContent<'a> {
    /// The Redis key, if there was one.
    #[serde(default, borrow)]
    pub key: Option<Cow<'a, str>>,
    /// The prefix of the event's source.
    #[serde(default, borrow)]
    pub prefix: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event_base64: Option<Cow<'a, str>>,
}

impl<'a> LetterContent<'a> {
    /// `None`: the line is no letter.
    pub fn of(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The event's text; empty: there is none.
    pub fn event(&self) -> Cow<'_, [u8]> {
        let decode = |text: &Cow<'_, str>| {
            base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).ok()
        };
        match (&self.event, &self.event_base64) {
            (Some(event), _) => Cow::Borrowed(event.as_bytes()),
            (None, Some(encoded)) => Cow::Owned(decode(encoded).unwrap_or_default()),
            (None, None) => Cow::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::outcome::{DeadReason, Source};

    use super::super::letter::KafkaRecord;
    use super::*;

    #[test]
    fn a_line_says_where_a_kafka_message_stands() {
        let mut record = KafkaRecord {
            topic: "events".into(),
            partition: 3,
            offset: 42,
            timestamp: Some(1_700_000_000_123),
            key: Some("u1".into()),
            headers: vec![("trace".to_owned(), Some("1".into()))],
        };
        let line_of = |record: &KafkaRecord| {
            let (reason, source) = (DeadReason::WrongType, Source::Kafka);
            let letter = Letter::new(reason, source, Some(b"user:1"), b"{}", Some(record));
            serde_json::to_value(Line::of(&letter)).unwrap()
        };
        let line = line_of(&record);
        assert_eq!(line["topic"], "events");
        assert_eq!(line["partition"], 3);
        assert_eq!(line["offset"], 42);
        assert_eq!(line["timestamp"], 1_700_000_000_123_i64);
        assert_eq!(line["key"], "user:1");
        record.timestamp = None;
        let line = line_of(&record);
        assert_eq!((&line["offset"], line.get("timestamp")), (&42.into(), None));
    }

    #[test]
    fn text_that_is_no_utf8_is_base64() {
        let letters = [&b"{\"a\":\"b\\nc\"}"[..], b"\xff"].map(|text| {
            Letter::new(DeadReason::WrongType, Source::Http, Some(b"user:1"), text, None)
        });
        let text = String::from_utf8(lines(&letters)).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["event"], "{\"a\":\"b\\nc\"}");
        assert_eq!(
            (&lines[0]["key"], &lines[0]["reason"]),
            (&"user:1".into(), &"wrong_type".into())
        );
        assert_eq!(lines[0].as_object().unwrap().len(), 5);
        assert_eq!(lines[1]["event_base64"], "/w==");
        let [letter, _] = letters.map(|letter| letter.with_origin("", Some("identify")));
        let line = serde_json::to_value(Line::of(&letter.with_time(Some(17)))).unwrap();
        assert_eq!((&line["prefix"], &line["type"]), (&"".into(), &"identify".into()));
        assert_eq!(line["event_time"], 17);
    }

    #[test]
    fn a_record_without_a_value_keeps_the_id_of_its_user() {
        let letters = [&b"u \"1\""[..], b"\xff"].map(|id| {
            Letter::new(DeadReason::WrongType, Source::Kafka, None, id, None).of_tombstone(true)
        });
        for (line, (name, id)) in String::from_utf8(lines(&letters))
            .unwrap()
            .lines()
            .zip([("tombstone", "u \"1\""), ("tombstone_base64", "/w==")])
        {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line[name], id);
            assert_eq!(line.as_object().unwrap().len(), 4, "{line}");
        }
    }

    #[test]
    fn a_line_says_where_the_event_holds_its_prefix() {
        let path = ["traits".to_owned(), "tenant".to_owned()];
        let letter = Letter::new(DeadReason::WrongType, Source::Http, None, b"{}", None)
            .with_origin("t1", None)
            .with_prefix_path(Some(&path));
        let line = serde_json::to_value(Line::of(&letter)).unwrap();
        assert_eq!(
            (&line["prefix"], &line["prefix_path"]),
            (&"t1".into(), &"traits.tenant".into())
        );
    }

    #[test]
    fn a_line_is_read_back() {
        for event in [&b"{\"a\":\"b\\nc\"}"[..], b"\xff", b""] {
            let letter =
                Letter::new(DeadReason::WrongType, Source::Http, Some(b"p:user:1"), event, None);
            let line = lines(&[letter.with_origin("p", None)]);
            let read = LetterContent::of(&line).unwrap();
            assert_eq!((read.key.as_deref(), &*read.event()), (Some("p:user:1"), event));
            assert_eq!(read.prefix.as_deref(), Some("p"));
        }
        assert!(LetterContent::of(b"{\"event\":").is_none());
    }
}
