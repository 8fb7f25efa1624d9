//! The prefixes and entities under which keys were written because events said so.

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::changed::Changed;
use crate::deletion::scope::KeyScope;

const PREFIXES: TableDefinition<&str, ()> = TableDefinition::new("seen_prefixes");
const ENTITIES: TableDefinition<(&str, &str), ()> = TableDefinition::new("seen_entities");
/// Holds a row once more were seen than are remembered.
const MORE: TableDefinition<(), ()> = TableDefinition::new("seen_more");

/// Prefixes and entities that are remembered, in all.
const MOST: u64 = 10_000;

pub(super) fn create(tx: &WriteTransaction) -> Result<(), redb::Error> {
    tx.open_table(PREFIXES)?;
    tx.open_table(ENTITIES)?;
    tx.open_table(MORE)?;
    Ok(())
}

pub(super) fn all(tx: &ReadTransaction) -> Result<(KeyScope, bool), redb::Error> {
    let mut scope = KeyScope::default();
    for row in tx.open_table(PREFIXES)?.iter()? {
        scope.prefixes.push(row?.0.value().to_owned());
    }
    for row in tx.open_table(ENTITIES)?.iter()? {
        let (key, _) = row?;
        let (entity, id_type) = key.value();
        scope.entities.push((entity.to_owned(), id_type.to_owned()));
    }
    Ok((scope, !tx.open_table(MORE)?.is_empty()?))
}

pub(super) fn add_prefix(tx: &WriteTransaction, prefix: &str) -> Changed<bool> {
    let has_room = has_room(tx)?;
    let mut prefixes = tx.open_table(PREFIXES)?;
    let known = prefixes.get(prefix)?.is_some();
    if !known && has_room {
        prefixes.insert(prefix, ())?;
    }
    note(tx, known || has_room)
}

pub(super) fn add_entity(tx: &WriteTransaction, entity: &str, id_type: &str) -> Changed<bool> {
    let has_room = has_room(tx)?;
    let mut entities = tx.open_table(ENTITIES)?;
    let known = entities.get((entity, id_type))?.is_some();
    if !known && has_room {
        entities.insert((entity, id_type), ())?;
    }
    note(tx, known || has_room)
}

fn has_room(tx: &WriteTransaction) -> Result<bool, redb::Error> {
    Ok(tx.open_table(PREFIXES)?.len()? + tx.open_table(ENTITIES)?.len()? < MOST)
}

fn note(tx: &WriteTransaction, remembered: bool) -> Changed<bool> {
    if !remembered {
        tx.open_table(MORE)?.insert((), ())?;
    }
    Ok(Ok(remembered))
}
