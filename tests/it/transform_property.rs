//! Properties of the transform and of splitting, on generated text. `PROPTEST_CASES` and
//! `PROPTEST_RNG_SEED` set the number of cases and the seed; without them every run is the same.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use traitsink::event::{
    Body, Decision, Elements, Limits, Origin, ProfileRules, Rules, SplitError, Transformer,
    events_of, split,
};

use crate::golden::{Expect, default_rules};
use crate::reference;
use crate::transform_values::{
    Json, PIECES, SEPARATORS, blank, event, name, piece, tight_limits, value,
};

fn wide_rules(nulls_delete: bool) -> Rules {
    let limits = Limits {
        max_depth: Limits::DEEPEST,
        max_key: 1 << 20,
        max_field_name: 1 << 20,
        max_update: 1 << 24,
        ..default_rules().limits
    };
    with_limits(limits, nulls_delete)
}

fn with_limits(limits: Limits, nulls_delete: bool) -> Rules {
    let profile = ProfileRules { nulls_delete, ..ProfileRules::default() };
    Rules { limits, profile, ..default_rules() }
}

/// A list of `pieces` with separators around them, and its expected elements. An object is always
/// an element. Other pieces without a comma or an object between them are one element, with the
/// blanks between them.
fn joined(pieces: &[(bool, Vec<u8>)], separators: &[&str]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut list, mut elements) =
        ([b"[".as_slice(), separators[0].as_bytes()].concat(), Vec::<Vec<u8>>::new());
    let mut glue = None::<&str>;
    for ((is_object, text), separator) in pieces.iter().zip(&separators[1..]) {
        match (glue, elements.last_mut()) {
            (Some(glue), Some(last)) if !is_object => last.extend([glue.as_bytes(), text].concat()),
            _ => elements.push(text.clone()),
        }
        glue = (!is_object && !separator.contains(',')).then_some(*separator);
        list.extend([text, separator.as_bytes()].concat());
    }
    list.push(b']');
    (list, elements)
}

/// All elements; asserts that their number is as announced, and that they lie inside the text, in
/// order.
fn all(mut elements: Elements, text: &[u8]) -> Result<Vec<Range<usize>>, TestCaseError> {
    let (count, mut found) = (elements.len(), Vec::new());
    while let Some(range) = elements.next(text) {
        found.push(range);
    }
    prop_assert_eq!(found.len(), count);
    prop_assert!(elements.is_empty());
    prop_assert!(found.iter().all(|range| range.start < range.end && range.end <= text.len()));
    prop_assert!(found.is_sorted_by(|before, range| before.end <= range.start));
    Ok(found)
}

fn texts_of(ranges: Vec<Range<usize>>, text: &[u8]) -> Vec<Vec<u8>> {
    ranges.into_iter().map(|range| text[range].to_vec()).collect()
}

fn decide(transformer: &mut Transformer, rules: &Rules, text: &[u8]) -> Decision {
    transformer.transform(rules, Origin::default(), text)
}

fn both_paths_give(rules: &Rules, text: &[u8], expected: &Expect) -> Result<(), TestCaseError> {
    for mut transformer in [Transformer::default(), Transformer::literal()] {
        prop_assert_eq!(&Expect::from(&decide(&mut transformer, rules, text)), expected);
    }
    Ok(())
}

