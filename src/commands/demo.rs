//! `demo`: the whole program with a store of its own, and the three examples of the RudderStack guide.

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
use crate::config::{Address, Config, ConfigArgs, Mode};
use crate::exit::Exit;
use crate::lifecycle::Lifecycle;
use crate::logging;
use crate::redis::Connector;

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
    ("demo", r#"{"userId":"user-2","traits":{"location":{"state":"Texas","city":"Austin"}}}"#, "user:user-2"),
    ("demo-prefixed", r#"{"userId":"user-3","traits":{"age":23}}"#, "rudderstack:user:user-3"),
];

/// Stays up until ctrl-C, or exits after the examples with `once`.
pub(super) fn demo(options: &Options, once: bool) -> ExitCode {
    let args = ConfigArgs { preset: Some(("demo", PRESET)), ..options.config_args() };
    let config = match exit::configured(&args) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    logging::init(&config.log);
    exit::in_runtime(async {
        let lifecycle = Lifecycle::default();
        lifecycle.listen(config.delivery.stop_grace)?;
        let (Some(_), Mode::Embedded(_)) = (&config.http, &config.redis.mode) else {
            return Err(failed("the demo", &"needs [http] and redis.mode = \"embedded\""));
        };
        let app = App::start(&config, lifecycle.clone()).await?;
        let (http, store) = app.http.zip(app.store).expect("both are configured");
        print_examples(&config, http, store).await?;
        if once {
            lifecycle.soft.cancel();
        } else {
            print_next(http, store, app.admin_address);
        }
        Ok(app.run_until_stopped().await)
    })
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError { message: format!("{what}: {error}"), code: Exit::INTERNAL }
}

/// Sends each example and prints what it became.
async fn print_examples(config: &Config, http: SocketAddr, store: SocketAddr) -> Result<(), StartError> {
    let address = Address::Tcp { host: store.ip().to_string(), port: store.port() };
    let connector = Connector::new(&config.redis, address).map_err(|error| failed("the embedded store", &error))?;
    let mut connection = connector.connect().await.map_err(|error| failed("the embedded store", &error))?;
    println!("Sent to http://{http}/v1/identify, and what Redis holds now:\n");
    for (write_key, event, key) in EXAMPLES {
        let status = identify(http, write_key, event).await.map_err(|error| failed("cannot send an example", &error))?;
        if status != StatusCode::OK {
            return Err(failed("an example was refused", &status));
        }
        let hash = connection.query(redis::cmd("HGETALL").arg(key)).await.map_err(|error| failed("HGETALL", &error))?;
        let fields: Vec<String> = redis::from_redis_value(hash).map_err(|error| failed("HGETALL", &error))?;
        println!("  {event}\n  HGETALL {key}");
        for (number, text) in (1..).zip(fields) {
            println!("  {number}) {text:?}");
        }
        println!();
    }
    Ok(())
}

fn print_next(http: SocketAddr, store: SocketAddr, admin: SocketAddr) {
    println!("The store is inside this process and keeps nothing: all that it holds is gone when the demo ends.");
    println!("Try next, until ctrl-C:");
    println!(
        "  curl -u demo: http://{http}/v1/identify -d '{{\"userId\":\"me\",\"traits\":{{\"plan\":{{\"name\":\"free\"}}}}}}'"
    );
    println!("  redis-cli -p {} HGETALL user:me", store.port());
    println!("  curl http://{admin}/metrics");
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
    let answer = tokio::time::timeout(Duration::from_secs(10), client.send_request(request)).await??;
    let status = answer.status();
    answer.into_body().collect().await?;
    Ok(status)
}
