//! `explain`: what would be written, without Redis.

use std::io::{self, BufRead, BufWriter, ErrorKind, Read, Write};
use std::process::ExitCode;

use jiff::Timestamp;

use crate::cli::Options;
use crate::event::{Decision, Explanation, Origin, Rules, SkipReason, Transformer, is_blank};
use crate::exit::Exit;
use crate::profile::Prefix;

use super::exit;

/// Explains the events on standard input, one line each.
pub(super) fn explain_stdin(
    options: &Options,
    prefix: Option<String>,
    now: Option<Timestamp>,
) -> ExitCode {
    let mut args = options.config_args();
    args.flags.extend(prefix.map(|prefix| ("--prefix", "redis.prefix", prefix)));
    let config = match exit::configured(&args) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let output = BufWriter::new(io::stdout().lock());
    match explain(io::stdin().lock(), output, &config.rules, &config.redis.prefix_rule, now) {
        // The reader has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            exit::complain(&format!("traitsink: {error}"));
            Exit::IO.into()
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Answers each line of `input` (one event as JSON) with one line on `output`, in the same order:
/// `{"key":..,"fields":{..}}` with fields in write order, `{"delete":[KEY]}`, `{"skipped":REASON}`
/// or `{"rejected":REASON}`. An event in a wrapper is found, the events of a list are not: they
/// would need several lines. `now` is the time at which events come, by default that of the clock.
/// `receivedAt` is believed.
///
/// # Errors
/// Only errors of `input` and `output`.
pub fn explain(
    mut input: impl BufRead,
    mut output: impl Write,
    rules: &Rules,
    prefix: &Prefix,
    now: Option<Timestamp>,
) -> io::Result<()> {
    let mut transformer = Transformer::default();
    let origin =
        Origin { prefix, wrapped: true, may_delete: true, gateway: true, ..Origin::default() };
    let mut line = Vec::new();
    while read_line(&mut input, rules.limits.max_event, &mut line)? {
        let decision = if is_blank(&line) {
            Decision::Skipped(SkipReason::Empty)
        } else {
            let now = now.unwrap_or_else(Timestamp::now).as_millisecond();
            transformer.transform(rules, Origin { now, ..origin }, &line)
        };
        let explanation = Explanation::new(&decision);
        let explanation = explanation.of_profile(&rules.profile, transformer.time());
        serde_json::to_writer(&mut output, &explanation)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

/// Reads a line without its end, of a longer one just enough to see that it exceeds `max` bytes;
/// false at the end of input.
fn read_line(input: &mut impl BufRead, max: usize, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    // One byte for the line feed, one to be too long by.
    if input.by_ref().take(max as u64 + 2).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}
