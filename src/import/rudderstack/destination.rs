//! Reads a Redis destination as RudderStack itself reads it: `config` alone, the destination around
//! it, or Rudder CLI's YAML.

use serde_json::Value;

use crate::config::{parse_prefix, quotable};
use crate::import::address::ServerAddress;
use crate::import::draft::NoteKind;
use crate::import::syntax::{Table, VariableLookup, Variables};
use crate::import::transfer::Transfer;

const CONSENT: &str = "filtering by consent";

/// The settings; `None`: not given.
#[derive(Debug, Default)]
pub(super) struct Destination {
    pub(super) is_cluster: bool,
    /// One unless it is a cluster; none if the address cannot be read, which is noted.
    pub(super) servers: Vec<ServerAddress>,
    pub(super) password: Option<String>,
    /// Never with a cluster.
    pub(super) database: Option<u32>,
    /// Trimmed; a fixed one or a template.
    pub(super) prefix: Option<String>,
    /// JSON documents instead of hashes.
    pub(super) json: bool,
    pub(super) secure: Option<bool>,
    /// Only with `secure`.
    pub(super) skip_verify: Option<bool>,
    /// PEM; only with `secure`.
    pub(super) ca_certificate: Option<String>,
}

/// A destination that was read.
pub(super) struct Found {
    pub(super) destination: Destination,
    /// A note on each option; no keys yet.
    pub(super) transfer: Transfer,
    /// Options that ask for something which RudderStack does not do either: name and reason.
    pub(super) ineffective: Vec<(String, &'static str)>,
}

/// Reads the text's table. With `variable`, what the file refers to is filled in.
///
/// # Errors
/// The table holds no Redis destination. The text never quotes a value.
pub(super) fn read(mut root: Table, variable: Option<VariableLookup<'_>>) -> Result<Found, String> {
    let definition =
        ["destinationDefinition", "DestinationDefinition"].iter().find_map(|name| root.get(*name));
    let of_type = root.get("spec").and_then(|spec| spec.get("type"));
    let named = of_type
        .or_else(|| definition.and_then(|of| of.get("name").or_else(|| of.get("Name"))))
        .and_then(Value::as_str);
    if named.is_some_and(|name| !name.eq_ignore_ascii_case("redis")) {
        return Err("is a destination that is not Redis".into());
    }
    if let Some(Value::Object(spec)) = root.remove("spec") {
        root.extend(spec);
    }
    let (settings, outside) = match ["config", "Config"].iter().find_map(|name| root.remove(*name))
    {
        Some(Value::Object(settings)) => (settings, root.keys().cloned().collect()),
        Some(_) => return Err("\"config\" is not a table of settings".into()),
        None => (root, Vec::new()),
    };
    if !settings.contains_key("address") {
        return Err("has no \"address\": it is not a Redis destination".into());
    }
    let mut transfer = Transfer::new(settings);
    transfer.outside("config", &outside);
    if let Some(value) = variable {
        transfer.fill_in(&Variables { open: "{{", mark: ".", close: "}}", value });
    }
    let lenient = variable.is_some();
    let mut reader = Reader { transfer, ineffective: Vec::new(), lenient };
    let destination = reader.destination();
    Ok(Found { destination, transfer: reader.transfer, ineffective: reader.ineffective })
}

struct Reader {
    transfer: Transfer,
    ineffective: Vec<(String, &'static str)>,
    /// True for files to import: in YAML, and where a variable is filled in, a number or a flag
    /// may stand for a text and a text for a flag. RudderStack's own settings are strict.
    lenient: bool,
}

impl Reader {
    fn destination(&mut self) -> Destination {
        let is_cluster = self.is_cluster();
        let servers = self.servers(is_cluster);
        let detail = self.transfer.number_detail("password");
        let password = self.text("password");
        if password.is_some() {
            self.transfer.mapped("password", "redis.password", detail);
        }
        let database = if is_cluster { self.no_database() } else { self.database() };
        let prefix = self.prefix();
        let (secure, skip_verify, ca_certificate) = self.tls();
        let json = self.json();
        self.without_meaning();
        Destination {
            is_cluster,
            servers,
            password,
            database,
            prefix,
            json,
            secure,
            skip_verify,
            ca_certificate,
        }
    }

