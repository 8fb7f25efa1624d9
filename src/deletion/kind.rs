//! What a regulation asks for. Pure.

use serde::{Deserialize, Serialize};

/// What is done to the users that a regulation names, in the words of Segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RegulationKind {
    SuppressOnly,
    SuppressWithDelete,
    SuppressWithDeleteInternal,
    DeleteOnly,
    DeleteInternal,
    /// Never done: there are no archives here.
    DeleteArchiveOnly,
    Unsuppress,
    /// A word that is not known.
    Unknown,
}

impl RegulationKind {
    /// The kind of Segment's word, `DELETE_ONLY` for instance.
    pub(super) fn of_segment(word: &str) -> Self {
        let json = serde_json::Value::from(word);
        serde_json::from_value(json).unwrap_or(Self::Unknown)
    }

    /// The kind of RudderStack's word, `suppress` or `suppress_with_delete`.
    pub(super) fn of_rudderstack(word: &str) -> Self {
        match word {
            "suppress" => Self::SuppressOnly,
            "suppress_with_delete" => Self::SuppressWithDelete,
            _ => Self::Unknown,
        }
    }

    /// Later events of the users are skipped.
    pub fn suppresses(self) -> bool {
        matches!(
            self,
            Self::SuppressOnly | Self::SuppressWithDelete | Self::SuppressWithDeleteInternal
        )
    }

    /// The keys of the users are deleted.
    pub fn deletes(self) -> bool {
        matches!(
            self,
            Self::SuppressWithDelete
                | Self::SuppressWithDeleteInternal
                | Self::DeleteOnly
                | Self::DeleteInternal
        )
    }

    /// Later events of the users are written again.
    pub fn lifts(self) -> bool {
        self == Self::Unsuppress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegulationKind as K;

    #[test]
    fn each_kind_and_what_it_does() {
        for (word, kind, suppresses, deletes, lifts) in [
            ("SUPPRESS_ONLY", K::SuppressOnly, true, false, false),
            ("SUPPRESS_WITH_DELETE", K::SuppressWithDelete, true, true, false),
            ("SUPPRESS_WITH_DELETE_INTERNAL", K::SuppressWithDeleteInternal, true, true, false),
            ("DELETE_ONLY", K::DeleteOnly, false, true, false),
            ("DELETE_INTERNAL", K::DeleteInternal, false, true, false),
            ("DELETE_ARCHIVE_ONLY", K::DeleteArchiveOnly, false, false, false),
            ("UNSUPPRESS", K::Unsuppress, false, false, true),
            ("delete_only", K::Unknown, false, false, false),
            ("", K::Unknown, false, false, false),
        ] {
            let found = RegulationKind::of_segment(word);
            let does = (found.suppresses(), found.deletes(), found.lifts());
            assert_eq!((found, does), (kind, (suppresses, deletes, lifts)), "{word}");
        }
        for (word, kind) in [
            ("suppress", K::SuppressOnly),
            ("suppress_with_delete", K::SuppressWithDelete),
            ("delete", K::Unknown),
            ("SUPPRESS_ONLY", K::Unknown),
        ] {
            assert_eq!(RegulationKind::of_rudderstack(word), kind, "{word}");
        }
    }
}
