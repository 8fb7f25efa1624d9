//! The `--connect` part of `check`: reaching everything that the configuration will use.

use std::process::ExitCode;

use crate::app::StartError;
use crate::config::{Config, Mode};
use crate::exit::Exit;
use crate::redis::{Connector, Report, minimal_acl, probe};

use super::exit;

/// Reaches Redis as `config` says; writes nothing there.
pub(super) fn connect(config: &Config) -> ExitCode {
    if let Mode::Embedded(_) = config.redis.mode {
        return exit::print("redis         embedded: nothing to reach");
    }
    exit::in_runtime(async {
        let connector =
            Connector::new(&config.redis).map_err(|error| StartError { message: error.to_string(), code: Exit::CONFIG })?;
        let unreachable = |message: String| StartError { message, code: Exit::UNAVAILABLE };
        let report = probe(&connector).await.map_err(|error| unreachable(error.message))?;
        Ok(exit::print(&describe(config, &connector, &report)))
    })
}

fn describe(config: &Config, connector: &Connector, report: &Report) -> String {
    let tls = match &report.tls {
        None => "none".to_owned(),
        Some(tls) if tls.verified => format!("{} {}, verified", tls.protocol, tls.cipher),
        Some(tls) => format!("{} {}, NOT verified", tls.protocol, tls.cipher),
    };
    let own_prefixes = config.http.iter().flat_map(|http| &http.write_keys).filter_map(|key| key.prefix.as_deref());
    let mut prefixes: Vec<&str> = std::iter::once(config.redis.prefix.as_str()).chain(own_prefixes).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let username = config.redis.username.as_deref().unwrap_or("traitsink");
    let mut lines = vec![
        ("reached", connector.node().to_owned()),
        ("server", format!("Redis {}, {}", report.version, report.role)),
        ("database", report.database.to_string()),
        ("eviction", report.eviction_policy.clone()),
        ("tls", tls),
        ("minimal acl", minimal_acl(username, &prefixes)),
    ];
    lines.extend(report.notes.iter().map(|note| ("note", note.clone())));
    lines.iter().map(|(what, text)| format!("{what:<13} {text}\n")).collect()
}
