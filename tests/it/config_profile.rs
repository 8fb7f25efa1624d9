//! What `[profile]` comes to, and its exact errors.

use std::time::Duration;

use traitsink::config::{
    Config, Entities, FieldTtl, JsonNulls, JsonTraits, KeyTemplate, NewestWins, Nulls, Prefix,
    Profile, ProfileMode, Store, TtlMode,
};

use crate::config::{file, set};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn config(settings: &[&str]) -> Config {
    set(settings).unwrap_or_else(|errors| panic!("{settings:?}: {errors:#?}")).config
}

/// Settings in one line, separated by `; `, which have exactly this error.
pub(crate) fn refuse(rows: &[(&str, &str)]) {
    for (line, error) in rows {
        let settings: Vec<&str> = line.split("; ").collect();
        let errors = set(&settings).map(|loaded| loaded.to_toml()).unwrap_err();
        assert_eq!(errors, [*error], "{line}");
    }
}

#[test]
fn without_keys_profiles_are_those_of_rudderstack() {
    let config = config(&[]);
    assert_eq!(config.profile, Profile::default());
    assert_eq!(
        format!("{:?}", config.profile),
        "Profile { nulls: Skip, mode: Merge, ttl: None, ttl_mode: Refresh, ttl_path: None, \
         newest_wins: Off, time_field: \"_ts\", max_ahead: 300s, store: Hash, json_nulls: Delete, \
         json_traits: Both, field_ttl: [], entities: None }"
    );
    assert!(config.deletion.is_none() && config.redis.group_key.is_none());
    assert_eq!(config.redis.key, KeyTemplate::default());
    assert_eq!(config.redis.prefix_rule, Prefix::Fixed(String::new()));
    assert!(file("[deletion]\n[profile]").unwrap().config.deletion.is_none());
    assert!(set(&["deletion.listen="]).unwrap().config.deletion.is_none());
}

#[test]
fn each_key_of_a_profile_has_its_value() {
    let profile = |settings: &[&str]| config(settings).profile;
    let of = |ttl| Profile { ttl, ..Profile::default() };
    for (settings, expected) in [
        (&["profile.nulls=delete"][..], Profile { nulls: Nulls::Delete, ..of(None) }),
        (&["profile.mode=replace"], Profile { mode: ProfileMode::Replace, ..of(None) }),
        (&["profile.ttl=0s"], of(None)),
        (&["profile.ttl=1ms"], of(Some(Duration::from_millis(1)))),
        (&["profile.ttl=36h"], of(Some(DAY * 3 / 2))),
        (&["profile.ttl=30d"], of(Some(DAY * 30))),
        (&["profile.ttl=70368744177663ms"], of(Some(Duration::from_millis((1 << 46) - 1)))),
        (
            &["profile.ttl=1d 12h", "profile.ttl_mode=once"],
            Profile { ttl_mode: TtlMode::Once, ..of(Some(DAY * 3 / 2)) },
        ),
        (
            &["profile.ttl_path=context.ttl", "profile.ttl_mode=once"],
            Profile {
                ttl_mode: TtlMode::Once,
                ttl_path: Some(vec!["context".into(), "ttl".into()]),
                ..of(None)
            },
        ),
        (
            &["profile.newest_wins=field", "profile.time_field=t:", "profile.max_ahead=30d"],
            Profile {
                newest_wins: NewestWins::Field,
                time_field: "t:".into(),
                max_ahead: DAY * 30,
                ..of(None)
            },
        ),
        (
            &["profile.newest_wins=profile", "profile.max_ahead=0s"],
            Profile { newest_wins: NewestWins::Profile, max_ahead: Duration::ZERO, ..of(None) },
        ),
        (&["profile.store=json"], Profile { store: Store::Json, ..of(None) }),
        (
            &["profile.store=json", "profile.json_nulls=skip", "profile.json_traits=either"],
            Profile {
                store: Store::Json,
                json_nulls: JsonNulls::Skip,
                json_traits: JsonTraits::Either,
                ..of(None)
            },
        ),
        (
            &["profile.entities.workspace_id=w", "profile.entities.destination_id=d"],
            Profile {
                entities: Some(Entities { workspace_id: "w".into(), destination_id: "d".into() }),
                ..of(None)
            },
        ),
        (
            &["profile.field_ttl=[{match=\"a.*\",ttl=\"30m\"},{match=\"b\",ttl=\"2d\"}]"],
            Profile {
                field_ttl: vec![
                    FieldTtl { pattern: "a.*".into(), ttl: Duration::from_secs(30 * 60) },
                    FieldTtl { pattern: "b".into(), ttl: DAY * 2 },
                ],
                ..of(None)
            },
        ),
    ] {
        assert_eq!(profile(settings), expected, "{settings:?}");
    }
}

