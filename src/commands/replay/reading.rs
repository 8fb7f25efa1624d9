//! Reads the inputs, one after the other.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::runtime::Handle;

use crate::source::file::{self, Compression, Replay, ReplayPosition, Watermark};

use super::input::Input;

/// Reads `inputs` from `begin` on, and returns when every event taken is settled. `read` counts
/// bytes as they are stored.
///
/// # Errors
/// Reading failed; one line that names the input and the place.
pub(super) fn read(
    mut replay: Replay,
    inputs: Vec<Input>,
    begin: ReplayPosition,
    read: &Arc<AtomicU64>,
    watermark: &Watermark,
    runtime: &Handle,
) -> Result<(), String> {
    let mut result = Ok(());
    for (number, input) in inputs.into_iter().enumerate().skip(begin.file) {
        let mut offset = 0;
        if number == begin.file {
            offset = begin.offset;
        } else {
            watermark.begin_file(number);
        }
        result = read_one(&mut replay, input, offset, read, runtime);
        if result.is_err() {
            break;
        }
    }
    runtime.block_on(watermark.wait_until_idle());
    result
}

fn read_one(
    replay: &mut Replay,
    input: Input,
    offset: u64,
    read: &Arc<AtomicU64>,
    runtime: &Handle,
) -> Result<(), String> {
    let name = input.name();
    let read = Arc::clone(read);
    let opened = match input {
        Input::Stdin => file::text(Box::new(std::io::stdin()), read),
        Input::Stream(_, file) => file::text(Box::new(file), read),
        Input::File(path, _) => file::text_from(&path, offset, read),
    };
    let (text, compression) = opened.map_err(|error| format!("{name}: {error}"))?;
    replay.run(text, offset, runtime).map_err(|failure| match compression {
        Compression::Plain => format!("{name}: {failure}"),
        _ => format!(
            "{name}: {failure}: its {} data is damaged or was cut off; what comes before is \
             delivered",
            compression.as_str()
        ),
    })
}
