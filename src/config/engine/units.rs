//! Values with a unit or a form of their own: durations, sizes, listen addresses, secrets.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::fmt::friendly::SpanParser;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::quotable::quotable;

/// Longest duration that may be typed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `50ms`, `5s`, `2m`; at most a day.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    static PARSER: SpanParser = SpanParser::new();
    let duration =
        PARSER.parse_unsigned_duration(text).map_err(|_| match text.trim().parse::<f64>() {
            Ok(_) => format!("\"{0}\" has no unit: write \"{0}s\" or \"{0}ms\"", text.trim()),
            Err(_) => format!("{text:?} is not a duration such as \"50ms\", \"5s\" or \"2m\""),
        })?;
    if duration > LONGEST { Err(format!("{text:?} is longer than a day")) } else { Ok(duration) }
}

/// Reads `64KiB`, `4MiB`, `1GiB` (and `1MB` = 1000 kB) as bytes, at least one.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return Err(format!(
            "\"{text}\" has no unit: write \"{text}B\", \"{text}KiB\" or \"{text}MiB\""
        ));
    }
    match text.parse::<ByteSize>() {
        Ok(size) if size.as_u64() == 0 => Err("must be more than nothing".into()),
        Ok(size) => Ok(size.as_u64()),
        Err(_) => Err(format!("{text:?} is not a size such as \"64KiB\", \"4MiB\" or \"1GiB\"")),
    }
}

/// Reads `127.0.0.1:8080` or `[::1]:8080`.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let text = quotable(text);
        format!(
            "{text:?} is not an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\""
        )
    })
}

/// A form in which a value of another type is typed: the key has the value's own type and
/// `#[serde(with = "As::<Span>")]`.
pub(crate) struct As<T>(PhantomData<T>);

impl<T> As<T> {
    /// Writes `value` as it would be typed.
    pub(crate) fn serialize<V, S>(value: &V, serializer: S) -> Result<S::Ok, S::Error>
    where
        V: Copy + Into<T>,
        T: Serialize,
        S: Serializer,
    {
        (*value).into().serialize(serializer)
    }

    /// Reads a value from what was typed.
    pub(crate) fn deserialize<'de, V, D>(deserializer: D) -> Result<V, D::Error>
    where
        V: From<T>,
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        T::deserialize(deserializer).map(V::from)
    }
}

impl<T: JsonSchema> JsonSchema for As<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A number that has a default of its own where it is not typed, which is 0 until then.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct OptionalCount(Option<usize>);

impl From<usize> for OptionalCount {
    fn from(number: usize) -> Self {
        Self(Some(number).filter(|number| *number > 0))
    }
}

impl From<OptionalCount> for usize {
    fn from(count: OptionalCount) -> Self {
        count.0.unwrap_or_default()
    }
}

/// Implements the form in files and in the schema for a newtype that is typed as text.
macro_rules! text_form {
    ($name:ident, $form:literal, $example:literal, $parse:expr, $print:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $parse(&text).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$print(&self.0))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "x-form": $form, "examples": [$example] })
            }
        }
    };
}
pub(crate) use text_form;

/// A duration, typed as `5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

text_form!(Span, "duration", "5s", parse_duration, print_duration);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl Span {
    pub(crate) const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

/// Bytes, typed as `4MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

text_form!(Size, "size", "4MiB", parse_size, print_size);

impl From<usize> for Size {
    fn from(bytes: usize) -> Self {
        Self(bytes as u64)
    }
}

impl From<Size> for usize {
    fn from(size: Size) -> Self {
        size.bytes()
    }
}

impl Size {
    pub(crate) const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    pub(crate) const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    pub(crate) const fn gib(n: u64) -> Self {
        Self(n << 30)
    }

    /// As a length in memory.
    pub(crate) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Where a listener is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

text_form!(Listen, "address", "127.0.0.1:8080", parse_address, SocketAddr::to_string);

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl From<Listen> for SocketAddr {
    fn from(listen: Listen) -> Self {
        listen.0
    }
}

/// A secret; printed as `***`.
#[derive(Debug, Clone)]
pub(crate) struct Secret(pub(crate) SecretString);

text_form!(
    Secret,
    "secret",
    "***",
    |text: &str| Ok::<_, String>(SecretString::from(text)),
    |_: &SecretString| "***"
);

/// The form that [`parse_duration`] reads, in the largest unit that divides it.
pub(crate) fn print_duration(duration: &Duration) -> String {
    let millis = duration.as_millis();
    match (duration.subsec_nanos() % 1_000_000, millis) {
        (0, 0) => "0s".into(),
        (0, ms) if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        (0, ms) if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        (0, ms) => format!("{ms}ms"),
        _ => format!("{}ns", duration.as_nanos()),
    }
}

/// The form that [`parse_size`] reads, in the largest unit that divides it.
pub(crate) fn print_size(bytes: &u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn durations_need_a_unit_and_end_at_a_day() {
        for (text, millis) in [
            ("50ms", 50),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h 30m", 5_400_000),
            ("1.5s", 1_500),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, error) in [
            ("5", "\"5\" has no unit: write \"5s\" or \"5ms\""),
            ("-5s", "\"-5s\" is not a duration such as \"50ms\", \"5s\" or \"2m\""),
            ("soon", "\"soon\" is not a duration such as \"50ms\", \"5s\" or \"2m\""),
            ("25h", "\"25h\" is longer than a day"),
        ] {
            assert_eq!(parse_duration(text).unwrap_err(), error);
        }
    }

    #[test]
    fn sizes_need_a_unit() {
        for (text, bytes) in [
            ("64KiB", 65_536),
            ("4MiB", 4 << 20),
            ("1 GiB", 1 << 30),
            ("1MB", 1_000_000),
            ("10B", 10),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, error) in [
            ("1024", "\"1024\" has no unit: write \"1024B\", \"1024KiB\" or \"1024MiB\""),
            ("0MiB", "must be more than nothing"),
            ("-1MiB", "\"-1MiB\" is not a size such as \"64KiB\", \"4MiB\" or \"1GiB\""),
        ] {
            assert_eq!(parse_size(text).unwrap_err(), error);
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for ms in [0, 1, 50, 999, 1_000, 75_000, 120_000, 3_600_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&print_duration(&duration)), Ok(duration));
        }
        assert_eq!(
            parse_duration(&print_duration(&Duration::from_nanos(1_500))),
            Ok(Duration::from_nanos(1_500))
        );
        for bytes in [1, 1_000, 1_024, 1_536, 8 << 20, 1 << 30] {
            assert_eq!(parse_size(&print_size(&bytes)), Ok(bytes));
        }
    }

    #[test]
    fn a_secret_is_printed_as_stars() {
        let secret: Secret = serde_json::from_str("\"canary\"").unwrap();
        assert_eq!(secret.0.expose_secret(), "canary");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
