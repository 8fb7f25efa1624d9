//! What events say about their time and about nulls, and what the rules of `[profile]` make of it,
//! row by row on both paths of the transform: the tables `event_times`, `event_ttls` and
//! `event_profiles` in `tests/it/data`.
//!
//! In all of them it is 2026-11-28T10:00:00Z, and clocks may be 5 minutes ahead.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;
use traitsink::commands::explain;

use traitsink::event::{
    Arrival, Decision, Expiry, Explanation, GuardRules, Origin, ProfileRules, RejectReason, Rules,
    Transformer,
};
use traitsink::profile::{FieldTtl, Prefix};

use crate::golden::default_rules;
use crate::harness::app::run;

/// 2026-11-28T10:00:00Z
const NOW: i64 = 1_795_860_000_000;

/// The members of an event, apart from its type and mostly its user.
type Members = Box<RawValue>;

fn rows<T: for<'de> Deserialize<'de>>(name: &str, count: usize) -> Vec<T> {
    let path = format!("{}/tests/it/data/{name}.ndjson", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let row = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let rows: Vec<T> = text.lines().map(row).collect();
    assert_eq!(rows.len(), count, "{name}");
    rows
}

/// An identify event with these members, one of which may be another user.
fn identify(members: &RawValue) -> String {
    let members = members.get().strip_prefix('{').expect("an object");
    let comma = if members == "}" { "" } else { "," };
    format!(r#"{{"type":"identify","userId":"u"{comma}{members}"#)
}

fn guard(time_field: &str) -> Option<GuardRules> {
    Some(GuardRules { time_field: time_field.into(), max_ahead: 5 * 60 * 1000 })
}

fn with_profile(profile: ProfileRules) -> Rules {
    Rules { profile, ..default_rules() }
}

/// What both paths of the transform decide on an event; they must agree.
fn decide(
    rules: &Rules,
    origin: Origin<'_>,
    text: &str,
    mut check: impl FnMut(&Decision, &Transformer),
) {
    for mut transformer in [Transformer::default(), Transformer::literal()] {
        let decision = transformer.transform(rules, origin, text.as_bytes());
        check(&decision, &transformer);
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ArrivalRow {
    Milliseconds(i64),
    /// `"file"`
    Word(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRow {
    id: String,
    #[serde(default)]
    arrival: Option<ArrivalRow>,
    #[serde(default)]
    gateway: bool,
    #[serde(default)]
    batch_sent_at: Option<Box<RawValue>>,
    event: Members,
    time: String,
    from: String,
    #[serde(default)]
    clamped: bool,
}

#[test]
fn each_event_has_the_time_of_its_row() {
    let rules = with_profile(ProfileRules { guard: guard("_ts"), ..ProfileRules::default() });
    for row in rows::<TimeRow>("event_times", 124) {
        let text = identify(&row.event).replacen('{', r#"{"traits":{"a":1},"#, 1);
        let origin = Origin {
            arrival: match &row.arrival {
                None => Arrival::Now,
                Some(ArrivalRow::Milliseconds(ms)) => Arrival::At(*ms),
                Some(ArrivalRow::Word(word)) if word == "file" => Arrival::Unknown,
                Some(ArrivalRow::Word(word)) => panic!("{}: {word}", row.id),
            },
            gateway: row.gateway,
            sent_at: row.batch_sent_at.as_ref().map(|raw| raw.get()),
            now: NOW,
            ..Origin::default()
        };
        decide(&rules, origin, &text, |decision, transformer| {
            let Decision::Update(update) = decision else { panic!("{}: {decision:?}", row.id) };
            let time = transformer.time().expect("there is a guard");
            let shown = jiff::Timestamp::from_millisecond(time.ms).unwrap();
            assert_eq!(
                (format!("{shown:.3}"), time.from.as_str(), time.clamped),
                (row.time.clone(), row.from.as_str(), row.clamped),
                "{}",
                row.id
            );
            assert_eq!(update.at(), Some(time.ms), "{}", row.id);
        });
        let decided = Origin { arrival: Arrival::Decided(17), ..origin };
        decide(&rules, decided, &text, |decision, _| {
            assert!(matches!(decision, Decision::Update(update) if update.at() == Some(17)));
        });
        decide(&default_rules(), origin, &text, |decision, transformer| {
            let Decision::Update(update) = decision else { panic!("{}: {decision:?}", row.id) };
            assert_eq!((update.at(), transformer.time()), (None, None), "{}", row.id);
        });
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TtlRow {
    id: String,
    /// What the event says; absent: nothing.
    #[serde(default, deserialize_with = "present")]
    said: Option<Box<RawValue>>,
    expect: TtlExpect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TtlExpect {
    /// Milliseconds from the write on.
    After(u64),
    /// Milliseconds since the epoch.
    At(u64),
    None,
    BadTtl,
}

/// A member that may be null.
fn present<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(json).map(Some)
}

#[test]
fn each_time_to_live_is_that_of_its_row() {
    let path = ["context", "app", "ttl"].map(str::to_owned).to_vec();
    let (ttl, ttl_path) = (Some(3_600_000), Some(path));
    let rules = with_profile(ProfileRules { ttl, ttl_path, ..ProfileRules::default() });
    let origin = Origin { now: NOW, ..Origin::default() };
    for row in rows::<TtlRow>("event_ttls", 75) {
        let said = row.said.map(|raw| format!(r#""ttl":{}"#, raw.get())).unwrap_or_default();
        let context = format!(r#""context":{{"app":{{{said}}}}}"#);
        let text = format!(r#"{{"type":"identify","userId":"u",{context},"traits":{{"a":1}}}}"#);
        let expected = match row.expect {
            TtlExpect::After(ms) => Ok(Some(Expiry::After(ms))),
            TtlExpect::At(ms) => Ok(Some(Expiry::At(ms))),
            TtlExpect::None => Ok(None),
            TtlExpect::BadTtl => Err(RejectReason::BadTtl),
        };
        decide(&rules, origin, &text, |decision, _| {
            let found = match decision {
                Decision::Update(update) => Ok(update.expiry()),
                Decision::Rejected(reason) => Err(*reason),
                Decision::Skipped(reason) => panic!("{}: {reason:?}", row.id),
            };
            assert_eq!(found, expected, "{}", row.id);
        });
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ProfileRow {
    nulls: String,
    mode: String,
    guard: bool,
    time_field: Option<String>,
    ttl_ms: Option<u64>,
    ttl_path: Option<String>,
    field_ttl: Vec<(String, u64)>,
}

impl ProfileRow {
    fn rules(self) -> ProfileRules {
        let field_ttl = |(pattern, ttl)| FieldTtl { pattern, ttl: Duration::from_millis(ttl) };
        ProfileRules {
            nulls_delete: self.nulls == "delete",
            replace: self.mode == "replace",
            guard: guard(self.time_field.as_deref().unwrap_or("_ts")).filter(|_| self.guard),
            ttl: self.ttl_ms,
            ttl_path: self.ttl_path.map(|path| path.split('.').map(str::to_owned).collect()),
            field_ttl: self.field_ttl.into_iter().map(field_ttl).collect(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LimitsRow {
    max_depth: Option<usize>,
    max_fields: Option<usize>,
    max_field_name: Option<usize>,
    max_update: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainRow {
    id: String,
    profile: ProfileRow,
    #[serde(default)]
    limits: LimitsRow,
    event: Members,
    explain: Value,
}

/// A line of `explain`; the order of removed fields is of no importance.
fn line(text: &[u8]) -> Value {
    let mut line: Value = serde_json::from_slice(text).unwrap();
    if let Some(deleted) = line.get_mut("deleted").and_then(Value::as_array_mut) {
        deleted.sort_by_key(Value::to_string);
    }
    line
}

#[test]
fn each_event_is_explained_as_its_row_says() {
    let now = jiff::Timestamp::from_millisecond(NOW).unwrap();
    for row in rows::<ExplainRow>("event_profiles", 89) {
        let mut rules = with_profile(row.profile.rules());
        let limits = &mut rules.limits;
        limits.max_depth = row.limits.max_depth.unwrap_or(limits.max_depth);
        limits.max_fields = row.limits.max_fields.unwrap_or(limits.max_fields);
        limits.max_field_name = row.limits.max_field_name.unwrap_or(limits.max_field_name);
        limits.max_update = row.limits.max_update.unwrap_or(limits.max_update);
        let text = identify(&row.event);
        let expected = line(row.explain.to_string().as_bytes());
        let mut explained = Vec::new();
        explain(text.as_bytes(), &mut explained, &rules, &Prefix::NONE, Some(now)).unwrap();
        assert_eq!(line(&explained), expected, "{}", row.id);
        let origin = Origin { gateway: true, now: NOW, ..Origin::default() };
        decide(&rules, origin, &text, |decision, transformer| {
            let explanation = Explanation::new(decision);
            let explanation = explanation.of_profile(&rules.profile, transformer.time());
            let explained = serde_json::to_vec(&explanation).unwrap();
            assert_eq!(line(&explained), expected, "{}", row.id);
        });
    }
}

#[test]
fn explain_takes_the_time_that_it_is_told() {
    let event = br#"{"type":"identify","userId":"u","traits":{"a":1}}"#;
    for now in ["2026-11-28T10:00:00Z", "2026-11-28T12:00:00+02:00", "1795860000000"] {
        let output = run(&["explain", "--now", now], event);
        assert!(output.status.success(), "{now}: {output:?}");
        assert_eq!(output.stdout, b"{\"key\":\"user:u\",\"fields\":{\"a\":\"1\"}}\n", "{now}");
    }
    for now in ["noon", "2026-11-28T10:00:00", "9007199254740993000"] {
        let output = run(&["explain", "--now", now], event);
        assert_eq!(output.status.code(), Some(64), "{now}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("or milliseconds since 1970"), "{now}: {said}");
    }
}
