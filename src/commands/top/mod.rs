//! `top`: a live view of one or several workers.

mod state;
mod terminal;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::app::StartError;
use crate::exit::Exit;
use crate::status::StatusReport;
use crate::worker_client::{DEFAULT_URL, NoAnswer, WorkerClient};

use super::exit;
use super::stop::asked_to_stop;

use self::state::TopState;
use self::terminal::Screen;
use self::view::Look;

/// Time between an answer of a worker and the next request to it.
const EVERY: Duration = Duration::from_secs(1);

/// Shows the workers at `urls` until a key or a signal ends it.
pub(super) fn top(urls: &[String]) -> ExitCode {
    let urls = if urls.is_empty() { &[DEFAULT_URL.to_owned()][..] } else { urls };
    let workers: Vec<WorkerClient> =
        match urls.iter().map(|url| WorkerClient::at(url)).collect::<Result<_, _>>() {
            Ok(workers) => workers,
            Err(error) => {
                exit::complain(&format!("traitsink: {error}"));
                return Exit::USAGE.into();
            }
        };
    if !std::io::stdout().is_terminal() {
        exit::complain(
            "traitsink: top needs a terminal on standard output; programs read /api/status of the \
             admin listener instead, or /metrics",
        );
        return Exit::USAGE.into();
    }
    exit::in_runtime(show(workers))
}

async fn show(workers: Vec<WorkerClient>) -> Result<ExitCode, StartError> {
    let mut state = TopState::new(workers.iter().map(|worker| worker.name.clone()));
    let look = Look::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    let stopped = asked_to_stop()?;
    tokio::pin!(stopped);
    let (send_answer, mut answers) = mpsc::channel(workers.len());
    for (position, worker) in workers.into_iter().enumerate() {
        tokio::spawn(watch(position, worker, send_answer.clone()));
    }
    let mut screen = Screen::take()?;
    let (send_key, mut keys) = mpsc::unbounded_channel();
    terminal::read_keys(send_key)?;
    // Times that are shown go on also when no worker answers.
    let mut clock = tokio::time::interval(EVERY);
    loop {
        screen.0.draw(|frame| view::draw(&state, Timestamp::now(), look, frame.buffer_mut()))?;
        tokio::select! {
            key = keys.recv() => {
                // `None`: the terminal is gone.
                if key.is_none_or(|key| state.press(key)) {
                    break;
                }
            }
            Some((worker, answer)) = answers.recv() => {
                state.answered(worker, answer, Timestamp::now());
            }
            () = &mut stopped => break,
            _ = clock.tick() => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks one worker again and again.
async fn watch(
    position: usize,
    worker: WorkerClient,
    answers: mpsc::Sender<(usize, Result<StatusReport, String>)>,
) {
    loop {
        let answer = ask(&worker).await.map_err(|error| error.to_string());
        if answers.send((position, answer)).await.is_err() {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn ask(worker: &WorkerClient) -> Result<StatusReport, NoAnswer> {
    let body = worker.fetch("/api/status").await?;
    serde_json::from_slice(&body).map_err(|error| NoAnswer::Unreadable(error.to_string()))
}
