//! The node of a cluster that has one key, wherever that is now.

use super::discovery::Cluster;
use super::writer::{no_owner, too_many_redirections, unnamed_node};
use crate::redis::Trouble;
use crate::redis::link::Redirect;
use crate::redis::route::owner::KeyOwner;
use crate::redis::slot_of;

impl Cluster {
    /// The node that owns the slot of `key`.
    pub(in crate::redis::route) async fn owner(&self, key: &[u8]) -> Result<KeyOwner, Trouble> {
        let mut map = self.map();
        if map.nodes.is_empty() {
            map = self.refresh(map.version).await?;
        }
        let node = map.owner(slot_of(key)).cloned().ok_or_else(no_owner)?;
        Ok(KeyOwner { connector: self.connector(&node), node: Some(node), asking: false })
    }

    /// The node to which `from` sends a command on; `before`: so many times it was sent on already.
    pub(in crate::redis::route) fn owner_after(
        &self,
        redirect: &Redirect,
        from: &KeyOwner,
        before: u32,
    ) -> Result<KeyOwner, Trouble> {
        if before >= self.max_redirections {
            return Err(too_many_redirections());
        }
        let from = from.node.as_ref().ok_or_else(no_owner)?;
        let node = self.learn(redirect, from).ok_or_else(|| unnamed_node(from))?;
        Ok(KeyOwner { connector: self.connector(&node), node: Some(node), asking: redirect.ask })
    }
}
