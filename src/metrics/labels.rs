//! Label values that are closed sets of words, and reading a label of a series.

use prometheus::proto::Metric;

/// Classes of Redis errors: what is done about one.
pub(super) const REDIS_CLASSES: &[&str] =
    &["retry", "reconnect", "rediscover", "refused", "config"];

/// Redis error codes with a series of their own; any other code counts as `OTHER`, a broken
/// connection as `NONE`.
pub(super) const REDIS_CODES: &[&str] = &[
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "ERR",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NONE",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "OTHER",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Paths of `traitsink_http_requests_total`; anything else is `other`.
pub const HTTP_PATHS: &[&str] = &[
    "/v1/identify",
    "/v1/track",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/v1/batch",
    "other",
];

/// Statuses of `traitsink_http_requests_total`.
pub const HTTP_STATUSES: &[&str] =
    &["200", "400", "401", "403", "404", "405", "408", "413", "415", "429", "500", "503"];

/// Clients of `traitsink_tls_verify_disabled`.
pub const TLS_CLIENTS: &[&str] = &["redis", "kafka"];

/// The value of the label `name` of `series`; empty: it has no such label.
pub(super) fn label<'a>(series: &'a Metric, name: &str) -> &'a str {
    let found = series.get_label().iter().find(|label| label.name() == name);
    found.map(|label| label.value()).unwrap_or_default()
}
