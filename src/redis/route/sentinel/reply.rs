//! The replies of one sentinel about the master.

use std::collections::HashMap;

use redis::Value;

use crate::config::Node;
use crate::redis::{Class, Connection, QueryError, Trouble};

/// Which server a sentinel names as the master, and how new that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentinelReply {
    pub(super) node: Node,
    /// Rises with each failover that sentinels agree on; 0 when the reply has none.
    pub(super) epoch: u64,
}

/// Asks the sentinel at `node` for the master `name`.
///
/// SENTINEL MASTER has the epoch, and names the old master until the last replica follows the new
/// one; SENTINEL GET-MASTER-ADDR-BY-NAME names the new one as soon as it is promoted.
pub(super) async fn master(
    connection: &mut Connection,
    node: &str,
    name: &str,
) -> Result<SentinelReply, Trouble> {
    let mut packed = redis::cmd("SENTINEL").arg("MASTER").arg(name).get_packed_command();
    packed.extend(
        redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).get_packed_command(),
    );
    let mut replies = Vec::with_capacity(2);
    connection
        .exchange(&packed, 2, &mut replies)
        .await
        .map_err(|broken| at(node, broken.into()))?;
    let [details, address] = &replies[..] else { unreachable!("two commands have two replies") };
    match address {
        Value::Array(_) => {
            let node = address_in(address).ok_or_else(|| unreadable(node))?;
            Ok(SentinelReply { node, epoch: epoch_in(details).unwrap_or_default() })
        }
        Value::Nil => Err(trouble(
            Class::Config,
            "NONE",
            format!(
                "sentinel {node} knows no master {name:?} (redis.sentinel.master); `redis-cli -p \
                 PORT SENTINEL MASTERS` lists those it knows"
            ),
        )),
        Value::ServerError(error) if error.code() == "ERR" => Err(trouble(
            Class::Config,
            "ERR",
            format!(
                "sentinel {node} is no sentinel (redis.sentinel.nodes): their own port is 26379"
            ),
        )),
        Value::ServerError(error) => Err(at(node, connection.trouble(error))),
        _ => Err(unreadable(node)),
    }
}

/// The replicas that the sentinel at `node` knows of the master `name`. Redis Enterprise's
/// discovery service, like sentinels before Redis 5, knows them by their former name only.
pub(super) async fn replicas(
    connection: &mut Connection,
    node: &str,
    name: &str,
) -> Result<Vec<Node>, Trouble> {
    let mut reply = connection.query(redis::cmd("SENTINEL").arg("REPLICAS").arg(name)).await;
    if matches!(&reply, Err(QueryError::Reply(trouble)) if trouble.code == "ERR") {
        let former = connection.query(redis::cmd("SENTINEL").arg("SLAVES").arg(name)).await;
        // An error in both names the first.
        reply = former.or(reply);
    }
    replicas_in(reply.map_err(|error| at(node, error.into()))?).ok_or_else(|| unreadable(node))
}

/// A list of `[name, value, name, value, ..]`.
fn replicas_in(reply: Value) -> Option<Vec<Node>> {
    let replicas: Vec<HashMap<String, String>> = redis::from_redis_value(reply).ok()?;
    replicas
        .iter()
        .map(|replica| Node::announced(replica.get("ip")?, replica.get("port")?.parse().ok()?))
        .collect()
}

/// `[host, port]`
fn address_in(reply: &Value) -> Option<Node> {
    let (host, port): (String, String) = redis::from_redis_value(reply.clone()).ok()?;
    Node::announced(&host, port.parse().ok()?)
}

/// The epoch in `[name, value, name, value, ..]`.
fn epoch_in(reply: &Value) -> Option<u64> {
    let fields: Vec<String> = redis::from_redis_value(reply.clone()).ok()?;
    let (pairs, _) = fields.as_chunks();
    pairs.iter().find(|[name, _]| name == "config-epoch").and_then(|[_, epoch]| epoch.parse().ok())
}

fn at(node: &str, trouble: Trouble) -> Trouble {
    Trouble { message: format!("sentinel {node}: {}", trouble.message), ..trouble }
}

fn unreadable(node: &str) -> Trouble {
    Trouble::rediscover(format!("sentinel {node}: the answer is not a sentinel's"))
}

fn trouble(class: Class, code: &str, message: String) -> Trouble {
    Trouble { class, code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::arbitrary::any_value;

    fn on(port: u16) -> Node {
        Node { host: "h".into(), port }
    }

    #[test]
    fn replies_are_read() {
        let text = |text: &str| Value::BulkString(text.into());
        assert_eq!(address_in(&Value::Array(vec![text("h"), text("7")])), Some(on(7)));
        assert_eq!(address_in(&Value::Array(vec![text("h"), text("x")])), None);
        let details = ["name", "m", "config-epoch", "12", "odd"].map(text);
        assert_eq!(epoch_in(&Value::Array(details.into())), Some(12));
        assert_eq!(epoch_in(&Value::Nil), None);
    }

    proptest! {
        #[test]
        fn whatever_a_sentinel_answers_is_read_or_refused(value in any_value()) {
            let _ = (address_in(&value), epoch_in(&value), replicas_in(value.clone()));
            let _ = replicas_in(Value::Array(vec![value]));
        }
    }
}
