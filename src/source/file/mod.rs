//! The file source, for `replay`: each line is an event, a list or batch of events, a dead letter,
//! or an object of an archive.
//!
//! `input` opens and decompresses, `lines` cuts into lines, `format` says what a line holds, and
//! `reader` offers the events to their lanes. `watermark` knows up to where everything is settled.

mod archive_line;
mod counts;
mod format;
mod input;
mod letter_line;
mod lines;
mod rate;
mod reader;
mod watermark;

pub use counts::{PositionCounts, ReplayCounts};
pub use format::LineFormat;
pub use input::{Compression, begins_like_text, promised, text, text_from};
#[cfg(feature = "kafka")]
pub(crate) use letter_line::KeptEvent;
pub use rate::RateLimit;
pub use reader::{ReadFailure, Replay, ReplayParts};
pub use watermark::{ReplayPosition, Watermark};
