//! A collector that decodes with OpenTelemetry's own package: `tests/otlp/collector.py`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::certs::Issued;
use crate::harness::{eventually_or, fetched};

/// A running collector; killed when dropped.
pub(super) struct Collector {
    child: Child,
    port: u16,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    /// A collector for `http`, or for `https` with a certificate.
    pub(super) fn start(tls: Option<&Issued>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp/collector.py");
        let mut command = Command::new("python3");
        command.arg(script).env("PYTHONPATH", fetched("TRAITSINK_OTLP", "otlp-1"));
        command.args(tls.iter().flat_map(|issued| [&issued.certificate, &issued.key]));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("python3 is needed");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("the collector says its port").expect("text");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).expect("a request"));
            }
        });
        Self { child, port: first.parse().expect("a port"), requests }
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub(super) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// All bytes that came as bodies.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = |request: &Value| {
            STANDARD.decode(request["body"].as_str().expect("text")).expect("base64")
        };
        self.requests().iter().flat_map(body).collect()
    }

    pub(super) fn spans(&self) -> Vec<Value> {
        let spans = |request: Value| request["spans"].as_array().expect("a list").clone();
        self.requests().into_iter().flat_map(spans).collect()
    }

    /// Waits for the first span that `is` the one.
    pub(super) fn span(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let found = || self.spans().into_iter().find(|span| is(span));
        let missing = || format!("{what}: {:#?}", self.spans());
        eventually_or(missing, || found().is_some());
        found().expect("spans stay")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
