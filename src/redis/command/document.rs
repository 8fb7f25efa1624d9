//! `JSON.MERGE key $ document`, or `JSON.SET key $ document`. Pure.
//!
//! JSON.MERGE keeps the nulls of its document where the key is missing, and so an empty document is
//! made first. It can make no member null: for that each one needs a JSON.SET with its path. All
//! commands of a write can be repeated, so a part that was applied is made whole. Several documents
//! are merged one after the other and not as one: `{"a":1}` and then `{"a":{"b":2}}` empty an older
//! `a`, and the two as one would not. Both commands keep the end of the key.

use redis::Value;

use super::expire::Expire;
use super::packed::{PackedCommands, push_bulk, split_bulk};
use super::part::UpdatePart;
use super::verdict::Unconfirmed;

/// A JSON document to be merged with the key's, or to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentWrite {
    /// The key's document becomes the one in the payload.
    pub replace: bool,
    /// JSONPaths in the payload, behind the document: of members that become null.
    pub nulls: u32,
    /// The end of the key.
    pub expire: Option<Expire>,
}

impl DocumentWrite {
    pub(super) fn join(self, later: Self) -> Option<Self> {
        (self.replace == later.replace).then(|| Self {
            replace: self.replace,
            nulls: self.nulls + later.nulls,
            expire: Expire::join(self.expire, later.expire),
        })
    }

    pub(super) fn pack<'a>(
        self,
        key: &[u8],
        parts: impl Iterator<Item = UpdatePart<'a>>,
        out: &mut PackedCommands,
    ) {
        if self.replace {
            out.begin(4, b"$8\r\nJSON.SET\r\n");
            out.push_key(key);
            out.push(b"$1\r\n$\r\n");
            if let Some(last) = parts.last() {
                out.push(last.payload);
            }
            out.end();
            return;
        }
        out.begin(5, b"$8\r\nJSON.SET\r\n");
        out.push_key(key);
        out.push(b"$1\r\n$\r\n$2\r\n{}\r\n$2\r\nNX\r\n");
        out.end();
        for part in parts {
            let mut null_paths = part.payload;
            let document = split_bulk(&mut null_paths);
            out.begin(4, b"$10\r\nJSON.MERGE\r\n");
            out.push_key(key);
            out.push(b"$1\r\n$\r\n");
            out.push(document);
            out.end();
            while !null_paths.is_empty() {
                out.begin(4, b"$8\r\nJSON.SET\r\n");
                out.push_key(key);
                out.push(split_bulk(&mut null_paths));
                out.push(b"$4\r\nnull\r\n");
                out.end();
            }
        }
    }

    /// Nil is a good answer to the first command: the document is there. It is one to a JSON.SET of
    /// null, too: the merge before it made the parents, so another writer has changed them since.
    pub(super) fn judge(self, replies: &[Value]) -> Result<(), Unconfirmed<'_>> {
        if replies.is_empty() {
            return Err(Unconfirmed::Mismatch);
        }
        replies.iter().enumerate().try_for_each(|(at, reply)| match reply {
            Value::Okay => Ok(()),
            Value::Nil if !self.replace && (at == 0 || self.nulls > 0) => Ok(()),
            Value::ServerError(error) => Err(Unconfirmed::Error(error)),
            _ => Err(Unconfirmed::Mismatch),
        })
    }

    pub(super) const fn acl(self) -> &'static str {
        if self.replace { "+json.set" } else { "+json.set +json.merge" }
    }

    pub(super) fn sample(self) -> Vec<u8> {
        let mut payload = Vec::new();
        push_bulk(&mut payload, b"{}");
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(words: &[&str]) -> Vec<u8> {
        let mut payload = Vec::new();
        words.iter().for_each(|word| push_bulk(&mut payload, word.as_bytes()));
        payload
    }

    fn packed(write: DocumentWrite, payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut out = PackedCommands::default();
        let part = |payload| UpdatePart { fields: 0, removed: 0, payload };
        write.pack(
            b"$1\r\nk\r\n",
            payloads.iter().map(|payload| part(payload.as_slice())),
            &mut out,
        );
        out.bytes().to_vec()
    }

    fn commands(commands: &[&[&str]]) -> Vec<u8> {
        let one = |words: &&[&str]| redis::cmd(words[0]).arg(&words[1..]).get_packed_command();
        commands.iter().flat_map(one).collect()
    }

    #[test]
    fn documents_are_merged_one_after_the_other_each_with_its_nulls() {
        let write = DocumentWrite { replace: false, nulls: 2, expire: None };
        let payloads =
            [payload(&["{\"a\":1}"]), payload(&["{\"b\":{}}", "$[\"b\"][\"c\"]", "$[\"d\"]"])];
        let expected = commands(&[
            &["JSON.SET", "k", "$", "{}", "NX"],
            &["JSON.MERGE", "k", "$", "{\"a\":1}"],
            &["JSON.MERGE", "k", "$", "{\"b\":{}}"],
            &["JSON.SET", "k", "$[\"b\"][\"c\"]", "null"],
            &["JSON.SET", "k", "$[\"d\"]", "null"],
        ]);
        assert_eq!(packed(write, &payloads), expected);
    }

    #[test]
    fn of_documents_that_replace_only_the_last_one_is_sent() {
        let write = DocumentWrite { replace: true, nulls: 0, expire: None };
        let expected = commands(&[&["JSON.SET", "k", "$", "{\"b\":2}"]]);
        assert_eq!(packed(write, &[payload(&["{\"a\":1}"]), payload(&["{\"b\":2}"])]), expected);
        let merge = DocumentWrite { replace: false, ..write };
        assert_eq!((write.join(merge), write.join(write)), (None, Some(write)));
    }

    #[test]
    fn nil_is_written_only_where_it_says_so() {
        let merge = DocumentWrite { replace: false, nulls: 0, expire: None };
        let replace = DocumentWrite { replace: true, ..merge };
        let keep = DocumentWrite { nulls: 1, ..merge };
        let (ok, nil) = (Value::Okay, Value::Nil);
        for (write, replies, written) in [
            (merge, &[ok.clone(), ok.clone()][..], true),
            (merge, &[nil.clone(), ok.clone()], true),
            (merge, &[ok.clone(), nil.clone()], false),
            (keep, &[nil.clone(), ok.clone(), nil.clone()], true),
            (replace, &[ok], true),
            (replace, &[nil], false),
            (merge, &[], false),
            (merge, &[Value::Int(1), Value::Okay], false),
        ] {
            assert_eq!(write.judge(replies).is_ok(), written, "{write:?} {replies:?}");
        }
    }
}
