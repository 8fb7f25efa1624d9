//! The write forms that a configuration uses. Pure.

use super::expire::Expire;
use super::hash::HashWrite;
use super::script::Script;
use super::write::Write;
use crate::event::Expiry;

/// The write forms that can occur, and what all writes of one form have in common.
#[derive(Debug, Default)]
pub struct Forms {
    /// Keys can be given an end.
    pub expire: Option<ExpireMode>,
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
    /// One write of every form, with `fields` fields where a form has fields: to ask a server
    /// whether it would take them.
    pub(in crate::redis) fn samples(&self, fields: u32) -> impl Iterator<Item = Write> {
        let expire = self
            .expire
            .map(|mode| Expire { expiry: Expiry::After(1000), once: mode == ExpireMode::Once });
        [Write::Hash(HashWrite { fields, expire })].into_iter()
    }

    /// The permissions that an ACL needs for all of them.
    pub(in crate::redis) fn acl(&self) -> String {
        let mut permissions: Vec<&str> = Vec::new();
        for permission in self.samples(1).flat_map(|write| write.acl().split(' ')) {
            if !permissions.contains(&permission) {
                permissions.push(permission);
            }
        }
        permissions.join(" ")
    }

    /// The scripts that a server must know before it is written to.
    pub(in crate::redis) fn scripts(&self) -> &[Script] {
        &[]
    }
}
