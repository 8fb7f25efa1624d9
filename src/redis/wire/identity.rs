//! The id and address by which a server knows a connection. Pure.

/// How the server knows a connection: enough to close exactly that one later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: u64,
    /// The client's address as the server sees it.
    pub addr: String,
    /// Changes when the server restarts, and ids with it.
    pub run_id: Option<String>,
}

impl Identity {
    /// From `id=7 addr=127.0.0.1:4711 laddr=...`.
    pub(super) fn read(info: &str, run_id: Option<String>) -> Option<Self> {
        let value = |name: &str| {
            info.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self { id: value("id")?.parse().ok()?, addr: value("addr")?.to_owned(), run_id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identity_from_client_info() {
        let info =
            "id=7 addr=127.0.0.1:4711 laddr=127.0.0.1:6379 fd=8 name=traitsink age=0 db=0 resp=2\n";
        let expected = Identity { id: 7, addr: "127.0.0.1:4711".to_owned(), run_id: None };
        assert_eq!(Identity::read(info, None), Some(expected));
        assert_eq!(Identity::read("laddr=127.0.0.1:6379 id=x", None), None);
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_left(info in any::<String>()) {
            let _ = Identity::read(&info, None);
        }
    }
}
