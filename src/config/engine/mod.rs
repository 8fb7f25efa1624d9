//! How keys are read: what each takes, the layers in which they are given, and what is wrong.
//!
//! Nothing here knows a section: that is `sections`.

pub(crate) mod check;
pub(crate) mod kinds;
pub(crate) mod layers;
pub(crate) mod report;
pub(crate) mod secrets;
pub(crate) mod units;
pub(crate) mod variables;
