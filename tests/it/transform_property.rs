//! Properties of the transform and of splitting, on generated text. `PROPTEST_CASES` and
//! `PROPTEST_RNG_SEED` change how many cases are tried and which; without them a run repeats
//! exactly.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use traitsink::event::{
    Body, Decision, Elements, Limits, Origin, Rules, SplitError, Transformer, events_of, split,
};

use crate::golden::{Expect, default_rules};
use crate::reference;

const NAMES: &[&str] = &[
    "a",
    "b",
    "a.b",
    "b.a",
    "a.",
    ".",
    "",
    "1",
    "2",
    "10",
    "01",
    "4294967294",
    "4294967295",
    "1.a",
    "__proto__",
    "__proto__.a",
    "constructor",
    "toString",
    "valueOf",
    "length",
    "é",
    "😀",
    r"\u0061",
    r"a\u002eb",
    r"\ud83d\ude00",
    r"\ud800x",
    r"\u0000",
    r"\n",
    r#"\""#,
];
const SCALARS: &[&str] = &[
    "null",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1.10",
    "1e2",
    "1E+20",
    "1e21",
    "123456789012345680000",
    "1e-6",
    "1e-7",
    "0.1",
    "5e-324",
    "1e-400",
    "-1e-400",
    "1.7976931348623157e308",
    "1e309",
    "-1e400",
    "9007199254740993",
    "-9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    r#""""#,
    r#"" ""#,
    r#""identify""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\uD83D\n""#,
    r#""\u0000\u001f\b\f\r\t\/\\\"""#,
    "\"\u{2028}<&>\u{7f}\"",
    "\"\u{feff}\"",
    "\"\u{d7ff}é\"",
    r#""{\"a\":1}""#,
];

/// What bodies are made of, and broken with.
const PIECES: &[&str] =
    &["{", "}", "[", "]", ",", ":", "\"", "\\", "\"batch\"", "\"batch\":[", "1", "NaN", " ", "{}"];

#[derive(Debug, Clone)]
enum Json {
    Scalar(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Its text, with `blank` around every token.
    fn text(&self, blank: &str) -> String {
        let separated = |open: char, parts: Vec<String>, close: char| {
            format!("{open}{blank}{}{blank}{close}", parts.join(&format!("{blank},{blank}")))
        };
        match self {
            Self::Scalar(text) => text.clone(),
            Self::Array(elements) => {
                separated('[', elements.iter().map(|element| element.text(blank)).collect(), ']')
            }
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| {
                    format!("\"{name}\"{blank}:{blank}{}", value.text(blank))
                };
                separated('{', members.iter().map(member).collect(), '}')
            }
        }
    }
}

fn scalar() -> impl Strategy<Value = Json> {
    let listed = select(SCALARS).prop_map(str::to_owned);
    let number = any::<f64>()
        .prop_filter("finite", |number| number.is_finite())
        .prop_map(|number| format!("{number:e}"));
    let digits = "-?[1-9][0-9]{0,24}(\\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?";
    let string = "[ -!#-\\[\\]-~é\u{20ac}😀]{0,8}".prop_map(|text| format!("\"{text}\""));
    prop_oneof![6 => listed, 1 => number, 1 => digits, 1 => string].prop_map(Json::Scalar)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => select(NAMES).prop_map(str::to_owned), 1 => "[a-c]{1,2}(\\.[a-c])?"]
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    vec((name(), value), 0..6).prop_map(Json::Object)
}

fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(
        5,
        48,
        6,
        |inner| prop_oneof![3 => object(inner.clone()), 1 => vec(inner, 0..5).prop_map(Json::Array)],
    )
}

/// A chain of objects, or of objects and arrays, far deeper than [`value`] makes them.
fn deep() -> impl Strategy<Value = Json> {
    (vec((name(), any::<bool>()), 50..150), scalar()).prop_map(|(links, end)| {
        links.into_iter().fold(end, |inner, (name, array)| {
            let object = Json::Object(vec![(name, inner)]);
            if array { Json::Array(vec![object]) } else { object }
        })
    })
}

fn traits() -> impl Strategy<Value = Json> {
    prop_oneof![16 => object(value()), 2 => value(), 1 => deep()]
}

/// An event's members: mostly an identify with traits in one place or both, in any order, some of
/// them twice.
fn event() -> impl Strategy<Value = Json> {
    let is = |text: &str| Json::Scalar(text.to_owned());
    let kind = prop_oneof![30 => Just(is(r#""identify""#)), 1 => Just(is(r#""Ident\u0069fy""#)), 1 => value()];
    let user = prop_oneof![9 => Just(is(r#""u""#)), 3 => value()];
    let named = |name: &'static str, value: BoxedStrategy<Json>| {
        value.prop_map(move |value| (name.to_owned(), value))
    };
    let context = prop_oneof![
        8 => traits().prop_map(|traits| Json::Object(vec![("traits".to_owned(), traits)])),
        1 => vec((prop_oneof![Just("traits".to_owned()), name()], traits()), 0..4).prop_map(Json::Object),
        1 => value(),
    ];
    let switch = prop_oneof![Just(is("true")), Just(is("false")), value()];
    let switches =
        vec((select(vec!["All", "Redis", "redis"]).prop_map(str::to_owned), switch), 0..4)
            .prop_map(Json::Object);
    let extra = prop_oneof![
        3 => named("context", context.clone().boxed()),
        3 => named("traits", traits().boxed()),
        1 => named("integrations", prop_oneof![4 => switches, 1 => value()].boxed()),
        1 => (name(), value()),
    ];
    let usual = (named("type", kind.boxed()), named("userId", user.boxed()), vec(extra, 0..5));
    usual.prop_flat_map(|(kind, user, mut extra)| {
        extra.extend([kind, user]);
        Just(extra).prop_shuffle().prop_map(Json::Object)
    })
}

fn blank() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "\r\n\t"])
}

fn wide_rules() -> Rules {
    let limits = Limits {
        max_depth: Limits::DEEPEST,
        max_key: 1 << 20,
        max_field_name: 1 << 20,
        max_update: 1 << 24,
        ..default_rules().limits
    };
    Rules { limits, ..default_rules() }
}

fn tight_limits() -> impl Strategy<Value = Limits> {
    (1usize..8, 1usize..8, 5usize..20, 1usize..12, 5usize..40).prop_map(
        |(max_depth, max_fields, max_key, max_field_name, max_update)| Limits {
            max_event: 1 << 20,
            max_depth,
            max_fields,
            max_key,
            max_field_name,
            max_update,
        },
    )
}

/// What stands between two elements of a list. The empty one and blanks are enough only after or
/// before an object.
const SEPARATORS: &[&str] = &["", " ", "\r\n\t", ",", ",,", " , ", ", ,\n,"];

/// One piece of a list: an object, or something else.
fn piece() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let object = prop_oneof![
        (vec((name(), value()), 0..4), blank())
            .prop_map(|(members, blank)| Json::Object(members).text(blank).into_bytes()),
        select(vec![r#"{"a":NaN}"#, r#"{"]}":"\\\"[{"}"#, "{\"a\" \"b\",,[]}", "{}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        Just(b"{\"cut\":\"\xf0\x9f\"}".to_vec()),
    ];
    let other = select(vec![
        "1",
        "NaN",
        "tru",
        "\"a\"",
        "\"]},{\"",
        "[]",
        "[{},{}]",
        "[1,[\"]\"]]",
        "-",
        "'x'",
        "\"a\"\"b\"",
        "1 2",
    ]);
    prop_oneof![
        2 => object.prop_map(|text| (true, text)),
        1 => other.prop_map(|text| (false, text.as_bytes().to_vec())),
    ]
}

/// A list of `pieces` with separators around them, and its elements by rules of their own: an
/// object stands alone; other pieces that no comma and no object keeps apart are one element, with
/// the blanks between them.
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

/// All elements, which must be as many as was said, inside the text and in order.
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

fn decide(transformer: &mut Transformer, rules: &Rules, text: &[u8]) -> Decision {
    transformer.transform(rules, Origin::default(), text)
}

fn config(cases: u32) -> Config {
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
        let expected = reference::transform(&text);
        prop_assert_eq!(&Expect::from(&decide(&mut Transformer::default(), &wide_rules(), text.as_bytes())), &expected);
        prop_assert_eq!(&Expect::from(&decide(&mut Transformer::literal(), &wide_rules(), text.as_bytes())), &expected);
    }

    #[test]
    fn a_broken_event_gets_the_verdict_of_the_reference(
        event in event(),
        at in any::<prop::sample::Index>(),
        put in "[\\x01-~]?",
    ) {
        let text = event.text("");
        let cut = text.char_indices().map(|(at, _)| at).nth(at.index(text.chars().count())).unwrap_or(0);
        let text = format!("{}{put}{}", &text[..cut], text[cut..].chars().skip(1).collect::<String>());
        let decision = decide(&mut Transformer::default(), &wide_rules(), text.as_bytes());
        prop_assert_eq!(Expect::from(&decision), reference::transform(&text));
    }

    #[test]
    fn both_paths_agree_on_limits(event in event(), limits in tight_limits()) {
        let text = event.text("");
        let rules = Rules { limits, ..default_rules() };
        let usual = Expect::from(&decide(&mut Transformer::default(), &rules, text.as_bytes()));
        let literal = Expect::from(&decide(&mut Transformer::literal(), &rules, text.as_bytes()));
        prop_assert_eq!(&usual, &literal);
        if let Expect::Update { key, fields } = usual {
            prop_assert!(key.len() <= rules.limits.max_key && fields.len() <= rules.limits.max_fields);
            prop_assert!(fields.keys().all(|name| name.len() <= rules.limits.max_field_name));
            let size: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert!(size <= rules.limits.max_update);
        }
    }

    #[test]
    fn the_limit_of_an_update_is_that_of_the_reference(event in event(), max_update in 1usize..60) {
        let text = event.text("");
        let rules = Rules { limits: Limits { max_update, ..wide_rules().limits }, ..wide_rules() };
        let expected = reference::transform_within(&text, max_update);
        prop_assert_eq!(&Expect::from(&decide(&mut Transformer::default(), &rules, text.as_bytes())), &expected);
        prop_assert_eq!(&Expect::from(&decide(&mut Transformer::literal(), &rules, text.as_bytes())), &expected);
    }

    #[test]
    fn what_came_before_leaves_no_trace(events in vec(event(), 1..5)) {
        let mut reused = Transformer::default();
        for event in &events {
            let text = event.text("");
            let fresh = decide(&mut Transformer::default(), &default_rules(), text.as_bytes());
            prop_assert_eq!(decide(&mut reused, &default_rules(), text.as_bytes()), fresh);
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
        let mut texts: Vec<Vec<u8>> = elements.iter().map(|element| element.text(blank).into_bytes()).collect();
        if let Some(at) = broken {
            texts[at] = [b"{\"a\":[NaN,\"]}\xff\",".as_slice(), &texts[at], b"]}"].concat();
        }
        let member = |(name, value): &(String, Json)| format!("\"{name}\":{}", value.text(blank)).into_bytes();
        let list = texts.join(format!("{blank},{blank}").as_bytes());
        let batch = [b"\"batch\":[".as_slice(), &list, b"]"].concat();
        let members: Vec<_> = before.iter().map(member).chain([batch]).chain(after.iter().map(member)).collect();
        let body = [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat();
        let Ok(Body::Batch(found)) = split(&body) else { return Err(TestCaseError::fail("no batch")) };
        let found: Vec<_> = all(found, &body)?.into_iter().map(|range| body[range].to_vec()).collect();
        prop_assert_eq!(found, texts);
    }

    #[test]
    fn commas_too_many_or_too_few_cost_no_element(
        pieces in vec(piece(), 0..12),
        separators in vec(select(SEPARATORS), 13),
        lone in any::<bool>(),
    ) {
        let (list, expected) = joined(&pieces, &separators);
        let body = [b"{\"a\":1,\"batch\":".as_slice(), &list, if lone { b",\"s\":\"\xff\"}" } else { b"}" }].concat();
        let found = match split(&body) {
            Err(SplitError::EmptyBatch) => Vec::new(),
            Ok(Body::Batch(found)) => all(found, &body)?.into_iter().map(|range| body[range].to_vec()).collect(),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(&found, &expected);
        let from_kafka = all(events_of(&list), &list)?;
        prop_assert_eq!(from_kafka.into_iter().map(|range| list[range].to_vec()).collect::<Vec<_>>(), expected);
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
            Ok(Body::Event(event)) => drop(decide(&mut transformer, &default_rules(), &body[event])),
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
