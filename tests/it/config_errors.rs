//! The exact errors of the configuration, and secrets that errors never show.

use proptest::prelude::*;
use traitsink::config::schema;

use crate::config::{leaves, set};

#[test]
fn one_mistake_has_one_exact_error() {
    for (line, error) in [
        // Unknown keys and wrong types.
        ("redis.ulr=x", "redis.ulr (--set): unknown key; the nearest known key is redis.url"),
        (
            "redis.nodes=[\"a\"]",
            "redis.nodes (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.cluster.refresh=1s",
            "redis.cluster.refresh (--set): has no effect with redis.mode = \"standalone\"",
        ),
        ("redis.mode=cluster", "redis.nodes: name at least one node of the cluster"),
        (
            "http.sources=[{key=\"k\", write_key=\"l\"}]",
            "http.sources[0].key (--set): unknown key; the nearest known key is \
             http.sources[].write_key",
        ),
        (
            "redis.mode=ring",
            "redis.mode (--set): \"ring\" is not known; known are: standalone, cluster, sentinel, \
             sharded, primary_replicas, embedded, local",
        ),
        (
            "dead_letter.to=tape",
            "dead_letter.to (--set): \"tape\" is not known; known are: file, kafka, log, discard",
        ),
        (
            "redis.tls=true",
            "redis.tls (--set): expected a table, found true or false without quotes",
        ),
        ("redis.tls.enabled=yes", "redis.tls.enabled (--set): \"yes\" is not true or false"),
        ("delivery.lanes=1.5", "delivery.lanes (--set): 1.5 is not a whole number from 1 to 1024"),
        ("delivery.lanes=four", "delivery.lanes (--set): \"four\" is not a whole number"),
        ("redis.prefix=[1]", "redis.prefix (--set): expected a text (in quotes), found a list"),
        // Forms and ranges.
        ("http.wait=5", "http.wait (--set): \"5\" has no unit: write \"5s\" or \"5ms\""),
        ("http.wait=0s", "http.wait (--set): must be longer than 0s"),
        (
            "http.max_body=8",
            "http.max_body (--set): \"8\" has no unit: write \"8B\", \"8KiB\" or \"8MiB\"",
        ),
        (
            "admin.listen=localhost",
            "admin.listen (--set): \"localhost\" is not an IP address and a port such \
             as \"127.0.0.1:8080\" or \"[::]:8080\"",
        ),
        (
            "admin.profile_lookup=true",
            "admin.profile_lookup (--set): needs admin.token_file: without a token anyone who \
             reaches the admin listener could read profiles",
        ),
        ("delivery.lanes=0", "delivery.lanes (--set): 0 is not a whole number from 1 to 1024"),
        (
            "delivery.lanes=1025",
            "delivery.lanes (--set): 1025 is not a whole number from 1 to 1024",
        ),
        (
            "delivery.max_batch=0",
            "delivery.max_batch (--set): 0 is not a whole number from 1 to 100000",
        ),
        (
            "transform.max_depth=1001",
            "transform.max_depth (--set): 1001 is not a whole number from 1 to 1000",
        ),
        ("redis.port=0", "redis.port (--set): 0 is not a whole number from 1 to 65535"),
        ("redis.url=h:6379", "redis.url (--set): is not a URL such as redis://127.0.0.1:6379/0"),
        (
            "redis.host=h:1",
            "redis.host (--set): has a host that is neither a name nor an address; the port \
             has a key of its own",
        ),
        (
            "redis.client_name=a b",
            "redis.client_name (--set): Redis takes no blanks, line ends or letters beyond ASCII \
             in a client's name",
        ),
        // Rules between keys.
        (
            "delivery.retry_min=6s",
            "delivery.retry_min (--set): 6s is more than 5s, which is delivery.retry_max",
        ),
        (
            "http.max_body=33MiB",
            "http.max_body (--set): 33MiB is more than 32MiB, which is delivery.max_in_flight",
        ),
        (
            "transform.max_event=1GiB",
            "transform.max_event (--set): 1GiB is more than 32MiB, which is delivery.max_in_flight",
        ),
        (
            "transform.max_update=17MiB",
            "transform.max_update (--set): 17MiB is more than 16MiB, which is half of \
             delivery.max_in_flight",
        ),
        ("delivery.max_in_flight=4GiB", "delivery.max_in_flight (--set): must be less than 4GiB"),
        (
            "admin.listen=127.0.0.1:8080",
            "admin.listen (--set): 127.0.0.1:8080 is taken by http.listen",
        ),
        (
            "redis.tls.enabled=true redis.tls.cert_file=c",
            "redis.tls.cert_file (--set): needs redis.tls.key_file beside it",
        ),
        (
            "redis.tls.enabled=true redis.tls.ca_file=c redis.tls.ca_pem=p",
            "redis.tls.ca_file (--set): given beside redis.tls.ca_pem (--set): give one",
        ),
        (
            "redis.url=rediss://h redis.tls.enabled=false",
            "redis.tls.enabled (--set): is false, but redis.url (--set) says rediss://: give one",
        ),
        (
            "redis.url=rediss://h#insecure redis.tls.skip_verify=false",
            "redis.tls.skip_verify (--set): is false, but redis.url (--set) ends in #insecure: \
             give one",
        ),
        (
            "redis.url=redis://a redis.host=b",
            "redis.url (--set): its host is \"a\", but redis.host (--set) is \"b\": give one",
        ),
        (
            "redis.url=redis://a?protocol=resp3 redis.protocol=2",
            "redis.url (--set): its protocol is Resp3, but redis.protocol (--set) is Resp2: give \
             one",
        ),
        ("redis.mode=cluster redis.nodes=a,", "redis.nodes[1] (--set): has no host"),
        ("redis.protocol=4", "redis.protocol (--set): 4 is not a whole number from 2 to 3"),
        (
            "redis.mode=cluster redis.nodes=[{url=\"redis://a?protocol=resp3\"}]",
            "redis.nodes[0] (--set): all nodes are spoken to alike: set redis.protocol instead of \
             ?protocol",
        ),
        (
            "redis.url=redis://a:1 redis.port=2",
            "redis.url (--set): its port is 1, but redis.port (--set) is 2: give one",
        ),
        (
            "redis.url=redis://a/1 redis.database=2",
            "redis.url (--set): its database is 1, but redis.database (--set) is 2: give one",
        ),
        (
            "redis.url=redis://u:p@a redis.username=v",
            "redis.url (--set): its user name is \"u\", but redis.username (--set) is \"v\": give \
             one",
        ),
        (
            "redis.url=redis://:p@a redis.password=q",
            "redis.url (--set): its password differs from redis.password (--set): give one",
        ),
        (
            "redis.username=u",
            "redis.username (--set): a user name has no effect without a password; a password \
             alone is written redis://:PASSWORD@host",
        ),
        (
            "redis.username=u redis.password_file=/no/file",
            "redis.password_file (--set): /no/file cannot be read: No such file or directory (os \
             error 2)",
        ),
        (
            "redis.password_command=a redis.password=p redis.url=redis://u@h",
            "redis.password_command (--set): given beside redis.password (--set): give one",
        ),
        (
            "redis.password_command=a redis.password_file=/f",
            "redis.password_command (--set): given beside redis.password_file (--set): give one",
        ),
        (
            "redis.password_command=a redis.url=redis://:p@h",
            "redis.password_command (--set): given beside the password in redis.url (--set): give \
             one",
        ),
        (
            "redis.password_command=[\"\"]",
            "redis.password_command (--set): its first word names the program to run, and is empty",
        ),
        (
            "redis.password_command=[1]",
            "redis.password_command[0] (--set): expected a text (in quotes), found a number",
        ),
        ("redis.keepalive=500ms", "redis.keepalive (--set): must be from 1s to 9h, or 0s for none"),
        ("redis.keepalive=10h", "redis.keepalive (--set): must be from 1s to 9h, or 0s for none"),
        (
            "redis.user_timeout=100us",
            "redis.user_timeout (--set): must be at least 1ms, or 0s for the system's own",
        ),
        // Modes.
        ("redis.mode=sharded", "redis.nodes: name the shards, at least one"),
        (
            "redis.mode=sharded redis.nodes=a,b,c delivery.lanes=2",
            "delivery.lanes (--set): 2 are too few for 3 shards: each needs one of its own",
        ),
        (
            "redis.mode=primary_replicas redis.url=redis://a",
            "redis.replicas.nodes: name at least one replica, or set redis.mode = \"standalone\"",
        ),
        (
            "redis.mode=primary_replicas redis.url=redis://a/1 \
             redis.replicas.nodes=[{host=\"b\",database=2}]",
            "redis.replicas.nodes[0] (--set): a replica has the primary's databases, and that is 1",
        ),
        (
            "redis.mode=local admin.listen=127.0.0.1:7 redis.local.port=7",
            "admin.listen (--set): 127.0.0.1:7 is taken by redis.local.port (--set)",
        ),
        // Keys without effect in the chosen mode.
        (
            "redis.mode=sharded redis.nodes=a redis.port=1",
            "redis.port (--set): has no effect with redis.mode = \"sharded\"",
        ),
        (
            "redis.mode=local redis.url=redis://h",
            "redis.url (--set): has no effect with redis.mode = \"local\"",
        ),
        (
            "redis.mode=local redis.tls.enabled=true",
            "redis.tls.enabled (--set): has no effect with redis.mode = \"local\"",
        ),
        (
            "redis.local.port=1",
            "redis.local.port (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.replicas.nodes=a",
            "redis.replicas.nodes (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.read_from_replicas=true",
            "redis.read_from_replicas (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.mode=embedded redis.password_command=a",
            "redis.password_command (--set): has no effect with redis.mode = \"embedded\"",
        ),
        (
            "redis.url=unix:///s redis.keepalive=1s",
            "redis.keepalive (--set): has no effect beside the unix socket of redis.url",
        ),
        (
            "redis.url=unix:///s redis.user_timeout=1s",
            "redis.user_timeout (--set): has no effect beside the unix socket of redis.url",
        ),
        (
            "redis.mode=embedded redis.url=redis://h",
            "redis.url (--set): has no effect with redis.mode = \"embedded\"",
        ),
        (
            "redis.sentinel.master=m",
            "redis.sentinel.master (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.mode=sentinel redis.sentinel.master=m redis.sentinel.nodes=s \
             redis.url=redis://h",
            "redis.url (--set): has no effect with redis.mode = \"sentinel\"",
        ),
        (
            "redis.mode=sentinel redis.sentinel.nodes=s",
            "redis.sentinel.master: name the master as the sentinels do (`sentinel monitor NAME \
             ..`)",
        ),
        (
            "redis.mode=sentinel redis.sentinel.master=m",
            "redis.sentinel.nodes: name at least one sentinel",
        ),
        (
            "redis.durability.wait_timeout=1s",
            "redis.durability.wait_timeout (--set): has no effect without \
             redis.durability.wait_replicas",
        ),
        (
            "redis.durability.wait_replicas=1 redis.durability.wait_timeout=2s",
            "redis.durability.wait_timeout (--set): must be less than redis.response_timeout, \
             which is 2s",
        ),
        (
            "redis.mode=embedded redis.durability.wait_replicas=1",
            "redis.durability.wait_replicas (--set): has no effect with redis.mode = \"embedded\"",
        ),
        (
            "redis.mode=embedded redis.tls.ca_file=c",
            "redis.tls.ca_file (--set): has no effect with redis.mode = \"embedded\"",
        ),
        (
            "redis.embedded.listen=127.0.0.1:1",
            "redis.embedded.listen (--set): has no effect with redis.mode = \"standalone\"",
        ),
        (
            "redis.mode=embedded redis.embedded.listen=0.0.0.0:1",
            "redis.embedded.listen (--set): 0.0.0.0:1 is not a loopback address: it has no access \
             control",
        ),
        (
            "redis.tls.skip_verify=true",
            "redis.tls.skip_verify (--set): has no effect without TLS: set redis.tls.enabled = \
             true or write rediss://",
        ),
        (
            "redis.url=unix:///s redis.tls.enabled=true",
            "redis.tls.enabled (--set): has no effect on a unix socket",
        ),
        (
            "redis.url=unix:///s redis.port=1",
            "redis.port (--set): has no effect beside the unix socket of redis.url",
        ),
        (
            "dead_letter.to=discard dead_letter.path=p",
            "dead_letter.path (--set): has no effect with dead_letter.to = \"discard\"",
        ),
        // Prefixes and write keys.
        ("http.write_keys=k,k", "http.write_keys[1] (--set): this write key is there twice"),
        (
            "http.write_keys=k http.sources=[{write_key=\"k\"}]",
            "http.sources[0].write_key (--set): this write key is there twice",
        ),
        ("http.write_keys=[\"\"]", "http.write_keys[0] (--set): a write key is blank"),
        (
            "http.write_keys=a:b",
            "http.write_keys[0] (--set): a write key holds a \":\", which ends the user name in \
             Basic authentication: it could never match",
        ),
        (
            "http.sources=[{name=\"n\"}]",
            "http.sources[0] (--set): needs a write_key or a write_key_file",
        ),
        (
            "http.sources=[{write_key=\"k\",write_key_file=\"f\"}]",
            "http.sources[0].write_key (--set): given beside http.sources[0].write_key_file \
             (--set): give one",
        ),
        (
            "http.listen=0.0.0.0:80",
            "http.listen (--set): without a write key anyone who reaches 0.0.0.0:80 could write: \
             set http.write_keys or [[http.sources]], or listen on 127.0.0.1",
        ),
    ] {
        // `a b` is one value; ` name.name=` starts the next flag.
        let mut flags: Vec<String> = Vec::new();
        for word in line.split(' ') {
            match flags.last_mut() {
                Some(last) if !word.split('=').next().unwrap().contains('.') => {
                    *last = format!("{last} {word}")
                }
                _ => flags.push(word.into()),
            }
        }
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        assert_eq!(set(&flags).map(|loaded| loaded.to_toml()).unwrap_err(), [error], "{line}");
    }
}

