//! The Redis key of a user.

/// Appends what stands before the user id in the key: `[prefix:]user:`.
pub fn push_key_start(key: &mut Vec<u8>, prefix: &str) {
    if !prefix.is_empty() {
        key.extend_from_slice(prefix.as_bytes());
        key.push(b':');
    }
    key.extend_from_slice(b"user:");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_separated_by_a_colon() {
        for (prefix, start) in [("", "user:"), ("team a", "team a:user:")] {
            let mut key = Vec::new();
            push_key_start(&mut key, prefix);
            assert_eq!(key, start.as_bytes());
        }
    }
}
