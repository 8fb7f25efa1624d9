//! RudderStack's destination settings as the `[redis]` section.

use std::fs;

use secrecy::ExposeSecret;
use tempfile::TempDir;
use traitsink::config::{
    ConfigArgs, JsonNulls, JsonTraits, Loaded, Mode, Pem, Prefix, Profile, Store, load,
};
use traitsink::import::rudderstack_layer;

use crate::harness::{address, tcp};

use crate::config::typed;

/// Loads settings together with flags. Errors are lines, with SETTINGS in place of the file's name.
fn settings(text: &str, set: &[&str]) -> Result<Loaded, Vec<String>> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("settings.json");
    fs::write(&path, text).unwrap();
    let args = ConfigArgs {
        settings: Some(rudderstack_layer(&path)),
        set: set.iter().map(ToString::to_string).collect(),
        environment: [("HOME".into(), "/home/u".into())].into(),
        ..ConfigArgs::default()
    };
    let place = format!("RudderStack settings {}/settings.json", directory.path().display());
    load(&args).map_err(|errors| {
        errors.iter().map(|error| error.to_string().replace(&place, "SETTINGS")).collect()
    })
}

const BARE: &str = r#"{"address": " cache.example:6380 ", "password": "0123", "database": "2",
    "secure": true, "skipVerify": false, "caCertificate": "PEM", "prefix": " shop ",
    "clusterMode": false, "useJSONModule": false}"#;

#[test]
fn settings_are_taken_bare_whole_and_in_snake_case() {
    let definition = r#""destinationDefinition": {"name": "REDIS"}"#;
    let whole = format!(r#"{{"id": "d", "name": "my redis", {definition}, "config": {BARE}}}"#);
    let snake =
        BARE.replace("skipVerify", "skip_verify").replace("caCertificate", "ca_certificate");
    let snake =
        snake.replace("clusterMode", "cluster_mode").replace("useJSONModule", "use_json_module");
    for text in [BARE, &whole, &snake] {
        let loaded = settings(text, &[]).unwrap();
        let redis = loaded.config.redis;
        assert_eq!(address(&redis), tcp("cache.example", 6380));
        assert_eq!((redis.database, redis.prefix.as_str(), redis.username), (2, "shop", None));
        assert_eq!(typed(redis.password), "0123");
        let tls = redis.tls.unwrap();
        assert!(
            !tls.skip_verify
                && matches!(tls.ca, Some(Pem::Inline(pem, _)) if pem.expose_secret() == "PEM")
        );
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }
}

#[test]
fn what_cannot_be_read_says_what_to_set() {
    for (text, error) in [
        (
            r#"{"address": "h:1", "clusterMode": "false"}"#,
            "SETTINGS: \"clusterMode\" must be true or false",
        ),
        (
            r#"{"address": "h:1, cache"}"#,
            "SETTINGS: \"address\" is \"cache\", which has no port: write host:port",
        ),
        (
            r#"{"address": "cache", "clusterMode": false}"#,
            "SETTINGS: \"address\" is \"cache\", which has no port: write host:port",
        ),
        (
            r#"{"clusterMode": false}"#,
            "SETTINGS: has no \"address\": it is not a Redis destination",
        ),
        (
            r#"{"address": null, "clusterMode": false}"#,
            "SETTINGS: \"address\" is missing: set it to host:port",
        ),
        (
            r#"{"address": "", "clusterMode": false}"#,
            "SETTINGS: \"address\" is missing: set it to host:port",
        ),
        (
            r#"{"address": " ", "clusterMode": false}"#,
            "SETTINGS: \"address\" is missing: set it to host:port",
        ),
        (
            r#"{"address": "a:1, b:2", "clusterMode": false}"#,
            "SETTINGS: \"address\" lists several servers, but clusterMode is false: keep one",
        ),
        (
            r#"{"address": "h:1", "clusterMode": false, "prefix": "{{ event.x }}"}"#,
            "SETTINGS: \"prefix\" cannot be read: \"{{\" starts a template: write it as the whole \
             text, with a default, such as \"{{ event.context.tenant || none }}\"",
        ),
        (
            "[]",
            "SETTINGS: is neither a destination's settings object nor a destination \
             with \"config\" inside",
        ),
    ] {
        assert_eq!(
            settings(text, &[]).map(|loaded| loaded.to_toml()).unwrap_err(),
            [error],
            "{text}"
        );
    }
}

#[test]
fn documents_and_prefixes_that_events_choose_are_those_of_rudderstack() {
    let text = r#"{"address": "h:1", "clusterMode": false, "useJSONModule": true,
        "prefix": " {{ event.traits.tenant || \"a b\" }} "}"#;
    let config = settings(text, &[]).unwrap().config;
    let profile = config.profile;
    assert_eq!(
        (profile.store, profile.json_traits, profile.json_nulls),
        (Store::Json, JsonTraits::Either, JsonNulls::Keep)
    );
    let path = ["traits", "tenant"].map(str::to_owned).to_vec();
    assert_eq!(
        config.redis.prefix_rule,
        Prefix::Dynamic { path: path.into(), default: "a b".into() }
    );

    settings(text, &["profile.store=json", "profile.ttl=1d"]).unwrap();
    let error = settings(text, &["profile.json_nulls=delete"]).map(|loaded| loaded.to_toml());
    assert_eq!(
        error.unwrap_err(),
        ["profile.json_nulls (--set): \"delete\" differs from \"keep\" in the SETTINGS, which \
          stand for [profile]: remove one"]
    );
    let error = settings(text, &["profile.newest_wins=field"]).map(|loaded| loaded.to_toml());
    assert_eq!(
        error.unwrap_err(),
        ["profile.newest_wins (--set): \"field\" does not go with profile.store (SETTINGS) = \
          \"json\": a document has no times of fields"]
    );
    let hashes = r#"{"address": "h:1", "clusterMode": false, "useJSONModule": false}"#;
    assert_eq!(settings(hashes, &[]).unwrap().config.profile, Profile::default());
}

