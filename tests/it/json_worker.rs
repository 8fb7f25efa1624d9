//! The worker with JSON documents: what users see of it.

use serde_json::{Value as Json, json};

use crate::harness::app::App;
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
