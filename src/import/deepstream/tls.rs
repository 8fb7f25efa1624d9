//! A tls object of Node.

use serde_json::Value;

use super::cache::{Cache, loaded_file};
use crate::import::java_store::{Conversion, client, quote};

/// `name` to the keys of `table`; an empty object switches TLS on.
pub(super) fn tls(cache: &mut Cache, name: &str, table: &str) {
    match cache.0.peek(name) {
        None => return,
        Some(Value::Object(_)) => (),
        Some(Value::Bool(false)) => return cache.0.skip(name, "off"),
        Some(_) => {
            cache.0.take(name);
        }
    }
    let key = |last: &str| format!("{table}.{last}");
    cache.0.draft.set(&key("enabled"), true);
    cache.0.mapped(name, &key("enabled"), "");
    let at = |last: &str| format!("{name}.{last}");
    authority(cache, &at("ca"), table);
    client_certificate(cache, name, table);
    cache.0.map_text(&at("servername"), &key("server_name"));
    if let Some(reject) = cache.0.flag(&at("rejectUnauthorized")) {
        cache.0.map(&at("rejectUnauthorized"), &key("skip_verify"), !reject);
    }
    for last in ["minVersion", "maxVersion", "ciphers"] {
        cache.0.skip(&at(last), "TLS 1.2 and 1.3 are spoken, with their safe ciphers");
    }
}

fn authority(cache: &mut Cache, name: &str, table: &str) {
    if cache.0.peek(name).and_then(Value::as_str).and_then(loaded_file).is_some() {
        return cache.file(name, &format!("{table}.ca_file"));
    }
    let pem = match cache.0.take(name) {
        None => return,
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        Some(_) => return cache.0.fail(name, "is not a text"),
    };
    if pem.contains("-----BEGIN ") {
        cache.0.map(name, &format!("{table}.ca_pem"), pem);
    } else {
        cache.0.fail(name, "is neither PEM nor fileLoad(path)");
    }
}

/// The client's certificate and key: here they are files.
fn client_certificate(cache: &mut Cache, name: &str, table: &str) {
    let at = |last: &str| format!("{name}.{last}");
    let has_passphrase = cache.0.has(&at("passphrase"));
    for (last, key, file) in
        [("cert", "cert_file", "redis-cert.pem"), ("key", "key_file", "redis-key.pem")]
    {
        let (name, key) = (at(last), format!("{table}.{key}"));
        let Some(text) =
            cache.0.peek(&name).map(|value| value.as_str().unwrap_or_default().to_owned())
        else {
            continue;
        };
        let path = loaded_file(&text);
        if path.is_some() && !(last == "key" && has_passphrase) {
            cache.file(&name, &key);
            continue;
        }
        cache.0.take(&name);
        if last == "key" && has_passphrase {
            let from = path.unwrap_or("KEY.pem");
            cache.0.draft.set(&key, file);
            let command = format!("(umask 077; openssl pkey -in {} -out {file})", quote(from));
            cache
                .0
                .fail(&name, format_args!("{key} to be made without the passphrase by: {command}"));
        } else {
            cache.0.draft.set(&key, file);
            cache.0.fail(
                &name,
                format_args!(
                    "{key} is a file; write the text to it with: (umask 077; cat > {file})"
                ),
            );
        }
    }
    cache.0.skip(&at("passphrase"), "the command asks for it");
    let Some(text) = cache.0.text(&at("pfx")) else { return };
    let Conversion { files, command } = client(loaded_file(&text).unwrap_or("redis.p12"));
    let mut made = Vec::new();
    for (key, file) in files {
        made.push(format!("{table}.{key}"));
        cache.0.draft.set(&format!("{table}.{key}"), file);
    }
    cache.0.fail(&at("pfx"), format_args!("{} to be made by: {command}", made.join(", ")));
}
