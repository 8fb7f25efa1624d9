//! Bulk strings, as Redis reads them: `$n\r\nBYTES\r\n`.

/// Bytes of `bytes` as a bulk string: `$`, the length in decimal, and two line ends around it.
pub(super) fn bulk_len(bytes: &[u8]) -> usize {
    let digits = bytes.len().checked_ilog10().unwrap_or(0) as usize + 1;
    1 + digits + 2 + bytes.len() + 2
}

/// Appends `bytes` as a bulk string.
pub(super) fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    push_bulk_head(out, bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends what stands before the `len` bytes of a bulk string.
#[inline]
pub(super) fn push_bulk_head(out: &mut Vec<u8>, len: usize) {
    let digit = |number: usize| b'0' + (number % 10) as u8;
    match len {
        0..10 => out.extend_from_slice(&[b'$', digit(len), b'\r', b'\n']),
        10..100 => out.extend_from_slice(&[b'$', digit(len / 10), digit(len), b'\r', b'\n']),
        _ => {
            out.push(b'$');
            out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Takes the next bulk string off `rest`, which [`push_bulk`] wrote.
pub(super) fn unbulk<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (mut len, mut at) = (0, 1);
    while rest[at] != b'\r' {
        len = len * 10 + usize::from(rest[at] - b'0');
        at += 1;
    }
    let (bytes, tail) = rest[at + 2..].split_at(len);
    *rest = &tail[2..];
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_strings_of_any_length_can_be_read_back() {
        for len in (0..1100).chain([9_999, 10_000, 123_456]) {
            let bytes = vec![b'x'; len];
            let mut out = Vec::new();
            push_bulk(&mut out, &bytes);
            assert_eq!(out, format!("${len}\r\n{}\r\n", "x".repeat(len)).into_bytes());
            assert_eq!(out.len(), bulk_len(&bytes));
            let mut rest = out.as_slice();
            assert_eq!((unbulk(&mut rest), rest.len()), (bytes.as_slice(), 0));
        }
    }
}
