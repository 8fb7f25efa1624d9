//! Every answer of the API that is not 200 or 201.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::body::{BodyError, MOST_USERS};
use crate::deletion::no_room::NoRoom;
use crate::deletion::regulations::NotKept;
use crate::store::StoreError;

/// Why a request is not answered 200.
#[derive(Debug)]
pub(super) enum DeletionProblem {
    /// The token is missing or wrong; the response does not say which.
    Unauthorized,
    NotFound,
    UnknownSource,
    NoSuchRegulation,
    MethodNotAllowed,
    BodyTooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// The connection broke, or the body is compressed.
    UnreadableBody,
    Body(BodyError),
    /// Too many requests at once.
    Busy,
    NotKept(NotKept),
    Panicked,
}

impl From<BodyError> for DeletionProblem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<NotKept> for DeletionProblem {
    fn from(error: NotKept) -> Self {
        Self::NotKept(error)
    }
}

impl From<StoreError> for DeletionProblem {
    fn from(error: StoreError) -> Self {
        Self::NotKept(error.into())
    }
}

#[derive(Serialize)]
struct DeletionProblemBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl DeletionProblem {
    /// The status, a code for programs, a sentence for people.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        use StatusCode as S;
        let (status, code, message) = match self {
            Self::Unauthorized => (
                S::UNAUTHORIZED,
                "unauthorized",
                "the token of deletion.token is needed: as the Bearer of the Authorization header, \
                 or as the password of Basic authentication",
            ),
            Self::NotFound => (S::NOT_FOUND, "not_found", "no such path"),
            Self::UnknownSource => (
                S::NOT_FOUND,
                "unknown_source",
                "no source has this name: see the names of [[http.sources]]",
            ),
            Self::NoSuchRegulation => (
                S::NOT_FOUND,
                "no_such_regulation",
                "this worker has no such regulation: ask the one that accepted it",
            ),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "the path has no such method")
            }
            Self::BodyTooLarge => {
                (S::PAYLOAD_TOO_LARGE, "body_too_large", "the body exceeds http.max_body")
            }
            Self::BodyTimeout => {
                (S::REQUEST_TIMEOUT, "body_timeout", "the body did not come in time")
            }
            Self::UnreadableBody => (
                S::BAD_REQUEST,
                "unreadable_body",
                "the body was cut short, or is compressed: send it as it is",
            ),
            Self::Body(error) => return of_body(*error),
            Self::Busy => {
                (S::SERVICE_UNAVAILABLE, "busy", "other requests are being read: try again")
            }
            Self::NotKept(NotKept::NoRoom(NoRoom::Suppressions)) => (
                S::INSUFFICIENT_STORAGE,
                "too_many_suppressed",
                "nothing was done: as many users as deletion.max_suppressed allows are suppressed, \
                 or were; none is ever forgotten, so raise the limit",
            ),
            Self::NotKept(NotKept::NoRoom(NoRoom::Waiting)) => (
                S::SERVICE_UNAVAILABLE,
                "too_many_waiting",
                "nothing was done: too many users wait for their deletion; try again later",
            ),
            Self::NotKept(NotKept::Disk(_)) => (
                S::SERVICE_UNAVAILABLE,
                "disk_unavailable",
                "the disk of this worker does not take or show regulations now; its log says why",
            ),
            Self::Panicked => (S::INTERNAL_SERVER_ERROR, "internal", "an error in this program"),
        };
        (status, code, message.to_owned())
    }
}

fn of_body(error: BodyError) -> (StatusCode, &'static str, String) {
    let (code, message) = match error {
        BodyError::Unreadable => (
            "invalid_body",
            "the body is no JSON of the form that this path takes (docs/operations.md shows them)",
        ),
        BodyError::NoUsers => ("no_users", "the body names no user"),
        BodyError::TooManyUsers => {
            let message = format!("the body names more than {MOST_USERS} users: send several");
            return (StatusCode::BAD_REQUEST, "too_many_users", message);
        }
        BodyError::BlankUser => ("blank_user_id", "a user id is missing or blank"),
        BodyError::UserTooLong => {
            ("user_id_too_long", "a user id is longer than transform.max_key")
        }
        BodyError::OtherDestination => {
            ("other_destination", "a job is for another destType than REDIS")
        }
    };
    (StatusCode::BAD_REQUEST, code, message.to_owned())
}

impl IntoResponse for DeletionProblem {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let body = serde_json::to_string(&DeletionProblemBody { code, message: &message })
            .expect("two texts are valid JSON");
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        let more = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
