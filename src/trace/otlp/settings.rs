//! The `OTEL_*` variables that the libraries leave to the program. Pure.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Pem, Tls};

/// The time limit of one attempt to send, by the specification.
const TIMEOUT: Duration = Duration::from_secs(10);
const PROTOCOL: &str = "http/protobuf";

/// How to reach the collector. Its address and headers are read by the library.
#[derive(Debug)]
pub(super) struct ExportSettings {
    pub(super) tls: Tls,
    /// The time limit of one attempt to send.
    pub(super) timeout: Duration,
}

/// Reads the variables with `get`; `None`: nothing is to be sent.
///
/// # Errors
/// What cannot be used, and what to do.
pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<ExportSettings>, String> {
    let get = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|t| !t.is_empty());
    // What holds for spans alone comes before what holds for all.
    let of_spans = |name: &str| {
        get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
            .or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")))
    };
    if get("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
        || of_spans("ENDPOINT").is_none()
    {
        return Ok(None);
    }
    match get("OTEL_TRACES_EXPORTER").as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(_) => {
            return Err("OTEL_TRACES_EXPORTER knows only otlp and none here: unset it".to_owned());
        }
    }
    if of_spans("PROTOCOL").is_some_and(|protocol| protocol != PROTOCOL) {
        return Err(format!(
            "OTEL_EXPORTER_OTLP_PROTOCOL knows only {PROTOCOL} here: set it to that, and the \
             endpoint to the collector's port for HTTP (4318)"
        ));
    }
    let timeout = match of_spans("TIMEOUT").map(|text| text.parse()) {
        None => TIMEOUT,
        Some(Ok(millis)) => Duration::from_millis(millis),
        Some(Err(_)) => {
            return Err("OTEL_EXPORTER_OTLP_TIMEOUT is a number of milliseconds".to_owned());
        }
    };
    let file = |name| of_spans(name).map(|path| Pem::File(PathBuf::from(path)));
    let client = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and .._CLIENT_KEY belong together: \
                        set both or none"
                    .to_owned(),
            );
        }
    };
    let tls = Tls { ca: file("CERTIFICATE"), client, ..Tls::default() };
    Ok(Some(ExportSettings { tls, timeout }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(variables: &[(&str, &str)]) -> Result<Option<ExportSettings>, String> {
        read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn nothing_is_sent_without_an_endpoint_or_when_that_is_said() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert!(read_of(variables).unwrap().is_none(), "{variables:?}");
        }
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
        for variables in [&[ENDPOINT][..], &[traces], &[ENDPOINT, ("OTEL_SDK_DISABLED", "no")]] {
            let settings = read_of(variables).unwrap().expect("an endpoint");
            assert_eq!(settings.timeout, TIMEOUT);
            assert!(settings.tls.ca.is_none() && settings.tls.client.is_none());
        }
    }

    #[test]
    fn what_holds_for_spans_comes_first() {
        let settings = read_of(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2000"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ]);
        let settings = settings.unwrap().expect("an endpoint");
        assert_eq!(settings.timeout, Duration::from_secs(2));
        assert!(matches!(settings.tls.ca, Some(Pem::File(path)) if path.ends_with("ca.pem")));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"),
        ] {
            let error = read_of(&[ENDPOINT, (name, value)]).expect_err(name);
            let start = name.trim_end_matches("_KEY");
            assert!(error.contains(start) && !error.contains(value), "{error}");
        }
    }
}
