//! The listener for operators. Each file has the routes of one purpose: `probes.rs` has `/live`,
//! `/ready` and `/metrics`, `status.rs` has `/api/status`, `profile.rs` has `/api/profile`,
//! `tap.rs` has `/api/tap`, and `page/` has the status page.

mod page;
mod probes;
mod problem;
mod profile;
mod status;
mod tap;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::Response;

use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::server::is_local;
use crate::status::Status;
use crate::tap::Tap;

use problem::AdminProblem;
pub use profile::ProfileLookup;

/// The data behind the routes.
pub struct Admin {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    api: Router,
}

impl Admin {
    /// Reads `metrics` and `readiness`, and sets `metrics.ready`.
    pub fn new(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        Self { metrics, readiness, api: Router::new() }
    }

    /// The same with `/api`, which shows `status`, what `tap` shows, and profiles where there is a
    /// `lookup`.
    pub fn with_api(
        self,
        status: Arc<Status>,
        tap: Arc<Tap>,
        lookup: Option<ProfileLookup>,
    ) -> Self {
        let api = status::routes(status).merge(tap::routes(tap)).merge(profile::routes(lookup));
        Self { api: self.api.merge(api), ..self }
    }

    /// The same for a listener on a loopback address: `/api` answers only requests that name this
    /// machine as their host and origin, not those of a website in a browser here.
    pub fn for_this_machine(self) -> Self {
        Self { api: self.api.layer(from_fn(refuse_foreign)), ..self }
    }

    /// The service that answers `GET` and `HEAD`, for the serving loop.
    pub fn into_router(self) -> Router {
        let api = self.api.layer(map_response(private));
        let probes = probes::routes(self.metrics, self.readiness);
        Router::new().merge(page::routes()).merge(probes).merge(api)
    }
}

async fn refuse_foreign(request: Request, next: Next) -> Result<Response, AdminProblem> {
    let (head, body) = request.into_parts();
    if !is_local(&head) {
        return Err(AdminProblem::Foreign);
    }
    Ok(next.run(Request::from_parts(head, body)).await)
}

/// Nothing of `/api` is kept by a browser or a proxy, nor taken for another type than it says.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
