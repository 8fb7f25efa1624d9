//! One server among several, and the addresses that servers announce.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::engine::host::{host_name, host_port, split_port};
use crate::config::engine::quotable::quotable;
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::text_form;

/// Redis's own port.
pub(super) const PORT: u16 = 6379;

/// Longest name of a host, in bytes.
const LONGEST_HOST: usize = 255;

/// One server among several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Name or IP address, an IPv6 one without brackets.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&host_port(&self.host, Some(self.port)))
    }
}

impl Node {
    /// A server as another one announces it; `None` when `host` is not a host: then the text is
    /// neither connected to nor shown.
    pub fn announced(host: &str, port: u16) -> Option<Self> {
        let is_host = !host.is_empty()
            && host.len() <= LONGEST_HOST
            && host.chars().all(|c| c.is_alphanumeric() || "-_.:%[]".contains(c));
        is_host.then(|| Self { host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

/// `host:port`, or `host` alone.
#[derive(Debug, Clone)]
pub(super) struct NodeText((String, Option<u16>));

text_form!(NodeText, "node", "redis-1:6379", parse_node, print_node);

impl NodeText {
    /// The server; `port` is used where the text has none.
    pub(super) fn node(&self, port: u16) -> Node {
        let (host, own) = &self.0;
        Node { host: host.clone(), port: own.unwrap_or(port) }
    }
}

/// Reads `host:port`, or `host` alone.
///
/// # Errors
/// Says what is wrong with the text, which is quoted only as far as it cannot be a secret.
pub(crate) fn parse_node(text: &str) -> Result<(String, Option<u16>), String> {
    if text.contains("://") {
        return Err("a URL is written { url = \"redis://..\" }".to_owned());
    }
    let (host, port) = split_port(text).map_err(|error| format!("{:?} {error}", quotable(text)))?;
    Ok((host_name(host)?, port))
}

fn print_node((host, port): &(String, Option<u16>)) -> String {
    host_port(host, *port)
}

/// Addresses that servers announce, and where they are reached from here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatMap(BTreeMap<Node, Node>);

impl NatMap {
    /// `typed` is what stands in the table `key`.
    pub(super) fn resolve(
        key: &str,
        typed: &BTreeMap<String, NodeText>,
        report: &mut ConfigReport,
    ) -> Self {
        let mut pairs = BTreeMap::new();
        for (announced, reached) in typed {
            match parse_node(announced) {
                Ok(announced) => {
                    drop(pairs.insert(NodeText(announced).node(PORT), reached.node(PORT)))
                }
                Err(error) => report.error(&format!("{key}.{}", quotable(announced)), error),
            }
        }
        Self(pairs)
    }

    /// Where the server is reached that is announced as `node`.
    pub fn reached(&self, node: Node) -> Node {
        self.0.get(&node).cloned().unwrap_or(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_a_host_and_may_have_a_port() {
        let nodes = [
            ("a:1", "a", Some(1)),
            ("a", "a", None),
            ("[::1]:7", "::1", Some(7)),
            ("[::1]", "::1", None),
        ];
        for (text, host, port) in nodes {
            let node = parse_node(text).unwrap();
            assert_eq!((node.0.as_str(), node.1), (host, port), "{text}");
            assert_eq!(print_node(&node), text);
        }
        for text in ["", ":1", "a:0", "a:x", "redis://a:1", "a b:1"] {
            assert!(parse_node(text).is_err(), "{text}");
        }
    }
}
