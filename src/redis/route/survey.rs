//! The survey of `check --connect`: every server that will be used, and whether it is what the
//! configuration says.

use crate::redis::{Connector, ServerReport, probe};

/// Lines for people, each with a word for what it is about.
pub(super) type Details = Vec<(&'static str, String)>;

/// A server that was reached, and what it says of itself.
pub struct Surveyed {
    pub connector: Connector,
    pub report: ServerReport,
    /// Lines for people, each with a word for what it is about: the server's place among others.
    pub more: Details,
}

/// The servers that a survey found, and the errors.
pub struct Survey {
    pub found: Vec<Surveyed>,
    /// One line each; empty: writes would be taken, as far as that can be known.
    pub missing: Vec<String>,
}

/// The servers that there are to reach.
pub(super) struct Servers {
    /// Servers that take writes, each with what there is to say of its place among them.
    pub(super) primaries: Vec<(Connector, Details)>,
    pub(super) replicas: Vec<Connector>,
    /// One line for each thing that is wrong with them as a whole.
    pub(super) missing: Vec<String>,
}

impl Servers {
    /// Probes all of them.
    pub(super) async fn survey(self) -> Survey {
        let Self { primaries, replicas, mut missing } = self;
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
        Survey { found, missing }
    }
}
