//! The write forms that a configuration uses. Pure.

use super::document::DocumentWrite;
use super::expire::Expire;
use super::hash::HashWrite;
use super::script::Script;
use super::write::Write;
use crate::event::{Action, Expiry, Update};

/// The write forms that can occur, and what all writes of one form have in common. The default is
/// to set fields of hashes.
#[derive(Debug, Default)]
pub struct Forms {
    /// Fields are removed, too.
    pub removes: bool,
    /// Profiles are JSON documents; `None`: they are hashes.
    pub documents: Option<DocumentForms>,
    /// Keys are given an end.
    pub expire: Option<ExpireMode>,
}

/// What becomes of JSON documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentForms {
    Merged,
    Replaced,
    /// Those of users are replaced, those of entities merged.
    ReplacedAndMerged,
}

/// How often a key is given an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpireMode {
    /// By every write.
    Refresh,
    /// When it has none.
    Once,
}

impl Forms {
    /// The write for one update.
    pub fn write(&self, update: &Update) -> Write {
        let expire = update.expiry().map(|expiry| self.expire_at(expiry));
        match update.action() {
            Action::Merge | Action::Replace | Action::Delete => Write::Hash(HashWrite {
                fields: update.field_count(),
                removed: update.removed_count(),
                expire,
            }),
            Action::MergeDocument { nulls } => {
                Write::Document(DocumentWrite { replace: false, nulls, expire })
            }
            Action::ReplaceDocument => {
                Write::Document(DocumentWrite { replace: true, nulls: 0, expire })
            }
        }
    }

    fn expire_at(&self, expiry: Expiry) -> Expire {
        Expire { expiry, once: self.expire == Some(ExpireMode::Once) }
    }

    /// One write of every form, with `fields` fields where a form has fields: to ask a server
    /// whether it would take them.
    pub(in crate::redis) fn samples(&self, fields: u32) -> impl Iterator<Item = Write> {
        let expire = self.expire.map(|_| self.expire_at(Expiry::After(1000)));
        let removed = u32::from(self.removes);
        let document = |replace| Write::Document(DocumentWrite { replace, nulls: 0, expire });
        let samples = match self.documents {
            None => [Some(Write::Hash(HashWrite { fields, removed, expire })), None],
            Some(DocumentForms::Merged) => [Some(document(false)), None],
            Some(DocumentForms::Replaced) => [Some(document(true)), None],
            Some(DocumentForms::ReplacedAndMerged) => [Some(document(true)), Some(document(false))],
        };
        samples.into_iter().flatten()
    }

    /// The permissions that an ACL needs for all of them.
    pub(in crate::redis) fn acl(&self) -> String {
        let mut permissions: Vec<&str> = Vec::new();
        for write in self.samples(1) {
            let of_write = [Some(write.acl()), write.follow_up_acl()];
            for permission in of_write.into_iter().flatten().flat_map(|words| words.split(' ')) {
                if !permissions.contains(&permission) {
                    permissions.push(permission);
                }
            }
        }
        permissions.join(" ")
    }

    /// The scripts that a server must know before it is written to.
    pub(in crate::redis) fn scripts(&self) -> &[Script] {
        &[]
    }
}
