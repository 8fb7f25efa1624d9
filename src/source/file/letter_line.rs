//! Reading a dead letter back from its line. Pure.

use std::borrow::Cow;

use base64::Engine;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Arrival, trim_js};
use crate::pipeline::Source;
use crate::profile::Prefix;

/// The event types that an HTTP path may impose.
const TYPES: [&str; 6] = ["identify", "track", "page", "screen", "group", "alias"];

/// The event of a dead letter, and what its source knew about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeptEvent<'a> {
    /// The event's text; of a tombstone the id of its user.
    pub(crate) text: Cow<'a, [u8]>,
    /// There was no text: a Kafka record without a value deletes its user.
    pub(crate) is_tombstone: bool,
    /// The prefix of its Redis key; `None` in letters that do not say it.
    pub(crate) prefix: Option<Prefix>,
    /// The type that an HTTP path imposed.
    pub(crate) path_type: Option<&'static str>,
    /// The event is as an SDK sent it: neither in a wrapper nor in a list.
    pub(crate) bare: bool,
    /// When the event came to the worker that made the letter.
    pub(crate) arrival: Arrival,
}

impl<'a> KeptEvent<'a> {
    /// `source`, `path_type` and `prefix_path` are the words of the letter; `time` is what the
    /// guard took for the event's time, `produced` the time of the Kafka record and `at` that of
    /// the letter, all in milliseconds since the epoch.
    pub(crate) fn new(
        text: Cow<'a, [u8]>,
        prefix: Option<&str>,
        prefix_path: Option<&str>,
        path_type: Option<&str>,
        source: &str,
        [time, produced, at]: [Option<i64>; 3],
    ) -> Self {
        let path_type = TYPES.into_iter().find(|known| Some(*known) == path_type);
        let prefix = prefix.map(|text| Prefix::again(trim_js(text), prefix_path));
        let by_http = source == Source::Http.as_str();
        // An event that came by HTTP was given up soon after.
        let arrived = produced.or(at.filter(|_| by_http)).map_or(Arrival::Unknown, Arrival::At);
        Self {
            text,
            is_tombstone: false,
            prefix,
            path_type,
            bare: path_type.is_some() || by_http,
            arrival: time.map_or(arrived, Arrival::Decided),
        }
    }

    /// The same, where the text is the id of a user whom a record without a value deletes.
    pub(crate) fn of_tombstone(self, is_tombstone: bool) -> Self {
        Self { is_tombstone, ..self }
    }
}

/// What a line is to a reader of dead letters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LetterLine<'a> {
    Letter(KeptEvent<'a>),
    /// A dead letter whose event cannot be read.
    Unreadable,
    /// Something else.
    Other,
}

/// The members of a line that are read.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(default, borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    prefix_path: Option<Cow<'a, str>>,
    #[serde(default, rename = "type", borrow)]
    path_type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event_base64: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    tombstone: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    tombstone_base64: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event_time: Option<&'a RawValue>,
    #[serde(default, borrow)]
    timestamp: Option<&'a RawValue>,
}

