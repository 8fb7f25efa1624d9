//! JSON documents in real servers with RedisJSON: what series of events make of them, on both
//! versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use redis::{ConnectionLike, Value};
use serde_json::Value as Json;
use traitsink::event::{
    Decision, DocumentRules, Limits, Origin, RejectReason, Rules, Transformer, Update,
};
use traitsink::profile::{Entities, JsonNulls, JsonTraits, Profile, Store};
use traitsink::redis::{Forms, UpdatePart, Write, Writes};

use crate::golden::default_rules;
use crate::harness::redis::{Redis, ServerVersion};
use crate::json_reference::{Change, Effect, changed, effect};
use crate::reference::{Js, stringify};
use crate::transform_values::{Json as Generated, blank, deep, name, traits, value};

/// The servers that have RedisJSON.
const VERSIONS: [ServerVersion; 2] = [ServerVersion::Redis74, ServerVersion::Redis82];

fn start(version: ServerVersion) -> (Redis, redis::Connection) {
    let redis = Redis::builder().version(version).json().start();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", redis.port())).unwrap();
    let connection = client.get_connection().expect("redis-server answers");
    (redis, connection)
}

fn rules(documents: DocumentRules) -> Rules {
    let limits = Limits { max_field_name: 1 << 20, ..default_rules().limits };
    let entities = Entities { workspace_id: "W".into(), destination_id: "D".into() };
    Rules { documents: Some(documents), entities: Some(entities), ..Rules::new(limits, "Redis") }
}

fn decide(rules: &Rules, text: &str) -> Decision {
    Transformer::default().transform(rules, Origin::default(), text.as_bytes())
}

fn update(rules: &Rules, text: &str) -> Update {
    match decide(rules, text) {
        Decision::Update(update) => update,
        other => panic!("{text}: {other:?}"),
    }
}

/// Sends `updates`, those of one key as few writes, and returns the replies.
fn send(connection: &mut redis::Connection, updates: &[&Update]) -> Vec<Value> {
    let forms = Arc::new(Forms::of(&Profile { store: Store::Json, ..Profile::default() }));
    let mut groups: Vec<(Write, Vec<&Update>)> = Vec::new();
    for update in updates {
        let write = forms.write(update);
        let last = groups.iter_mut().rev().find(|(_, same)| same[0].key() == update.key());
        match last.and_then(|group| Some((group.0.join(write)?, group))) {
            Some((joined, group)) => {
                group.0 = joined;
                group.1.push(update);
            }
            None => groups.push((write, vec![update])),
        }
    }
    let mut writes = Writes::new(&forms);
    let mut commands = 0;
    for (write, updates) in &groups {
        let part = |update: &&'_ Update| (forms.write(update), update.payload().to_vec());
        let parts: Vec<(Write, Vec<u8>)> = updates.iter().map(part).collect();
        commands += match write {
            Write::Document(document) if document.replace => 1,
            Write::Document(document) => 1 + parts.len() + document.nulls as usize,
            other => panic!("{other:?}"),
        };
        let parts = parts.iter().map(|(write, payload)| {
            let (fields, removed) = write.counts();
            UpdatePart { fields, removed, payload }
        });
        writes.add(*write, updates[0].packed_key(), parts);
    }
    if commands == 0 {
        return Vec::new();
    }
    connection.req_packed_commands(writes.packed(), 0, commands).expect("replies")
}

fn document(connection: &mut redis::Connection, key: &str) -> Option<String> {
    redis::cmd("JSON.GET").arg(key).query(connection).expect("a document, or nothing")
}

/// Whether both are the same, whatever the order of members. RedisJSON does not read every number
/// exactly: the last of its 17 digits may be another one.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let (one, other) = (one.as_f64().expect("a double"), other.as_f64().expect("a double"));
            (one - other).abs() <= one.abs() * 1e-15
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let in_other = |(name, value): (&String, &Json)| {
                other.get(name).is_some_and(|other| same(value, other))
            };
            one.len() == other.len() && one.iter().all(in_other)
        }
        _ => one == other,
    }
}