#[test]
fn odd_values_mean_what_they_meant_to_rudderstack() {
    for (extra, database, warned) in [
        (r#""database": "2""#, 2, None),
        (r#""database": """#, 0, None),
        (r#""prefix": null"#, 0, None),
        (
            r#""database": "x""#,
            0,
            Some("\"database\" has no effect: no number: RudderStack takes it for 0"),
        ),
        (r#""skipVerify": true"#, 0, Some("\"skipVerify\" has no effect: secure is not true")),
        (r#""consentManagement": []"#, 0, Some("not used here: \"consentManagement\"")),
        (r#""connectionMode": {"web": "cloud"}"#, 0, None),
    ] {
        let loaded = settings(
            &format!(r#"{{"address": "[::1]:6379", "clusterMode": false, {extra}}}"#),
            &[],
        )
        .unwrap();
        assert_eq!(address(&loaded.config.redis), tcp("::1", 6379));
        assert_eq!(
            (loaded.config.redis.database, loaded.config.redis.tls.is_some()),
            (database, false)
        );
        match warned {
            None => assert_eq!(loaded.warnings, Vec::<String>::new()),
            Some(warned) => assert!(
                loaded.warnings.len() == 1 && loaded.warnings[0].ends_with(warned),
                "{:?}",
                loaded.warnings
            ),
        }
    }
}

/// Rows 78 and 79 of the acceptance table.
#[test]
fn a_cluster_unless_told_otherwise() {
    for (text, seeds, warned) in [
        (r#"{"address": "a:1"}"#, &["a:1"][..], None),
        (r#"{"address": "a:1", "clusterMode": null}"#, &["a:1"], None),
        (r#"{"address": "a:1", "cluster_mode": null}"#, &["a:1"], None),
        (r#"{"address": " a:1, b:2,a:1 ", "clusterMode": true}"#, &["a:1", "b:2"], None),
        (
            r#"{"address": "a:1", "database": "3"}"#,
            &["a:1"],
            Some("\"database\" has no effect: a cluster has only database 0"),
        ),
    ] {
        let loaded = settings(text, &[]).unwrap();
        let Mode::Cluster(cluster) = loaded.config.redis.mode else { panic!("{text}") };
        assert_eq!(cluster.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(), seeds);
        assert_eq!((loaded.config.redis.database, loaded.config.delivery.lanes), (0, 12));
        let warnings: Vec<_> =
            loaded.warnings.iter().map(|warning| warning.rsplit(": ").next().unwrap()).collect();
        assert_eq!(
            warnings,
            warned
                .map(|warned| warned.rsplit(": ").next().unwrap())
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn skip_verify_leaves_tls_unchecked() {
    let text = r#"{"address": "h:1", "clusterMode": false, "secure": true, "skipVerify": true}"#;
    let loaded = settings(text, &[]).unwrap();
    assert!(loaded.config.redis.tls.unwrap().skip_verify);
    assert!(loaded.warnings[0].contains("NOT verified"));
}

#[test]
fn keys_beside_the_settings_must_agree() {
    for (set, error) in [
        ("redis.database=2", None),
        ("redis.url=rediss://cache.example:6380/2", None),
        ("redis.response_timeout=9s", None),
        (
            "redis.database=3",
            Some(
                "redis.database (--set): 3 differs from 2 in the SETTINGS, which stand for \
                 [redis]: remove one",
            ),
        ),
        (
            "redis.password=canary",
            Some(
                "redis.password (--set): differs from the SETTINGS, which stand for [redis]: \
                 remove one",
            ),
        ),
        (
            "redis.url=rediss://other:6380/2",
            Some(
                "redis.url (--set): its host is \"other\", but redis.host (SETTINGS) \
                 is \"cache.example\": give one",
            ),
        ),
        (
            "redis.tls.skip_verify=true",
            Some(
                "redis.tls.skip_verify (--set): true differs from false in the SETTINGS, which \
                 stand for [redis]: remove one",
            ),
        ),
    ] {
        let errors = settings(BARE, &[set]).map(|_| ()).err().unwrap_or_default();
        assert_eq!(errors, error.into_iter().collect::<Vec<_>>(), "{set}");
    }
}

#[test]
fn a_password_that_the_export_left_out_may_be_given() {
    let exported = BARE.replace("0123", "");
    let redis = settings(&exported, &["redis.password=pw"]).unwrap().config.redis;
    assert_eq!(typed(redis.password), "pw");
}
