//! What `check --connect` finds: every server that will be used, and whether it is what it is said
//! to be.

use super::topology::{Kind, Topology};
use super::{Connector, SLOTS, ServerReport, probe};

/// A server that was reached, and what it says of itself.
pub struct Surveyed {
    pub connector: Connector,
    pub report: ServerReport,
    /// Lines for people, each with a word for what it is about.
    pub more: Lines,
}

type Lines = Vec<(&'static str, String)>;

/// The servers that a survey found, and the errors.
pub struct Survey {
    pub found: Vec<Surveyed>,
    /// One line each; empty: writes would be taken, as far as that can be known.
    pub missing: Vec<String>,
}

impl From<Vec<String>> for Survey {
    fn from(missing: Vec<String>) -> Self {
        Self { found: Vec::new(), missing }
    }
}

impl Topology {
    /// What [`probe()`] tells of each node that takes writes and of each replica that is
    /// configured, with `all` of those besides that a cluster has, and what there is to say of its
    /// place among others; and all that is wrong.
    pub async fn survey(&self, all: bool) -> Survey {
        self.look(all).await.unwrap_or_else(Survey::from)
    }

    async fn look(&self, all: bool) -> Result<Survey, Vec<String>> {
        let (mut missing, mut replicas) = (Vec::new(), Vec::new());
        let primaries: Vec<(Connector, Lines)> = match self.kind() {
            Kind::One(connector) => vec![(connector.clone(), Vec::new())],
            Kind::Cluster(cluster) => {
                let (owners, uncovered) =
                    cluster.survey().await.map_err(|trouble| vec![trouble.message])?;
                if uncovered > 0 {
                    missing.push(format!(
                        "{uncovered} of the cluster's {SLOTS} slots have no owner: see `redis-cli \
                         --cluster check`"
                    ));
                }
                if all {
                    replicas = cluster.replicas();
                }
                let slots = |slots: usize| vec![("slots", slots.to_string())];
                owners
                    .into_iter()
                    .map(|(node, count)| (cluster.connector(&node), slots(count)))
                    .collect()
            }
            Kind::Sentinel(sentinel) => {
                let (master, said) = sentinel.survey().await?;
                if all {
                    replicas =
                        sentinel.replicas().await.map_err(|trouble| vec![trouble.message])?;
                }
                let said = said.into_iter().map(|line| ("sentinel", line)).collect();
                vec![(sentinel.connector(&master), said)]
            }
            Kind::Sharded(shards) => {
                let share = |share: f64| vec![("keys", format!("{:.1} %", 100.0 * share))];
                shards.shares().map(|(shard, part)| (shard.clone(), share(part))).collect()
            }
            Kind::PrimaryReplicas(primary, others) => {
                replicas = others.clone();
                vec![(primary.clone(), Vec::new())]
            }
        };
        let mut found = Vec::new();
        for (connector, more) in primaries {
            match probe(&connector).await {
                Ok(report) => {
                    missing.extend(
                        report.refused.iter().map(|what| format!("{}: {what}", connector.node())),
                    );
                    found.push(Surveyed { connector, report, more });
                }
                Err(error) => missing.push(error.message),
            }
        }
        let primaries = found.len();
        for connector in replicas {
            match probe(&connector).await {
                Ok(report) => {
                    let known: Vec<_> = found[..primaries]
                        .iter()
                        .map(|primary| &primary.report.replication)
                        .collect();
                    match report.replication.confirm(&known) {
                        Ok(place) => found.push(Surveyed {
                            connector,
                            report,
                            more: vec![("replica", place)],
                        }),
                        Err(what) => missing.push(format!("{}: {what}", connector.node())),
                    }
                }
                Err(error) => missing.push(error.message),
            }
        }
        Ok(Survey { found, missing })
    }
}
