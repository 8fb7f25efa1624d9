//! Notices that files changed, by what is in them.
//!
//! Files are looked at from time to time: notices of the system are lost on network file systems,
//! when an editor puts another file in the place of one, and when Kubernetes swaps the directory
//! `..data` that its files are links into.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::content_hash;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The files, and what was in them.
pub(super) struct FileWatch {
    files: Vec<PathBuf>,
    known: Contents,
}

/// A hash for each file; `None`: it cannot be read.
type Contents = Vec<Option<[u8; 32]>>;

impl FileWatch {
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self { known: contents(&files), files }
    }

    /// Watches `files` from now on.
    pub(super) fn watch(&mut self, files: Vec<PathBuf>) {
        if files != self.files {
            *self = Self::new(files);
        }
    }

    /// Takes the files as they are now for known: only later changes count.
    pub(super) async fn note(&mut self) {
        self.known = self.look().await;
    }

    async fn look(&self) -> Contents {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || contents(&files))
            .await
            .expect("reading files does not panic")
    }

    /// Waits until the files differ from what they were at the last change, and stay the same from
    /// one look to the next: several files are often written one after the other.
    pub(super) async fn changed(&mut self) {
        let mut last = self.known.clone();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = self.look().await;
            if now != self.known && now == last {
                self.known = now;
                return;
            }
            last = now;
        }
    }
}

fn contents(files: &[PathBuf]) -> Contents {
    files.iter().map(|file| content_hash(file)).collect()
}
