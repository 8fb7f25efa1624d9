//! Reads what a token endpoint replies. Pure.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A token that was granted.
pub(super) struct TokenReply {
    pub(super) token: String,
    /// Expiry, as time since the Unix epoch.
    pub(super) expires: Duration,
    /// The identity it is for, if the token names one.
    pub(super) subject: Option<String>,
}

/// A reply with a status other than 200.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRefusal {
    status: u16,
    /// A code of RFC 6749, section 5.2. Any other word is left out: it may hold anything.
    code: Option<&'static str>,
}

const CODES: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    expires_in: Option<Seconds>,
}

/// Some endpoints put the number into quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct Failed {
    error: String,
}

/// The claims of a JSON Web Token that are read. They are not verified: the broker does that.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
}

/// Reads a reply that came with status 200; `now` is the time since the Unix epoch.
///
/// # Errors
/// The fault of the reply, without any of its text.
pub(super) fn read(body: &[u8], now: Duration) -> Result<TokenReply, &'static str> {
    let granted: Granted = serde_json::from_slice(body)
        .map_err(|_| "not a JSON object with access_token and expires_in")?;
    let token = granted.access_token.filter(|token| !token.is_empty()).ok_or("no access_token")?;
    if token.contains('\0') {
        return Err("the access_token holds a NUL");
    }
    let claims = claims(&token);
    let lifetime = granted.expires_in.and_then(|seconds| match seconds {
        Seconds::Number(seconds) => duration(seconds),
        Seconds::Text(text) => duration(text.parse().ok()?),
    });
    let claimed = claims.as_ref().and_then(|claims| duration(claims.exp?));
    let expires =
        lifetime.map(|lifetime| now.saturating_add(lifetime)).or(claimed).ok_or("no expires_in")?;
    if expires <= now {
        return Err("the token has expired already: check the clocks");
    }
    Ok(TokenReply {
        token,
        expires,
        subject: claims.and_then(|claims| claims.sub).filter(|subject| !subject.contains('\0')),
    })
}

fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

impl TokenRefusal {
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        let failed = serde_json::from_slice::<Failed>(body).ok();
        let code = failed.and_then(|failed| CODES.into_iter().find(|code| *code == failed.error));
        Self { status, code }
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, " ({code})")?;
        }
        f.write_str(match (self.status, self.code) {
            (_, Some("invalid_scope")) => ": check kafka.sasl.scope",
            (401, _) | (_, Some("invalid_client" | "unauthorized_client")) => {
                ": check kafka.sasl.client_id and kafka.sasl.client_secret"
            }
            (_, Some("unsupported_grant_type")) => {
                ": the endpoint must allow this client the client-credentials grant"
            }
            (300..=399 | 404 | 405, _) => ": is kafka.sasl.token_url the token endpoint itself?",
            (500.., _) => ": the endpoint has trouble; it is asked again",
            _ => ": see the endpoint's own log",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn jwt(claims: &str) -> String {
        format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    fn body(token: &str, more: &str) -> Vec<u8> {
        format!(r#"{{"access_token":"{token}","token_type":"Bearer"{more}}}"#).into_bytes()
    }

    #[test]
    fn a_token_with_its_lifetime_and_subject() {
        for (token, more, expires, subject) in [
            ("opaque", r#","expires_in":60"#, 1_000_060, None),
            ("opaque", r#","expires_in":"60""#, 1_000_060, None),
            (&jwt(r#"{"sub":"worker","exp":1000030}"#), "", 1_000_030, Some("worker")),
            (
                &jwt(r#"{"sub":"worker","exp":1000030}"#),
                r#","expires_in":60"#,
                1_000_060,
                Some("worker"),
            ),
            (&jwt("{}"), r#","expires_in":60"#, 1_000_060, None),
            ("a.b.c", r#","expires_in":60"#, 1_000_060, None),
        ] {
            let reply = read(&body(token, more), NOW).unwrap();
            assert_eq!((reply.token.as_str(), reply.expires.as_secs()), (token, expires));
            assert_eq!(reply.subject.as_deref(), subject, "{token}");
        }
    }

    #[test]
    fn what_is_no_token_is_reported_without_its_text() {
        for (body, words) in [
            (b"<html>".to_vec(), "not a JSON object"),
            (b"{}".to_vec(), "no access_token"),
            (body("", r#","expires_in":60"#), "no access_token"),
            (body("opaque", ""), "no expires_in"),
            (body("opaque", r#","expires_in":-5"#), "no expires_in"),
            (body("opaque", r#","expires_in":0"#), "expired"),
            (body(&jwt(r#"{"exp":10}"#), ""), "expired"),
        ] {
            let error = read(&body, NOW).err().unwrap();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_check() {
        for (status, body, text) in [
            (401, "", "HTTP 401: check kafka.sasl.client_id and kafka.sasl.client_secret"),
            (
                400,
                r#"{"error":"invalid_client","error_description":"secret s3cret is wrong"}"#,
                "HTTP 400 (invalid_client): check kafka.sasl.client_id and \
                 kafka.sasl.client_secret",
            ),
            (
                400,
                r#"{"error":"invalid_scope"}"#,
                "HTTP 400 (invalid_scope): check kafka.sasl.scope",
            ),
            (404, "not found", "HTTP 404: is kafka.sasl.token_url the token endpoint itself?"),
            (503, "", "HTTP 503: the endpoint has trouble; it is asked again"),
            (400, r#"{"error":"s3cret"}"#, "HTTP 400: see the endpoint's own log"),
        ] {
            assert_eq!(TokenRefusal::new(status, body.as_bytes()).to_string(), text);
        }
    }
}
