//! Under which keys profiles are.

use crate::profile::KeyTemplate;

/// The templates of all keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// The keys of users.
    pub user: KeyTemplate,
    /// The keys of groups; `None`: `group` calls are not written.
    pub group: Option<KeyTemplate>,
}
