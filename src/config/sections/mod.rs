//! The tables of a configuration file, one file or folder each: what may be typed, with the
//! defaults, and what it comes to once it is checked.
//!
//! A table has one type unless checking changes its shape: then `Raw..` is the typed one. A field's
//! doc comment is the help text of its key, from which the reference is generated.

pub(crate) mod admin;
pub(crate) mod data_dir;
pub(crate) mod dead_letter;
pub(crate) mod deletion;
pub(crate) mod delivery;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod prefix;
pub(crate) mod profile;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod reload;
pub(crate) mod tls;
pub(crate) mod transform;
