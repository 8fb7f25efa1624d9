//! Values of the wrong type, many errors at once, and secrets that errors never show.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use traitsink::config::{ConfigArgs, load};

use crate::config::{Layers, file};

#[test]
fn files_are_strict_about_types_and_never_quoted() {
    for (text, error) in [
        (
            "[redis]\nprefix = 12",
            "redis.prefix (file a.toml): expected a text (in quotes), found a number",
        ),
        (
            "[delivery]\nlanes = \"4\"",
            "delivery.lanes (file a.toml): expected a whole number, found a text",
        ),
        (
            "[http]\nwait = 5",
            "http.wait (file a.toml): expected a duration with its unit, such as \"5s\", found a \
             number",
        ),
        (
            "[http]\nmax_body = 8388608",
            "http.max_body (file a.toml): expected a size with its unit, such as \"4MiB\", found a \
             number",
        ),
        (
            "[http]\nwrite_keys = \"k\"",
            "http.write_keys (file a.toml): expected a list, found a text",
        ),
        ("redis = \"redis://:canary@h\"", "redis (file a.toml): expected a table, found a text"),
        (
            "[redis]\npassword = \"canary\nx = 1",
            "file a.toml: line 2, column 19: invalid basic string, expected `\"`",
        ),
        (
            "[redsi]\nport = 1\nhost = \"h\"",
            "redsi (file a.toml): unknown key; the nearest known key is redis",
        ),
    ] {
        let errors = file(text).map(|loaded| loaded.to_toml()).unwrap_err();
        assert!(!errors.concat().contains("canary"));
        assert_eq!(errors[0], error, "{text}");
    }
    for (name, text, part) in [
        ("a.conf", "", "the extension tells the format: .toml, .yaml, .yml or .json"),
        ("a.json", "{\"redis\": {\"password\": \"canary\" x}}", "line 1 column"),
        ("a.yaml", "redis: {password: canary", "line"),
        (
            "a.yaml",
            "redis:\n  password: 0123",
            "redis.password (file a.yaml): expected a text (in quotes), found a number",
        ),
    ] {
        let errors = Layers { files: &[(name, text)], ..Layers::default() }.errors().join("\n");
        assert!(errors.contains(part) && !errors.contains("canary"), "{name}: {errors}");
    }
    let missing = ConfigArgs { files: vec!["/nonexistent/a.toml".into()], ..ConfigArgs::default() };
    assert!(
        load(&missing)
            .unwrap_err()
            .to_string()
            .starts_with("file /nonexistent/a.toml: cannot be read: No such file")
    );
}

#[test]
fn all_errors_are_told_at_once_each_with_its_origin() {
    let errors = Layers {
        files: &[
            ("a.toml", "[redis]\nulr = \"x\"\n[delivery]\nlanes = 0"),
            ("b.json", r#"{"htp": {"a": 1, "b": 2}}"#),
        ],
        variables: &[("TRAITSINK_REDIS__MODE", "shardid"), ("TRAITSINK_ADMIN__LISTEN", "x")],
        set: &["delivery.retry_min=9s", "delivery.lanes=4", "http.listen=0.0.0.0:1"],
    }
    .errors();
    assert_eq!(
        errors,
        [
            "delivery.lanes (file a.toml): 0 is not a whole number from 1 to 1024",
            "redis.ulr (file a.toml): unknown key; the nearest known key is redis.url",
            "htp (file b.json): unknown key; the nearest known key is http",
            "admin.listen (variable TRAITSINK_ADMIN__LISTEN): \"x\" is not an IP address and a \
             port such as \"127.0.0.1:8080\" or \"[::]:8080\"",
            "redis.mode (variable TRAITSINK_REDIS__MODE): \"shardid\" is not known; known are: \
             standalone, cluster, sentinel, sharded, primary_replicas, embedded, local",
            "http.listen (--set): without a write key anyone who reaches 0.0.0.0:1 could write: \
             set http.write_keys or [[http.sources]], or listen on 127.0.0.1",
            "delivery.retry_min (--set): 9s is more than 5s, which is delivery.retry_max",
        ]
    );
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    let value = OsString::from_vec(b"canary\xff".to_vec());
    let environment =
        [("HOME".into(), "/home/u".into()), ("TRAITSINK_REDIS__PASSWORD".into(), value)].into();
    let errors =
        load(&ConfigArgs { environment, ..ConfigArgs::default() }).map(|_| ()).unwrap_err();
    assert_eq!(errors.to_string(), "variable TRAITSINK_REDIS__PASSWORD: is not valid UTF-8");
}
