//! What a probe found.

/// What brokers that answered said. Texts are for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerReport {
    /// What was found: a word, such as `topic`, and the finding.
    pub lines: Vec<(&'static str, String)>,
    /// What the worker cannot work without, all of it; empty: it can.
    pub missing: Vec<String>,
    /// What will or may go wrong.
    pub notes: Vec<String>,
}

/// `1 member`, `2 members`.
pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