#[test]
fn wrong_values_of_a_profile_are_refused() {
    refuse(&[
        (
            "profile.nulls=keep",
            "profile.nulls (--set): \"keep\" is not known; known are: skip, delete",
        ),
        (
            "profile.mode=Replace",
            "profile.mode (--set): \"Replace\" is not known; known are: merge, replace",
        ),
        (
            "profile.newest_wins=true",
            "profile.newest_wins (--set): \"true\" is not known; known are: off, field, profile",
        ),
        (
            "profile.tll=1d",
            "profile.tll (--set): unknown key; the nearest known key is profile.ttl",
        ),
        (
            "profile.ttl=30",
            "profile.ttl (--set): \"30\" has no unit: write \"30s\", \"30h\" or \"30d\"",
        ),
        (
            "profile.ttl=-1s",
            "profile.ttl (--set): \"-1s\" is not a duration such as \"30m\", \"12h\" or \"90d\"",
        ),
        (
            "profile.ttl=never",
            "profile.ttl (--set): \"never\" is not a duration such as \"30m\", \"12h\" or \"90d\"",
        ),
        (
            "profile.ttl=9007199254740992s",
            "profile.ttl (--set): \"9007199254740992s\" is too long: it must be less than 2^46 ms \
             (814453d)",
        ),
        (
            "profile.ttl=70368744177664ms",
            "profile.ttl (--set): \"70368744177664ms\" is too long: it must be less than 2^46 ms \
             (814453d)",
        ),
        (
            "profile.ttl=9007199254740992",
            "profile.ttl (--set): \"9007199254740992\" has no unit: write \"9007199254740992s\", \
             \"9007199254740992h\" or \"9007199254740992d\"",
        ),
        ("profile.ttl=100us", "profile.ttl (--set): must be at least 1ms"),
        (
            "profile.ttl=[1]",
            "profile.ttl (--set): expected a duration with its unit, such as \"5s\", found a list",
        ),
        (
            "profile.ttl_path=context..ttl",
            "profile.ttl_path (--set): has a dot without a name beside it: write names and dots, \
             such as \"context.ttl\"",
        ),
        (
            "profile.ttl_path=.",
            "profile.ttl_path (--set): has a dot without a name beside it: write names and dots, \
             such as \"context.ttl\"",
        ),
        (
            "profile.newest_wins=field; profile.time_field=",
            "profile.time_field (--set): must not be empty: every trait would be one of the \
             guard's own fields",
        ),
        (
            "profile.newest_wins=field; profile.max_ahead=30d 1ms",
            "profile.max_ahead (--set): must be at most 30d",
        ),
        (
            "profile.field_ttl=[{match=\"\",ttl=\"1s\"}]",
            "profile.field_ttl[0].match (--set): names no field: write a name, or a pattern",
        ),
        (
            "profile.field_ttl=[{ttl=\"1s\"}]",
            "profile.field_ttl[0].match (--set): names no field: write a name, or a pattern",
        ),
        ("profile.field_ttl=[{match=\"a\"}]", "profile.field_ttl[0].ttl (--set): is needed"),
        (
            "profile.field_ttl=[{match=\"a\",ttl=\"1s\"},{match=\"b\",ttl=\"0s\"}]",
            "profile.field_ttl[1].ttl (--set): must be at least 1ms",
        ),
        (
            "profile.field_ttl=[{match=\"a\",ttl=\"760001d\"}]",
            "profile.field_ttl[0].ttl (--set): must be at most 760000d: Redis takes no later \
             expiry",
        ),
        (
            "profile.field_ttl=[{field=\"a\",ttl=\"1s\",match=\"a\"}]",
            "profile.field_ttl[0].field (--set): unknown key; the nearest known key is \
             profile.field_ttl[].ttl",
        ),
        (
            "profile.entities.workspace_id=w",
            "profile.entities.workspace_id (--set): needs profile.entities.destination_id beside \
             it",
        ),
        (
            "profile.entities.destination_id=d; profile.entities.workspace_id=",
            "profile.entities.destination_id (--set): needs profile.entities.workspace_id beside \
             it",
        ),
    ]);
}

