//! The bytes of the attacks.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

pub(super) const MIB: usize = 1 << 20;

/// The default of `http.max_body`.
pub(super) const MAX_BODY: usize = 8 * MIB;

/// A gzip member with no content.
const EMPTY_MEMBER: [u8; 20] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The head of a request to `/v1/batch`; `more` are complete header lines.
pub(super) fn head(more: &str) -> String {
    format!("POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n{more}\r\n")
}

pub(super) fn post(body: &[u8]) -> Bytes {
    [head(&format!("content-length: {}\r\n", body.len())).as_bytes(), body].concat().into()
}

pub(super) fn post_gzip(body: &[u8]) -> Bytes {
    let head = head(&format!("content-encoding: gzip\r\ncontent-length: {}\r\n", body.len()));
    [head.as_bytes(), body].concat().into()
}

/// `bytes` as one gzip member.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// `start`, then `unit` repeated up to about `size` bytes, then `end`. The text is gzipped in one
/// member for each MiB, which is fast to make.
pub(super) fn gzip_repeated(start: &str, unit: &str, end: &str, size: usize) -> Vec<u8> {
    let per_member = MIB / unit.len();
    let member = gzip(unit.repeat(per_member).as_bytes());
    let members = (size - start.len() - end.len()) / (per_member * unit.len());
    let rest = (size - start.len() - end.len() - members * per_member * unit.len()) / unit.len();
    [
        gzip(start.as_bytes()),
        member.repeat(members),
        gzip(unit.repeat(rest).as_bytes()),
        gzip(end.as_bytes()),
    ]
    .concat()
}

pub(super) fn empty_members(size: usize) -> Vec<u8> {
    EMPTY_MEMBER.repeat(size / EMPTY_MEMBER.len())
}

/// An event of 90 KB that would make 10 MB of field names: each of 10,000 fields repeats its
/// parent's name of 1,000 bytes.
pub(super) fn long_names(user: usize) -> String {
    let fields: Vec<String> = (0..10_000).map(|field| format!("\"{field}\":1")).collect();
    let parent = "p".repeat(1000);
    format!(
        r#"{{"type":"identify","userId":"attacker-{user}","traits":{{"{parent}":{{{}}}}}}}"#,
        fields.join(",")
    )
}

/// An event with 10,000 fields with short names.
pub(super) fn wide(user: usize) -> String {
    let fields: Vec<String> = (0..10_000).map(|field| format!("\"{field}\":1")).collect();
    format!(r#"{{"type":"identify","userId":"attacker-{user}","traits":{{{}}}}}"#, fields.join(","))
}

pub(super) fn small(user: usize) -> String {
    format!(r#"{{"type":"identify","userId":"attacker-{user}","traits":{{"a":1}}}}"#)
}

/// A batch of as many of `events` as fit into a body.
pub(super) fn batch(events: impl Iterator<Item = String>) -> Vec<u8> {
    let mut body = br#"{"batch":["#.to_vec();
    for event in events {
        if body.len() + event.len() + 2 > MAX_BODY {
            break;
        }
        body.extend_from_slice(event.as_bytes());
        body.push(b',');
    }
    body.pop();
    body.extend_from_slice(b"]}");
    body
}
