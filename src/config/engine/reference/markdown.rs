//! The reference of all keys in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::key::{DocumentedKey, one_line, toml};
use super::key_order::KeyOrder;
use crate::config::engine::key_kind::join;

const HEADER: &str = "\
# Configuration

Which keys there are, which values they take, and what their defaults are. This page is generated
from the program, as is the [default file](../deploy/traitsink.toml) that `traitsink config default`
prints. `traitsink config show` prints what is in effect, `traitsink config schema` a JSON schema
for editors.

A key can stand in a file (`-c`, TOML, YAML or JSON), in an environment variable, or in a flag (`-s
redis.url=redis://..`); flags win over variables over files. A duration is written `50ms`, `5s` or
`2m`, in `[profile]` and `[deletion]` also `12h` or `90d`; a size `64KiB` or `4MiB`. In a variable,
a list is separated by commas. An empty text is the same as leaving the key out, but for
`redis.client_name`.

*Reloaded* keys can be changed [without a
restart](operations.md#change-the-configuration-without-a-restart).
";

/// Whether a key, such as `http.sources[].prefix`, can be changed while the worker runs.
type Reloadable<'a> = &'a dyn Fn(&str) -> bool;

/// The reference: a table of keys for each table of the file, in Markdown.
pub(crate) fn markdown(schema: &Value, order: &KeyOrder, reloadable: Reloadable<'_>) -> String {
    let mut text = String::from(HEADER);
    let mut known = BTreeSet::new();
    section(schema, Some(order), ("", ""), reloadable, &mut known, &mut text);
    text
}

/// `known` are the entries of lists that were described already.
fn section(
    schema: &Value,
    order: Option<&KeyOrder>,
    (path, title): (&str, &str),
    reloadable: Reloadable<'_>,
    known: &mut BTreeSet<String>,
    text: &mut String,
) {
    let keys = DocumentedKey::of(schema, order);
    if !title.is_empty() {
        let _ = write!(text, "\n## {title}\n\n{}\n", one_line(schema));
    }
    let rows: Vec<_> = keys.iter().filter(|key| key.table().is_none() || key.is_map()).collect();
    if !rows.is_empty() {
        text.push_str("\n| Key | Type | Default | Variable | Meaning |\n|---|---|---|---|---|\n");
    }
    for key in rows {
        let default = match &key.schema["default"] {
            Value::Null => String::new(),
            value => format!("`{}`", toml(value)),
        };
        let reloaded = if reloadable(&join(path, key.name)) { " *Reloaded.*" } else { "" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {default} | {} | {}{reloaded} |",
            key.name,
            key.type_name(),
            key.variable(path),
            key.help().replace('\n', " ").replace('|', "\\|"),
        );
    }
    for key in &keys {
        let mark = if key.is_list() { "[]" } else { "" };
        let path = join(path, key.name);
        match (key.table(), key.entry()) {
            (Some(inner), _) if !key.is_map() => {
                let title =
                    if key.is_list() { format!("`[[{path}]]`") } else { format!("`[{path}]`") };
                let described = key.with_help(inner);
                let place = (&*format!("{path}{mark}"), &*title);
                section(&described, key.order, place, reloadable, known, text);
            }
            (_, Some(entry)) if known.insert(entry.to_string()) => {
                let place = (&*format!("{path}[]"), &*format!("Tables in `{path}`"));
                section(entry, key.order, place, reloadable, known, text);
            }
            _ => {}
        }
    }
}
