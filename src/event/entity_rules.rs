//! The keys of profile entities, which RudderStack's Profiles branch writes.

/// The settings of RudderStack's Profiles branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRules {
    pub workspace_id: String,
    pub destination_id: String,
}

impl EntityRules {
    /// The beginning of all keys: `WORKSPACE:DESTINATION:`.
    pub fn key_start(&self) -> String {
        format!("{}:{}:", self.workspace_id, self.destination_id)
    }

    /// The key of a user: `WORKSPACE:DESTINATION:ENTITY:IDTYPE:USER`.
    pub fn key(&self, entity: &str, id_type: &str, user: &str) -> String {
        format!("{}{entity}:{id_type}:{user}", self.key_start())
    }
}
