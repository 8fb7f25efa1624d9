//! State of this program on disk: tables in one file, which one process uses at a time. What is
//! written is on disk before the call returns. Knows nothing of what the tables hold.

mod error;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageError,
    WriteTransaction,
};

use crate::lock::lock;
use crate::private_file;

pub use error::StoreError;

/// Bytes of the file that are kept in memory, at most.
const CACHE: usize = 4 << 20;

/// One file of tables. Its calls block: they belong on a thread for blocking work.
pub struct DiskStore {
    path: PathBuf,
    lost: &'static str,
    /// `None` after an error of the disk: the library wants the file to be opened anew then.
    database: Mutex<Option<Database>>,
}

impl DiskStore {
    /// Opens the file, creating it (0600) and its directory (0700). Checks all of it, and undoes
    /// what a process that was killed left half done. `lost` completes a sentence for operators,
    /// about a file that has to be moved away: "Then ..".
    ///
    /// # Errors
    /// The file cannot be opened, is damaged, or belongs to another process.
    pub fn open(path: &Path, lost: &'static str) -> Result<Self, StoreError> {
        let database = open(path, lost)?;
        Ok(Self { path: path.to_owned(), lost, database: Mutex::new(Some(database)) })
    }

    /// Tables that end with this process.
    ///
    /// # Errors
    /// None is known: memory takes everything.
    pub fn in_memory(lost: &'static str) -> Result<Self, StoreError> {
        let path = PathBuf::from("memory");
        let made = Builder::new().create_with_backend(InMemoryBackend::new());
        let database =
            made.map_err(|error| StoreError::Use { path: path.clone(), why: error.to_string() })?;
        Ok(Self { path, lost, database: Mutex::new(Some(database)) })
    }

    /// Makes all of `change`, or nothing: it is on disk when this returns `Ok`. The inner error is
    /// that of `change` itself, which then changed nothing.
    ///
    /// # Errors
    /// The disk did not take the change.
    pub fn write<T, E>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<Result<T, E>, redb::Error>,
    ) -> Result<Result<T, E>, StoreError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let done = change(&transaction)?;
            if done.is_ok() {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(done)
        })
    }

    /// Reads what was written before.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.with(|database| look(&database.begin_read()?))
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let mut kept = lock(&self.database);
        let database = match &mut *kept {
            Some(database) => database,
            closed => closed.insert(open(&self.path, self.lost)?),
        };
        act(database).map_err(|error| {
            *kept = None;
            self.failed(error)
        })
    }

    fn failed(&self, error: redb::Error) -> StoreError {
        let path = self.path.clone();
        match error {
            redb::Error::Corrupted(why) => StoreError::Damaged { path, why, lost: self.lost },
            error => StoreError::Use { path, why: error.to_string() },
        }
    }
}

fn open(path: &Path, lost: &'static str) -> Result<Database, StoreError> {
    let failed = |error: DatabaseError| {
        let path = path.to_owned();
        match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() != std::io::ErrorKind::InvalidData
                    && error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                StoreError::Open { path, error }
            }
            error => StoreError::Damaged { path, why: error.to_string(), lost },
        }
    };
    let file = private_file::open(path, OpenOptions::new().write(true))
        .map_err(|error| StoreError::Open { path: path.to_owned(), error })?;
    let backend = FileBackend::new(file).map_err(failed)?;
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder.create_with_backend(backend).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::os::unix::fs::MetadataExt;

    use redb::{ReadableTable, TableDefinition};

    use super::*;

    const WORDS: TableDefinition<u32, &str> = TableDefinition::new("words");

    fn write(store: &DiskStore, number: u32, word: &str) {
        let done = store.write(|tx| {
            tx.open_table(WORDS)?.insert(number, word)?;
            Ok(Ok::<_, Infallible>(()))
        });
        let Ok(()) = done.unwrap();
    }

    fn all(store: &DiskStore) -> Result<Vec<String>, StoreError> {
        store.read(|tx| {
            let table = tx.open_table(WORDS)?;
            let words = table.iter()?.map(|row| Ok(row?.1.value().to_owned()));
            words.collect::<Result<_, redb::Error>>()
        })
    }

    #[test]
    fn what_was_written_is_there_after_another_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/state.redb");
        let store = DiskStore::open(&path, "").unwrap();
        write(&store, 1, "one");
        let refused = store.write(|tx| {
            tx.open_table(WORDS)?.insert(2, "two")?;
            Ok(Err::<(), _>("no"))
        });
        assert_eq!(refused.unwrap(), Err("no"));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
        drop(store);
        assert_eq!(all(&DiskStore::open(&path, "").unwrap()).unwrap(), ["one"]);
    }

    #[test]
    fn a_file_that_is_in_use_or_no_store_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let store = DiskStore::open(&path, "").unwrap();
        let second = DiskStore::open(&path, "").err().unwrap();
        assert!(matches!(second, StoreError::InUse { .. }), "{second}");
        drop(store);
        for content in [&b"x"[..], &[0; 100_000], &[b'{'; 5_000]] {
            std::fs::write(&path, content).unwrap();
            let error = DiskStore::open(&path, "all is lost").err().unwrap();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert!(error.to_string().ends_with("Then all is lost"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        let error = DiskStore::open(&path, "").err().unwrap();
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
    }

    #[test]
    fn a_damaged_file_never_shows_other_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let store = DiskStore::open(&path, "").unwrap();
        let words: Vec<String> = (0..300).map(|n| format!("word {n}")).collect();
        for (number, word) in (0..).zip(&words) {
            write(&store, number, word);
        }
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = 0;
        for at in (0..whole.len()).step_by(whole.len() / 150) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            std::fs::write(&path, &bytes).unwrap();
            match DiskStore::open(&path, "") {
                Ok(store) => assert_eq!(all(&store).unwrap(), words, "byte {at}"),
                Err(StoreError::Damaged { .. }) => damaged += 1,
                Err(other) => panic!("byte {at}: {other}"),
            }
        }
        assert!(damaged > 0);
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(DiskStore::open(&path, ""), Err(StoreError::Damaged { .. })));
    }
}
