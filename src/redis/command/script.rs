//! Scripts that servers run.

/// A Lua script, which a server knows by its hash once it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) struct Script {
    pub(in crate::redis) source: &'static str,
}
