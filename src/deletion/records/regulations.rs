//! Regulations, and the users of those that are not finished.

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

use super::changed::Changed;
use crate::deletion::regulation::{Regulation, RegulationState, WorkDone};

/// A regulation as JSON, by its id: ids grow with time.
const REGULATIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("regulations");
/// A user, by the id of the regulation and the user's number in it, with the passes that are done.
const SUBJECTS: TableDefinition<(&str, u32), (u8, &str)> = TableDefinition::new("subjects");

/// Regulations that are remembered. The oldest that are finished are forgotten.
const MOST: u64 = 100_000;
/// Users that may wait for their deletion.
const MOST_WAITING: u64 = 200_000;

/// A regulation that is to be kept, and its users, each once.
#[derive(Debug, Clone)]
pub(crate) struct NewRegulation {
    pub(crate) regulation: Regulation,
    pub(crate) users: Vec<String>,
}

/// One user of a regulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The user's number in the regulation.
    pub(crate) number: u32,
    /// How many passes over the user are done.
    pub(crate) passes: u8,
    /// The user id's text.
    pub(crate) user: String,
}

/// No more users may wait.
pub(super) struct TooManyWaiting;

pub(super) fn create(tx: &WriteTransaction) -> Result<(), redb::Error> {
    tx.open_table(REGULATIONS)?;
    tx.open_table(SUBJECTS)?;
    Ok(())
}

pub(super) fn insert(
    tx: &WriteTransaction,
    new: &[NewRegulation],
) -> Result<Result<(), TooManyWaiting>, redb::Error> {
    let mut regulations = tx.open_table(REGULATIONS)?;
    let mut subjects = tx.open_table(SUBJECTS)?;
    for NewRegulation { regulation, users } in new {
        put(&mut regulations, regulation)?;
        if regulation.is_finished() {
            continue;
        }
        for (number, user) in (0..).zip(users) {
            subjects.insert((regulation.id.as_str(), number), (0, user.as_str()))?;
        }
    }
    forget_oldest(&mut regulations, MOST)?;
    Ok(if subjects.len()? > MOST_WAITING { Err(TooManyWaiting) } else { Ok(()) })
}

pub(super) fn get(tx: &ReadTransaction, id: &str) -> Result<Option<Regulation>, redb::Error> {
    find(&tx.open_table(REGULATIONS)?, id)
}

pub(super) fn unfinished(tx: &ReadTransaction) -> Result<Vec<String>, redb::Error> {
    let mut found = Vec::new();
    for row in tx.open_table(REGULATIONS)?.iter()? {
        let regulation = read(row?.1.value())?;
        if !regulation.is_finished() {
            found.push(regulation.id);
        }
    }
    Ok(found)
}

pub(super) fn begin(
    tx: &WriteTransaction,
    id: &str,
) -> Changed<Option<(Regulation, Vec<Subject>)>> {
    let mut regulations = tx.open_table(REGULATIONS)?;
    let Some(mut regulation) = find(&regulations, id)?.filter(|found| !found.is_finished()) else {
        return Ok(Ok(None));
    };
    regulation.state = RegulationState::Running;
    put(&mut regulations, &regulation)?;
    let mut users = Vec::new();
    for row in tx.open_table(SUBJECTS)?.range((id, 0)..=(id, u32::MAX))? {
        let (key, value) = row?;
        let (passes, user) = value.value();
        users.push(Subject { number: key.value().1, passes, user: user.to_owned() });
    }
    Ok(Ok(Some((regulation, users))))
}

pub(super) fn progress(
    tx: &WriteTransaction,
    id: &str,
    done: &[Subject],
    passes: u8,
    progress: WorkDone,
) -> Changed<bool> {
    let mut regulations = tx.open_table(REGULATIONS)?;
    let Some(mut regulation) = find(&regulations, id)?.filter(|found| !found.is_finished()) else {
        return Ok(Ok(false));
    };
    regulation.add(progress);
    put(&mut regulations, &regulation)?;
    let mut subjects = tx.open_table(SUBJECTS)?;
    for subject in done {
        subjects.insert((id, subject.number), (passes, subject.user.as_str()))?;
    }
    Ok(Ok(true))
}

