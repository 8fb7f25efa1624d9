//! An OAuth token endpoint: it takes client credentials and returns a token that [`super::Secured`]
//! accepts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::PASSWORD;

/// The endpoint; serves until the test process ends.
pub(crate) struct Tokens {
    port: u16,
}

impl Tokens {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binding a port");
        let port = listener.local_addr().expect("a local address").port();
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| answer(&stream))
        });
        Self { port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }
}

/// Answers one request. The client's id becomes the token's subject, if the secret is right.
fn answer(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut login) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a request");
        let line = line.trim_end();
        let header = |name: &str| {
            line.to_ascii_lowercase().strip_prefix(name).map(|_| line[name.len()..].trim())
        };
        if let Some(value) = header("content-length:") {
            length = value.parse().expect("a number");
        } else if let Some(value) = header("authorization: basic") {
            login = String::from_utf8(STANDARD.decode(value).expect("base64")).expect("text");
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    assert_eq!(body, b"grant_type=client_credentials");
    let (status, reply) = match login.split_once(':') {
        Some((client, PASSWORD)) => {
            ("200 OK", format!(r#"{{"access_token":"{}","expires_in":3600}}"#, token(client)))
        }
        _ => ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        reply.len()
    );
    stream.write_all((head + &reply).as_bytes()).expect("the client reads");
}

/// A JSON web token without a signature.
fn token(subject: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = format!(r#"{{"sub":"{subject}","iat":{now},"exp":{}}}"#, now + 3600);
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims))
}