proptest! {
    /// Any text for any key is an error or a configuration, and is never printed if the key takes a
    /// secret.
    #[test]
    fn no_text_panics_or_leaks(key in 0usize..200, text in "[ -~]{0,12}", wrap in 0usize..6) {
        let mut keys = Vec::new();
        leaves(&schema(), String::new(), &mut keys);
        let key = &keys[key % keys.len()];
        let ends =
            ["password", "url", "ca_pem", "write_keys", "client_secret", "librdkafka", "token"];
        let secret =
            ends.iter().any(|end| key.ends_with(end) && key != "kafka.sasl.token_url");
        let text = match wrap {
            0 => format!("canary{text}"),
            1 => format!("{text}canary"),
            2 => format!("redis://:canary{text}@h"),
            3 => format!("[\"canary\", {text}]"),
            4 => format!("{{a = \"canary{text}\"}}"),
            _ => format!("redis://u:{text}canary@h/1?{text}"),
        };
        let said = match set(&[&format!("{key}={text}"), "redis.tls.enabled=true"]) {
            Ok(loaded) => loaded.to_toml() + &loaded.warnings.join("\n"),
            Err(errors) => errors.join("\n"),
        };
        // The user name and the host in a URL are no secrets.
        let is_public = key == "redis.url" && set(&[&format!("{key}={text}")]).is_ok();
        prop_assert!(!secret || is_public || !said.contains("canary"), "{key}: {said}");
    }
}
