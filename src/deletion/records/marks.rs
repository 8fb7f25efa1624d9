//! UserMarks of suppressions, each with the regulation that made it here.

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::changed::Changed;
use super::regulations::NewRegulation;
use crate::deletion::mark::{SuppressionMark, UserDigest, UserMarks, digest_of};
use crate::deletion::no_room::NoRoom;

/// The number of a mark, and the id of its regulation; no id: it came from Redis.
const MARKS: TableDefinition<&UserDigest, (i64, &str)> = TableDefinition::new("suppressions");

pub(super) fn create(tx: &WriteTransaction) -> Result<(), redb::Error> {
    tx.open_table(MARKS)?;
    Ok(())
}

/// The digests of all who are suppressed.
pub(super) fn suppressed(tx: &ReadTransaction) -> Result<Vec<UserDigest>, redb::Error> {
    let mut found = Vec::new();
    for row in tx.open_table(MARKS)?.iter()? {
        let (digest, mark) = row?;
        if SuppressionMark::of_number(mark.value().0).suppressed {
            found.push(*digest.value());
        }
    }
    Ok(found)
}

/// Sets the marks of the users of `new` regulations, each newer than the one before, and returns
/// what they are now. An error when there would be more than `most` users.
pub(super) fn set(
    tx: &WriteTransaction,
    new: &[NewRegulation],
    most: u64,
) -> Result<Result<Vec<(UserDigest, bool)>, NoRoom>, redb::Error> {
    let mut marks = tx.open_table(MARKS)?;
    let mut changes = Vec::new();
    for NewRegulation { regulation, users } in new {
        let suppressed = regulation.kind.suppresses();
        if !suppressed && !regulation.kind.lifts() {
            continue;
        }
        for user in users {
            let digest = digest_of(user.as_bytes());
            let before = marks.get(&digest)?.map(|mark| SuppressionMark::of_number(mark.value().0));
            if before.is_none() && marks.len()? >= most {
                return Ok(Err(NoRoom::Suppressions));
            }
            let at = before.map_or(1, |mark| mark.at.saturating_add(1)).max(regulation.created);
            let mark = SuppressionMark { suppressed, at };
            marks.insert(&digest, (mark.number(), regulation.id.as_str()))?;
            changes.push((digest, suppressed));
        }
    }
    Ok(Ok(changes))
}

/// Lifts the suppressions that were made last by the regulation `id`.
pub(super) fn lift(
    tx: &WriteTransaction,
    id: &str,
    now: i64,
) -> Result<Vec<UserDigest>, redb::Error> {
    let mut marks = tx.open_table(MARKS)?;
    let mut found = Vec::new();
    for row in marks.iter()? {
        let (digest, mark) = row?;
        let (number, regulation) = mark.value();
        let mark = SuppressionMark::of_number(number);
        if mark.suppressed && regulation == id {
            found.push((*digest.value(), mark.at));
        }
    }
    for (digest, at) in &found {
        let lifted = SuppressionMark { suppressed: false, at: now.max(at.saturating_add(1)) };
        marks.insert(digest, (lifted.number(), id))?;
    }
    Ok(found.into_iter().map(|(digest, _)| digest).collect())
}

/// UserMarks of one user, on disk and elsewhere, that differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ComparedMarks {
    /// The marks that were found, where they are newer, or there is none on disk.
    pub(super) newer_found: UserMarks,
    /// The marks on disk, where they are newer.
    pub(super) newer_here: UserMarks,
}

pub(super) fn compare(
    tx: &ReadTransaction,
    found: &UserMarks,
) -> Result<ComparedMarks, redb::Error> {
    let marks = tx.open_table(MARKS)?;
    let mut compared = ComparedMarks::default();
    for &(digest, mark) in found {
        match marks.get(&digest)?.map(|here| SuppressionMark::of_number(here.value().0)) {
            Some(here) if here == mark => {}
            Some(here) if here.beats(mark) => compared.newer_here.push((digest, here)),
            _ => compared.newer_found.push((digest, mark)),
        }
    }
    Ok(compared)
}

/// Keeps marks that come from Redis.
pub(super) fn take(tx: &WriteTransaction, found: &UserMarks) -> Changed<()> {
    let mut marks = tx.open_table(MARKS)?;
    for (digest, mark) in found {
        marks.insert(digest, (mark.number(), ""))?;
    }
    Ok(Ok(()))
}

pub(super) fn of(tx: &ReadTransaction, digests: &[UserDigest]) -> Result<UserMarks, redb::Error> {
    let marks = tx.open_table(MARKS)?;
    let mut found = Vec::new();
    for digest in digests {
        if let Some(mark) = marks.get(digest)? {
            found.push((*digest, SuppressionMark::of_number(mark.value().0)));
        }
    }
    Ok(found)
}

pub(super) fn count(tx: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(tx.open_table(MARKS)?.len()?)
}

pub(super) fn after(
    tx: &ReadTransaction,
    after: Option<UserDigest>,
    most: usize,
) -> Result<UserMarks, redb::Error> {
    use std::ops::Bound::{Excluded, Unbounded};
    let marks = tx.open_table(MARKS)?;
    let start = after.as_ref().map_or(Unbounded, Excluded);
    let mut found = Vec::new();
    for row in marks.range::<&UserDigest>((start, Unbounded))?.take(most) {
        let (digest, mark) = row?;
        found.push((*digest.value(), SuppressionMark::of_number(mark.value().0)));
    }
    Ok(found)
}
