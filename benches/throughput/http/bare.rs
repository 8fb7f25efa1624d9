//! A server that reads the body and answers 200: what HTTP costs without events and Redis. It is
//! this program in a process of its own, so that its processor time can be told apart.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::process::Killed;

/// The argument that makes this program the server.
pub(crate) const ARGUMENT: &str = "--serve-bare";

pub(super) struct BareServer {
    process: Killed,
    pub(super) address: SocketAddr,
}

impl BareServer {
    pub(super) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("own path"));
        let mut process = Killed::start(command.arg(ARGUMENT).stdout(Stdio::piped()));
        let mut line = String::new();
        let stdout = process.0.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self { process, address: line.trim().parse().expect("the address of the server") }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Serves on a free port, which it prints, until standard input ends. Like the worker, it has a
/// thread for each core and a timer for slow heads.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.spawn(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("bound"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("an open connection");
            tokio::spawn(async move {
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new());
                // Clients end the connection, with or without an error.
                let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    // Nothing is ever written to standard input.
    let _ = std::io::stdin().read(&mut [0]);
    runtime.shutdown_background();
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let status = match request.into_body().collect().await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let mut response = Response::new(Full::new(Bytes::from_static(b"OK")));
    *response.status_mut() = status;
    Ok(response)
}
