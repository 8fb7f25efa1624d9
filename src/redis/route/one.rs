//! One server that has every key; it may have replicas.

use std::sync::Arc;

use super::survey::Servers;
use crate::config::{Address, PrimaryReplicas};
use crate::metrics::Metrics;
use crate::redis::command::{Verdict, Writes};
use crate::redis::link::{Link, NodeReply};
use crate::redis::wire::ServerRole;
use crate::redis::{Allowed, ConnectionSettings, Connector, Trouble};
use crate::tls::TlsError;

/// The server, and its replicas, which only `check` reads.
pub struct One {
    connector: Connector,
    /// `None`: the configuration names none.
    replicas: Option<Vec<Connector>>,
}

impl One {
    /// Reads the PEM files; connects to nothing.
    pub(super) fn new(settings: &ConnectionSettings, address: Address) -> Result<Self, TlsError> {
        let connector = Connector::new(settings, address)?;
        Ok(Self { connector, replicas: None })
    }

    /// Reads the PEM files; connects to nothing.
    pub(super) fn with_replicas(
        settings: ConnectionSettings,
        servers: &PrimaryReplicas,
    ) -> Result<Self, TlsError> {
        let settings = settings.with_role(ServerRole::Primary);
        let connector = Connector::new(&settings, servers.primary.clone())?;
        let replicas = servers.replicas.iter().map(|node| connector.to_replica(node)).collect();
        Ok(Self { connector, replicas: Some(replicas) })
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// True when the configuration names its replicas.
    pub(super) fn is_primary_of_replicas(&self) -> bool {
        self.replicas.is_some()
    }

    pub(super) fn servers(&self) -> Servers {
        Servers {
            primaries: vec![(self.connector.clone(), Vec::new())],
            replicas: self.replicas.clone().unwrap_or_default(),
            missing: Vec::new(),
        }
    }
}

/// The writes of one lane to the one server that owns all its keys.
pub struct OneWriter {
    link: Link,
    /// The key to ask about when there is nothing to write.
    key: String,
    replies: Vec<NodeReply>,
}

impl OneWriter {
    pub(super) fn new(connector: &Connector, metrics: &Arc<Metrics>) -> Self {
        Self {
            key: connector.blank_key().to_owned(),
            link: Link::new(connector.clone(), Arc::clone(metrics)),
            replies: Vec::new(),
        }
    }

    pub(super) async fn reach(&mut self) -> Result<(), Trouble> {
        self.link.reach(&self.key).await
    }

    pub(super) async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        let Self { link, replies, .. } = self;
        let trouble = link.write(writes.whole(), false, allowed, replies).await;
        verdicts.extend(replies.drain(..).map(NodeReply::verdict));
        trouble
    }
}