    /// The name as it is typed: Rudder CLI writes `cluster_mode` for `clusterMode`.
    fn name(&self, name: &str) -> String {
        let snake = snake_case(name);
        if self.transfer.has(&snake) { snake } else { name.to_owned() }
    }

    /// Takes a text; `null` is the same as missing.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.transfer.take(name)? {
            Value::String(text) if text.is_empty() => {
                self.transfer.idle(name, "empty");
                None
            }
            Value::String(text) => Some(text),
            Value::Number(number) if self.lenient => Some(number.to_string()),
            Value::Bool(flag) if self.lenient => Some(flag.to_string()),
            _ => {
                self.transfer.fail(name, "must be a text (in quotes)");
                None
            }
        }
    }

    /// Takes true or false; `null` is the same as missing.
    fn flag(&mut self, name: &str) -> Option<bool> {
        match self.transfer.take(name)? {
            Value::Bool(flag) => Some(flag),
            Value::String(text) if self.lenient && text.parse::<bool>().is_ok() => {
                text.parse().ok()
            }
            _ => {
                self.transfer.fail(name, "must be true or false");
                None
            }
        }
    }

    fn note_mapped(&mut self, is_there: bool, name: &str, key: &str) {
        if is_there {
            self.transfer.mapped(name, key, "");
        }
    }

    /// Notes that an option that was taken changes nothing, there and here.
    fn ineffective(&mut self, name: &str, why: &'static str) {
        self.transfer.idle(name, why);
        self.ineffective.push((name.to_owned(), why));
    }

    /// True for a cluster. RudderStack takes a `clusterMode` that is missing or null for true, and
    /// so any other value that is not a flag, should its own check let it pass.
    fn is_cluster(&mut self) -> bool {
        let name = self.name("clusterMode");
        match self.transfer.take(&name) {
            Some(Value::Bool(is_cluster)) => {
                self.transfer.mapped(&name, "redis.mode", "");
                return is_cluster;
            }
            Some(_) if self.lenient => {
                let why = "RudderStack takes all but false for true";
                self.transfer.mapped(&name, "redis.mode", why);
            }
            Some(_) => self.transfer.fail(&name, "must be true or false"),
            None => {
                let why = "clusterMode is missing, which RudderStack takes for true";
                self.transfer.defaulted("redis.mode = \"cluster\"", why);
            }
        }
        true
    }

    fn servers(&mut self, is_cluster: bool) -> Vec<ServerAddress> {
        let text = match self.transfer.take("address") {
            Some(Value::String(text)) if !text.trim().is_empty() => text,
            Some(Value::String(_)) | None => {
                self.transfer.fail("address", "is missing: set it to host:port");
                return Vec::new();
            }
            Some(_) => {
                self.transfer.fail("address", "must be a text (in quotes)");
                return Vec::new();
            }
        };
        if !is_cluster && text.contains(',') {
            let why = "lists several servers, but clusterMode is false: keep one";
            self.transfer.fail("address", why);
            return Vec::new();
        }
        let mut servers = Vec::new();
        for server in text.split(',').map(str::trim) {
            match ServerAddress::parse(server, None) {
                Ok(server) => servers.push(server),
                Err(why) => {
                    let server = quotable(server);
                    self.transfer.fail("address", format_args!("is {server:?}, which {why}"));
                    return Vec::new();
                }
            }
        }
        let key = if is_cluster { "redis.nodes" } else { "redis.url" };
        self.transfer.mapped("address", key, "");
        servers
    }

