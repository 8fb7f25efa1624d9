//! Documentation of the configuration that is generated from its types.

use serde_json::json;

use super::engine::reference::{self, KeyOrder, markdown, skeleton};
use super::reloadable::is_reloadable;
use super::sections::http::RawHttp;
use super::sections::raw::{Raw, schema};

/// Every key with its default, documented: what `config default` prints.
pub fn default_file() -> String {
    let defaults = Raw { http: Some(RawHttp::default()), ..Raw::default() };
    reference::default_file(&schema(), &key_order(), &json!(defaults))
}

/// All keys in tables, in Markdown.
pub fn reference() -> String {
    markdown(&schema(), &key_order(), &is_reloadable)
}

/// The order in which the keys are declared.
fn key_order() -> KeyOrder {
    let all: Raw = serde_json::from_value(skeleton(&schema())).expect("tables without keys");
    serde_json::from_str(&json_text(&all)).expect("JSON that was just written")
}

/// JSON with the keys in the order of their declaration, which a [`serde_json::Value`] would sort.
fn json_text(all: &Raw) -> String {
    serde_json::to_string(all).expect("texts, numbers, lists and tables")
}
