//! Closing a lost connection on the server.

use std::sync::Once;

use crate::redis::errors::{Broken, QueryError};
use crate::redis::wire::{Connection, Identity};

/// Makes Redis close the old connection, so that commands which Redis has not read are never
/// executed.
pub(super) async fn fence(connection: &mut Connection, old: &Identity) -> Result<(), Broken> {
    match connection.fence(old).await {
        Ok(_) => Ok(()),
        Err(QueryError::Broken(broken)) => Err(broken),
        Err(QueryError::Reply(_)) => {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "Redis does not let this user run CLIENT KILL: after a lost connection, writes \
                     that were held back on the way could overwrite newer values; `traitsink check \
                     --connect` prints the ACL line that allows it"
                );
            });
            Ok(())
        }
    }
}