    fn no_database(&mut self) -> Option<u32> {
        let why = "a cluster has only database 0";
        match self.text("database").as_deref() {
            None => {}
            Some("0") => self.transfer.idle("database", why),
            Some(_) => self.ineffective("database", why),
        }
        None
    }

    fn database(&mut self) -> Option<u32> {
        let number = self.text("database")?.parse().ok();
        self.note_mapped(number.is_some(), "database", "redis.database");
        if number.is_none() {
            self.ineffective("database", "no number: RudderStack takes it for 0");
        }
        number
    }

    fn prefix(&mut self) -> Option<String> {
        let text = self.text("prefix")?;
        if let Err(why) = parse_prefix(&text) {
            self.transfer.fail("prefix", format_args!("cannot be read: {why}"));
            return None;
        }
        if text.trim().is_empty() {
            self.transfer.idle("prefix", "empty");
            return None;
        }
        self.transfer.mapped("prefix", "redis.prefix", "");
        Some(text.trim().to_owned())
    }

    /// `secure`, `skipVerify` and `caCertificate`.
    fn tls(&mut self) -> (Option<bool>, Option<bool>, Option<String>) {
        let (skip_name, ca_name) = (self.name("skipVerify"), self.name("caCertificate"));
        let secure = self.flag("secure");
        self.note_mapped(secure.is_some(), "secure", "redis.tls.enabled");
        let (skip_verify, ca_certificate) = (self.flag(&skip_name), self.text(&ca_name));
        if secure == Some(true) {
            self.note_mapped(skip_verify.is_some(), &skip_name, "redis.tls.skip_verify");
            self.note_mapped(ca_certificate.is_some(), &ca_name, "redis.tls.ca_pem");
            return (secure, skip_verify, ca_certificate);
        }
        let why = "secure is not true";
        match skip_verify {
            None => {}
            Some(false) => self.transfer.idle(&skip_name, why),
            Some(true) => self.ineffective(&skip_name, why),
        }
        if ca_certificate.is_some() {
            self.ineffective(&ca_name, why);
        }
        (secure, None, None)
    }

    /// Whether documents are written.
    fn json(&mut self) -> bool {
        let name = self.name("useJSONModule");
        match self.flag(&name) {
            Some(true) => {
                let detail = "with profile.json_traits and profile.json_nulls as RudderStack has \
                    them";
                self.transfer.mapped(&name, "profile.store", detail);
                true
            }
            Some(false) => {
                self.transfer.idle(&name, "hashes are written");
                false
            }
            None => false,
        }
    }

    /// Options that set no key here.
    fn without_meaning(&mut self) {
        let consent = ["consentManagement", "oneTrustCookieCategories", "ketchConsentPurposes"];
        for name in consent.map(|name| self.name(name)) {
            self.transfer.later(&name, CONSENT);
        }
        for name in ["connectionMode", "useNativeSDK"].map(|name| self.name(name)) {
            self.transfer.skip(&name, "where RudderStack runs");
        }
    }
}

/// Whether an option with this note is one that this program does not know or cannot do yet.
pub(super) fn is_unused(kind: NoteKind) -> bool {
    matches!(kind, NoteKind::Unknown | NoteKind::NotYet)
}

/// `useJSONModule` is `use_json_module`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut upper_before = false;
    for (n, c) in name.char_indices() {
        let lower_behind =
            name[n + c.len_utf8()..].starts_with(|next: char| next.is_ascii_lowercase());
        if c.is_ascii_uppercase() && (!upper_before || lower_behind) {
            out.push('_');
        }
        upper_before = c.is_ascii_uppercase();
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_cli_are_the_snake_case_twins() {
        for (camel, snake) in [
            ("address", "address"),
            ("clusterMode", "cluster_mode"),
            ("useJSONModule", "use_json_module"),
            ("caCertificate", "ca_certificate"),
            ("skipVerify", "skip_verify"),
        ] {
            assert_eq!(snake_case(camel), snake);
        }
    }
}
