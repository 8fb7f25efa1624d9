//! JavaScript's values, and their text as JavaScript writes it.

mod number;
mod parse;
mod string;
mod stringify;
mod value;

pub(super) use number::{is_printed, push_json_number, push_number};
pub(super) use parse::{TooDeep, parse};
pub(super) use string::{lossy, push_quoted};
pub(super) use stringify::push_json;
pub(super) use value::{ObjectMember, Value, merged, without_surrogates};

pub use string::trim_js;
