//! Reads replies, RESP2 and RESP3, from a buffer. Pure.

use bytes::{Buf, BytesMut};
use memchr::memmem;
use redis::Value;

/// Longest line (a status, an error, a length), in bytes.
const MAX_LINE: usize = 64 * 1024;
/// Longest bulk string, in bytes: replies to control commands are far smaller.
const MAX_BULK: usize = 16 * 1024 * 1024;
const MAX_ITEMS: usize = 1 << 20;
const MAX_DEPTH: usize = 8;

/// The bytes are not a reply of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Moves whole replies from `buffer` to `replies` until there are `wanted` of them or bytes are
/// missing. Pushed messages (RESP3) are no replies and are left out.
pub(super) fn drain(
    buffer: &mut BytesMut,
    replies: &mut Vec<Value>,
    wanted: usize,
) -> Result<(), Malformed> {
    let mut at = 0;
    let mut result = Ok(());
    while replies.len() < wanted || buffer.get(at) == Some(&b'>') {
        match next(&buffer[at..]) {
            Ok(Some((value, len))) => {
                if !matches!(value, Value::Push { .. }) {
                    replies.push(value);
                }
                at += len;
            }
            Ok(None) => break,
            Err(malformed) => {
                result = Err(malformed);
                break;
            }
        }
    }
    buffer.advance(at);
    result
}

/// The first reply and its length in bytes; `None`: bytes are missing.
fn next(bytes: &[u8]) -> Result<Option<(Value, usize)>, Malformed> {
    if let Some((number, len)) = small_integer(bytes) {
        return Ok(Some((Value::Int(number), len)));
    }
    let Some(len) = frame_len(bytes, 0)? else { return Ok(None) };
    let frame = &bytes[..len];
    // An error may quote half of a UTF-8 character of a key, which the crate's parser refuses.
    let value = match frame.first() {
        Some(b'-') => redis::parse_redis_value(String::from_utf8_lossy(frame).as_bytes()),
        _ => redis::parse_redis_value(frame),
    };
    match value {
        // Attributes, which stand before the reply that they belong to.
        Ok(Value::Attribute { data, .. }) => Ok(Some((*data, len))),
        Ok(value) => Ok(Some((value, len))),
        Err(_) => Err(Malformed),
    }
}

/// `:n\r\n` with up to nine digits: nearly every reply to HSET.
fn small_integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let digits = bytes.strip_prefix(b":")?;
    let mut number = 0;
    for (at, &byte) in digits.iter().take(10).enumerate() {
        match byte {
            b'0'..=b'9' if at < 9 => number = number * 10 + i64::from(byte - b'0'),
            b'\r' if at > 0 && digits.get(at + 1) == Some(&b'\n') => return Some((number, at + 3)),
            _ => return None,
        }
    }
    None
}

/// Length in bytes of the reply at the beginning of `bytes`; `None`: not all of it is there.
fn frame_len(bytes: &[u8], depth: usize) -> Result<Option<usize>, Malformed> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if !b"+-:$*_,#(!=%~>|".contains(&kind) || depth > MAX_DEPTH {
        return Err(Malformed);
    }
    let Some(end) = memmem::find(&bytes[..bytes.len().min(MAX_LINE)], b"\r\n") else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(Malformed) };
    };
    let (line, mut len) = (&bytes[1..end], end + 2);
    match kind {
        b'$' | b'!' | b'=' => match count(line, MAX_BULK)? {
            None => Ok(Some(len)),
            Some(size) => {
                len += size + 2;
                match bytes.get(len - 2..len) {
                    None => Ok(None),
                    Some(b"\r\n") => Ok(Some(len)),
                    Some(_) => Err(Malformed),
                }
            }
        },
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            let count = count(line, MAX_ITEMS)?.unwrap_or(0);
            let items = match kind {
                b'%' => 2 * count,
                // The pairs, and the reply that they belong to.
                b'|' => 2 * count + 1,
                _ => count,
            };
            for _ in 0..items {
                match frame_len(&bytes[len..], depth + 1)? {
                    Some(item) => len += item,
                    None => return Ok(None),
                }
            }
            Ok(Some(len))
        }
        _ => Ok(Some(len)),
    }
}

