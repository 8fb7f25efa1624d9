//! Reads the configuration again from where it was read at the start.

use std::path::PathBuf;

use crate::config::{ConfigArgs, Loaded, load};

/// Where the configuration is read from, each time again.
pub struct ConfigSource {
    /// The files of the configuration, and another system's.
    files: Vec<PathBuf>,
    args: Box<dyn Fn() -> ConfigArgs + Send + Sync>,
}

impl ConfigSource {
    /// `args` reads what it reads from `files` anew at each call.
    pub fn new(files: Vec<PathBuf>, args: impl Fn() -> ConfigArgs + Send + Sync + 'static) -> Self {
        Self { files, args: Box::new(args) }
    }

    /// Reads everything. Blocks the thread.
    ///
    /// # Errors
    /// All that is wrong, one line each, without secrets.
    pub fn read(&self) -> Result<Loaded, Vec<String>> {
        let pipes: Vec<String> = self
            .files
            .iter()
            // A missing file is an error of its own.
            .filter(|file| file.metadata().is_ok_and(|metadata| !metadata.is_file()))
            .map(|file| {
                format!(
                    "{} is no regular file and cannot be read a second time: restart the worker",
                    file.display()
                )
            })
            .collect();
        if !pipes.is_empty() {
            return Err(pipes);
        }
        load(&(self.args)()).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }
}
