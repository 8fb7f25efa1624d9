//! RudderStack's Redis destination: `config` alone, the destination around it, or Rudder CLI's
//! YAML.

use serde_json::{Map, Value};

use crate::config::rudderstack::snake_case;

use super::address::{Node, list};
use super::draft::Import;
use super::syntax::Variables;
use super::transfer::Transfer;

const CONSENT: &str = "filtering by consent";

pub(super) fn convert(
    mut root: Map<String, Value>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Import, String> {
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
        Some(_) => return Err("\"config\" is no table of settings".into()),
        None => (root, Vec::new()),
    };
    if !settings.contains_key("address") {
        return Err("has no \"address\": it is no Redis destination".into());
    }
    let mut destination = Destination(Transfer::new(settings));
    destination.0.outside("config", &outside);
    destination.0.fill_in(&Variables { open: "{{", mark: ".", close: "}}", value: variable });
    destination.convert();
    Ok(destination.0.finish())
}

struct Destination(Transfer);

impl Destination {
    /// The name as it is typed: Rudder CLI writes `cluster_mode` for `clusterMode`.
    fn name(&self, name: &str) -> String {
        let snake = snake_case(name);
        if self.0.has(&snake) { snake } else { name.to_owned() }
    }

    fn convert(&mut self) {
        let is_cluster = self.mode();
        self.address(is_cluster);
        self.0.map_secret("password", "redis.password");
        if is_cluster {
            self.0.skip("database", "a cluster has only database 0");
        } else {
            self.database();
        }
        self.prefix();
        self.tls();
        let json = self.name("useJSONModule");
        match self.0.flag(&json) {
            Some(true) => self
                .0
                .fail(&json, "JSON documents are not there yet; set it to false to write hashes"),
            Some(false) => self.0.idle(&json, "hashes are written"),
            None => (),
        }
        let consent = ["consentManagement", "oneTrustCookieCategories", "ketchConsentPurposes"];
        for name in consent.map(|name| self.name(name)) {
            self.0.later(&name, CONSENT);
        }
        for name in ["connectionMode", "useNativeSDK"].map(|name| self.name(name)) {
            self.0.skip(&name, "where RudderStack runs");
        }
    }

    /// Whether it is a cluster: it is one unless the settings say no.
    fn mode(&mut self) -> bool {
        let name = self.name("clusterMode");
        let typed = self.0.take(&name);
        let is_cluster = typed != Some(Value::Bool(false));
        let mode = if is_cluster { "cluster" } else { "standalone" };
        match typed {
            None => self.0.draft.set_default(
                "redis.mode",
                mode,
                "clusterMode is missing, which RudderStack takes for true",
            ),
            Some(Value::Bool(_)) => self.0.map(&name, "redis.mode", mode),
            Some(_) => {
                self.0.draft.set("redis.mode", mode);
                self.0.mapped(&name, "redis.mode", "RudderStack takes all but false for true");
            }
        }
        is_cluster
    }

    fn address(&mut self, is_cluster: bool) {
        let Some(text) = self.0.text("address") else { return };
        if !is_cluster && text.contains(',') {
            return self
                .0
                .fail("address", "lists several servers, but clusterMode is false; keep one");
        }
        let Some(nodes) = self.0.or_fail("address", Node::parse_list(&text)) else { return };
        if is_cluster {
            self.0.map("address", "redis.nodes", list(&nodes));
        } else {
            self.0.map("address", "redis.url", nodes[0].url());
        }
    }

    fn database(&mut self) {
        let Some(text) = self.0.text("database") else { return };
        match text.parse::<u32>() {
            Ok(number) => self.0.map("database", "redis.database", i64::from(number)),
            Err(_) => self.0.idle("database", "no number: RudderStack takes it for 0"),
        }
    }

    fn prefix(&mut self) {
        match self.0.text("prefix") {
            Some(text) if text.contains("{{") => {
                self.0.fail(
                    "prefix",
                    "is a template, and templates are not there yet; write a fixed prefix",
                );
            }
            Some(text) => self.0.map("prefix", "redis.prefix", text.trim()),
            None => (),
        }
    }

    fn tls(&mut self) {
        let (skip_verify, ca) = (self.name("skipVerify"), self.name("caCertificate"));
        let secure = self.0.flag("secure");
        if let Some(secure) = secure {
            self.0.map("secure", "redis.tls.enabled", secure);
        }
        if secure != Some(true) {
            return self
                .0
                .skip_all(&[(&skip_verify, "secure is not true"), (&ca, "secure is not true")]);
        }
        if let Some(skip) = self.0.flag(&skip_verify) {
            self.0.map(&skip_verify, "redis.tls.skip_verify", skip);
        }
        self.0.map_text(&ca, "redis.tls.ca_pem");
    }
}
