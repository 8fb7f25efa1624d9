//! The password for the next connection, which may have changed since the last one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::config::{Password, program_name, read_secret, without_newline};
use crate::lock::lock;
use crate::redis::errors::hint;
use crate::systemd;

/// How long a command may take to print the password.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a command's output that are read; a longer password is none.
const MAX_OUTPUT: u64 = 64 * 1024;

/// The source of the password for each new connection.
pub(super) enum LivePassword {
    Fixed(SecretString),
    File { path: PathBuf, state: Mutex<FileState> },
    Command { words: Vec<String>, last: tokio::sync::Mutex<Option<Run>> },
}

pub(super) struct FileState {
    /// The password of the last time that the file could be read.
    good: SecretString,
    /// The file could not be read the last time, which was logged.
    failing: bool,
}

/// One run of the command.
pub(super) struct Run {
    begun: Instant,
    outcome: Result<SecretString, String>,
}

/// Gets the password once, to see that there is one.
///
/// # Errors
/// `redis.password_command` prints none; in plain words.
pub async fn check_password(password: &Password) -> Result<(), String> {
    LivePassword::new(password)
        .current()
        .await
        .map(drop)
        .map_err(|why| hint::password_command(&why))
}

impl LivePassword {
    pub(super) fn new(from: &Password) -> Self {
        match from {
            Password::Fixed(password) => Self::Fixed(password.clone()),
            Password::File { path, at_start } => {
                let state = FileState { good: at_start.clone(), failing: false };
                Self::File { path: path.clone(), state: Mutex::new(state) }
            }
            Password::Command(words) => {
                Self::Command { words: words.clone(), last: tokio::sync::Mutex::new(None) }
            }
        }
    }

    /// The password to log in with now. A file that cannot be read leaves the one before in use.
    ///
    /// # Errors
    /// Why the command printed no password, without its output.
    pub(super) async fn current(&self) -> Result<SecretString, String> {
        match self {
            Self::Fixed(password) => Ok(password.clone()),
            Self::File { path, state } => Ok(read_again(path, state).await),
            Self::Command { words, last } => run_once(words, last).await,
        }
    }
}

async fn read_again(path: &Path, state: &Mutex<FileState>) -> SecretString {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_secret(&owned))
        .await
        .expect("reading a file does not panic");
    let mut state = lock(state);
    let failed_before = std::mem::replace(&mut state.failing, read.is_err());
    match read {
        Ok(password) => state.good = password,
        Err(why) if !failed_before => {
            tracing::warn!(
                "redis.password_file: {why}; the password that it held before stays in use"
            );
        }
        Err(_) => {}
    }
    state.good.clone()
}

/// Runs the command, or shares the run of another lane that began after this lane asked.
async fn run_once(
    words: &[String],
    last: &tokio::sync::Mutex<Option<Run>>,
) -> Result<SecretString, String> {
    let asked = Instant::now();
    let mut last = last.lock().await;
    match &*last {
        Some(run) if run.begun >= asked => run.outcome.clone(),
        _ => {
            let begun = Instant::now();
            let outcome = run(words, COMMAND_TIMEOUT).await;
            *last = Some(Run { begun, outcome: outcome.clone() });
            outcome
        }
    }
}

/// The output of the command, without its one trailing newline. Errors name the program, and
/// neither its arguments nor its output.
async fn run(words: &[String], limit: Duration) -> Result<SecretString, String> {
    let [program, arguments @ ..] = words else { return Err("names no program".to_owned()) };
    let failed = |what: &str| Err(format!("{:?} {what}", program_name(program)));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.process_group(0);
    systemd::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(&format!("cannot be started: {error}")),
    };
    let group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let mut stdout = child.stdout.take().expect("piped").take(MAX_OUTPUT);
    let ending = async {
        let mut printed = Vec::new();
        stdout.read_to_end(&mut printed).await?;
        Ok::<_, std::io::Error>((child.wait().await?, printed))
    };
    let (status, printed) = match timeout(limit, ending).await {
        Err(_) => return failed(&format!("did not end within {limit:?}")),
        Ok(Err(error)) => return failed(&format!("cannot be read: {error}")),
        Ok(Ok(ended)) => ended,
    };
    group.ended();
    if !status.success() {
        return failed(&format!("ended with {status}"));
    }
    match String::from_utf8(printed).as_deref().map(without_newline) {
        Ok("") => failed("printed nothing"),
        Ok(password) => Ok(password.into()),
        Err(_) => failed("printed what is not UTF-8"),
    }
}

