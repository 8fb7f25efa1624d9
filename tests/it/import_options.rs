//! `config import` prints one line for each option of another system's file: the converted setting,
//! or the reason why there is none.

use crate::import::{cases, expected};

/// `tests/import` contains every option that these systems have for Redis, and each option has
/// exactly one line in each case.
#[test]
fn no_option_is_left_without_a_line() {
    const OXD: &str = "storage redisProviderType servers password sentinelMasterGroupName useSSL \
        sslTrustStoreFilePath sslTrustStorePassword sslKeyStoreFilePath sslKeyStorePassword \
        maxIdleConnections maxTotalConnections connectionTimeout soTimeout maxRetryAttempts \
        defaultPutExpiration";
    const STALWART: &str = "@type url urls timeout authUsername authSecret maxRetries maxRetryWait \
        minRetryWait readFromReplicas protocolVersion serviceName sentinelUsername sentinelSecret \
        poolMaxConnections poolTimeoutCreate poolTimeoutWait poolTimeoutRecycle redis-type user \
        password retry.total retry.max-wait retry.min-wait read-from-replicas protocol-version \
        pool.max-connections pool.create-timeout pool.wait-timeout pool.recycle-timeout";
    const REDWOOD: &str = "provider memurai.path password master replicas \
        deployment.dependencies.redis.values.replica.replicaCount \
        deployment.dependencies.redis.values.master.persistence.enabled \
        deployment.dependencies.redis.values.replica.persistence.enabled";
    const RUDDERSTACK: &str = "address password database prefix clusterMode cluster_mode secure \
        skipVerify skip_verify caCertificate ca_certificate useJSONModule use_json_module \
        consentManagement|consent_management oneTrustCookieCategories ketchConsentPurposes \
        connectionMode connection_mode useNativeSDK";
    const DEEPSTREAM: &str = "host port serverName password db ttl tls url nodes maxRedirections \
        redisOptions.username redisOptions.password redisOptions.db redisOptions.tls path family \
        username connectTimeout disconnectTimeout commandTimeout keepAlive noDelay connectionName \
        keyPrefix readOnly lazyConnect maxRetriesPerRequest maxLoadingRetryTime enableOfflineQueue \
        enableReadyCheck autoResubscribe autoResendUnfulfilledCommands stringNumbers \
        enableAutoPipelining autoPipeliningIgnoredCommands maxScriptsCachingTime \
        showFriendlyErrorStack dropBufferSupport sentinels name role preferredSlaves \
        sentinelUsername sentinelPassword enableTLSForSentinelMode sentinelTLS \
        sentinelCommandTimeout sentinelMaxConnections updateSentinels failoverDetector natMap \
        scaleReads retryDelayOnFailover retryDelayOnClusterDown retryDelayOnTryAgain \
        retryDelayOnMoved slotsRefreshTimeout slotsRefreshInterval useSRVRecords tls.ca tls.cert \
        tls.key tls.passphrase tls.pfx tls.servername tls.rejectUnauthorized tls.minVersion \
        tls.maxVersion tls.ciphers";
    for (system, options) in [
        ("oxd", OXD),
        ("stalwart", STALWART),
        ("redwood", REDWOOD),
        ("rudderstack", RUDDERSTACK),
        ("deepstream", DEEPSTREAM),
    ] {
        let mut seen = Vec::new();
        for case in cases(system) {
            let said = expected(&case, "err");
            let mut subjects: Vec<_> = said.lines().flat_map(subjects).collect();
            subjects.sort_unstable();
            for pair in subjects.windows(2) {
                assert_ne!(pair[0], pair[1], "{} has two lines", case.display());
            }
            seen.extend(subjects.into_iter().map(str::to_owned));
        }
        for option in options.split_whitespace() {
            let names: Vec<_> = option.split('|').collect();
            assert!(
                seen.iter().any(|seen| names.contains(&seen.as_str())),
                "{system}: {option} has no line anywhere"
            );
        }
    }
}

/// The options that a line names.
fn subjects(line: &str) -> Vec<&str> {
    if line.starts_with("no meaning here: all outside ") {
        return Vec::new();
    }
    let kinds =
        ["mapped: ", "no meaning here: ", "not there yet: ", "unknown: ", "cannot be converted: "];
    let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else {
        return Vec::new();
    };
    let end = [" -> ", " ("].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    rest[..end].split(", ").collect()
}
