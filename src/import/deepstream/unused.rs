//! Options of ioredis 4 that change nothing here, and which options belong together.

/// Options of every connection, with why they change nothing.
pub(super) const CONNECTION: [(&str, &str); 17] = [
    ("serverName", "deepstream only documents it; tls.servername is what counts"),
    ("family", "addresses of both families are used"),
    ("disconnectTimeout", "nothing waits for a connection to close"),
    ("noDelay", "always on"),
    ("readOnly", "no profile is ever read"),
    ("lazyConnect", "connections are made at the start"),
    ("maxLoadingRetryTime", "a server that is loading is waited for"),
    ("enableOfflineQueue", "without a connection, events wait at their source"),
    ("enableReadyCheck", "a server that is loading is waited for"),
    ("autoResubscribe", "there are no subscriptions"),
    ("autoResendUnfulfilledCommands", "what was not confirmed is always sent again"),
    ("stringNumbers", "no numbers are read"),
    ("enableAutoPipelining", "writes are always pipelined"),
    ("autoPipeliningIgnoredCommands", "writes are always pipelined"),
    ("maxScriptsCachingTime", "there are no scripts"),
    ("showFriendlyErrorStack", "of JavaScript"),
    ("dropBufferSupport", "of JavaScript"),
];

const RETRY: &str = "delivery.retry_min and retry_max hold for every retry";

/// Options of a cluster, with why they change nothing.
pub(super) const CLUSTER: [(&str, &str); 5] = [
    ("retryDelayOnFailover", RETRY),
    ("retryDelayOnClusterDown", RETRY),
    ("retryDelayOnTryAgain", RETRY),
    ("retryDelayOnMoved", RETRY),
    ("slotsRefreshTimeout", "redis.response_timeout holds"),
];

/// Options of Sentinel, with why they change nothing.
pub(super) const SENTINEL: [(&str, &str); 6] = [
    ("role", "the master is written to"),
    ("preferredSlaves", "the master is written to"),
    ("sentinelCommandTimeout", "redis.response_timeout holds for sentinels too"),
    ("sentinelMaxConnections", "not an option"),
    ("updateSentinels", "sentinels are those of redis.sentinel.nodes"),
    ("failoverDetector", "a failover is always listened for"),
];

/// Options that only a cluster uses.
pub(super) const CLUSTER_ONLY: [&str; 10] = [
    "maxRedirections",
    "redisOptions",
    "retryDelayOnClusterDown",
    "retryDelayOnFailover",
    "retryDelayOnMoved",
    "retryDelayOnTryAgain",
    "scaleReads",
    "slotsRefreshInterval",
    "slotsRefreshTimeout",
    "useSRVRecords",
];

/// Options that only Sentinel uses.
pub(super) const SENTINEL_ONLY: [&str; 12] = [
    "enableTLSForSentinelMode",
    "failoverDetector",
    "name",
    "preferredSlaves",
    "role",
    "sentinelCommandTimeout",
    "sentinelMaxConnections",
    "sentinelPassword",
    "sentinelTLS",
    "sentinelUsername",
    "sentinels",
    "updateSentinels",
];

/// Options that a cluster ignores unless they are inside `redisOptions`.
pub(super) const OF_ONE_SERVER: [&str; 12] = [
    "commandTimeout",
    "connectTimeout",
    "connectionName",
    "db",
    "host",
    "keepAlive",
    "password",
    "path",
    "port",
    "tls",
    "url",
    "username",
];