/// The process group of the command: killed when dropped, with all that the command started in it.
/// After the command was waited for, its process id, which names the group, may be that of another
/// process.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The command ended by itself: processes that it leaves running may go on.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    async fn shell(script: &str) -> Result<String, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        run(&words, Duration::from_millis(300))
            .await
            .map(|password| password.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn the_output_without_its_newline() {
        for (script, password) in [
            ("printf pw", "pw"),
            ("echo pw", "pw"),
            ("printf 'p w\\n\\n'", "p w\n"),
            ("echo pw; echo x >&2", "pw"),
        ] {
            assert_eq!(shell(script).await.as_deref(), Ok(password), "{script}");
        }
    }

    #[tokio::test]
    async fn failures_tell_the_program_and_never_the_output() {
        for (script, why) in [
            ("echo canary; exit 3", "ended with exit status: 3"),
            ("echo canary; kill -9 $$", "ended with signal: 9 (SIGKILL)"),
            ("printf ''", "printed nothing"),
            ("echo", "printed nothing"),
            ("printf 'canary\\377'", "printed what is not UTF-8"),
            ("echo canary; exec sleep 60", "did not end within 300ms"),
        ] {
            assert_eq!(shell(script).await, Err(format!("\"sh\" {why}")), "{script}");
        }
        let missing = run(&["/no/such/program".to_owned()], COMMAND_TIMEOUT).await.unwrap_err();
        assert_eq!(
            missing,
            "\"/no/such/program\" cannot be started: No such file or directory (os error 2)"
        );
    }

    /// Processes with `mark` in their environment.
    fn marked(mark: &str) -> usize {
        let environments =
            std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("environ"));
        environments
            .filter_map(|file| std::fs::read(file).ok())
            .filter(|environment| String::from_utf8_lossy(environment).contains(mark))
            .count()
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_leaves_no_process_behind() {
        let directory = tempfile::tempdir().unwrap();
        for dropped in [false, true] {
            let mark = directory.path().join(dropped.to_string()).display().to_string();
            let script = format!("export MARK='{mark}'; sleep 600 | cat");
            let words = ["sh", "-c", &script].map(str::to_owned);
            let begun = async {
                while marked(&mark) < 2 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            if dropped {
                tokio::select! {
                    outcome = run(&words, Duration::from_secs(600)) => panic!("it ended: \
                        {:?}", outcome.map(|_| ())),
                    () = begun => {}
                }
            } else {
                let (outcome, ()) = tokio::join!(run(&words, Duration::from_secs(2)), begun);
                assert_eq!(outcome.map(|_| ()), Err("\"sh\" did not end within 2s".to_owned()));
            }
            let start = Instant::now();
            while marked(&mark) > 0 {
                assert!(
                    start.elapsed() < Duration::from_secs(20),
                    "{} processes are left",
                    marked(&mark)
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_shares_a_run() {
        let directory = tempfile::tempdir().unwrap();
        let count = directory.path().join("count");
        let script = format!("echo x >> '{0}'; wc -l < '{0}'", count.display());
        let password =
            LivePassword::new(&Password::Command(["sh", "-c", &script].map(str::to_owned).into()));
        let ask = || async { password.current().await.unwrap().expose_secret().trim().to_owned() };
        let (first, rest) = (ask(), [ask(), ask(), ask()]);
        let together = tokio::join!(first, async {
            let mut told = Vec::new();
            for one in rest {
                told.push(one.await);
            }
            told
        });
        assert_eq!(together.0, "1");
        let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
        let before = runs();
        assert_eq!(ask().await, (before + 1).to_string(), "who asks later has a run of its own");
    }

    #[tokio::test]
    async fn a_file_that_went_bad_leaves_the_last_good_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let from = Password::File { path: path.clone(), at_start: "first".into() };
        let password = LivePassword::new(&from);
        let ask = || async { password.current().await.unwrap().expose_secret().to_owned() };
        assert_eq!(ask().await, "first", "not there yet");
        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(ask().await, "second");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(ask().await, "second");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask().await, "second");
        std::fs::write(&path, "third").unwrap();
        assert_eq!(ask().await, "third");
    }
}
