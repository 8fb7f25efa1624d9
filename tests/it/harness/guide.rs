//! The three examples of the RudderStack guide, played against every kind of Redis.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::app::App;

/// Two write keys: the first has no prefix, the second the prefix of the third example.
pub(crate) const WRITE_KEYS: [&str; 2] =
    ["http.sources=[{write_key=\"k\", prefix=\"rudderstack\"}]", "http.write_keys=plain"];

/// Sends the examples to a worker with [`WRITE_KEYS`], and checks the hashes that `hgetall`
/// returns.
pub(crate) fn check_examples(app: &App, hgetall: impl Fn(&str) -> BTreeMap<Vec<u8>, Vec<u8>>) {
    app.wait_ready();
    for (write_key, event, key, expected) in [
        (
            "plain",
            r#"{"userId":"user-1","traits":{"name":"John Doe","title":"CEO"}}"#,
            "user:user-1",
            &[("name", "John Doe"), ("title", "CEO")][..],
        ),
        (
            "plain",
            r#"{"userId":"user-2","traits":{"location":{"state":"Texas","city":"Austin"}}}"#,
            "user:user-2",
            &[("location.city", "Austin"), ("location.state", "Texas")],
        ),
        (
            "k",
            r#"{"userId":"user-3","traits":{"age":23}}"#,
            "rudderstack:user:user-3",
            &[("age", "23")],
        ),
    ] {
        let login =
            format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{write_key}:")));
        let answer = app.client().send(
            "POST",
            "/v1/identify",
            &[("authorization", &login)],
            event.as_bytes(),
        );
        assert_eq!(answer.expect("an answer").status, 200, "{event}");
        let found: Vec<_> = hgetall(key).into_iter().collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(field, value)| (field.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(found, expected, "{key}");
    }
    app.assert_at_rest();
}
