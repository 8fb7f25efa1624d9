//! `[profile.entities]`: RudderStack's Profiles branch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;
use crate::profile::Entities;

/// RudderStack's Profiles branch: an event of a profile model becomes one field, named after the
/// model, of the hash `WORKSPACE:DESTINATION:ENTITY:IDTYPE:USERID`. On when both keys are set.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEntities {
    /// The workspace, first part of the keys.
    workspace_id: Option<String>,
    /// The destination, second part of the keys.
    destination_id: Option<String>,
}

impl RawEntities {
    /// `None`: neither is set, or one alone, which is an error.
    pub(super) fn resolve(&self, report: &mut ConfigReport) -> Option<Entities> {
        const KEYS: [&str; 2] =
            ["profile.entities.workspace_id", "profile.entities.destination_id"];
        let missing = match (&self.workspace_id, &self.destination_id) {
            (Some(workspace_id), Some(destination_id)) => {
                return Some(Entities {
                    workspace_id: workspace_id.clone(),
                    destination_id: destination_id.clone(),
                });
            }
            (None, None) => return None,
            (Some(_), None) => 1,
            (None, Some(_)) => 0,
        };
        let other = KEYS[missing];
        report.error(KEYS[1 - missing], format_args!("needs {other} beside it"));
        None
    }
}
