//! A server that refuses some HSETs with texts that Debian's Redis does not know: the real one behind a filter.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Why an HSET is refused: its key and all its parts as text -> the error reply, without the dash.
type Rule = Box<dyn Fn(&str, &[String]) -> Option<&'static str> + Send>;

/// Between clients and one server; its threads end with their connections.
pub(crate) struct Refusing {
    port: u16,
    rule: Arc<Mutex<Rule>>,
}

impl Refusing {
    pub(crate) fn start(server: u16, rule: impl Fn(&str, &[String]) -> Option<&'static str> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binding a port");
        let port = listener.local_addr().expect("a local address").port();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let shared = Arc::clone(&rule);
        // Ends with the process: a listener cannot be woken up.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let rule = Arc::clone(&shared);
                let (from, to) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                std::thread::spawn(move || copy(from, to));
                std::thread::spawn(move || filter(client, server, &rule));
            }
        });
        Self { port, rule }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Everything is taken from now on.
    pub(crate) fn cure(&self) {
        *self.rule.lock().unwrap() = Box::new(|_, _| None);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// Has the server itself say what a refused HSET is answered with, so that replies stay in order.
fn filter(client: TcpStream, mut server: TcpStream, rule: &Mutex<Rule>) {
    let mut client = BufReader::new(client);
    while let Some(parts) = command(&mut client) {
        let text: Vec<String> = parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        let refused = if text[0] == "HSET" { rule.lock().unwrap()(&text[1], &text[2..]) } else { None };
        let mut packed = redis::Cmd::new();
        match refused {
            Some(error) => packed.arg("EVAL").arg("return redis.error_reply(ARGV[1])").arg(0).arg(error),
            None => packed.arg(parts),
        };
        if server.write_all(&packed.get_packed_command()).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// One command as clients send it.
fn command(from: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count = number(from, '*')?;
    (0..count)
        .map(|_| {
            let mut part = vec![0; number(from, '$')? + 2];
            from.read_exact(&mut part).ok()?;
            part.truncate(part.len() - 2);
            Some(part)
        })
        .collect()
}

fn number(from: &mut impl BufRead, sign: char) -> Option<usize> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}