/// Reads a line as a dead letter: an object with the texts `at` (a time), `reason` and `source`,
/// and with one of `event`, `event_base64`, `tombstone` and `tombstone_base64`.
pub(super) fn letter(line: &[u8]) -> LetterLine<'_> {
    let Ok(members) = serde_json::from_slice::<Members<'_>>(line) else { return LetterLine::Other };
    let Ok(at) = members.at.parse::<jiff::Timestamp>() else { return LetterLine::Other };
    if members.reason.is_empty() {
        return LetterLine::Other;
    }
    let is_tombstone = members.tombstone.is_some() || members.tombstone_base64.is_some();
    let plain = [members.event, members.tombstone].into_iter().flatten();
    let encoded = [members.event_base64, members.tombstone_base64].into_iter().flatten();
    let mut texts = plain.map(|text| (text, false)).chain(encoded.map(|text| (text, true)));
    let text = match (texts.next(), texts.next()) {
        (Some((text, false)), None) => text.into_owned().into_bytes(),
        (Some((encoded, true)), None) => {
            let standard = base64::engine::general_purpose::STANDARD;
            match standard.decode(encoded.as_bytes()) {
                Ok(event) => event,
                Err(_) => return LetterLine::Unreadable,
            }
        }
        _ => return LetterLine::Unreadable,
    };
    let (prefix, prefix_path) = (members.prefix.as_deref(), members.prefix_path.as_deref());
    let (path_type, source) = (members.path_type.as_deref(), &members.source);
    let ms = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse().ok());
    let times = [ms(members.event_time), ms(members.timestamp), Some(at.as_millisecond())];
    let kept = KeptEvent::new(text.into(), prefix, prefix_path, path_type, source, times);
    LetterLine::Letter(kept.of_tombstone(is_tombstone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(line: &str) -> (String, Option<Prefix>, Option<&'static str>, bool) {
        match letter(line.as_bytes()) {
            LetterLine::Letter(kept) => {
                let text = String::from_utf8_lossy(&kept.text).into_owned();
                assert!(!kept.is_tombstone, "{line}");
                (text, kept.prefix, kept.path_type, kept.bare)
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    const HEAD: &str = r#""at":"2026-11-29T06:00:00.1Z","reason":"wrong_type""#;

    #[test]
    fn letters_of_today_and_of_before() {
        let line = format!(
            r#"{{{HEAD},"source":"http","prefix":" p ","type":"identify","event":"{{\"a\":1}}"}}"#
        );
        let text = r#"{"a":1}"#.to_owned();
        let expected = (text.clone(), Some(Prefix::Fixed("p".into())), Some("identify"), true);
        assert_eq!(kept(&line), expected);
        let line =
            format!(r#"{{{HEAD},"source":"kafka","event":"{{\"a\":1}}","topic":"t","offset":1}}"#);
        assert_eq!(kept(&line), (text, None, None, false));
        let line = format!(r#"{{{HEAD},"source":"file","prefix":"","event_base64":"e30="}}"#);
        assert_eq!(kept(&line), ("{}".into(), Some(Prefix::NONE), None, false));
        let rest = r#""source":"http","prefix":"t1","prefix_path":"traits.tenant","event":"{}""#;
        let line = format!("{{{HEAD},{rest}}}");
        let path = ["traits".to_owned(), "tenant".to_owned()].into();
        let prefix = Prefix::Dynamic { path, default: "t1".into() };
        assert_eq!(kept(&line), ("{}".into(), Some(prefix), None, true));
    }

    #[test]
    fn records_without_a_value() {
        for (member, id) in [
            (r#""tombstone":"u \"1\"""#, b"u \"1\"".as_slice()),
            (r#""tombstone":"""#, b""),
            (r#""tombstone_base64":"/w==""#, b"\xff"),
        ] {
            let line = format!(r#"{{{HEAD},"source":"kafka","prefix":"p",{member}}}"#);
            let LetterLine::Letter(kept) = letter(line.as_bytes()) else { panic!("{line}") };
            assert!(kept.is_tombstone, "{line}");
            assert_eq!((&*kept.text, kept.prefix), (id, Some(Prefix::Fixed("p".into()))), "{line}");
        }
    }

    #[test]
    fn the_time_of_the_event_else_of_its_arrival_is_kept() {
        let at = 1_795_932_000_100;
        for (rest, arrival) in [
            (r#""source":"http""#, Arrival::At(at)),
            (r#""source":"http","event_time":1700000000123"#, Arrival::Decided(1_700_000_000_123)),
            (r#""source":"kafka","timestamp":17,"offset":1"#, Arrival::At(17)),
            (r#""source":"kafka","timestamp":17,"event_time":16"#, Arrival::Decided(16)),
            (r#""source":"kafka","timestamp":null,"offset":1"#, Arrival::Unknown),
            (r#""source":"file","event_time":"soon","timestamp":{}"#, Arrival::Unknown),
        ] {
            let line = format!(r#"{{{HEAD},"event":"{{}}",{rest}}}"#);
            match letter(line.as_bytes()) {
                LetterLine::Letter(kept) => assert_eq!(kept.arrival, arrival, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_lines_and_letters_that_are_damaged() {
        for line in [
            "{\"at\":\"2026",
            "[]",
            r#"{"type":"track","event":"Signed Up","userId":"u"}"#,
            r#"{"at":"noon","reason":"r","source":"s","event":"Signed Up"}"#,
        ] {
            assert_eq!(letter(line.as_bytes()), LetterLine::Other, "{line}");
        }
        for rest in [
            r#""event_base64":"!""#,
            r#""key":"user:u""#,
            r#""event":null"#,
            r#""tombstone":null"#,
            r#""tombstone":"u","event":"{}""#,
            r#""tombstone_base64":"!""#,
        ] {
            let line = format!(r#"{{{HEAD},"source":"kafka",{rest}}}"#);
            assert_eq!(letter(line.as_bytes()), LetterLine::Unreadable, "{line}");
        }
    }
}
