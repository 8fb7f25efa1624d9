//! RudderStack's Redis destination. One reader ([`destination`]) serves `config import` and the
//! option `--rudderstack`.

mod destination;
mod layer;

use self::destination::{Destination, read};
use super::draft::{Draft, Import};
use super::syntax::{Table, VariableLookup};

pub(super) use self::layer::layer;

/// Keys of `[profile]` with which documents become those of RudderStack.
const DOCUMENT_KEYS: [(&str, &str); 3] =
    [("store", "json"), ("json_traits", "either"), ("json_nulls", "keep")];

/// The settings as a configuration file with notes. `variable` is asked for the environment
/// variables that the file refers to.
///
/// # Errors
/// The file holds no Redis destination.
pub(super) fn convert(root: Table, variable: VariableLookup<'_>) -> Result<Import, String> {
    let mut found = read(root, Some(variable))?;
    set_keys(&found.destination, &mut found.transfer.draft);
    Ok(found.transfer.finish())
}

/// Sets the keys that the destination gives; what it leaves open has the same default here.
fn set_keys(destination: &Destination, draft: &mut Draft) {
    let Destination { is_cluster, servers, password, database, prefix, json, .. } = destination;
    draft.set("redis.mode", if *is_cluster { "cluster" } else { "standalone" });
    match &servers[..] {
        [] => {}
        servers if *is_cluster => draft.set("redis.nodes", super::address::list(servers)),
        [server, ..] => draft.set("redis.url", server.url()),
    }
    if let Some(password) = password {
        draft.set_secret("redis.password", password.as_str());
    }
    if let Some(database) = database {
        draft.set("redis.database", i64::from(*database));
    }
    if let Some(prefix) = prefix {
        draft.set("redis.prefix", prefix.as_str());
    }
    if *json {
        DOCUMENT_KEYS
            .into_iter()
            .for_each(|(key, value)| draft.set(&format!("profile.{key}"), value));
    }
    if let Some(secure) = destination.secure {
        draft.set("redis.tls.enabled", secure);
    }
    if let Some(skip_verify) = destination.skip_verify {
        draft.set("redis.tls.skip_verify", skip_verify);
    }
    if let Some(certificates) = &destination.ca_certificate {
        draft.set("redis.tls.ca_pem", certificates.as_str());
    }
}
