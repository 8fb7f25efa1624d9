//! Reading a dead letter back from its line. Pure.

use std::borrow::Cow;

use base64::Engine;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Arrival, trim_js};
use crate::pipeline::Source;

/// The event types that an HTTP path may impose.
const TYPES: [&str; 6] = ["identify", "track", "page", "screen", "group", "alias"];

/// The event of a dead letter, and what its source knew about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeptEvent<'a> {
    /// The event's text.
    pub(crate) text: Cow<'a, [u8]>,
    /// The prefix of its Redis key; `None` in letters that do not say it.
    pub(crate) prefix: Option<String>,
    /// The type that an HTTP path imposed.
    pub(crate) path_type: Option<&'static str>,
    /// The event is as an SDK sent it: neither in a wrapper nor in a list.
    pub(crate) bare: bool,
    /// When the event came to the worker that made the letter.
    pub(crate) arrival: Arrival,
}

impl<'a> KeptEvent<'a> {
    /// `source` and `path_type` are the words of the letter; `time` is what the guard took for the
    /// event's time, `produced` the time of the Kafka record and `at` that of the letter, all in
    /// milliseconds since the epoch.
    pub(crate) fn new(
        text: Cow<'a, [u8]>,
        prefix: Option<&str>,
        path_type: Option<&str>,
        source: &str,
        [time, produced, at]: [Option<i64>; 3],
    ) -> Self {
        let path_type = TYPES.into_iter().find(|known| Some(*known) == path_type);
        let prefix = prefix.map(|prefix| trim_js(prefix).to_owned());
        let by_http = source == Source::Http.as_str();
        // An event that came by HTTP was given up soon after.
        let arrived = produced.or(at.filter(|_| by_http)).map_or(Arrival::Unknown, Arrival::At);
        Self {
            text,
            prefix,
            path_type,
            bare: path_type.is_some() || by_http,
            arrival: time.map_or(arrived, Arrival::Decided),
        }
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
    #[serde(default, rename = "type", borrow)]
    path_type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event_base64: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    event_time: Option<&'a RawValue>,
    #[serde(default, borrow)]
    timestamp: Option<&'a RawValue>,
}

/// Reads a line as a dead letter: an object with the texts `at` (a time), `reason` and `source`,
/// and with `event` or `event_base64`.
pub(super) fn letter(line: &[u8]) -> LetterLine<'_> {
    let Ok(members) = serde_json::from_slice::<Members<'_>>(line) else { return LetterLine::Other };
    let Ok(at) = members.at.parse::<jiff::Timestamp>() else { return LetterLine::Other };
    if members.reason.is_empty() {
        return LetterLine::Other;
    }
    let text = match (members.event, members.event_base64) {
        (Some(event), None) => event.into_owned().into_bytes(),
        (None, Some(encoded)) => {
            let standard = base64::engine::general_purpose::STANDARD;
            match standard.decode(encoded.as_bytes()) {
                Ok(event) => event,
                Err(_) => return LetterLine::Unreadable,
            }
        }
        _ => return LetterLine::Unreadable,
    };
    let (prefix, path_type) = (members.prefix.as_deref(), members.path_type.as_deref());
    let ms = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse().ok());
    let times = [ms(members.event_time), ms(members.timestamp), Some(at.as_millisecond())];
    LetterLine::Letter(KeptEvent::new(text.into(), prefix, path_type, &members.source, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(line: &str) -> (String, Option<String>, Option<&'static str>, bool) {
        match letter(line.as_bytes()) {
            LetterLine::Letter(kept) => {
                let text = String::from_utf8_lossy(&kept.text).into_owned();
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
        let expected = (text.clone(), Some("p".into()), Some("identify"), true);
        assert_eq!(kept(&line), expected);
        let line =
            format!(r#"{{{HEAD},"source":"kafka","event":"{{\"a\":1}}","topic":"t","offset":1}}"#);
        assert_eq!(kept(&line), (text, None, None, false));
        let line = format!(r#"{{{HEAD},"source":"file","prefix":"","event_base64":"e30="}}"#);
        assert_eq!(kept(&line), ("{}".into(), Some(String::new()), None, false));
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
        for rest in [r#""event_base64":"!""#, r#""key":"user:u""#, r#""event":null"#] {
            let line = format!(r#"{{{HEAD},"source":"kafka",{rest}}}"#);
            assert_eq!(letter(line.as_bytes()), LetterLine::Unreadable, "{line}");
        }
    }
}
