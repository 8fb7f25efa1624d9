//! A destination as the whole `[redis]` section, and what `[profile]` must say beside it, for the
//! option `--rudderstack`.

use serde_json::{Map, Value, json};

use super::DOCUMENT_KEYS;
use super::destination::{Destination, Found, is_unused, read};
use crate::import::draft::NoteKind;

/// The settings as `{"redis": {...}}`, with `"profile"` beside it for JSON documents; and a warning
/// for each option that has no effect. The tree names every key that the settings decide, also
/// where they leave it at its default.
///
/// # Errors
/// All errors, each naming its option; no text quotes what may be a secret.
pub(crate) fn layer(text: &str) -> Result<(Value, Vec<String>), Vec<String>> {
    let root = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(root)) => root,
        Ok(_) => {
            return Err(vec![
                "is neither a destination's settings object nor a destination with \"config\" \
                 inside"
                    .into(),
            ]);
        }
        Err(error) => return Err(vec![error.to_string()]),
    };
    let Found { destination, transfer, ineffective } =
        read(root, None).map_err(|error| vec![error])?;
    let notes = transfer.finish().notes;
    let errors: Vec<_> = notes
        .iter()
        .filter(|note| note.kind == NoteKind::Failed)
        .map(|note| format!("\"{}\" {}", note.subject, note.why))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let unused: Vec<_> = notes
        .iter()
        .filter(|note| is_unused(note.kind))
        .map(|note| format!("\"{}\"", note.subject))
        .collect();
    let mut warnings: Vec<_> = ineffective
        .into_iter()
        .map(|(name, why)| format!("\"{name}\" has no effect: {why}"))
        .collect();
    if !unused.is_empty() {
        warnings.push(format!("not used here: {}", unused.join(", ")));
    }
    Ok((tree(destination), warnings))
}

fn tree(destination: Destination) -> Value {
    let mut redis = Map::new();
    if destination.is_cluster {
        let nodes: Vec<_> = destination.servers.iter().map(|server| server.text()).collect();
        redis.extend([("mode".into(), json!("cluster")), ("nodes".into(), json!(nodes))]);
    } else {
        redis.insert("mode".into(), json!("standalone"));
        redis.insert("database".into(), json!(destination.database.unwrap_or_default()));
        for server in destination.servers {
            redis.insert("host".into(), json!(server.host));
            redis.insert("port".into(), json!(server.port));
        }
    }
    redis.insert("prefix".into(), json!(destination.prefix.unwrap_or_default()));
    if let Some(password) = destination.password {
        redis.insert("password".into(), json!(password));
    }
    let mut tls = json!({
        "enabled": destination.secure.unwrap_or_default(),
        "skip_verify": destination.skip_verify.unwrap_or_default(),
    });
    if let Some(certificates) = destination.ca_certificate {
        tls["ca_pem"] = json!(certificates);
    }
    redis.insert("tls".into(), tls);
    let mut tree = json!({ "redis": redis });
    if destination.json {
        let keys = DOCUMENT_KEYS.map(|(key, value)| (key.to_owned(), json!(value)));
        tree["profile"] = Value::Object(keys.into_iter().collect());
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_errors_are_told_at_once_without_values() {
        let text = r#"{"password": 5, "address": "h", "secure": "yes", "useJSONModule": 1}"#;
        let errors = layer(text).unwrap_err();
        let said = errors.join("\n");
        for part in ["\"useJSONModule\"", "\"h\", which has no port", "\"password\"", "\"secure\""]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(errors.len(), 4);
    }
}
