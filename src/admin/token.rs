//! The token that a look-up must bring.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::AdminProblem;
use crate::config::read_secret;
use crate::logging::Throttle;

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
        if is_same(token.expose_secret().as_bytes(), given) {
            Ok(())
        } else {
            Err(AdminProblem::Unauthorized)
        }
    }
}

/// Takes the same time wherever the two differ, and whatever their lengths.
fn is_same(token: &[u8], given: &[u8]) -> bool {
    Sha256::digest(token).ct_eq(&Sha256::digest(given)).into()
}

/// The token of Bearer authentication. `None` without one, or with several `Authorization` headers:
/// a proxy may have checked another one than we would.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
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