fn series() -> impl Strategy<Value = Vec<(String, bool)>> {
    // Few names, so that the events of a series meet.
    let few = select(vec!["a", "b", "c", "\\\\", "\\\"'", "it's", "5\\\"", "é", "\\u0000", "\\n"]);
    let small = prop_oneof![4 => few.prop_map(str::to_owned), 1 => name()];
    let scalar = select(vec!["null", "null", "1", "\"s\"", "1e400", "[null,{\"a\":null}]", "{}"]);
    let scalar = scalar.prop_map(|text| Generated::Scalar(text.to_owned()));
    let meeting = scalar.prop_recursive(3, 12, 3, move |inner| {
        vec((small.clone(), inner), 0..4).prop_map(Generated::Object)
    });
    let place = prop_oneof![6 => meeting, 3 => traits(), 1 => value(), 1 => deep()];
    let place = prop_oneof![1 => Just(None), 3 => place.prop_map(Some)].boxed();
    let model = select(vec!["m", "m.n", "a", "a.b.c", "1"]);
    let model = prop_oneof![4 => Just(None), 1 => model.prop_map(Some)];
    let event = (place.clone(), place, model, blank()).prop_map(|(context, own, model, blank)| {
        let member = |name: &str, value: Generated| (name.to_owned(), value);
        let text = |text: &str| Generated::Scalar(format!("\"{text}\""));
        let mut inner: Vec<_> =
            context.map(|traits| member("traits", traits)).into_iter().collect();
        inner.extend(model.map(|model| {
            let names = [("entity", "e"), ("id_type", "i"), ("model", model)];
            let names = names.map(|(name, value)| member(&format!("profiles_{name}"), text(value)));
            member("sources", Generated::Object(names.into()))
        }));
        let mut event = vec![
            member("type", text("identify")),
            member("userId", text("u")),
            member("context", Generated::Object(inner)),
        ];
        event.extend(own.map(|traits| member("traits", traits)));
        Generated::Object(event).text(blank)
    });
    // Whether the batch ends behind it.
    vec((event, any::<bool>()), 1..7)
}

fn documents() -> impl Strategy<Value = DocumentRules> {
    let traits = select(vec![JsonTraits::Both, JsonTraits::Either]);
    let nulls = select(vec![JsonNulls::Skip, JsonNulls::Delete, JsonNulls::Keep]);
    (traits, nulls, prop::bool::weighted(0.2)).prop_map(|(traits, nulls, replace)| DocumentRules {
        traits,
        nulls,
        replace,
    })
}

/// What one decision is in the words of the reference.
fn assert_agrees(decision: &Decision, expected: &Effect, text: &str) -> Result<(), TestCaseError> {
    let said = match decision {
        Decision::Update(update) => String::from_utf8(update.key().to_vec()).unwrap(),
        Decision::Skipped(reason) => reason.as_str().to_owned(),
        Decision::Rejected(reason) => reason.as_str().to_owned(),
    };
    let wanted = match expected {
        Effect::Written(key, ..) => key,
        Effect::NoTraits => "no_traits",
        Effect::TooDeep => "too_deep",
        Effect::NoDocument => "no_document",
    };
    prop_assert_eq!(&said, wanted, "{}", text);
    Ok(())
}

#[test]
fn documents_become_what_the_reference_says() {
    for version in VERSIONS {
        let (_redis, mut connection) = start(version);
        let config = crate::transform_property::config(1000);
        let mut seen = BTreeMap::<&str, usize>::new();
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let connection = std::cell::RefCell::new(&mut connection);
        let seen_in = std::cell::RefCell::new(&mut seen);
        let outcome =
            runner.run(&(series(), documents(), any::<bool>()), |(series, how, twice)| {
                let mut connection = connection.borrow_mut();
                redis::cmd("FLUSHALL").exec(&mut **connection).expect("FLUSHALL");
                let rules = rules(how);
                let mut expected = BTreeMap::<String, Js>::new();
                let mut waiting = Vec::new();
                for (text, ends) in series {
                    let decision = decide(&rules, &text);
                    let effect = effect(&text, how);
                    assert_agrees(&decision, &effect, &text)?;
                    let word = if let Decision::Update(_) = decision { "written" } else { "not" };
                    *seen_in.borrow_mut().entry(word).or_default() += 1;
                    if let (Decision::Update(update), Effect::Written(key, path, change)) =
                        (decision, effect)
                    {
                        let nulls = how.nulls;
                        if matches!(change, Change::Merge(_)) && !path.is_empty() {
                            *seen_in.borrow_mut().entry("entity").or_default() += 1;
                        }
                        let after = changed(expected.remove(&key), &path, change, nulls);
                        expected.insert(key, after);
                        waiting.push(update);
                    }
                    if !ends {
                        continue;
                    }
                    let batch = std::mem::take(&mut waiting);
                    // A write that was sent and not confirmed is sent again as a whole.
                    for _ in 0..=usize::from(twice) {
                        let replies = send(&mut connection, &batch.iter().collect::<Vec<_>>());
                        let refused =
                            replies.iter().find(|reply| matches!(reply, Value::ServerError(_)));
                        prop_assert_eq!(refused, None, "{}", text);
                    }
                    for (key, document_of_reference) in &expected {
                        let found = document(&mut connection, key).expect("a document");
                        let wanted = stringify(document_of_reference);
                        let parsed = |text: &str| serde_json::from_str::<Json>(text).expect("JSON");
                        prop_assert!(
                            same(&parsed(&found), &parsed(&wanted)),
                            "{found}\n{wanted}\n{text} {how:?}"
                        );
                    }
                }
                Ok(())
            });
        outcome.unwrap_or_else(|error| panic!("{version:?}: {error}"));
        assert!(seen.values().all(|count| *count > 100) && seen.len() == 3, "{seen:?}");
    }
}

