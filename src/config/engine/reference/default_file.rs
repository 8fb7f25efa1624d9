//! The documented default file.

use std::fmt::Write as _;

use serde_json::Value;

use super::key::{DocumentedKey, toml};
use super::key_order::KeyOrder;
use crate::config::engine::key_kind::join;

/// Longest line.
const WIDTH: usize = 100;

const HEADER: &str = "\
traitsink: every key with its default. `traitsink config default` prints this file.

  traitsink -c traitsink.toml check       is it valid, and what would it do?
  traitsink -c traitsink.toml run

Lines that begin with ## explain what follows. Lines that begin with a single # are keys \
without a default, or keys of a mode or a section that is not in use: remove the # to set them.

Durations are written 50ms, 5s, 2m, in profile and deletion also 12h or 90d; sizes 64KiB, 4MiB. \
An empty text is the same as leaving the key out, but for redis.client_name. A key can also be \
set by a variable, TRAITSINK_REDIS__URL=redis://... (two underscores are a dot, lists are \
separated by commas; for data_dir: TRAITSINK__DATA_DIR), or by a flag, -s redis.url=redis://...; \
flags win over variables over files.";

/// The documented default file. `defaults` is the configuration that the file comes to: a key that
/// is `null` or missing there is written as a comment.
pub(crate) fn default_file(schema: &Value, order: &KeyOrder, defaults: &Value) -> String {
    let mut text = comment("## ", HEADER);
    table(schema, Some(order), Some(defaults), "", &mut text);
    text
}

/// One table: its own keys, then its tables. `defaults` is missing where the table is not in use.
fn table(
    schema: &Value,
    order: Option<&KeyOrder>,
    defaults: Option<&Value>,
    path: &str,
    text: &mut String,
) {
    let keys = DocumentedKey::of(schema, order);
    for key in keys.iter().filter(|key| key.table().is_none()) {
        text.push('\n');
        text.push_str(&comment("## ", &key.help()));
        let default = defaults.and_then(|table| table.get(key.name)).filter(|v| !v.is_null());
        let (mark, value) = match default {
            Some(value) => ("", value.clone()),
            None => ("# ", key.example()),
        };
        let _ = writeln!(text, "{mark}{} = {}", key.name, toml(&value));
    }
    for key in &keys {
        let Some(inner) = key.table() else { continue };
        let path = join(path, key.name);
        let (open, close) = if key.is_list() { ("[[", "]]") } else { ("[", "]") };
        let defaults = defaults
            .and_then(|table| table.get(key.name))
            .filter(|value| value.is_object() && !key.is_map());
        let mark = if defaults.is_some() { "" } else { "# " };
        let _ = write!(text, "\n{}", comment("## ", &key.help()));
        let _ = writeln!(text, "{mark}{open}{path}{close}");
        table(inner, key.order, defaults, &path, text);
    }
}

/// `text` in lines that begin with `mark`, wrapped.
fn comment(mark: &str, text: &str) -> String {
    let mut lines = String::new();
    for paragraph in text.lines() {
        let mut line = mark.trim_end().to_owned();
        let indent = &paragraph[..paragraph.len() - paragraph.trim_start().len()];
        if paragraph.contains("   ") || !indent.is_empty() {
            let _ = writeln!(lines, "{mark}{paragraph}");
            continue;
        }
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(lines, "{line}");
                mark.trim_end().clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(lines, "{line}");
    }
    lines
}
