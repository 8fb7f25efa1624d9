//! `replay`: files, or the dead-letter topic, through the real pipeline.
//!
//! `found` makes a list of files from the names that were given, `input` checks each before
//! anything is written, `checkpoint` keeps how far the replay has come, `progress` shows it.

mod checkpoint;
mod found;
mod input;
mod progress;
mod reading;
mod session;
mod summary;
mod target;
mod topic;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::StartError;
use crate::cli::{Options, ReplayArgs};
use crate::config::{Config, DeadLetter};
use crate::exit::Exit;
use crate::logging;
use crate::source::file::{ReplayPosition, Watermark};

use super::exit;

use checkpoint::Checkpoint;
use found::FoundFiles;
use input::{Input, InputError};
use session::ReplaySession;

/// How often the position is kept.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Sends files through to Redis, one after the other.
pub(super) fn replay(options: &Options, args: ReplayArgs) -> ExitCode {
    let loaded = match exit::configured(&options.config_args()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let _logging = logging::init(&loaded.config.log);
    exit::in_runtime_beside_a_thread(deliver(loaded.config, args, options.quiet()))
}

async fn deliver(config: Config, args: ReplayArgs, quiet: bool) -> Result<ExitCode, StartError> {
    if args.dead_letter_topic {
        return topic::deliver(&config, &args, quiet).await;
    }
    // Before anything is written: a typing error in the third name should not end half a replay.
    let inputs = inputs(&args, &config)?;
    let checkpoint = match args.dry_run {
        true => None,
        false => Checkpoint::open(&config.data_dir, &inputs)?.map(Arc::new),
    };
    let begin = begin(&args, checkpoint.as_deref(), quiet)?;
    let session = ReplaySession::start(&config, &args, quiet, begin.counts).await?;
    let watermark = Watermark::new(begin);
    let replay = session.replay(&config, &args, Arc::clone(&watermark));
    let read_before: u64 = inputs[..begin.file].iter().filter_map(Input::size).sum();
    let read = Arc::new(AtomicU64::new(read_before));
    let total: Option<u64> = inputs.iter().map(Input::size).sum();
    let progress = session.progress(&args, Arc::clone(&read), total, "bytes");
    let kept = checkpoint.clone().map(|checkpoint| {
        tokio::spawn(keep(checkpoint, Arc::clone(&watermark), session.running.clone()))
    });
    let reading = {
        let runtime = tokio::runtime::Handle::current();
        let watermark = Arc::clone(&watermark);
        tokio::task::spawn_blocking(move || {
            reading::read(replay, inputs, begin, &read, &watermark, &runtime)
        })
    };
    let ended = session.run(reading, progress).await;
    if let Some(kept) = kept {
        let _ = kept.await;
    }
    match checkpoint {
        Some(checkpoint) if ended.is_complete() => checkpoint.remove(),
        Some(checkpoint) => keep_now(&checkpoint, watermark.position()),
        None => {}
    }
    ended.exit_code()
}

/// The inputs that `args` names, each checked.
fn inputs(args: &ReplayArgs, config: &Config) -> Result<Vec<Input>, StartError> {
    let unreadable = |message| StartError { message, code: Exit::IO };
    let found = FoundFiles::of(&args.files).map_err(unreadable)?;
    for (path, why) in &found.left_out {
        exit::complain(&format!("left out: {}: {why}", path.display()));
    }
    let letters = match &config.dead_letter {
        DeadLetter::File { path, .. } => Some(path.as_path()),
        _ => None,
    };
    if found.files.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        let message = "standard input (-) can be read only once".to_owned();
        return Err(StartError { message, code: Exit::USAGE });
    }
    let check = |path| {
        Input::check(path, letters).map_err(|error| match error {
            InputError::Unreadable(message) => unreadable(message),
            InputError::OwnLetters(path) => own_letters(&path),
        })
    };
    found.files.into_iter().map(check).collect()
}

fn own_letters(path: &Path) -> StartError {
    let path = path.display();
    StartError {
        message: format!(
            "{path} is the file that dead letters are written to (dead_letter.path), also those of \
             this replay: move it first (mv {path} {path}.repair), have the worker let go of it \
             (kill -HUP, or systemctl reload traitsink), then replay {path}.repair"
        ),
        code: Exit::CONFIG,
    }
}

/// Where the replay begins.
fn begin(
    args: &ReplayArgs,
    checkpoint: Option<&Checkpoint>,
    quiet: bool,
) -> Result<ReplayPosition, StartError> {
    let say = |text: &str| {
        if !quiet {
            exit::complain(text);
        }
    };
    let Some(checkpoint) = checkpoint else {
        if args.resume {
            let message = "--resume needs files: standard input and pipes can be read only once";
            return Err(StartError { message: message.to_owned(), code: Exit::USAGE });
        }
        return Ok(ReplayPosition::default());
    };
    if args.resume {
        let found = checkpoint.earlier()?;
        match found {
            Some(ReplayPosition { file, offset, counts }) => say(&format!(
                "going on after {} events, {offset} bytes into the text of file {}",
                counts.events(),
                file + 1
            )),
            None => say("no earlier replay of these files was ended early: beginning at the start"),
        }
        return Ok(found.unwrap_or_default());
    }
    if checkpoint.exists() {
        say("beginning at the start, although an earlier replay of these files was ended early \
             (--resume would go on there)");
        checkpoint.remove();
    }
    Ok(ReplayPosition::default())
}

/// Keeps the position from time to time, until `stop`.
async fn keep(checkpoint: Arc<Checkpoint>, watermark: Arc<Watermark>, stop: CancellationToken) {
    let mut kept = None;
    let mut ticks = tokio::time::interval(KEEP_EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let position = watermark.position();
        if kept == Some(position) {
            continue;
        }
        kept = Some(position);
        let checkpoint = Arc::clone(&checkpoint);
        let _ = tokio::task::spawn_blocking(move || keep_now(&checkpoint, position)).await;
    }
}

/// Keeps the position; the replay goes on when that fails.
fn keep_now(checkpoint: &Checkpoint, position: ReplayPosition) {
    if let Err(error) = checkpoint.keep(position) {
        tracing::warn!(
            "the position of the replay cannot be kept in data_dir: {error}; --resume would go on \
             before it"
        );
    }
}
