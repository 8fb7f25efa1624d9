//! A node's reply to one write: a verdict, or the node to send it to. Pure.

use crate::redis::command::Verdict;

/// A node's reply to one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) enum NodeReply {
    Is(Verdict),
    /// `MOVED` or `ASK`: another node takes this write.
    Elsewhere(Redirect),
}

impl NodeReply {
    /// Whether the node confirmed the write.
    pub(in crate::redis) fn is_confirmed(&self) -> bool {
        matches!(self, Self::Is(verdict) if verdict.is_confirmed())
    }

    /// The verdict of a server that is no part of a cluster.
    pub(in crate::redis) fn verdict(self) -> Verdict {
        match self {
            Self::Is(verdict) => verdict,
            Self::Elsewhere(_) => unreachable!("only nodes of a cluster send writes elsewhere"),
        }
    }
}

/// The node to which a write must be sent instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) struct Redirect {
    /// Only this once, and with `ASKING` first.
    pub(in crate::redis) ask: bool,
    pub(in crate::redis) slot: u16,
    /// `host:port`; without a host, it is that of the node that replied.
    pub(in crate::redis) place: String,
}

impl Redirect {
    /// Reads `MOVED 3999 127.0.0.1:6381`.
    pub(in crate::redis) fn read(code: &str, detail: &str) -> Option<Self> {
        let ask = match code {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let (slot, place) = detail.split_once(' ')?;
        Some(Self { ask, slot: slot.parse().ok()?, place: place.trim().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_name_a_slot_and_a_place() {
        let to = |ask, slot, place: &str| Some(Redirect { ask, slot, place: place.to_owned() });
        assert_eq!(
            Redirect::read("MOVED", "3999 127.0.0.1:6381"),
            to(false, 3999, "127.0.0.1:6381")
        );
        assert_eq!(Redirect::read("ASK", "0 :7000"), to(true, 0, ":7000"));
        assert_eq!(Redirect::read("MOVED", "x 127.0.0.1:1"), None);
        assert_eq!(Redirect::read("ERR", "3999 127.0.0.1:6381"), None);
    }
}
