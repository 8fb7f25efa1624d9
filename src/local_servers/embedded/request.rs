//! Reads requests (arrays of bulk strings) from a buffer. Pure.

use bytes::{Buf, BytesMut};
use memchr::memmem;

/// Arguments of one request, at most.
const MAX_ARGUMENTS: usize = 1 << 20;
/// Bytes of one request, at most.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a length line, at most: `*` or `$`, then digits.
const MAX_LINE: usize = 32;

/// Takes the first whole request off `buffer`; `None` while bytes are missing. The connection must
/// be closed after an error.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Vec<Vec<u8>>>, &'static str> {
    loop {
        let Some(len) = frame_len(buffer)? else { return Ok(None) };
        let request = arguments(&buffer[..len]);
        buffer.advance(len);
        // An empty request gets no reply.
        if !request.is_empty() {
            return Ok(Some(request));
        }
    }
}

fn frame_len(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some((count, mut len)) = length(bytes, b'*')? else { return Ok(None) };
    if count > MAX_ARGUMENTS {
        return Err("invalid multibulk length");
    }
    for _ in 0..count {
        let Some((size, line)) = length(&bytes[len..], b'$')? else { return Ok(None) };
        if size > MAX_BYTES || len + line + size > MAX_BYTES {
            return Err("invalid bulk length");
        }
        len += line + size + 2;
        if len > bytes.len() {
            return Ok(None);
        }
    }
    Ok(Some(len))
}

/// The number on a length line, and the line's length with its end.
fn length(bytes: &[u8], kind: u8) -> Result<Option<(usize, usize)>, &'static str> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first != kind {
        return Err(if kind == b'*' {
            "expected '*': inline commands are not supported"
        } else {
            "expected '$'"
        });
    }
    let Some(end) = memmem::find(&bytes[..bytes.len().min(MAX_LINE)], b"\r\n") else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err("too long a length") };
    };
    let digits = std::str::from_utf8(&bytes[1..end]).map_err(|_| "invalid length")?;
    // `*-1` is an empty request, as for Redis.
    let number = if kind == b'*' && digits == "-1" { Ok(0) } else { digits.parse() };
    Ok(Some((number.map_err(|_| "invalid length")?, end + 2)))
}

/// The arguments of a whole request.
fn arguments(frame: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = frame;
    let mut arguments = Vec::new();
    if let Ok(Some((_, line))) = length(rest, b'*') {
        rest = &rest[line..];
    }
    while let Ok(Some((size, line))) = length(rest, b'$') {
        arguments.push(rest[line..line + size].to_vec());
        rest = &rest[line + size + 2..];
    }
    arguments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_one_request_at_a_time() {
        let mut buffer =
            BytesMut::from(&b"*0\r\n*2\r\n$4\r\nTYPE\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nPI"[..]);
        assert_eq!(take(&mut buffer), Ok(Some(vec![b"TYPE".to_vec(), b"\r\n".to_vec()])));
        assert_eq!(take(&mut buffer), Ok(None));
        buffer.extend_from_slice(b"NG\r\n");
        assert_eq!(take(&mut buffer), Ok(Some(vec![b"PING".to_vec()])));
    }

    #[test]
    fn refuses_what_is_too_large_or_no_request() {
        for bytes in [
            "PING\r\n",
            "*9999999999\r\n",
            "*1\r\n$99999999999\r\n",
            "*1\r\n+OK\r\n",
            "*x\r\n",
            "*1\r\n$-1\r\n",
        ] {
            assert!(take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
        assert!(take(&mut BytesMut::from(&[b'*'; 40][..])).is_err());
    }

    /// Bytes that requests are made of, and any others.
    fn piece() -> impl Strategy<Value = u8> {
        prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), b'0'..=b'9', any::<u8>()]
    }

    proptest! {
        #[test]
        fn total(bytes in proptest::collection::vec(piece(), 0..60)) {
            let _ = take(&mut BytesMut::from(&bytes[..]));
        }

        #[test]
        fn gives_back_what_was_packed(
            request in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..20),
                1..6,
            ),
        ) {
            let mut command = redis::Cmd::new();
            command.arg(&request);
            let mut buffer = BytesMut::from(&command.get_packed_command()[..]);
            prop_assert_eq!(take(&mut buffer), Ok(Some(request)));
            prop_assert!(buffer.is_empty());
        }
    }
}
