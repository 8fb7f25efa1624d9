//! Faults of a configuration whose values are all valid: files, certificates and commands that it
//! names and that cannot be used.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::{Config, Loaded, Password};
use crate::redis::{Route, check_password};

/// Everything that the configuration names and that cannot be used, one line each. Connects to
/// nothing, and runs `redis.password_command`.
pub async fn faults(loaded: &Loaded) -> Vec<String> {
    let unreadable: Vec<_> =
        loaded.pem_files.iter().filter_map(|(key, path)| unreadable(key, path)).collect();
    if !unreadable.is_empty() {
        return unreadable;
    }
    let unusable = unusable(&loaded.config);
    if !unusable.is_empty() {
        return unusable;
    }
    match &loaded.config.redis.password {
        Some(command @ Password::Command(_)) => {
            check_password(command).await.err().into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Settings of which no client can be made: certificates, properties of librdkafka.
fn unusable(config: &Config) -> Vec<String> {
    let redis =
        Route::new(&config.redis, &std::sync::Arc::default()).err().map(|error| error.to_string());
    #[cfg(feature = "kafka")]
    let kafka = config
        .kafka
        .as_ref()
        .and_then(|kafka| crate::kafka::client_config(&kafka.client).err())
        .map(|error| error.to_string());
    #[cfg(not(feature = "kafka"))]
    let kafka = None;
    redis.into_iter().chain(kafka).collect()
}

/// An error if the file that `key` names cannot be opened.
fn unreadable(key: &str, path: &Path) -> Option<String> {
    let error = match File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => ErrorKind::IsADirectory.into(),
        Ok(_) => return None,
        Err(error) => error,
    };
    Some(format!("{key}: {} cannot be read: {error}", path.display()))
}
