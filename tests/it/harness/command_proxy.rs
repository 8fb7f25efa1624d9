//! A proxy that knows few commands, like Envoy, Twemproxy and managed services: each command is
//! passed on to a real server, refused, or answered by closing the connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The proxy's reaction to one command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Pass,
    /// The proxy answers with these bytes.
    Answer(&'static str),
    /// The proxy answers with an error of this text.
    Refuse(&'static str),
    /// The proxy closes the connection. Answers that it has not sent yet are lost, as with
    /// Twemproxy.
    HangUp,
    /// The proxy sends this answer, then closes the connection.
    AnswerAndHangUp(&'static str),
}

/// The words of one command, the first in upper case.
pub(crate) type Words<'a> = &'a [String];

type Rule = Arc<dyn Fn(Words<'_>) -> Reaction + Send + Sync>;

/// A running proxy in front of one server; it runs as long as the test.
pub(crate) struct CommandProxy {
    port: u16,
    rule: Arc<Mutex<Rule>>,
    seen: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    connections: usize,
    commands: BTreeMap<String, usize>,
}

impl CommandProxy {
    /// Starts a proxy in front of the server on `port`.
    pub(crate) fn start(
        port: u16,
        rule: impl Fn(Words<'_>) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (rule, seen): (Arc<Mutex<Rule>>, Arc<Mutex<Counts>>) =
            (Arc::new(Mutex::new(Arc::new(rule))), Arc::default());
        let (rules, counts) = (Arc::clone(&rule), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                counts.lock().unwrap().connections += 1;
                let (rules, counts) = (Arc::clone(&rules), Arc::clone(&counts));
                std::thread::spawn(move || {
                    serve(&client, port, &rules, &counts);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port: own, rule, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Changes the proxy's rule; connections stay open.
    pub(crate) fn replace(&self, rule: impl Fn(Words<'_>) -> Reaction + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Arc::new(rule);
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Number of times that the command was received.
    pub(crate) fn received(&self, command: &str) -> usize {
        self.seen.lock().unwrap().commands.get(command).copied().unwrap_or_default()
    }
}

/// Serves one client until either side ends or the rule closes the connection.
fn serve(client: &TcpStream, port: u16, rule: &Mutex<Rule>, seen: &Mutex<Counts>) -> Option<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let (mut requests, mut replies) = (BufReader::new(client), BufReader::new(&server));
    let (mut to_server, mut to_client) = (&server, client);
    let mut answers = Vec::new();
    loop {
        let mut raw = Vec::new();
        frame(&mut requests, &mut raw)?;
        let words = words(&raw);
        *seen.lock().unwrap().commands.entry(words.first()?.clone()).or_default() += 1;
        let rule = Arc::clone(&rule.lock().unwrap());
        match rule(&words) {
            Reaction::Pass => {
                to_server.write_all(&raw).ok()?;
                frame(&mut replies, &mut answers)?;
            }
            Reaction::Answer(answer) => answers.extend_from_slice(answer.as_bytes()),
            Reaction::Refuse(text) => answers.extend_from_slice(format!("-{text}\r\n").as_bytes()),
            Reaction::HangUp => return None,
            Reaction::AnswerAndHangUp(answer) => {
                answers.extend_from_slice(answer.as_bytes());
                to_client.write_all(&answers).ok()?;
                return None;
            }
        }
        // A pipeline is answered as a whole.
        if requests.buffer().is_empty() {
            to_client.write_all(&answers).ok()?;
            answers.clear();
        }
    }
}

/// Copies one complete RESP2 value.
fn frame(from: &mut impl BufRead, raw: &mut Vec<u8>) -> Option<()> {
    let start = raw.len();
    from.read_until(b'\n', raw).ok().filter(|read| *read > 0)?;
    let line = String::from_utf8_lossy(&raw[start..]).into_owned();
    let number = line[1..].trim_end().parse::<i64>();
    match line.as_bytes()[0] {
        b'*' => (0..number.ok()?).try_for_each(|_| frame(from, raw)),
        b'$' if line.starts_with("$-1") => Some(()),
        b'$' => {
            let at = raw.len();
            raw.resize(at + usize::try_from(number.ok()?).ok()? + 2, 0);
            from.read_exact(&mut raw[at..]).ok()
        }
        _ => Some(()),
    }
}

fn words(raw: &[u8]) -> Vec<String> {
    let command = redis::parse_redis_value(raw).expect("a whole command");
    let words: Vec<Vec<u8>> = redis::from_redis_value(command).expect("a list of words");
    let mut words: Vec<String> =
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    if let Some(first) = words.first_mut() {
        first.make_ascii_uppercase();
    }
    words
}