pub(super) fn finish(tx: &WriteTransaction, id: &str, progress: WorkDone, now: i64) -> Changed<()> {
    let mut regulations = tx.open_table(REGULATIONS)?;
    if let Some(mut regulation) = find(&regulations, id)?.filter(|found| !found.is_finished()) {
        regulation.add(progress);
        regulation.complete(now);
        put(&mut regulations, &regulation)?;
    }
    forget_users(tx, id)?;
    Ok(Ok(()))
}

/// Ends a regulation whose suppression is lifted; false: there is no such one.
pub(super) fn lift(tx: &WriteTransaction, id: &str, now: i64) -> Result<bool, redb::Error> {
    let mut regulations = tx.open_table(REGULATIONS)?;
    let Some(mut regulation) = find(&regulations, id)? else { return Ok(false) };
    regulation.lift(now);
    put(&mut regulations, &regulation)?;
    forget_users(tx, id)?;
    Ok(true)
}

fn forget_users(tx: &WriteTransaction, id: &str) -> Result<(), redb::Error> {
    let mut subjects = tx.open_table(SUBJECTS)?;
    subjects.retain_in((id, 0)..=(id, u32::MAX), |_, _| false)?;
    Ok(())
}

/// Keeps `most` regulations, and all that are not finished.
fn forget_oldest(table: &mut Table<'_, &str, &[u8]>, most: u64) -> Result<(), redb::Error> {
    let surplus = table.len()?.saturating_sub(most);
    let mut oldest = Vec::new();
    if surplus > 0 {
        for row in table.iter()? {
            let (id, value) = row?;
            if read(value.value())?.is_finished() {
                oldest.push(id.value().to_owned());
            }
            if oldest.len() as u64 == surplus {
                break;
            }
        }
    }
    for id in oldest {
        table.remove(id.as_str())?;
    }
    Ok(())
}

fn find(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    id: &str,
) -> Result<Option<Regulation>, redb::Error> {
    table.get(id)?.map(|value| read(value.value())).transpose()
}

fn put(table: &mut Table<'_, &str, &[u8]>, regulation: &Regulation) -> Result<(), redb::Error> {
    let json = serde_json::to_vec(regulation).expect("a regulation is plain data");
    table.insert(regulation.id.as_str(), json.as_slice())?;
    Ok(())
}

fn read(json: &[u8]) -> Result<Regulation, redb::Error> {
    serde_json::from_slice(json)
        .map_err(|error| redb::Error::Corrupted(format!("a regulation cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::deletion::kind::RegulationKind;
    use crate::store::DiskStore;

    fn new(id: &str, users: usize) -> NewRegulation {
        let count = users as u64;
        let kind = RegulationKind::DeleteOnly;
        NewRegulation {
            regulation: Regulation::new(id.to_owned(), kind, count, None, 1),
            users: (0..users).map(|user| user.to_string()).collect(),
        }
    }

    #[test]
    fn the_oldest_that_are_finished_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(&dir.path().join("state"), "").unwrap();
        let Ok(()) = store
            .write(|tx| {
                create(tx)?;
                let all = ["a", "b", "c", "d", "e"].map(|id| new(id, 1));
                assert!(insert(tx, &all)?.is_ok());
                for id in ["b", "c", "d"] {
                    finish(tx, id, WorkDone::default(), 2)?.unwrap();
                }
                forget_oldest(&mut tx.open_table(REGULATIONS)?, 3)?;
                Ok(Ok::<_, Infallible>(()))
            })
            .unwrap();
        let found = ["a", "b", "c", "d", "e"]
            .map(|id| store.read(|tx| get(tx, id)).unwrap().map(|found| found.id));
        assert_eq!(
            found,
            ["a", "", "", "d", "e"].map(|id| (!id.is_empty()).then(|| id.to_owned()))
        );
        assert_eq!(store.read(unfinished).unwrap(), ["a", "e"]);
        let subjects = store.read(|tx| Ok(tx.open_table(SUBJECTS)?.len()?)).unwrap();
        assert_eq!(subjects, 2, "users of finished regulations are forgotten");
    }

    #[test]
    fn only_so_many_users_may_wait() {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(&dir.path().join("state"), "").unwrap();
        let most = MOST_WAITING as usize;
        for (new, accepted) in [
            (vec![new("a", most)], true),
            (vec![new("b", 1)], false),
            (vec![new("a", most), new("b", 1)], false),
        ] {
            let done = store.write(|tx| insert(tx, &new));
            assert_eq!(done.unwrap().is_ok(), accepted);
        }
        assert_eq!(store.read(|tx| get(tx, "b")).unwrap(), None);
    }
}
