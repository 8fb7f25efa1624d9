//! The effect of one event: the tables in `tests/golden`, one JSON object per line.
//!
//! - `id`: `3`, or `3a`, `3b`.. for row 3 of the acceptance table; `GROUP-WHAT` in the tables of
//!   bad input.
//! - `input`: one text or a list of texts to be joined. A text is a string, `{"base64":".."}`, or
//!   `{"repeat":"..","times":n,"join":".."}` where `{n}` stands for 0, 1, 2..
//! - `prefix`: of the Redis key, untrimmed. `limits`: those that differ from the defaults.
//! - `expect`: as `explain` prints it, `{"skipped":..}`, `{"rejected":..}` or
//!   `{"key":text,"fields":{..}}`; fields may also be a list of `[name, value]` and `[name, value,
//!   times]`, where name and value are texts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use traitsink::commands::explain;
use traitsink::event::{Decision, Limits, Origin, Rules, Transformer, trim_js};
use traitsink::profile::Prefix;

/// Each table and its number of cases.
const TABLES: &[(&str, usize)] = &[
    ("acceptance", 124),
    ("bad_input_encoding", 25),
    ("bad_input_structure", 30),
    ("bad_input_numbers", 27),
    ("bad_input_identity", 23),
    ("bad_input_type", 21),
    ("bad_input_traits", 41),
    ("bad_input_key", 16),
    ("max_update", 14),
];

/// The table of events in wrappers (opened everywhere but in HTTP), and its number of cases.
const WRAPPERS: (&str, usize) = ("wrappers", 22);

/// One row of a table.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) input: Vec<u8>,
    /// The prefix of the Redis key, untrimmed.
    pub(crate) prefix: String,
    pub(crate) rules: Rules,
    pub(crate) expect: Expect,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Update { key: String, fields: BTreeMap<String, String>, removed: BTreeSet<String> },
    Skipped(String),
    Rejected(String),
}

/// The rules of an empty configuration.
pub(crate) fn default_rules() -> Rules {
    let limits = Limits {
        max_event: 1 << 20,
        max_depth: 200,
        max_fields: 10_000,
        max_key: 1 << 10,
        max_field_name: 1 << 10,
        max_update: 2 << 20,
    };
    Rules::new(limits, "Redis")
}

/// The cases of one table.
pub(crate) fn table(name: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
        .with_extension("ndjson");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| {
            serde_json::from_str::<GoldenRow>(line)
                .unwrap_or_else(|error| panic!("{line}: {error}"))
                .case()
        })
        .collect()
}

/// The cases of all tables whose events have the form that SDKs send.
pub(crate) fn all_cases() -> impl Iterator<Item = Case> {
    TABLES.iter().flat_map(|(name, _)| table(name))
}

/// The cases of events in wrappers.
pub(crate) fn wrapped_cases() -> Vec<Case> {
    table(WRAPPERS.0)
}

