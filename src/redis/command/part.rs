//! One of the updates that were joined to one write. Pure.

/// One of the updates that were joined to one write.
#[derive(Debug, Clone, Copy)]
pub struct UpdatePart<'a> {
    /// Pairs of a name and a value in the payload.
    pub fields: u32,
    /// Names behind them.
    pub removed: u32,
    /// The packed payload.
    pub payload: &'a [u8],
}
