//! The brackets that are open at a place in JSON text.

/// The open brackets, one bit each: 1 for a brace. Any number of them.
#[derive(Default)]
pub(super) struct OpenBrackets {
    depth: usize,
    /// The latest brackets, up to 64; the last one is the lowest bit.
    latest: u64,
    /// The brackets before them, 64 in each number.
    earlier: Vec<u64>,
}

impl OpenBrackets {
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the last one is a brace; `None`: none is open.
    pub(super) fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.latest & 1 == 1)
    }

    pub(super) fn push(&mut self, brace: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.earlier.push(self.latest);
        }
        self.latest = self.latest << 1 | u64::from(brace);
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) -> Option<bool> {
        self.depth = self.depth.checked_sub(1)?;
        let brace = self.latest & 1 == 1;
        self.latest >>= 1;
        if self.depth.is_multiple_of(64)
            && let Some(earlier) = self.earlier.pop()
        {
            self.latest = earlier;
        }
        Some(brace)
    }
}
