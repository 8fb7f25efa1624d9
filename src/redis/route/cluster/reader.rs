//! Reading one key of a cluster, wherever it is now.

use super::discovery::Cluster;
use super::writer::{no_owner, too_many_redirections, unnamed_node};
use crate::redis::read::{ProfileReply, ReadError, StoredProfile, read};
use crate::redis::slot_of;

impl Cluster {
    /// The hash at `key`, asked of the node that owns it, and sent on where its slot has moved.
    pub(in crate::redis::route) async fn read(
        &self,
        key: &[u8],
    ) -> Result<Option<StoredProfile>, ReadError> {
        let mut map = self.map();
        if map.nodes.is_empty() {
            map = self.refresh(map.version).await?;
        }
        let mut node = map.owner(slot_of(key)).cloned().ok_or_else(no_owner)?;
        let mut asking = false;
        for _ in 0..=self.max_redirections {
            match read(&self.connector(&node), key, asking).await? {
                ProfileReply::Here(profile) => return Ok(profile),
                ProfileReply::Elsewhere(redirect) => {
                    asking = redirect.ask;
                    node = self.learn(&redirect, &node).ok_or_else(|| unnamed_node(&node))?;
                }
            }
        }
        Err(too_many_redirections().into())
    }
}
