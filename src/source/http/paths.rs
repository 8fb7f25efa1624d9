//! The paths that are served.

/// The paths, each with the type of its events; `None` is a batch, whose events name their types.
pub(super) const PATHS: [(&str, Option<&str>); 7] = [
    ("/v1/identify", Some("identify")),
    ("/v1/track", Some("track")),
    ("/v1/page", Some("page")),
    ("/v1/screen", Some("screen")),
    ("/v1/group", Some("group")),
    ("/v1/alias", Some("alias")),
    ("/v1/batch", None),
];
