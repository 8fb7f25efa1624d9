//! The status page at `/`: one HTML answer that holds its style and its script. The script shows
//! `/api/status` every two seconds.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("index.html");
const STYLE: &str = include_str!("page.css");

/// The parts of the script, in this order one module.
const SCRIPT: [&str; 6] = [
    include_str!("format.js"),
    include_str!("dom.js"),
    include_str!("plot.js"),
    include_str!("sections.js"),
    include_str!("lookup.js"),
    include_str!("refresh.js"),
];

/// Where style and script go in the page.
const STYLE_PLACE: &str = "<style></style>";
const SCRIPT_PLACE: &str = "<script type=\"module\"></script>";

/// The page at `/`.
pub(super) fn routes() -> Router {
    let script = SCRIPT.concat();
    let html = HTML.replacen(STYLE_PLACE, &format!("<style>{STYLE}</style>"), 1).replacen(
        SCRIPT_PLACE,
        &format!("<script type=\"module\">{script}</script>"),
        1,
    );
    let policy = HeaderValue::try_from(policy(STYLE, &script)).expect("a policy is ASCII");
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Router::new().route("/", get(async move || (headers, html)))
}

/// The Content-Security-Policy of a page with this `style` and this `script`: nothing else may run
/// or be loaded, requests go to this listener alone, and no other page may show this one.
fn policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash_of(script),
        hash_of(style)
    )
}

/// The hash of an inline element's text, as a source of a policy.
fn hash_of(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_hashes_of_what_is_inline() {
        let policy = policy("", "alert(1)");
        // FIPS 180-4's examples give this hash for the empty text.
        let empty = "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
        assert!(policy.contains(empty), "{policy}");
        let alert = "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='";
        assert!(policy.contains(alert), "{policy}");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
    }

    #[test]
    fn the_page_has_a_place_for_style_and_script() {
        for place in [STYLE_PLACE, SCRIPT_PLACE] {
            assert_eq!(HTML.matches(place).count(), 1, "{place}");
        }
        assert!(!SCRIPT.concat().contains("</script"));
        assert!(!STYLE.contains("</style"));
    }
}
