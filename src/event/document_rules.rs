//! How JSON documents are made of traits.

/// The settings of profiles that are JSON documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentRules {
    pub traits: DocumentTraits,
    pub nulls: DocumentNulls,
    /// The document becomes exactly the event's traits, instead of being merged with them.
    pub replace: bool,
}

/// Which traits of an event go into a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DocumentTraits {
    /// `context.traits`, and `traits` merged over them; what is no object is ignored.
    #[default]
    Both,
    /// `traits`, or `context.traits` where `traits` are missing, null or an empty text: as
    /// RudderStack chooses. An array replaces the document.
    Either,
}

/// What a null in the traits does to a document. A number that is too large for a double counts as
/// null, as it does for JavaScript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DocumentNulls {
    /// Nothing, as if it was not there.
    Skip,
    /// It removes the member.
    #[default]
    Delete,
    /// The member becomes null. Where JSONPath cannot name it (a name with a backslash, or with
    /// both kinds of quotes), it is removed.
    Keep,
}
