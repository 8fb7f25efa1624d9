//! The worker with JSON documents: what users see of it.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::app::{App, run};
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, ServerVersion};
use crate::proxies::check;

const JSON: &str = "profile.store=json";

fn url(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}", redis.port())
}

fn identify(app: &App, user: &str, event: Json) {
    let Json::Object(mut event) = event else { panic!("{event}") };
    event.insert("userId".into(), json!(user));
    let answer = app.client().post("/v1/identify", Json::Object(event).to_string());
    assert_eq!(answer.map(|answer| answer.status), Some(200));
}

fn document(redis: &Redis, key: &str) -> Json {
    let text: String = redis::from_redis_value(redis.cli(&["JSON.GET", key])).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn profiles_and_entities_are_documents() {
    for version in [ServerVersion::Redis74, ServerVersion::Redis82] {
        for protocol in ["redis.protocol=2", "redis.protocol=3"] {
            let redis = Redis::builder().version(version).json().start();
            let entities = ["workspace_id=W", "destination_id=D"]
                .map(|setting| format!("profile.entities.{setting}"));
            let settings = [JSON, protocol, &entities[0], &entities[1], "redis.prefix=p"];
            let app = App::start(&url(&redis), &settings);
            app.wait_ready();
            identify(&app, "u", json!({"traits": {"name": "Ann", "address": {"city": "A"}}}));
            identify(&app, "u", json!({"context": {"traits": {"name": null, "tags": [1]}}}));
            assert_eq!(
                document(&redis, "p:user:u"),
                json!({"address": {"city": "A"}, "tags": [1]})
            );
            let sources = |model: &str| {
                let names = ["profiles_entity", "profiles_id_type", "profiles_model"];
                let [entity, id_type, name] = names;
                json!({entity: "e", id_type: "i", name: model})
            };
            let entity = |model: &str, traits| {
                identify(
                    &app,
                    "u",
                    json!({"context": {"sources": sources(model)}, "traits": traits}),
                );
            };
            entity("m", json!({"score": 0.5}));
            entity("other.part", json!({"score": 1}));
            entity("m", json!({"seen": true}));
            let expected =
                json!({"m": {"score": 0.5, "seen": true}, "other": {"part": {"score": 1}}});
            assert_eq!(document(&redis, "W:D:e:i:u"), expected);

            redis.cli(&["HSET", "p:user:hash", "a", "1"]);
            identify(&app, "hash", json!({"traits": {"b": 2}}));
            let letters = app.dead_letters();
            let letter = letters.first().expect("a dead letter");
            assert_eq!(
                (&letter["reason"], &letter["key"]),
                (&json!("wrong_type"), &json!("p:user:hash"))
            );
            app.assert_at_rest();
            let (code, said) = check(&url(&redis), &settings);
            assert!(
                code == Some(0) && said.contains("~p:user:* ~W:D:* +json.set +json.merge +multi"),
                "{code:?} {said}"
            );
        }
    }
}

/// RudderStack's settings with `useJSONModule`, through `config import`: the documents are those
/// of the original (rows 64 to 67 of the acceptance table).
#[test]
fn documents_are_those_of_rudderstack() {
    for version in [ServerVersion::Redis74, ServerVersion::Redis82] {
        let redis = Redis::builder().version(version).json().start();
        let dir = tempfile::tempdir().expect("a directory");
        let [settings, toml] =
            ["settings.json", "traitsink.toml"].map(|name| dir.path().join(name));
        let address = format!("127.0.0.1:{}", redis.port());
        let original = json!({"address": address, "clusterMode": false, "useJSONModule": true,
            "prefix": " P "});
        std::fs::write(&settings, original.to_string()).expect("a file");
        let settings = settings.to_str().expect("a path");
        let imported = run(&["config", "import", "--from", "rudderstack", settings], b"");
        std::fs::write(&toml, &imported.stdout).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_traitsink"));
        command.arg("-c").arg(&toml);
        let entities = ["profile.entities.workspace_id=W", "profile.entities.destination_id=D"];
        let app = App::start_command(command, &entities);
        app.wait_ready();
        let entity =
            json!({"profiles_entity": "e", "profiles_id_type": "i", "profiles_model": "p.id.name"});
        for (key, stored, event, after) in [
            (
                "P:user:u",
                None,
                json!({"context": {"traits": {"q": 1}}, "traits": {"a": 1}}),
                json!({"a": 1}),
            ),
            (
                "P:user:v",
                None,
                json!({"traits": {"a": null, "b": {}, "c": []}}),
                json!({"a": null, "b": {}, "c": []}),
            ),
            (
                "P:user:w",
                Some(r#"{"t1":"x","t2":"y"}"#),
                json!({"traits": {"t1": "z"}}),
                json!({"t1": "z", "t2": "y"}),
            ),
            (
                "P:user:x",
                Some(r#"{"a":1,"b":{"c":2}}"#),
                json!({"context": {"traits": {"a": null, "b": {"c": null}}}}),
                json!({"a": null, "b": {"c": null}}),
            ),
            (
                "W:D:e:i:y",
                Some(r#"{"p":{"id":"s"}}"#),
                json!({"context": {"sources": entity}, "traits": {"f": 1}}),
                json!({"p": {"id": {"name": {"f": 1}}}}),
            ),
        ] {
            if let Some(stored) = stored {
                redis.cli(&["JSON.SET", key, "$", stored]);
            }
            identify(&app, &key[key.len() - 1..], event);
            assert_eq!(document(&redis, key), after, "{version:?} {key}");
        }
        app.assert_at_rest();
    }
}

/// A few thousand events of few users through all lanes: no merge is lost.
#[test]
fn every_event_of_many_is_merged() {
    let redis = Redis::builder().version(ServerVersion::Redis82).json().start();
    let app = App::start(&url(&redis), &[JSON]);
    app.wait_ready();
    for round in 0..40 {
        let events: Vec<Json> = (0..100)
            .map(|at| {
                let traits = json!({format!("t{round}"): {format!("n{}", at / 5): at}, "last": at});
                json!({"type": "identify", "userId": (at % 5).to_string(), "traits": traits})
            })
            .collect();
        let answer = app.client().post("/v1/batch", json!({"batch": events}).to_string());
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
    for user in 0..5 {
        let document = document(&redis, &format!("user:{user}"));
        assert_eq!(document["last"], json!(95 + user));
        let members = |value: &Json| value.as_object().map(serde_json::Map::len);
        assert_eq!(members(&document), Some(41));
        for round in 0..40 {
            let of_round = &document[&format!("t{round}")];
            assert_eq!(members(of_round), Some(20));
            assert_eq!(of_round["n19"], json!(95 + user));
        }
    }
    app.assert_at_rest();
}

#[test]
fn a_document_keeps_its_end_and_is_given_one() {
    for version in [ServerVersion::Redis74, ServerVersion::Redis82] {
        for mode in ["profile.mode=merge", "profile.mode=replace"] {
            let redis = Redis::builder().version(version).json().start();
            let app = App::start(&url(&redis), &[JSON, mode, "profile.ttl_path=context.ttl"]);
            app.wait_ready();
            let left = |user| match redis.cli(&["TTL", user]) {
                redis::Value::Int(left) => left,
                other => panic!("{other:?}"),
            };
            identify(&app, "u", json!({"traits": {"a": 1}}));
            assert_eq!(left("user:u"), -1);
            identify(&app, "u", json!({"traits": {"a": 2}, "context": {"ttl": "2h"}}));
            assert!((7000..=7200).contains(&left("user:u")), "{version:?} {mode}");
            identify(&app, "u", json!({"traits": {"b": 3}}));
            assert!((7000..=7200).contains(&left("user:u")), "{version:?} {mode}");
            redis.cli(&["SET", "user:other", "x"]);
            identify(&app, "other", json!({"traits": {"a": 2}, "context": {"ttl": "2h"}}));
            assert_eq!(left("user:other"), -1, "a foreign key gets no end");
            app.assert_at_rest();
        }
    }
}

#[test]
fn a_document_can_be_looked_up() {
    let redis = Redis::builder().version(ServerVersion::Redis74).json().start();
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("token");
    std::fs::write(&token, "a-token").expect("a file");
    let token = format!("admin.token_file={}", token.display());
    let app = App::start(&url(&redis), &[JSON, "admin.profile_lookup=true", &token]);
    app.wait_ready();
    identify(&app, "u", json!({"traits": {"a": {"b": [1]}}}));
    redis.cli(&["HSET", "user:h", "a", "1"]);
    let ask = |user: &str| {
        let path = format!("/api/profile?user_id={user}");
        let headers = [("authorization", "Bearer a-token")];
        let answer = Client::new(app.admin).send("GET", &path, &headers, b"").expect("an answer");
        (answer.status, serde_json::from_slice::<Json>(&answer.body).expect("JSON"))
    };
    let found = json!({"key": "user:u", "document": {"a": {"b": [1]}}, "ttl_seconds": null});
    assert_eq!(ask("u"), (200, found));
    assert_eq!(ask("nobody").0, 404);
    let (status, answer) = ask("h");
    assert_eq!((status, &answer["code"]), (409, &json!("wrong_type")));
}

#[test]
fn a_server_without_documents_is_not_ready_and_says_what_it_needs() {
    let redis = Redis::start();
    let words = "need Redis 8, or the module RedisJSON";
    let (code, said) = check(&url(&redis), &[JSON]);
    assert!(code == Some(69) && said.contains(words), "{code:?} {said}");
    let app = App::start(&url(&redis), &[JSON]);
    eventually("the reason is told", || {
        let ready = Client::new(app.admin).get("/ready").expect("an answer");
        ready.status == 503 && ready.text().contains(words)
    });
}
