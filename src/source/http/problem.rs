//! Every response that is not 200.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use crate::event::{RejectReason, SplitError};
use crate::pipeline::Busy;

/// Why a request is not answered 200. SDKs repeat a request after 429 and 5xx, and give it up after
/// any other 4xx: so a problem that may pass has no 4xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// No write keys are set, and the request comes from a website or names another host.
    Foreign,
    /// The write key is missing or unknown; the response does not say which.
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    /// The body did not come in time.
    BodyTimeout,
    BodyTooLarge,
    /// Memory ran short, and this body's client was silent.
    BodyEvicted,
    UnknownEncoding,
    /// Broken gzip, or a body cut short.
    UnreadableBody,
    /// The body is no message.
    Unsplittable(SplitError),
    /// `/v1/batch` without `batch`.
    MissingBatch,
    /// A request of one event, and that event is rejected.
    Rejected(RejectReason),
    /// Nothing of the request was taken; the same request may succeed later.
    Busy(Busy),
    /// Redis did not confirm in time; events that were not sent yet are taken back.
    Late,
    /// Some event of the request was not written.
    Failed,
    Panicked,
}

impl Problem {
    /// The status, a code for programs, a sentence for people.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unauthorized => (
                S::UNAUTHORIZED,
                "unauthorized",
                "a known write key is needed as the user name of Basic auth",
            ),
            Self::Foreign => (
                S::FORBIDDEN,
                "foreign_origin",
                "without write keys only this machine is served: Origin and Host must name \
                 localhost or a loopback address; to serve others, set http.write_keys",
            ),
            Self::NotFound => (S::NOT_FOUND, "not_found", "no such path"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "only POST is answered here")
            }
            Self::BodyTimeout => {
                (S::REQUEST_TIMEOUT, "body_timeout", "the body did not come in time")
            }
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body, compressed or not, exceeds http.max_body",
            ),
            Self::BodyEvicted => {
                (S::SERVICE_UNAVAILABLE, "body_gave_way", "no room for a body that comes so slowly")
            }
            Self::UnknownEncoding => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unknown_encoding",
                "Content-Encoding is neither gzip nor identity",
            ),
            Self::UnreadableBody => (
                S::BAD_REQUEST,
                "unreadable_body",
                "the body is cut short, or its gzip is broken or has too many members",
            ),
            Self::Unsplittable(SplitError::InvalidJson) => {
                (S::BAD_REQUEST, "invalid_json", "the body is not JSON")
            }
            Self::Unsplittable(SplitError::NotAnObject) => {
                (S::BAD_REQUEST, "not_an_object", "the body is not a JSON object")
            }
            Self::Unsplittable(SplitError::EmptyBatch) => {
                (S::BAD_REQUEST, "empty_batch", "`batch` is empty")
            }
            Self::Unsplittable(SplitError::BatchNotAList) => {
                (S::BAD_REQUEST, "batch_not_a_list", "`batch` is not a list")
            }
            Self::MissingBatch => (S::BAD_REQUEST, "missing_batch", "the body has no `batch`"),
            Self::Rejected(reason @ RejectReason::TooLarge) => (
                S::PAYLOAD_TOO_LARGE,
                reason.as_str(),
                "the event exceeds transform.max_event, or can never fit in memory",
            ),
            Self::Rejected(reason @ RejectReason::ReservedField) => (
                S::BAD_REQUEST,
                reason.as_str(),
                "the name of a trait begins with profile.time_field",
            ),
            Self::Rejected(reason @ RejectReason::BadTtl) => (
                S::BAD_REQUEST,
                reason.as_str(),
                "what stands at profile.ttl_path is no time to live",
            ),
            Self::Rejected(reason @ RejectReason::NoDocument) => {
                (S::BAD_REQUEST, reason.as_str(), "an event of a profile entity needs traits")
            }
            Self::Rejected(reason) => {
                (S::BAD_REQUEST, reason.as_str(), "the event cannot be read or exceeds a limit")
            }
            Self::Busy(Busy::Down) => {
                (S::SERVICE_UNAVAILABLE, "redis_down", "Redis is not usable now")
            }
            Self::Busy(Busy::Stopping) => {
                (S::SERVICE_UNAVAILABLE, "stopping", "this process is stopping")
            }
            Self::Busy(Busy::Full) => (S::SERVICE_UNAVAILABLE, "busy", "too much is in flight"),
            Self::Late => (S::SERVICE_UNAVAILABLE, "late", "Redis did not confirm in time"),
            Self::Failed => (S::SERVICE_UNAVAILABLE, "not_written", "not everything was written"),
            Self::Panicked => (S::INTERNAL_SERVER_ERROR, "internal", "a fault of this program"),
        }
    }

    /// Seconds after which to try again. SDKs that obey it try three to ten times, so this decides
    /// how long they go on: an outage of Redis gets the longer time.
    fn retry_after(self) -> Option<HeaderValue> {
        match self {
            Self::Busy(Busy::Down) | Self::Late => Some(HeaderValue::from_static("5")),
            Self::Busy(_) | Self::Failed | Self::BodyEvicted => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }

    /// The answer.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let (status, code, message) = self.parts();
        let body = format!(r#"{{"code":"{code}","message":"{message}"}}"#);
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        match self {
            Self::Unauthorized => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"traitsink\""),
                );
            }
            Self::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            Self::UnknownEncoding => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"));
            }
            Self::BodyTimeout | Self::BodyEvicted => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn all() -> impl Iterator<Item = Problem> {
        let split = [
            SplitError::InvalidJson,
            SplitError::NotAnObject,
            SplitError::EmptyBatch,
            SplitError::BatchNotAList,
        ];
        let busy = [Busy::Full, Busy::Down, Busy::Stopping];
        let plain = [
            Problem::Foreign,
            Problem::BodyEvicted,
            Problem::Unauthorized,
            Problem::NotFound,
            Problem::MethodNotAllowed,
            Problem::BodyTimeout,
            Problem::BodyTooLarge,
            Problem::UnknownEncoding,
            Problem::UnreadableBody,
            Problem::MissingBatch,
            Problem::Late,
            Problem::Failed,
            Problem::Panicked,
        ];
        let split = split.into_iter().map(Problem::Unsplittable);
        let rejected = RejectReason::ALL.iter().copied().map(Problem::Rejected);
        plain.into_iter().chain(split).chain(rejected).chain(busy.into_iter().map(Problem::Busy))
    }

    #[test]
    fn every_answer_has_a_status_that_the_metric_knows() {
        for problem in all() {
            let (status, ..) = problem.parts();
            assert!(
                crate::metrics::HTTP_STATUSES.contains(&status.as_str()),
                "{problem:?}: {status}"
            );
        }
    }

    #[test]
    fn retry_after_is_sent_exactly_with_503() {
        for problem in all() {
            let response = problem.response();
            let again = response.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again, "{problem:?}");
        }
    }

    #[tokio::test]
    async fn every_body_is_json_with_code_and_message() {
        for problem in all() {
            let body = problem.response().into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(body["code"].is_string() && body["message"].is_string(), "{problem:?}: {body}");
        }
    }
}
