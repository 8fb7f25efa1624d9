//! How keys are read: what each takes, the layers in which they are given, and what is wrong with
//! them.
//!
//! Nothing here knows a section: those are in `sections`.

pub(crate) mod check;
pub(crate) mod effective_keys;
pub(crate) mod host;
pub(crate) mod key_kind;
pub(crate) mod layers;
pub(crate) mod long_span;
pub(crate) mod quotable;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod secrets;
pub(crate) mod tree;
pub(crate) mod units;
pub(crate) mod variables;
