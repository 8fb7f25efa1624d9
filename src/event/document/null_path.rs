//! JSONPath of one member.

/// `$["name"]["name"]..`; `None`: a name cannot be written. RedisJSON takes what stands between
/// the quotes as it is: an escape is no other character there.
pub(super) fn null_path<'a>(names: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut path = b"$".to_vec();
    for name in names {
        let quote = match (name.contains(&b'\\'), name.contains(&b'"'), name.contains(&b'\'')) {
            (false, false, _) => b'"',
            (false, true, false) => b'\'',
            _ => return None,
        };
        path.extend_from_slice(&[b'[', quote]);
        path.extend_from_slice(name);
        path.extend_from_slice(&[quote, b']']);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_with_what_it_does_not_hold() {
        for (names, path) in [
            (&["a", "b.c"][..], Some(r#"$["a"]["b.c"]"#)),
            (&["", "it's", "*]"], Some(r#"$[""]["it's"]["*]"]"#)),
            (&["5\" x"], Some(r#"$['5" x']"#)),
            (&["a", "5\" x 4'"], None),
            (&["\\"], None),
        ] {
            let found = null_path(names.iter().map(|name| name.as_bytes()));
            assert_eq!(found.as_deref(), path.map(str::as_bytes), "{names:?}");
        }
    }
}
