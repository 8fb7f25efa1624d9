//! How a body is encoded.

use hyper::{HeaderMap, header};

use super::problem::Problem;

/// The encodings of bodies that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// The encoding that `Content-Encoding` names: exactly one that is known.
    ///
    /// # Errors
    /// [`Problem::UnknownEncoding`].
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let (value, None) = (values.next(), values.next()) else {
            return Err(Problem::UnknownEncoding);
        };
        match value.map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase()).as_deref() {
            None | Some(b"" | b"identity") => Ok(Self::Identity),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Gzip),
            Some(_) => Err(Problem::UnknownEncoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_encoding_is_taken() {
        let of = |values: &[&str]| {
            Encoding::of(
                &values
                    .iter()
                    .map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()))
                    .collect(),
            )
        };
        for value in ["gzip", "GZip", "x-gzip"] {
            assert_eq!(of(&[value]), Ok(Encoding::Gzip));
        }
        for values in [&["identity"][..], &[""], &[]] {
            assert_eq!(of(values), Ok(Encoding::Identity));
        }
        for values in
            [&["br"][..], &["deflate"], &["zstd"], &["gzip, gzip"], &["gzip", "gzip"], &["utf-8"]]
        {
            assert_eq!(of(values), Err(Problem::UnknownEncoding));
        }
    }
}
