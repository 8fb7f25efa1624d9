//! Every answer of `/api` that is not 200.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::redis::ReadError;
use crate::tap::{MAX_WATCHERS, NotWatched};

/// Why a request to `/api` is not answered 200.
#[derive(Debug)]
pub(super) enum AdminProblem {
    /// Look-ups are off.
    LookupOff,
    /// The token is missing or wrong; the response does not say which.
    Unauthorized,
    /// The file of the token cannot be read.
    TokenUnavailable,
    MissingUserId,
    NoSuchKey,
    /// Too many look-ups at once.
    Busy,
    /// Redis did not answer within this many milliseconds.
    Late(u128),
    Unread(ReadError),
    /// The request names another host or origin than this machine.
    Foreign,
    NotWatched(NotWatched),
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl AdminProblem {
    /// The status, a code for programs, a sentence for people.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        use StatusCode as S;
        let (status, code, message) = match self {
            Self::LookupOff => (
                S::NOT_FOUND,
                "lookup_off",
                "profiles cannot be looked up here: set admin.profile_lookup and admin.token_file",
            ),
            Self::Unauthorized => (
                S::UNAUTHORIZED,
                "unauthorized",
                "the token of admin.token_file is needed as the Bearer of the Authorization header",
            ),
            Self::TokenUnavailable => (
                S::SERVICE_UNAVAILABLE,
                "token_unavailable",
                "admin.token_file cannot be read now; the worker's log says why",
            ),
            Self::MissingUserId => (
                S::BAD_REQUEST,
                "missing_user_id",
                "give the user id once: /api/profile?user_id=ID, and &prefix=PREFIX for another \
                 prefix than redis.prefix",
            ),
            Self::NoSuchKey => (S::NOT_FOUND, "no_such_key", "Redis has no such key"),
            Self::Busy => {
                (S::TOO_MANY_REQUESTS, "busy", "too many profiles are being looked up: try again")
            }
            Self::Foreign => (
                S::FORBIDDEN,
                "foreign_origin",
                "this listener is on a loopback address: Host and Origin must name localhost or a \
                 loopback address, such as http://127.0.0.1:9464",
            ),
            Self::NotWatched(NotWatched::Off) => (
                S::NOT_FOUND,
                "tap_off",
                "the tap of this worker is off: set admin.tap = \"redacted\" (or \"full\"), and \
                 start it again",
            ),
            Self::NotWatched(NotWatched::TooMany) => {
                let message =
                    format!("{MAX_WATCHERS} taps watch this worker already: end one of them");
                return (S::SERVICE_UNAVAILABLE, "too_many_taps", message);
            }
            Self::NotWatched(NotWatched::Stopping) => {
                (S::SERVICE_UNAVAILABLE, "stopping", "this worker is stopping")
            }
            Self::Late(limit) => {
                let message = format!("Redis did not answer within {limit} ms");
                return (S::SERVICE_UNAVAILABLE, "redis_unavailable", message);
            }
            Self::Unread(error) => {
                let (status, code) = match error {
                    ReadError::Trouble(_) => (S::SERVICE_UNAVAILABLE, "redis_unavailable"),
                    ReadError::WrongType => (S::CONFLICT, "wrong_type"),
                    ReadError::TooLarge => (S::CONFLICT, "too_large"),
                };
                return (status, code, error.to_string());
            }
        };
        (status, code, message.to_owned())
    }
}

impl IntoResponse for AdminProblem {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let body = serde_json::to_string(&ProblemBody { code, message: &message })
            .expect("two texts are valid JSON");
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        let more = match self {
            Self::Unauthorized => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"traitsink\"")),
            Self::Busy => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
