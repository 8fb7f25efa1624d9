//! Reads the replication part of INFO: is a server the replica that it should be? Pure.

use crate::printable::printable;
use crate::redis::wire::field;

/// One server's side of replication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replication {
    /// Equal for a primary and its replicas, under whatever addresses. `None`: not permitted.
    id: Option<String>,
    /// `host:port` of the server that it follows; `None`: it is a primary.
    primary: Option<String>,
    in_step: bool,
}

impl Replication {
    pub(in crate::redis) fn of(info: &str) -> Self {
        let primary = field(info, "master_host").zip(field(info, "master_port"));
        Self {
            id: field(info, "master_replid").map(str::to_owned),
            primary: primary.map(|(host, port)| printable(&format!("{host}:{port}"))),
            in_step: field(info, "master_link_status") == Some("up"),
        }
    }

    /// Confirms, in words, that this is a replica of one of `primaries`.
    ///
    /// # Errors
    /// The role that the server has instead.
    pub(in crate::redis) fn confirm(&self, primaries: &[&Self]) -> Result<String, String> {
        let Some(id) = &self.id else { return Ok("unknown (not permitted)".to_owned()) };
        let Some(primary) = &self.primary else {
            return Err("is no replica but a primary itself: was it promoted?".to_owned());
        };
        if !self.in_step {
            return Err(format!(
                "is a replica of {primary} and does not reach it (master_link_status: down)"
            ));
        }
        let known: Vec<&String> =
            primaries.iter().filter_map(|primary| primary.id.as_ref()).collect();
        if known.is_empty() || known.contains(&id) {
            Ok(format!("of {primary}, in step"))
        } else {
            Err(format!("is a replica of {primary}, which is not the primary that is written to"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_replica_follows_the_primary_that_is_written_to() {
        let primary = Replication::of("role:master\r\nmaster_replid:abc\r\n");
        let replica = |id: &str, link: &str| {
            Replication::of(&format!(
                "master_host:h\r\nmaster_port:1\r\nmaster_link_status:{link}\r\n\
                 master_replid:{id}\r\n"
            ))
        };
        let outcome = |server: &Replication| {
            server.confirm(&[&primary]).unwrap_or_else(|error| format!("error: {error}"))
        };
        assert_eq!(outcome(&replica("abc", "up")), "of h:1, in step");
        assert_eq!(
            outcome(&replica("xyz", "up")),
            "error: is a replica of h:1, which is not the primary that is written to"
        );
        assert_eq!(
            outcome(&replica("abc", "down")),
            "error: is a replica of h:1 and does not reach it (master_link_status: down)"
        );
        assert_eq!(
            outcome(&primary),
            "error: is no replica but a primary itself: was it promoted?"
        );
        assert_eq!(outcome(&Replication::default()), "unknown (not permitted)");
        assert_eq!(
            replica("xyz", "up").confirm(&[&Replication::default()]).unwrap(),
            "of h:1, in step"
        );
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_left(info in any::<String>()) {
            let _ = Replication::of(&info);
        }
    }
}
