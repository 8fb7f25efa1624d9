//! `[redis]` as it is typed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::RawCluster;
use super::durability::RawDurability;
use super::embedded::RawEmbedded;
use super::handshake::Handshake;
use super::local::RawLocal;
use super::mode::ModeName;
use super::nodes::RawNode;
use super::replicas::RawReplicas;
use super::sentinel::RawSentinel;
use super::url::UrlText;
use crate::config::engine::units::{Secret, Span};
use crate::config::sections::tls::RawTls;
use crate::profile::KeyTemplate;

/// Where profiles are written: by default the hash `[prefix:]user:<id>`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRedis {
    pub(super) mode: ModeName,
    /// One server: `redis://`, `rediss://` (TLS), `valkey://`, `valkeys://` or
    /// `unix:///path?db=0`. The keys host, port, username, password and database say the same.
    #[schemars(example = &"redis://127.0.0.1:6379/0")]
    pub(super) url: Option<UrlText>,
    /// Several servers, one or more of a cluster, or all shards: `"host:port"`, or tables
    /// `{ url = ".." }` or `{ host, port, username, password, password_file, database }` for what
    /// is a server's own.
    #[schemars(example = ["redis-1:6379"])]
    pub(super) nodes: Option<Vec<RawNode>>,
    /// Name or IP address. Default: 127.0.0.1.
    pub(super) host: Option<String>,
    /// Port. Default: 6379.
    #[schemars(range(min = 1, max = 65535), example = 6379)]
    pub(super) port: Option<u16>,
    /// User of Redis's access control list.
    pub(super) username: Option<String>,
    /// The user's password, or the one that all clients share.
    pub(super) password: Option<Secret>,
    /// A file that holds the password; read again for each new connection.
    pub(super) password_file: Option<PathBuf>,
    /// A program and its arguments, run without a shell for each new connection; it prints the
    /// password.
    pub(super) password_command: Option<Vec<String>>,
    /// Number of the database. Default: 0.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) database: Option<u32>,
    /// Prefix of the keys, which are `[prefix:]user:<id>`. Blanks around it are left out. Each
    /// event chooses its own with `{{ event.context.tenant || DEFAULT }}`: what it says there is
    /// the prefix, and no part of the profile.
    pub(super) prefix: Option<String>,
    /// The keys of users: text, `{prefix}` (the prefix and a colon, or nothing), and `{userId}`
    /// exactly once, with text before it. Doubled braces are braces: `{prefix}user:{{{userId}}}`
    /// makes `user:{u1}`.
    pub(super) key: String,
    /// The keys of groups, such as `{prefix}group:{groupId}`: `group` calls write their traits
    /// there. Without it they are skipped.
    #[schemars(example = &"{prefix}group:{groupId}")]
    pub(super) group_key: Option<String>,
    /// The connections' name in CLIENT LIST; empty: none is set.
    #[schemars(extend("x-form" = "or_empty"))]
    pub(super) client_name: String,
    /// Commands that are sent to a server besides writes.
    pub(super) handshake: Handshake,
    /// 2 for RESP2, or 3 for RESP3, which begins with HELLO and needs Redis 6; the hashes are the
    /// same. Default: 2, or what the URL says.
    #[schemars(range(min = 2, max = 3), example = 2)]
    pub(super) protocol: Option<u8>,
    /// How long connecting may take, with TLS and login.
    pub(super) connect_timeout: Span,
    /// No reply at all for this long: the connection is made anew.
    pub(super) response_timeout: Span,
    /// TCP: silence before the server is asked whether it is still there; 0s: never. Default: 15s.
    #[schemars(example = &"15s")]
    pub(super) keepalive: Option<Span>,
    /// TCP on Linux: how long sent bytes may stay unconfirmed; 0s: as the system has it. Default:
    /// 10s.
    #[schemars(example = &"10s")]
    pub(super) user_timeout: Option<Span>,
    /// With a cluster and with sentinels: `check` reads profiles from replicas, too. The worker
    /// itself only writes.
    pub(super) read_from_replicas: Option<bool>,
    pub(super) tls: RawTls,
    pub(super) durability: Option<RawDurability>,
    pub(super) cluster: Option<RawCluster>,
    pub(super) sentinel: Option<RawSentinel>,
    pub(super) replicas: Option<RawReplicas>,
    pub(super) embedded: Option<RawEmbedded>,
    pub(super) local: Option<RawLocal>,
}

impl Default for RawRedis {
    fn default() -> Self {
        Self {
            mode: ModeName::default(),
            url: None,
            nodes: None,
            host: None,
            port: None,
            username: None,
            password: None,
            password_file: None,
            password_command: None,
            database: None,
            prefix: None,
            key: KeyTemplate::DEFAULT.into(),
            group_key: None,
            client_name: "traitsink".into(),
            handshake: Handshake::default(),
            protocol: None,
            connect_timeout: Span::secs(5),
            response_timeout: Span::secs(2),
            keepalive: None,
            user_timeout: None,
            read_from_replicas: None,
            tls: RawTls::default(),
            durability: None,
            cluster: None,
            sentinel: None,
            replicas: None,
            embedded: None,
            local: None,
        }
    }
}
