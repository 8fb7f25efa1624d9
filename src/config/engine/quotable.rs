//! Parts of texts that messages may quote although a secret may be in the text. Pure.

/// A host, an address or a URL as messages may quote it: credentials before an `@`, and all behind
/// a `?` or a `#`, are `***`.
pub fn quotable(text: &str) -> String {
    // A password that was not escaped may hold any of these signs: what is before the last `@` goes
    // as a whole.
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (hidden, shown) = rest.rsplit_once('@').map_or(("", rest), |(_, host)| ("***@", host));
    let end = shown.find(['?', '#']).unwrap_or(shown.len());
    let tail = if end < shown.len() { format!("{}***", &shown[end..=end]) } else { String::new() };
    let scheme = if text.contains("://") && !scheme.contains('@') {
        format!("{scheme}://")
    } else {
        String::new()
    };
    format!("{scheme}{hidden}{}{tail}", &shown[..end])
}

/// Whether `name` is made of small letters, dots, dashes and underscores. A name that is not may be
/// a secret that was typed in the wrong place: it is not quoted.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || ".-_".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_are_not_quoted() {
        for (text, shown) in [
            ("broker:9092", "broker:9092"),
            ("u:canary@broker:9092", "***@broker:9092"),
            ("https://u:can@ary@h/t?k=canary", "https://***@h/t?***"),
            ("https://h/t?k=canary@x", "https://***@x"),
            ("https://h/t#canary", "https://h/t#***"),
            ("canary@x://h", "h"),
        ] {
            assert_eq!(quotable(text), shown, "{text}");
        }
    }
}
