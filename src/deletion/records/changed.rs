//! What a change of the tables returns.

use std::convert::Infallible;

/// The result of a change that only the disk can refuse.
pub(super) type Changed<T> = Result<Result<T, Infallible>, redb::Error>;
