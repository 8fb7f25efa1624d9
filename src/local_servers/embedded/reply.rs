//! Writes replies in both versions of the protocol. Pure.

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RespReply {
    Status(&'static str),
    /// The text after `-`. Line ends in it become spaces.
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<RespReply>),
    /// Pairs; RESP2 has an array with twice as many elements instead.
    Map(Vec<(RespReply, RespReply)>),
}

impl RespReply {
    pub(super) fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(text.as_ref().to_vec())
    }

    /// Appends the encoded reply to `out`.
    pub(super) fn encode(&self, resp3: bool, out: &mut Vec<u8>) {
        match self {
            Self::Status(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', &text.replace(['\r', '\n'], " ")),
            Self::Int(number) => number_line(out, b':', *number),
            Self::Bulk(bytes) => {
                number_line(out, b'$', bytes.len() as i64);
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Nil => out.extend_from_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" }),
            Self::Array(items) => {
                number_line(out, b'*', items.len() as i64);
                items.iter().for_each(|item| item.encode(resp3, out));
            }
            Self::Map(pairs) => {
                let (kind, count) =
                    if resp3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
                number_line(out, kind, count as i64);
                for (name, value) in pairs {
                    name.encode(resp3, out);
                    value.encode(resp3, out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn number_line(out: &mut Vec<u8>, kind: u8, number: i64) {
    line(out, kind, itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(reply: &RespReply, resp3: bool) -> String {
        let mut out = Vec::new();
        reply.encode(resp3, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_protocols() {
        let map = RespReply::Map(vec![(RespReply::bulk("a"), RespReply::Nil)]);
        assert_eq!(encoded(&map, false), "*2\r\n$1\r\na\r\n$-1\r\n");
        assert_eq!(encoded(&map, true), "%1\r\n$1\r\na\r\n_\r\n");
        assert_eq!(
            encoded(&RespReply::Array(vec![RespReply::Int(-1), RespReply::Status("OK")]), true),
            "*2\r\n:-1\r\n+OK\r\n"
        );
    }

    #[test]
    fn an_error_stays_on_its_line() {
        assert_eq!(encoded(&RespReply::Error("ERR a\r\nb".to_owned()), false), "-ERR a  b\r\n");
    }
}