impl From<&Decision> for Expect {
    fn from(decision: &Decision) -> Self {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).expect("keys, names and values are UTF-8")
        };
        match decision {
            Decision::Update(update) => {
                let fields: BTreeMap<_, _> =
                    update.fields().map(|(name, value)| (text(name), text(value))).collect();
                let removed: BTreeSet<_> = update.removed().map(text).collect();
                let names: BTreeSet<_> = fields.keys().chain(&removed).collect();
                let count = update.field_count() + update.removed_count();
                assert_eq!(names.len(), count as usize, "a field is written or removed once");
                Self::Update { key: text(update.key()), fields, removed }
            }
            Decision::Skipped(reason) => Self::Skipped(reason.as_str().into()),
            Decision::Rejected(reason) => Self::Rejected(reason.as_str().into()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenRow {
    id: String,
    input: Text,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    limits: BTreeMap<String, usize>,
    expect: ExpectRow,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum ExpectRow {
    Update { key: Text, fields: FieldsRow },
    Skipped { skipped: String },
    Rejected { rejected: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldsRow {
    Plain(BTreeMap<String, String>),
    Built(Vec<FieldRow>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldRow {
    One(Text, Text),
    Many(String, String, usize),
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Text {
    Plain(String),
    Base64 {
        base64: String,
    },
    Repeat {
        repeat: String,
        times: usize,
        #[serde(default)]
        join: String,
    },
    List(Vec<Text>),
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(text) => text.clone().into_bytes(),
            Self::Base64 { base64 } => BASE64_STANDARD.decode(base64).unwrap(),
            Self::Repeat { repeat, times, join } if join.is_empty() && !repeat.contains("{n}") => {
                repeat.repeat(*times).into()
            }
            Self::Repeat { repeat, times, join } => {
                (0..*times).map(|n| numbered(repeat, n)).collect::<Vec<_>>().join(join).into_bytes()
            }
            Self::List(parts) => parts.iter().flat_map(Self::bytes).collect(),
        }
    }

    fn string(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

fn numbered(text: &str, n: usize) -> String {
    text.replace("{n}", &n.to_string())
}

impl FieldsRow {
    fn map(self) -> BTreeMap<String, String> {
        match self {
            Self::Plain(fields) => fields,
            Self::Built(rows) => rows.iter().flat_map(FieldRow::pairs).collect(),
        }
    }
}

impl FieldRow {
    fn pairs(&self) -> Vec<(String, String)> {
        match self {
            Self::One(name, value) => vec![(name.string(), value.string())],
            Self::Many(name, value, times) => {
                (0..*times).map(|n| (numbered(name, n), numbered(value, n))).collect()
            }
        }
    }
}

impl GoldenRow {
    fn case(self) -> Case {
        let mut rules = default_rules();
        for (name, limit) in self.limits {
            match name.as_str() {
                "max_depth" => rules.limits.max_depth = limit,
                "max_field_name" => rules.limits.max_field_name = limit,
                "max_update" => rules.limits.max_update = limit,
                _ => panic!("{}: no such limit: {name}", self.id),
            }
        }
        let expect = match self.expect {
            ExpectRow::Update { key, fields } => {
                let (fields, removed) = (fields.map(), BTreeSet::new());
                Expect::Update { key: key.string(), fields, removed }
            }
            ExpectRow::Skipped { skipped } => Expect::Skipped(skipped),
            ExpectRow::Rejected { rejected } => Expect::Rejected(rejected),
        };
        Case { id: self.id, input: self.input.bytes(), prefix: self.prefix, rules, expect }
    }
}

#[test]
fn every_row_is_there() {
    for (name, count) in TABLES.iter().chain([&WRAPPERS]) {
        let cases = table(name);
        assert_eq!(cases.len(), *count, "{name}");
        assert_eq!(
            cases.iter().map(|case| &case.id).collect::<BTreeSet<_>>().len(),
            *count,
            "{name}: ids are unique"
        );
    }
    let number = |case: Case| {
        case.id.trim_end_matches(|c: char| c.is_ascii_lowercase()).parse::<u32>().unwrap()
    };
    let rows: BTreeSet<_> = table("acceptance").into_iter().map(number).collect();
    assert_eq!(rows, (1..=46).chain(50..=59).chain(73..=77).collect());
}

#[test]
fn the_transform_agrees_with_every_row_on_both_of_its_paths() {
    let mut seen = 0;
    let (mut usual, mut literal) = (Transformer::default(), Transformer::literal());
    for case in all_cases() {
        let prefix = Prefix::Fixed(trim_js(&case.prefix).to_owned());
        let origin = Origin { prefix: &prefix, ..Origin::default() };
        assert_eq!(
            Expect::from(&usual.transform(&case.rules, origin, &case.input)),
            case.expect,
            "{}",
            case.id
        );
        assert_eq!(
            Expect::from(&literal.transform(&case.rules, origin, &case.input)),
            case.expect,
            "{}",
            case.id
        );
        seen += 1;
    }
    assert_eq!(seen, TABLES.iter().map(|(_, count)| count).sum::<usize>());
}

#[test]
fn wrappers_are_opened_where_they_may_be_and_nowhere_else() {
    let (mut usual, mut literal) = (Transformer::default(), Transformer::literal());
    let wrapped = Origin { wrapped: true, ..Origin::default() };
    for case in wrapped_cases() {
        assert_eq!(
            Expect::from(&usual.transform(&case.rules, wrapped, &case.input)),
            case.expect,
            "{}",
            case.id
        );
        assert_eq!(
            Expect::from(&literal.transform(&case.rules, wrapped, &case.input)),
            case.expect,
            "{}",
            case.id
        );
        let bare = usual.transform(&case.rules, Origin::default(), &case.input);
        assert!(!matches!(bare, Decision::Update(_)), "{}: HTTP knows no wrappers", case.id);
    }
    for case in all_cases() {
        let prefix = Prefix::Fixed(trim_js(&case.prefix).to_owned());
        let origin = Origin { prefix: &prefix, ..wrapped };
        assert_eq!(
            Expect::from(&usual.transform(&case.rules, origin, &case.input)),
            case.expect,
            "{}",
            case.id
        );
    }
}

#[test]
fn explain_agrees_with_every_row() {
    let (mut explained, mut of_several_lines) = (0, 0);
    for mut case in all_cases().chain(wrapped_cases()) {
        if case.input.contains(&b'\n') {
            of_several_lines += 1;
            continue;
        }
        if case.input.trim_ascii().is_empty() {
            case.expect = Expect::Skipped("empty".into());
        }
        // `explain` cuts lines longer than the largest event.
        if case.input.len() > case.rules.limits.max_event {
            case.expect = Expect::Rejected("too_large".into());
        }
        let mut output = Vec::new();
        let line = [case.input.as_slice(), b"\n"].concat();
        let prefix = Prefix::Fixed(trim_js(&case.prefix).to_owned());
        explain(line.as_slice(), &mut output, &case.rules, &prefix, None).unwrap();
        let row: ExpectRow = serde_json::from_slice(&output).unwrap();
        let answer = GoldenRow {
            id: case.id.clone(),
            input: Text::Plain(String::new()),
            prefix: String::new(),
            limits: BTreeMap::new(),
            expect: row,
        };
        assert_eq!(answer.case().expect, case.expect, "{}", case.id);
        explained += 1;
    }
    assert_eq!((explained, of_several_lines), (341, 2));
}

#[test]
fn explain_answers_line_by_line_with_fields_in_write_order() {
    let mut rules = default_rules();
    rules.limits.max_event = 90;
    let input = [
        concat!(
            r#"{"type":"identify","userId":"u","context":{"traits":{"b":1,"a":2}},"#,
            r#""traits":{"c":3,"b":4}}"#
        ),
        "",
        &format!("{{{}}}", "x".repeat(89)),
        " \t ",
        r#"{"message":{"type":"identify","userId":"m","traits":{"a":1}}}"#,
        r#"[{"type":"track"},{"type":"track"}]"#,
        r#"{"type":"track"}"#,
        r#"{"type":"identify","userId":"é\"","traits":{"a":"\u0001"}}"#,
    ];
    let mut output = Vec::new();
    let input = input.join("\r\n").replacen('\r', "", 1);
    explain(input.as_bytes(), &mut output, &rules, &Prefix::Fixed("p".into()), None).unwrap();
    let expected = [
        r#"{"key":"p:user:u","fields":{"b":"4","a":"2","c":"3"}}"#,
        r#"{"skipped":"empty"}"#,
        r#"{"rejected":"too_large"}"#,
        r#"{"skipped":"empty"}"#,
        r#"{"key":"p:user:m","fields":{"a":"1"}}"#,
        r#"{"rejected":"not_an_object"}"#,
        r#"{"skipped":"not_identify"}"#,
        r#"{"key":"p:user:é\"","fields":{"a":"\u0001"}}"#,
    ];
    assert_eq!(String::from_utf8(output).unwrap(), expected.join("\n") + "\n");
}

#[test]
fn the_type_of_a_path_wins_over_the_type_of_the_body() {
    let mut transformer = Transformer::default();
    let mut decide = |path_type, text: &str| {
        let origin = Origin { path_type: Some(path_type), ..Origin::default() };
        Expect::from(&transformer.transform(&default_rules(), origin, text.as_bytes()))
    };
    let (fields, removed) = (BTreeMap::from([("a".into(), "1".into())]), BTreeSet::new());
    let update = Expect::Update { key: "user:u".into(), fields, removed };
    assert_eq!(decide("identify", r#"{"userId":"u","traits":{"a":1}}"#), update);
    assert_eq!(decide("identify", r#"{"type":"track","userId":"u","traits":{"a":1}}"#), update);
    assert_eq!(
        decide("track", r#"{"type":"identify","userId":"u","traits":{"a":1}}"#),
        Expect::Skipped("not_identify".into())
    );
    assert_eq!(decide("track", "[]"), Expect::Rejected("not_an_object".into()));
}
