//! Keeps websites out of listeners that ask nobody for a password: a page that is open in a browser
//! on this machine can reach the machine's loopback ports.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri, header};

/// True when the request's head names this machine alone, as its origin and as its host. A request
/// may lack `Origin` (which browsers send with every POST) and `Host`.
pub fn is_local(parts: &Parts) -> bool {
    let all = |name, good: fn(&str) -> bool| {
        parts
            .headers
            .get_all(name)
            .iter()
            .map(HeaderValue::to_str)
            .all(|value| value.is_ok_and(good))
    };
    all(header::ORIGIN, origin_is_local)
        && all(header::HOST, host_is_local)
        && parts.uri.host().is_none_or(name_is_local)
}

/// Checks `scheme://host[:port]`. `null` is foreign: a browser sends it for any origin that it does
/// not name.
fn origin_is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|host| host_is_local(host.as_str()))
}

/// Checks `host[:port]`. Any other name that resolves to this machine may be an attack (DNS
/// rebinding).
fn host_is_local(host: &str) -> bool {
    let (name, port) = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, ""),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()) && name_is_local(name)
}

fn name_is_local(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.is_ipv4() && address.is_loopback();
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.strip_suffix(".localhost").is_some_and(|sub| !sub.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn local(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post(uri);
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        is_local(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn this_machine_by_any_of_its_loopback_names() {
        for name in [
            "localhost",
            "LocalHost",
            "localhost.",
            "app.localhost",
            "127.0.0.1",
            "127.9.8.7",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            for host in [name.to_owned(), format!("{name}:3000")] {
                assert!(local("/v1/batch", &[("host", &host)]), "{host}");
                for scheme in ["http", "https"] {
                    assert!(
                        local(
                            "/v1/batch",
                            &[("origin", &format!("{scheme}://{host}")), ("host", "localhost")]
                        ),
                        "{host}"
                    );
                }
            }
        }
        assert!(local("/v1/batch", &[]), "HTTP/1.0 needs no Host");
        assert!(local("http://localhost:8080/v1/batch", &[("host", "localhost:8080")]));
    }

    #[test]
    fn anything_else_is_foreign() {
        let names = [
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            ".localhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
            "[::ffff:10.0.0.1]",
            "[127.0.0.1",
            "127.1",
            "2130706433",
            "",
            "localhost:80:80",
            "localhost:x",
            "user@localhost",
        ];
        for name in names {
            assert!(!local("/v1/batch", &[("host", name)]), "{name:?} as Host");
            let origin = format!("http://{name}");
            assert!(
                !local("/v1/batch", &[("host", "localhost"), ("origin", &origin)]),
                "{origin:?} as Origin"
            );
        }
        for origin in
            ["null", "", "localhost", "file://", "chrome-extension://localhost", "ws://localhost"]
        {
            assert!(
                !local("/v1/batch", &[("host", "localhost"), ("origin", origin)]),
                "{origin:?}"
            );
        }
        let evil = [("host", "evil.example:8080"), ("origin", "http://evil.example:8080")];
        assert!(!local("/v1/batch", &evil), "also when the two agree");
        assert!(!local("http://evil.example/v1/batch", &[("host", "localhost")]));
        assert!(
            !local("/v1/batch", &[("host", "localhost"), ("host", "evil.example")]),
            "the second of two counts too"
        );
    }
}
