//! The answer 200, and an answer after a panic.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::problem::Problem;

/// A table of headers with room for more is freed, not kept while the body comes.
const SMALL_TABLE: usize = 32;

/// The table of a request's headers, without these, for the headers of its answer.
pub(super) fn emptied(mut headers: HeaderMap) -> HeaderMap {
    if headers.capacity() > SMALL_TABLE {
        return HeaderMap::new();
    }
    headers.clear();
    headers
}

/// Everything in the request is safe. `headers` is an empty table.
pub(super) fn ok(mut headers: HeaderMap) -> Response<Full<Bytes>> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let mut response = Response::new(Full::new(Bytes::from_static(b"OK")));
    *response.headers_mut() = headers;
    response
}

/// What becomes of `work`, or [`Problem::Panicked`] when it panics.
pub(super) async fn or_panicked<T>(
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.unwrap_or(Poll::Ready(Err(Problem::Panicked)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        async fn work(fails: bool) -> Result<u8, Problem> {
            tokio::task::yield_now().await;
            assert!(!fails);
            Ok(1)
        }
        assert_eq!(or_panicked(work(false)).await, Ok(1));
        assert_eq!(or_panicked(work(true)).await, Err(Problem::Panicked));
    }

    #[test]
    fn only_a_small_table_is_kept_and_nothing_of_the_request_is_in_it() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let kept = emptied(headers);
        assert!(kept.is_empty() && kept.capacity() > 0);
        assert_eq!(emptied(HeaderMap::with_capacity(100)).capacity(), 0);
        let answer = ok(kept);
        assert_eq!(answer.headers().len(), 1);
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}