#[test]
fn keys_that_do_not_go_together_are_refused_by_name() {
    refuse(&[
        (
            "profile.store=json; redis.mode=embedded",
            "profile.store (--set): \"json\" does not go with redis.mode (--set) = \"embedded\": \
             the embedded store keeps hashes, and no documents",
        ),
        (
            "profile.store=json; profile.newest_wins=field",
            "profile.newest_wins (--set): \"field\" does not go with profile.store (--set) = \
             \"json\": a document has no times of fields",
        ),
        (
            "profile.store=json; profile.newest_wins=profile",
            "profile.newest_wins (--set): \"profile\" does not go with profile.store (--set) = \
             \"json\": a document has no times of fields",
        ),
        (
            "profile.store=json; profile.field_ttl=[{match=\"a\",ttl=\"1s\"}]",
            "profile.field_ttl (--set): does not go with profile.store (--set) = \"json\": a \
             document has no fields that expire",
        ),
        (
            "profile.store=json; profile.nulls=delete",
            "profile.nulls (--set): has no effect with profile.store = \"json\": \
             profile.json_nulls says what a null does",
        ),
        (
            "profile.store=json; profile.nulls=skip",
            "profile.nulls (--set): has no effect with profile.store = \"json\": \
             profile.json_nulls says what a null does",
        ),
        (
            "profile.mode=replace; profile.newest_wins=field",
            "profile.mode (--set): \"replace\" does not go with profile.newest_wins (--set) = \
             \"field\": with \"profile\" the newest event's traits are the whole hash",
        ),
        (
            "profile.mode=replace; profile.nulls=delete",
            "profile.nulls (--set): \"delete\" has no effect with profile.mode (--set) = \
             \"replace\", which removes every field that the event does not set",
        ),
        (
            "profile.json_nulls=keep",
            "profile.json_nulls (--set): has no effect with profile.store = \"hash\"",
        ),
        (
            "profile.json_traits=both",
            "profile.json_traits (--set): has no effect with profile.store = \"hash\"",
        ),
        (
            "profile.ttl_mode=once",
            "profile.ttl_mode (--set): has no effect without profile.ttl or profile.ttl_path",
        ),
        (
            "profile.ttl=0s; profile.ttl_mode=refresh",
            "profile.ttl_mode (--set): has no effect without profile.ttl or profile.ttl_path",
        ),
        (
            "profile.time_field=_t",
            "profile.time_field (--set): has no effect with profile.newest_wins = \"off\"",
        ),
        (
            "profile.max_ahead=1m",
            "profile.max_ahead (--set): has no effect with profile.newest_wins = \"off\"",
        ),
        (
            "deletion.tombstone_ttl=90d",
            "deletion.tombstone_ttl (--set): has no effect with profile.newest_wins = \"off\", \
             which writes no tombstones",
        ),
        (
            "http.sources=[{write_key=\"k\",may_delete=true}]",
            "http.sources[0].may_delete (--set): has no effect without deletion.event",
        ),
    ]);
}

