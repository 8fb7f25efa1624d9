//! What a script of the guard replies. Pure.

use redis::Value;

/// What became of an event or a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardVerdict {
    /// Nothing of it survives what is newer; nothing changed.
    Stale,
    Applied,
    /// Applied: a deletion that removed fields of a profile.
    ProfileRemoved,
}

impl GuardVerdict {
    /// The verdict in the reply to one call; `None`: an error, or a reply to another command.
    pub fn read(reply: &Value) -> Option<Self> {
        match reply {
            Value::Int(0) => Some(Self::Stale),
            Value::Int(1) => Some(Self::Applied),
            Value::Int(2) => Some(Self::ProfileRemoved),
            _ => None,
        }
    }
}