/// The number on a length line; `None` is `-1`, nil.
fn count(line: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
    if line == b"-1" {
        return Ok(None);
    }
    let number =
        std::str::from_utf8(line).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    number.and_then(|text| text.parse().ok()).filter(|&n| n <= limit).map(Some).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<(Vec<Value>, usize), Malformed> {
        let (mut buffer, mut replies) = (BytesMut::from(bytes), Vec::new());
        drain(&mut buffer, &mut replies, usize::MAX)?;
        Ok((replies, buffer.len()))
    }

    fn server_error(value: &Value) -> (&str, Option<&str>) {
        match value {
            Value::ServerError(error) => (error.code(), error.details()),
            other => panic!("{other:?} is not an error"),
        }
    }

    #[test]
    fn every_kind_of_reply() {
        let (replies, rest) = all(
            b":7\r\n+OK\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n:-1\r\n$0\r\n\r\n:12345678901\r\n*-1\r\n",
        )
        .unwrap();
        let bulk = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let expected = [
            Value::Int(7),
            Value::Okay,
            bulk(b"a\r\n"),
            Value::Nil,
            Value::Array(vec![Value::Int(-1), bulk(b"")]),
            Value::Int(12_345_678_901),
            Value::Nil,
        ];
        assert_eq!((replies.as_slice(), rest), (expected.as_slice(), 0));
    }

    #[test]
    fn replies_of_resp3() {
        let bytes = b"=7\r\ntxt:a\r\n\r\n_\r\n%1\r\n+a\r\n~1\r\n#t\r\n,\
            1.5\r\n(7\r\n|1\r\n+ttl\r\n:9\r\n:3\r\n!5\r\nERR x\r\n";
        let (replies, rest) = all(bytes).unwrap();
        let expected = [
            Value::VerbatimString { format: redis::VerbatimFormat::Text, text: "a\r\n".to_owned() },
            Value::Nil,
            Value::Map(vec![(
                Value::SimpleString("a".to_owned()),
                Value::Set(vec![Value::Boolean(true)]),
            )]),
            Value::Double(1.5),
            Value::BigNumber(b"7".into()),
            Value::Int(3),
        ];
        assert_eq!((&replies[..6], rest), (&expected[..], 0));
        assert_eq!(server_error(&replies[6]).0, "ERR");
    }

    #[test]
    fn what_is_pushed_answers_nothing() {
        let push = b">3\r\n+message\r\n+channel\r\n$1\r\nx\r\n";
        let mut buffer =
            BytesMut::from(&[&push[..], b":1\r\n", push, b":2\r\n", push].concat()[..]);
        let mut replies = Vec::new();
        drain(&mut buffer, &mut replies, 2).unwrap();
        assert_eq!((replies.as_slice(), buffer.len()), (&[Value::Int(1), Value::Int(2)][..], 0));
    }

    #[test]
    fn an_error_that_quotes_half_a_character_stays_an_error() {
        let (replies, _) =
            all(b"-ERR unknown command 'HSET', with args beginning with: 'user:\xe2\x82\r\n:1\r\n")
                .unwrap();
        assert_eq!(server_error(&replies[0]).0, "ERR");
        assert_eq!(replies[1], Value::Int(1));
    }

    #[test]
    fn stops_at_what_is_wanted() {
        let (mut buffer, mut replies) = (BytesMut::from(&b":1\r\n:2\r\n:3\r\n"[..]), Vec::new());
        drain(&mut buffer, &mut replies, 2).unwrap();
        assert_eq!((replies.len(), &buffer[..]), (2, &b":3\r\n"[..]));
    }

    #[test]
    fn what_is_not_redis_is_refused() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"$x\r\n",
            b":1a\r\n",
            b"$1\r\nabc",
            b":\r\n",
        ] {
            assert_eq!(all(bytes), Err(Malformed), "{}", bytes.escape_ascii());
        }
        assert_eq!(all(b"$99999999999\r\n"), Err(Malformed));
        assert_eq!(all("*1\r\n".repeat(50).as_bytes()), Err(Malformed));
        assert_eq!(all(&[b"+".as_slice(), &[b'a'; MAX_LINE]].concat()), Err(Malformed));
    }

    #[test]
    fn replies_before_garbage_are_kept() {
        let (mut buffer, mut replies) = (BytesMut::from(&b":1\r\n?"[..]), Vec::new());
        assert_eq!(drain(&mut buffer, &mut replies, 2), Err(Malformed));
        assert_eq!(replies, [Value::Int(1)]);
    }

    fn packed() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| format!(":{n}\r\n").into_bytes()),
            "[ -~]{0,20}".prop_map(|s| format!("+{s}\r\n").into_bytes()),
            "[A-Z]{2,8} [ -~]{0,20}".prop_map(|s| format!("-{s}\r\n").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|b| [
                format!("${}\r\n", b.len()).as_bytes(),
                &b,
                b"\r\n"
            ]
            .concat()),
            "[ -~]{0,20}".prop_map(|s| format!("={}\r\ntxt:{s}\r\n", s.len() + 4).into_bytes()),
            Just(b"_\r\n".to_vec()),
            Just(b"#f\r\n".to_vec()),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            let list = |kind: char, items: Vec<Vec<u8>>, per: usize| {
                [format!("{kind}{}\r\n", items.len() / per).into_bytes(), items.concat()].concat()
            };
            let pairs = proptest::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(
                move |pairs| {
                    list(
                        '%',
                        pairs.into_iter().flat_map(|(name, value)| [name, value]).collect(),
                        2,
                    )
                },
            );
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(move |items| list('*', items, 1)),
                pairs
            ]
        })
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_replies(
            frames in proptest::collection::vec(packed(), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = frames.concat();
            let cut = cut.index(bytes.len() + 1);
            let (mut buffer, mut replies) = (BytesMut::new(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                buffer.extend_from_slice(part);
                drain(&mut buffer, &mut replies, frames.len()).unwrap();
            }
            let parse = |frame: &Vec<u8>| redis::parse_redis_value(frame).unwrap();
            let expected: Vec<_> = frames.iter().map(parse).collect();
            prop_assert_eq!(replies, expected);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&bytes);
        }
    }
}
