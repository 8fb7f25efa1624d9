//! `SCAN` and `HSCAN`. Pure.

use super::databases::Database;
use super::glob;
use super::hash::Hash;
use super::number::number;
use super::reply::RespReply;

/// `SCAN cursor [MATCH pattern] [COUNT n]`
pub(super) fn keys(cursor: &[u8], options: &[&[u8]], database: &Database) -> RespReply {
    let (cursor, pattern, count) = match read(cursor, options) {
        Ok(read) => read,
        Err(error) => return RespReply::Error(error.to_owned()),
    };
    let (next, keys) = database.scan(cursor, count);
    let keys = keys.into_iter().filter(|key| glob::matches(pattern, key));
    page(next, keys.map(RespReply::bulk).collect())
}

/// `HSCAN key cursor [MATCH pattern] [COUNT n]`, behind the key
pub(super) fn fields(hash: Option<&Hash>, cursor: &[u8], options: &[&[u8]]) -> RespReply {
    let (cursor, pattern, count) = match read(cursor, options) {
        Ok(read) => read,
        Err(error) => return RespReply::Error(error.to_owned()),
    };
    let (next, fields) = hash.map(|hash| hash.scan(cursor, count)).unwrap_or_default();
    let fields = fields.into_iter().filter(|(name, _)| glob::matches(pattern, name));
    page(next, fields.flat_map(|(name, value)| [name, value].map(RespReply::bulk)).collect())
}

/// The cursor, the pattern and the number of entries; or an error.
fn read<'a>(cursor: &[u8], options: &[&'a [u8]]) -> Result<(u64, &'a [u8], usize), &'static str> {
    const SYNTAX: &str = "ERR syntax error";
    let cursor = number(cursor).ok_or("ERR invalid cursor")?;
    let (mut pattern, mut count) = (&b"*"[..], 10);
    for option in options.chunks(2) {
        match option {
            [name, value] if name.eq_ignore_ascii_case(b"MATCH") => pattern = value,
            [name, value] if name.eq_ignore_ascii_case(b"COUNT") => {
                count = number(value).filter(|&count| count > 0).ok_or(SYNTAX)?;
            }
            _ => return Err(SYNTAX),
        }
    }
    Ok((cursor, pattern, count))
}

fn page(next: u64, found: Vec<RespReply>) -> RespReply {
    RespReply::Array(vec![RespReply::bulk(next.to_string()), RespReply::Array(found)])
}