#[test]
fn keys_that_go_together_load() {
    const FIELD_TTL: &str = "profile.field_ttl=[{match=\"a\",ttl=\"1s\"}]";
    const ENTITIES: [&str; 2] =
        ["profile.entities.workspace_id=w", "profile.entities.destination_id=d"];
    for settings in [
        &["profile.store=json", "profile.mode=replace", "profile.ttl=1d"][..],
        &["profile.store=json", "profile.ttl_path=ttl", "profile.ttl_mode=once"],
        &["profile.store=json", "redis.group_key=g:{groupId}", ENTITIES[0], ENTITIES[1]],
        &["profile.mode=replace", "profile.newest_wins=profile", "profile.ttl=1d"],
        &["profile.mode=replace", "profile.nulls=skip", FIELD_TTL],
        &["profile.nulls=delete", "profile.newest_wins=profile"],
        &["profile.nulls=delete", "profile.newest_wins=field", "profile.ttl=1d", FIELD_TTL],
        &["profile.newest_wins=field", "profile.ttl=1d", "profile.ttl_mode=once"],
        &["profile.newest_wins=field", "profile.ttl=1d", FIELD_TTL, ENTITIES[0], ENTITIES[1]],
        &["profile.newest_wins=field", "deletion.tombstone_ttl=10d"],
        // Whether the server can do it is asked when connecting.
        &["redis.handshake=minimal", "redis.client_name=", "profile.newest_wins=field", FIELD_TTL],
        &[
            "redis.handshake=minimal",
            "redis.client_name=",
            "profile.ttl=1d",
            "profile.ttl_mode=once",
        ],
        &["deletion.event=e", "http.sources=[{write_key=\"k\",may_delete=true,gateway=true}]"],
        &["http.sources=[{write_key=\"k\",may_delete=false,gateway=\"\"}]"],
    ] {
        config(settings);
    }
}

#[test]
fn show_prints_what_has_an_effect_and_it_loads_again() {
    for (settings, table) in [
        (
            &[][..],
            "[profile]\nnulls = \"skip\"\nmode = \"merge\"\nttl = \"0s\"\nnewest_wins = \"off\"\n\
             store = \"hash\"\nfield_ttl = []\n",
        ),
        (
            &["profile.newest_wins=field", "profile.ttl=48h", "deletion.event=e"],
            "[profile]\nnulls = \"skip\"\nmode = \"merge\"\nttl = \"2d\"\nttl_mode = \"refresh\"\n\
             newest_wins = \"field\"\ntime_field = \"_ts\"\nmax_ahead = \"5m\"\nstore = \"hash\"\n\
             field_ttl = []\n\n[deletion]\nevent = \"e\"\ntombstone_ttl = \"90d\"\nprefixes = []\n\
             suppressions_key = \"{prefix}traitsink:suppressed\"\nmax_suppressed = 1000000\n",
        ),
        (
            &[
                "profile.field_ttl=[{match=\"a\",ttl=\"60m\"}]",
                "profile.entities.workspace_id=w",
                "profile.entities.destination_id=d",
            ],
            "store = \"hash\"\n\n[[profile.field_ttl]]\nmatch = \"a\"\nttl = \"1h\"\n\n\
             [profile.entities]\nworkspace_id = \"w\"\ndestination_id = \"d\"\n",
        ),
        (
            &["profile.store=json"],
            "[profile]\nmode = \"merge\"\nttl = \"0s\"\nnewest_wins = \"off\"\nstore = \"json\"\n\
             json_nulls = \"delete\"\njson_traits = \"both\"\nfield_ttl = []\n",
        ),
        (
            &[
                "redis.prefix={{event.a||b}}",
                "redis.key={prefix}u:{{{userId}}}",
                "deletion.listen=127.0.0.1:1",
                "deletion.token=Canary7x",
            ],
            "prefix = \"{{event.a||b}}\"\nkey = \"{prefix}u:{{{userId}}}\"\n",
        ),
    ] {
        let shown = set(settings).unwrap().to_toml();
        assert!(shown.contains(table), "{shown}");
        assert!(!shown.contains("Canary7x"));
        let again = file(&shown).unwrap();
        assert_eq!(again.to_toml(), shown);
        assert_eq!(again.config.profile, set(settings).unwrap().config.profile);
    }
}
