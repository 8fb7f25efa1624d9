//! The findings of a probe.

/// The findings about brokers that answered. Texts are for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerReport {
    /// Findings: a word, such as `topic`, and the text.
    pub lines: Vec<(&'static str, String)>,
    /// Everything that is missing so that the worker cannot work; empty when it can.
    pub missing: Vec<String>,
    /// Problems that will or may occur.
    pub notes: Vec<String>,
}

/// `1 member`, `2 members`.
pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
