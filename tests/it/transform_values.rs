//! Generated text for the properties of the transform: events, traits and lists.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use traitsink::event::Limits;

pub(crate) const NAMES: &[&str] = &[
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

pub(crate) const SCALARS: &[&str] = &[
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

/// Pieces of which bodies are made, and which are inserted to break them.
pub(crate) const PIECES: &[&str] =
    &["{", "}", "[", "]", ",", ":", "\"", "\\", "\"batch\"", "\"batch\":[", "1", "NaN", " ", "{}"];

#[derive(Debug, Clone)]
pub(crate) enum Json {
    Scalar(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The JSON text, with `blank` around each token.
    pub(crate) fn text(&self, blank: &str) -> String {
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

pub(crate) fn scalar() -> impl Strategy<Value = Json> {
    let listed = select(SCALARS).prop_map(str::to_owned);
    let number = any::<f64>()
        .prop_filter("finite", |number| number.is_finite())
        .prop_map(|number| format!("{number:e}"));
    let digits = "-?[1-9][0-9]{0,24}(\\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?";
    let string = "[ -!#-\\[\\]-~é\u{20ac}😀]{0,8}".prop_map(|text| format!("\"{text}\""));
    prop_oneof![6 => listed, 1 => number, 1 => digits, 1 => string].prop_map(Json::Scalar)
}

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => select(NAMES).prop_map(str::to_owned), 1 => "[a-c]{1,2}(\\.[a-c])?"]
}

pub(crate) fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    vec((name(), value), 0..6).prop_map(Json::Object)
}

pub(crate) fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(5, 48, 6, |inner| {
        let array = vec(inner.clone(), 0..5).prop_map(Json::Array);
        prop_oneof![3 => object(inner), 1 => array]
    })
}

/// A chain of objects, or of objects and arrays, much deeper than those of [`value`].
pub(crate) fn deep() -> impl Strategy<Value = Json> {
    (vec((name(), any::<bool>()), 50..150), scalar()).prop_map(|(links, end)| {
        links.into_iter().fold(end, |inner, (name, array)| {
            let object = Json::Object(vec![(name, inner)]);
            if array { Json::Array(vec![object]) } else { object }
        })
    })
}

pub(crate) fn traits() -> impl Strategy<Value = Json> {
    prop_oneof![16 => object(value()), 2 => value(), 1 => deep()]
}

/// The members of an event: mostly an identify with traits in one place or both, in any order, some
/// of them twice.
pub(crate) fn event() -> impl Strategy<Value = Json> {
    let is = |text: &str| Json::Scalar(text.to_owned());
    let kind = prop_oneof![
        30 => Just(is(r#""identify""#)),
        1 => Just(is(r#""Ident\u0069fy""#)),
        1 => value(),
    ];
    let user = prop_oneof![9 => Just(is(r#""u""#)), 3 => value()];
    let named = |name: &'static str, value: BoxedStrategy<Json>| {
        value.prop_map(move |value| (name.to_owned(), value))
    };
    let traits_or_other = prop_oneof![Just("traits".to_owned()), name()];
    let context = prop_oneof![
        8 => traits().prop_map(|traits| Json::Object(vec![("traits".to_owned(), traits)])),
        1 => vec((traits_or_other, traits()), 0..4).prop_map(Json::Object),
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

pub(crate) fn blank() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "\r\n\t"])
}

pub(crate) fn tight_limits() -> impl Strategy<Value = Limits> {
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

/// Texts between two elements of a list. An empty text and blanks separate only after or before an
/// object.
pub(crate) const SEPARATORS: &[&str] = &["", " ", "\r\n\t", ",", ",,", " , ", ", ,\n,"];

/// One piece of a list: an object, or something else.
pub(crate) fn piece() -> impl Strategy<Value = (bool, Vec<u8>)> {
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
