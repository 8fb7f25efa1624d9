//! Several processes on one dead-letter file, writes that fail in the middle, and a file that is moved all the while.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dead_letters::{event, numbers, send, start};
use crate::harness::app::{App, run};
use crate::harness::redis::Redis;
use crate::harness::{self, pause};

/// From now on files of this process can grow to `bytes` only; `None`: without a limit.
fn limit_files(app: &App, bytes: Option<u64>) {
    let bytes = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    harness::run("prlimit", &["--pid", &app.pid().to_string(), &format!("--fsize={bytes}:")], app.data_dir());
}

/// Replays the events with these numbers into the worker's dead letters.
fn replay(redis: &Redis, path: &Path, events: std::ops::Range<u64>) {
    let settings = [format!("redis.url=redis://127.0.0.1:{}", redis.port()), format!("dead_letter.path={}", path.display())];
    let lines: String = events.map(|number| event(number) + "\n").collect();
    let output = run(&["-s", &settings[0], "-s", &settings[1], "replay", "-"], lines.as_bytes());
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_failed_write_erases_nothing_of_another_process() {
    let (redis, app) = start(&[]);
    let path = app.dead_letter_file();
    assert!(send(&app, 0));
    replay(&redis, &path, 1..6);
    let size = path.metadata().unwrap().len();
    // Half of the next letter fits.
    limit_files(&app, Some(size + 50));
    assert!(!send(&app, 100));
    assert_eq!(path.metadata().unwrap().len(), size, "half a letter is cut off again");
    assert_eq!(numbers(&path), [0, 1, 2, 3, 4, 5]);
    limit_files(&app, None);
    assert!(send(&app, 6));
    assert_eq!(numbers(&path), [0, 1, 2, 3, 4, 5, 6]);
    app.assert_at_rest();
}

#[test]
fn writes_that_fail_beside_another_process_lose_nothing() {
    let (redis, app) = start(&[]);
    let path = app.dead_letter_file();
    let (mut acknowledged, mut refused) = (BTreeSet::from_iter(0..2000), 0);
    std::thread::scope(|scope| {
        let replay = scope.spawn(|| replay(&redis, &path, 0..2000));
        let mut number = 2000;
        while !replay.is_finished() || refused == 0 {
            // The other process may have written beyond the limit by then: that is another way to fail.
            limit_files(&app, Some(path.metadata().unwrap().len() + 200));
            for _ in 0..5 {
                if send(&app, number) {
                    acknowledged.insert(number);
                } else {
                    refused += 1;
                }
                number += 1;
            }
            limit_files(&app, None);
        }
    });
    let found = BTreeSet::from_iter(numbers(&path));
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty() && acknowledged.len() > 2000, "{lost:?} of {} are lost", acknowledged.len());
    app.assert_at_rest();
}

/// Moves, removes and empties would lose letters by intent; moving alone must lose none.
#[test]
fn processes_that_write_to_a_file_that_is_moved_again_and_again_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("letters.ndjson");
    let setting = format!("dead_letter.path={}", path.display());
    let ((redis, first), (_second_redis, second)) = (start(&[&setting]), start(&[&setting]));
    let done = AtomicBool::new(false);
    let mut files: Vec<PathBuf> = vec![path.clone()];
    std::thread::scope(|scope| {
        let mover = scope.spawn(|| {
            let mut moved = Vec::new();
            while !done.load(Ordering::Relaxed) || moved.len() < 10 {
                let to = dir.path().join(format!("moved.{}", moved.len()));
                if std::fs::rename(&path, &to).is_ok() {
                    moved.push(to);
                }
                pause();
            }
            moved
        });
        let workers = [(&first, 0), (&second, 1000)].map(|(app, start)| {
            scope.spawn(move || (start..start + 300).for_each(|number| assert!(send(app, number), "{number}")))
        });
        replay(&redis, &path, 2000..3000);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        done.store(true, Ordering::Relaxed);
        files.extend(mover.join().unwrap());
    });
    let found: BTreeSet<u64> = files.iter().flat_map(|file| numbers(file)).collect();
    let sent: BTreeSet<u64> = (0..300).chain(1000..1300).chain(2000..3000).collect();
    assert_eq!(found, sent);
}
