//! The prefixes and entities under which keys were written because events said so: a deletion must
//! find them again, after a restart, too.

use std::collections::{HashMap, HashSet};
use std::sync::RwLock;

use super::records::DeletionStore;
use super::scope::KeyScope;
use crate::lock;
use crate::store::StoreError;

/// What events have said so far, in memory and on disk.
pub struct SeenKeys {
    store: DeletionStore,
    known: RwLock<KnownKeys>,
}

#[derive(Default)]
struct KnownKeys {
    prefixes: HashSet<String>,
    /// The id types of each entity.
    entities: HashMap<String, HashSet<String>>,
    /// There were more than are remembered.
    more: bool,
}

impl SeenKeys {
    /// Reads what was kept. Blocks.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn read(store: &DeletionStore) -> Result<Self, StoreError> {
        let (scope, more) = store.seen()?;
        let mut known = KnownKeys { more, ..KnownKeys::default() };
        known.prefixes.extend(scope.prefixes);
        for (entity, id_type) in scope.entities {
            known.entities.entry(entity).or_default().insert(id_type);
        }
        Ok(Self { store: store.clone(), known: RwLock::new(known) })
    }

    /// False: before a key is written under `prefix`, [`SeenKeys::keep_prefix`] must have returned.
    pub fn knows_prefix(&self, prefix: &str) -> bool {
        let known = lock::read(&self.known);
        known.more || known.prefixes.contains(prefix)
    }

    /// False: before a key of this pair is written, [`SeenKeys::keep_entity`] must have returned.
    pub fn knows_entity(&self, entity: &str, id_type: &str) -> bool {
        let known = lock::read(&self.known);
        known.more || known.entities.get(entity).is_some_and(|types| types.contains(id_type))
    }

    /// Remembers `prefix`: it is on disk when this returns. At 10,000 prefixes and entities in all
    /// it is only remembered that there are more.
    ///
    /// # Errors
    /// The disk did not take it: nothing may be written under the prefix.
    pub async fn keep_prefix(&self, prefix: &str) -> Result<(), StoreError> {
        if self.store.see_prefix(prefix.to_owned()).await? {
            lock::write(&self.known).prefixes.insert(prefix.to_owned());
        } else {
            lock::write(&self.known).more = true;
        }
        Ok(())
    }

    /// The same for a pair of entity and id type.
    ///
    /// # Errors
    /// As [`SeenKeys::keep_prefix`].
    pub async fn keep_entity(&self, entity: &str, id_type: &str) -> Result<(), StoreError> {
        if self.store.see_entity(entity.to_owned(), id_type.to_owned()).await? {
            let mut known = lock::write(&self.known);
            known.entities.entry(entity.to_owned()).or_default().insert(id_type.to_owned());
        } else {
            lock::write(&self.known).more = true;
        }
        Ok(())
    }

    /// All that is remembered, and whether there were more.
    pub fn all(&self) -> (KeyScope, bool) {
        let known = lock::read(&self.known);
        let pairs = known.entities.iter().flat_map(|(entity, types)| {
            types.iter().map(move |id_type| (entity.clone(), id_type.clone()))
        });
        let prefixes = known.prefixes.iter().cloned().collect();
        (KeyScope { prefixes, entities: pairs.collect() }, known.more)
    }
}