pub(crate) fn config(cases: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x7261_6974);
    }
    config
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn the_transform_agrees_with_the_reference(event in event(), blank in blank()) {
        let text = event.text(blank);
        for nulls_delete in [false, true] {
            let expected = reference::transform(&text, nulls_delete);
            both_paths_give(&wide_rules(nulls_delete), text.as_bytes(), &expected)?;
        }
    }

    #[test]
    fn a_broken_event_gets_the_verdict_of_the_reference(
        event in event(),
        at in any::<prop::sample::Index>(),
        put in "[\\x01-~]?",
    ) {
        let text = event.text("");
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars.splice(at..=at, put.chars());
        let text: String = chars.into_iter().collect();
        let decision = decide(&mut Transformer::default(), &wide_rules(false), text.as_bytes());
        prop_assert_eq!(Expect::from(&decision), reference::transform(&text, false));
    }

    #[test]
    fn both_paths_agree_on_limits(
        event in event(),
        limits in tight_limits(),
        nulls_delete in any::<bool>(),
    ) {
        let text = event.text("");
        let rules = with_limits(limits, nulls_delete);
        let usual = Expect::from(&decide(&mut Transformer::default(), &rules, text.as_bytes()));
        let literal = Expect::from(&decide(&mut Transformer::literal(), &rules, text.as_bytes()));
        prop_assert_eq!(&usual, &literal);
        if let Expect::Update { key, fields, removed } = usual {
            prop_assert!(key.len() <= rules.limits.max_key);
            prop_assert!(fields.len() + removed.len() <= rules.limits.max_fields);
            let mut names = fields.keys().chain(&removed);
            prop_assert!(names.all(|name| name.len() <= rules.limits.max_field_name));
            let size = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
                + removed.iter().map(String::len).sum::<usize>();
            prop_assert!(size <= rules.limits.max_update);
        }
    }

    #[test]
    fn the_limit_of_an_update_is_that_of_the_reference(
        event in event(),
        max_update in 1usize..60,
        nulls_delete in any::<bool>(),
    ) {
        let text = event.text("");
        let limits = Limits { max_update, ..wide_rules(false).limits };
        let rules = with_limits(limits, nulls_delete);
        let expected = reference::transform_within(&text, nulls_delete, max_update);
        both_paths_give(&rules, text.as_bytes(), &expected)?;
    }

    #[test]
    fn what_came_before_leaves_no_trace(events in vec((event(), any::<bool>()), 1..5)) {
        let mut reused = Transformer::default();
        for (event, nulls_delete) in &events {
            let rules = with_limits(default_rules().limits, *nulls_delete);
            let text = event.text("");
            let fresh = decide(&mut Transformer::default(), &rules, text.as_bytes());
            prop_assert_eq!(decide(&mut reused, &rules, text.as_bytes()), fresh);
        }
    }

    #[test]
    fn the_elements_of_a_batch_are_found_exactly(
        elements in vec(value(), 1..6),
        (before, after) in (vec((name(), value()), 0..3), vec((name(), value()), 0..3)),
        broken in prop::option::of(any::<prop::sample::Index>()),
        blank in blank(),
    ) {
        let broken = broken.map(|index| index.index(elements.len()));
        let text = |json: &Json| json.text(blank).into_bytes();
        let mut texts: Vec<Vec<u8>> = elements.iter().map(text).collect();
        if let Some(at) = broken {
            texts[at] = [b"{\"a\":[NaN,\"]}\xff\",".as_slice(), &texts[at], b"]}"].concat();
        }
        let member = |(name, value): &(String, Json)| {
            format!("\"{name}\":{}", value.text(blank)).into_bytes()
        };
        let list = texts.join(format!("{blank},{blank}").as_bytes());
        let batch = [b"\"batch\":[".as_slice(), &list, b"]"].concat();
        let (before, after) = (before.iter().map(member), after.iter().map(member));
        let members: Vec<_> = before.chain([batch]).chain(after).collect();
        let body = [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat();
        let Ok(Body::Batch(found)) = split(&body) else {
            return Err(TestCaseError::fail("no batch"));
        };
        let found = texts_of(all(found, &body)?, &body);
        prop_assert_eq!(found, texts);
    }

    #[test]
    fn commas_too_many_or_too_few_cost_no_element(
        pieces in vec(piece(), 0..12),
        separators in vec(select(SEPARATORS), 13),
        lone in any::<bool>(),
    ) {
        let (list, expected) = joined(&pieces, &separators);
        let end: &[u8] = if lone { b",\"s\":\"\xff\"}" } else { b"}" };
        let body = [b"{\"a\":1,\"batch\":", &list[..], end].concat();
        let found = match split(&body) {
            Err(SplitError::EmptyBatch) => Vec::new(),
            Ok(Body::Batch(found)) => texts_of(all(found, &body)?, &body),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(&found, &expected);
        let from_kafka = all(events_of(&list), &list)?;
        prop_assert_eq!(texts_of(from_kafka, &list), expected);
    }

    #[test]
    fn splitting_any_bytes_ends_and_stays_inside(
        parts in vec(prop_oneof![
            select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
            vec(any::<u8>(), 0..4),
        ], 0..24),
        open in any::<bool>(),
    ) {
        let body = [if open { b"{\"batch\":[".as_slice() } else { b"" }, &parts.concat()].concat();
        let mut transformer = Transformer::default();
        match split(&body) {
            Ok(Body::Event(event)) => {
                drop(decide(&mut transformer, &default_rules(), &body[event]));
            }
            Ok(Body::Batch(events)) => {
                prop_assert!(!events.is_empty());
                for event in all(events, &body)? {
                    decide(&mut transformer, &default_rules(), &body[event]);
                }
            }
            Err(_) => {}
        }
    }
}

#[test]
fn the_deepest_events_fit_the_smallest_stack() {
    let mut rules = default_rules();
    rules.limits = Limits { max_depth: Limits::DEEPEST, max_field_name: 4000, ..rules.limits };
    let event = |traits: String| format!(r#"{{"type":"identify","userId":"u","traits":{traits}}}"#);
    let objects = event("{\"a\":".repeat(1000) + "1" + &"}".repeat(1000));
    let arrays = event(format!("{{\"a\":{}[1]{}}}", "[{\"b\":".repeat(499), "}]".repeat(499)));
    let deepest = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for text in [objects, arrays] {
            let decision =
                Transformer::default().transform(&rules, Origin::default(), text.as_bytes());
            assert!(
                matches!(&decision, Decision::Update(update) if update.field_count() == 1),
                "{decision:?}"
            );
        }
    });
    deepest.unwrap().join().unwrap();
}
