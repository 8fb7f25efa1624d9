//! The connection to one sentinel, kept from question to question.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::reply::{self, SentinelReply};
use crate::config::Node;
use crate::redis::{Connection, Connector, Trouble};

pub(super) struct SentinelConnection {
    pub(super) connector: Connector,
    kept: Arc<Mutex<Option<Connection>>>,
}

impl SentinelConnection {
    /// Connects to nothing yet.
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, kept: Arc::default() }
    }

    /// Asks for the master `name`. Goes on when nobody waits for the reply any more: then the
    /// connection is there for the next question.
    pub(super) async fn master(self: &Arc<Self>, name: &str) -> Result<SentinelReply, Trouble> {
        let kept = Arc::clone(&self.kept).lock_owned().await;
        let (sentinel, name) = (Arc::clone(self), name.to_owned());
        let asking = tokio::spawn(async move {
            let ask = async |connection: &mut Connection| {
                reply::master(connection, sentinel.connector.node(), &name).await
            };
            sentinel.ask(kept, ask).await
        });
        // The task does not panic, but ends with the runtime.
        asking.await.unwrap_or_else(|ended| Err(Trouble::rediscover(ended.to_string())))
    }

    /// Asks for the replicas of the master `name`.
    pub(super) async fn replicas(&self, name: &str) -> Result<Vec<Node>, Trouble> {
        let kept = Arc::clone(&self.kept).lock_owned().await;
        self.ask(kept, async |connection| {
            reply::replicas(connection, self.connector.node(), name).await
        })
        .await
    }

    async fn ask<T>(
        &self,
        mut kept: OwnedMutexGuard<Option<Connection>>,
        question: impl AsyncFnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        let reply = question(&mut connection).await?;
        *kept = Some(connection);
        Ok(reply)
    }
}
