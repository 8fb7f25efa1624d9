//! `demo`: the whole program with a store inside the process, and the three examples of the
//! RudderStack guide.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::app::{App, StartError};
use crate::cli::Options;
use crate::config::{Address, Config, ConfigArgs, OwnServer};
use crate::exit::Exit;
use crate::lifecycle::Lifecycle;
use crate::logging;
use crate::redis::{ConnectionSettings, Connector};

use super::exit;

/// The demo's own defaults; files, variables and flags go over them.
const PRESET: &str = r#"
[http]
write_keys = ["demo"]
[[http.sources]]
name = "prefixed"
write_key = "demo-prefixed"
prefix = "rudderstack"
[redis]
mode = "embedded"
[dead_letter]
to = "log"
[log]
level = "error"
"#;

/// The guide's examples: write key, event, the Redis key it becomes.
const EXAMPLES: [(&str, &str, &str); 3] = [
    ("demo", r#"{"userId":"user-1","traits":{"name":"John Doe","title":"CEO"}}"#, "user:user-1"),
    (
        "demo",
        r#"{"userId":"user-2","traits":{"location":{"state":"Texas","city":"Austin"}}}"#,
        "user:user-2",
    ),
    ("demo-prefixed", r#"{"userId":"user-3","traits":{"age":23}}"#, "rudderstack:user:user-3"),
];

/// Stays up until ctrl-C, or exits after the examples with `once`.
pub(super) fn demo(options: &Options, once: bool) -> ExitCode {
    let args = ConfigArgs { preset: Some(("demo", PRESET)), ..options.config_args() };
    let loaded = match exit::configured(&args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let config = &loaded.config;
    let _logging = logging::init(&config.log);
    exit::in_runtime(async {
        let lifecycle = Lifecycle::default();
        lifecycle.listen(config.delivery.stop_grace)?;
        let own_server = config.redis.mode.own_server();
        let (Some(_), Some(OwnServer::Embedded(_))) = (&config.http, own_server) else {
            return Err(failed("the demo", &"needs [http] and redis.mode = \"embedded\""));
        };
        let app = App::start(&loaded, lifecycle.clone()).await?;
        let (http, store) = app.http.zip(app.store).expect("both are configured");
        print(&lifecycle, examples(config, http, store).await?).await;
        if once {
            lifecycle.soft.cancel();
        } else {
            print(&lifecycle, next(http, store, app.admin_address)).await;
        }
        Ok(app.run_until_stopped().await)
    })
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError { message: format!("{what}: {error}"), code: Exit::INTERNAL }
}

/// Prints `text`, unless the stop comes before a reader.
async fn print(lifecycle: &Lifecycle, text: String) {
    let printing = tokio::task::spawn_blocking(move || exit::print(&text));
    let _stopped_first = lifecycle.soft.run_until_cancelled(printing).await;
}

/// Sends each example. Returns what they became.
async fn examples(
    config: &Config,
    http: SocketAddr,
    store: SocketAddr,
) -> Result<String, StartError> {
    let address = Address::Tcp { host: store.ip().to_string(), port: store.port() };
    let connector = Connector::new(&ConnectionSettings::of(&config.redis), address)
        .map_err(|error| failed("the embedded store", &error))?;
    let mut connection =
        connector.connect().await.map_err(|error| failed("the embedded store", &error))?;
    let mut text = format!("Sent to http://{http}/v1/identify, and what Redis holds now:\n\n");
    for (write_key, event, key) in EXAMPLES {
        let status = identify(http, write_key, event)
            .await
            .map_err(|error| failed("cannot send an example", &error))?;
        if status != StatusCode::OK {
            return Err(failed("an example was refused", &status));
        }
        let hash = connection
            .query(redis::cmd("HGETALL").arg(key))
            .await
            .map_err(|error| failed("HGETALL", &error))?;
        let fields: Vec<String> =
            redis::from_redis_value(hash).map_err(|error| failed("HGETALL", &error))?;
        text.push_str(&format!("  {event}\n  HGETALL {key}\n"));
        text.extend((1..).zip(fields).map(|(number, field)| format!("  {number}) {field:?}\n")));
        text.push('\n');
    }
    Ok(text)
}

fn next(http: SocketAddr, store: SocketAddr, admin: SocketAddr) -> String {
    format!(
        "The store is inside this process and keeps nothing: all that it holds is gone when the \
         demo ends.
Try next, until ctrl-C:
  curl -u demo: http://{http}/v1/identify -d \
  '{{\"userId\":\"me\",\"traits\":{{\"plan\":{{\"name\":\"free\"}}}}}}'
  redis-cli -p {} HGETALL user:me
  curl http://{admin}/metrics
  http://{admin}/ in a browser: what the worker does now
",
        store.port()
    )
}

/// Sends one event as a client would.
async fn identify(
    http: SocketAddr,
    write_key: &str,
    event: &'static str,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(http).await?);
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{write_key}:"));
    let request = Request::post("/v1/identify")
        .header(header::HOST, http.to_string())
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .body(Full::new(event.as_bytes()))?;
    let answer =
        tokio::time::timeout(Duration::from_secs(10), client.send_request(request)).await??;
    let status = answer.status();
    answer.into_body().collect().await?;
    Ok(status)
}
