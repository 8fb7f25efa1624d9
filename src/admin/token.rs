//! The token that a look-up must bring.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderMap;
use secrecy::ExposeSecret;

use super::problem::AdminProblem;
use crate::config::read_secret;
use crate::logging::Throttle;
use crate::server::{SecretDigest, bearer};

/// How often the log says that the file cannot be read.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// The file of the token. It is read for each request: a token that is replaced is of no use from
/// that moment.
pub(super) struct TokenFile {
    path: PathBuf,
    failures: Throttle,
}

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, failures: Throttle::new(NOTICE_EVERY) }
    }

    /// # Errors
    /// The request has another token, or none; or the file cannot be read.
    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), AdminProblem> {
        let given = bearer(headers).ok_or(AdminProblem::Unauthorized)?;
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read_secret(&path)).await;
        let token = read.expect("reading a file does not panic").map_err(|why| {
            if let Some(times) = self.failures.admit(1) {
                tracing::warn!(times, "admin.token_file: {why}; no profile is shown meanwhile");
            }
            AdminProblem::TokenUnavailable
        })?;
        if SecretDigest::of(token.expose_secret().as_bytes()).is(given) {
            Ok(())
        } else {
            Err(AdminProblem::Unauthorized)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn one_bearer_is_read_and_nothing_else() {
        for (values, token) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bEARER  abc "], Some("abc")),
            (&[], None),
            (&["Bearer"], None),
            (&["Bearer "], None),
            (&["Basic abc"], None),
            (&["abc"], None),
            (&["Bearer abc", "Bearer abc"], None),
        ] {
            assert_eq!(bearer(&headers(values)), token.map(str::as_bytes), "{values:?}");
        }
    }

    #[tokio::test]
    async fn the_file_decides_at_each_request() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tokens = TokenFile::new(file.path().to_owned());
        let check = async |value: &str| match tokens.check(&headers(&[value])).await {
            Ok(()) => "ok",
            Err(AdminProblem::Unauthorized) => "unauthorized",
            Err(_) => "unavailable",
        };
        std::fs::write(file.path(), "first\n").unwrap();
        assert_eq!(check("Bearer first").await, "ok");
        for wrong in ["Bearer firs", "Bearer first2", "Bearer FIRST", "Basic first", "Bearer "] {
            assert_eq!(check(wrong).await, "unauthorized", "{wrong}");
        }
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(
            (check("Bearer first").await, check("Bearer second").await),
            ("unauthorized", "ok")
        );
        std::fs::write(file.path(), "\n").unwrap();
        assert_eq!(check("Bearer second").await, "unavailable");
        std::fs::remove_file(file.path()).unwrap();
        assert_eq!(
            (check("Bearer second").await, check("x").await),
            ("unavailable", "unauthorized")
        );
    }
}