/// The steps of a user's day: a profile grows, loses a trait, and keeps its TTL.
#[test]
fn a_profile_is_one_document_that_events_change() {
    for version in VERSIONS {
        let (_redis, mut connection) = start(version);
        let merged = rules(DocumentRules::default());
        let replaced = rules(DocumentRules { replace: true, ..DocumentRules::default() });
        let mut after = |rules: &Rules, traits: &str| {
            let text = format!(r#"{{"type":"identify","userId":"u","traits":{traits}}}"#);
            let replies = send(&mut connection, &[&update(rules, &text)]);
            assert!(!replies.iter().any(|reply| matches!(reply, Value::ServerError(_))));
            let found = document(&mut connection, "user:u").expect("a document");
            let left: i64 = redis::cmd("PTTL").arg("user:u").query(&mut connection).unwrap();
            redis::cmd("PEXPIRE").arg("user:u").arg(1_000_000).exec(&mut connection).unwrap();
            (found, left)
        };
        let (first, ttl) = after(&merged, r#"{"name":"Ann","plan":null,"address":{"city":"A"}}"#);
        assert_eq!((first.as_str(), ttl), (r#"{"name":"Ann","address":{"city":"A"}}"#, -1));
        let (second, ttl) = after(&merged, r#"{"address":{"zip":1.0},"tags":[]}"#);
        assert_eq!(second, r#"{"name":"Ann","address":{"city":"A","zip":1},"tags":[]}"#);
        assert!(ttl > 0, "{version:?}: {ttl}");
        let (third, _) = after(&merged, r#"{"address":{"city":null},"name":{"first":"Ann"}}"#);
        assert_eq!(third, r#"{"name":{"first":"Ann"},"address":{"zip":1},"tags":[]}"#);
        let (fourth, ttl) = after(&replaced, r#"{"plan":"free","name":null}"#);
        assert_eq!(fourth, r#"{"plan":"free"}"#);
        assert!(ttl > 0, "{version:?}: {ttl}");
    }
}

#[test]
fn a_key_of_another_type_is_refused_and_left_as_it_is() {
    for version in VERSIONS {
        let (redis, mut connection) = start(version);
        for replace in [false, true] {
            let rules = rules(DocumentRules { replace, ..DocumentRules::default() });
            redis.cli(&["SET", "user:u", "x"]);
            let event = r#"{"type":"identify","userId":"u","traits":{"a":1}}"#;
            let replies = send(&mut connection, &[&update(&rules, event)]);
            for reply in replies {
                let Value::ServerError(error) = reply else { panic!("{version:?}: {reply:?}") };
                assert_eq!(error.code(), "Existing");
                assert_eq!(error.details(), Some("key has wrong Redis type"));
            }
            assert_eq!(redis.cli(&["GET", "user:u"]), Value::BulkString(b"x".to_vec()));
        }
    }
}

/// What is at the limit is taken, and survives a restart of the server.
#[test]
fn the_deepest_documents_are_taken() {
    for version in VERSIONS {
        let (redis, mut connection) = start(version);
        let rules = rules(DocumentRules::default());
        let objects = format!("{}1{}", "{\"a\":".repeat(127), "}".repeat(127));
        let arrays = format!("{{\"b\":{}{}}}", "[".repeat(126), "]".repeat(126));
        let deeper = format!("{{\"b\":{}{}}}", "[".repeat(127), "]".repeat(127));
        let event =
            |traits: &str| format!(r#"{{"type":"identify","userId":"u","traits":{traits}}}"#);
        for traits in [&objects, &arrays] {
            let replies = send(&mut connection, &[&update(&rules, &event(traits))]);
            assert_eq!(replies.last(), Some(&Value::Okay), "{version:?}");
        }
        assert_eq!(decide(&rules, &event(&deeper)), { Decision::Rejected(RejectReason::TooDeep) });
        let before = document(&mut connection, "user:u").expect("a document");
        assert!(before.len() > objects.len() + 250);
        let one_deeper = redis.cli(&["JSON.SET", "user:v", "$", &deeper]);
        let Value::ServerError(error) = one_deeper else { panic!("{one_deeper:?}") };
        assert_eq!((error.code(), error.details()), {
            ("recursion", Some("limit exceeded at line 1 column 132"))
        });
    }
}
