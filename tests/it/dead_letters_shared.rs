//! Several processes write to one dead-letter file, writes fail in the middle, and the file is
//! moved all the time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::dead_letters::{event, numbers, send, start};
use crate::harness::app::{App, run};
use crate::harness::redis::Redis;
use crate::harness::{self, pause};

/// Limits the size of files that the worker can write to `bytes`; `None` removes the limit.
fn limit_files(app: &App, bytes: Option<u64>) {
    let bytes = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    harness::run(
        "prlimit",
        &["--pid", &app.pid().to_string(), &format!("--fsize={bytes}:")],
        app.data_dir(),
    );
}

/// Replays the events with these numbers, which become dead letters in the worker's file.
fn replay(redis: &Redis, path: &Path, events: std::ops::Range<u64>) {
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("dead_letter.path={}", path.display()),
    ];
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
    // The limit lets half of the next letter pass.
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
            // The other process may have written beyond the limit by then, which makes the write
            // fail in another way.
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
            assert!(send(&app, number));
            acknowledged.insert(number);
            number += 1;
        }
    });
    let found = BTreeSet::from_iter(numbers(&path));
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(
        lost.is_empty() && acknowledged.len() > 2000,
        "{lost:?} of {} are lost",
        acknowledged.len()
    );
    app.assert_at_rest();
}

/// Sets the flag on drop, so that it is set when the test fails, too.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Least number of times that the file is moved.
const MOVES: usize = 20;

#[test]
fn processes_that_write_to_a_file_that_is_moved_again_and_again_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("letters.ndjson");
    let setting = format!("dead_letter.path={}", path.display());
    let ((redis, first), (_second_redis, second)) = (start(&[&setting]), start(&[&setting]));
    let (done, moves) = (AtomicBool::new(false), AtomicUsize::new(0));
    let moved = |number: usize| dir.path().join(format!("moved.{number}"));
    // Writes until the file has been moved often enough, and existed again each time.
    let write = |app: &App, start: u64| {
        let enough = |number: u64| number >= start + 200 && moves.load(Ordering::Relaxed) >= MOVES;
        let sent = (start..start + 5000).take_while(|&number| !enough(number));
        sent.map(|number| send(app, number).then_some(number).expect("acknowledged"))
            .collect::<Vec<_>>()
    };
    let sent: BTreeSet<u64> = std::thread::scope(|scope| {
        let _end_of_moving = SetOnDrop(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if std::fs::rename(&path, moved(moves.load(Ordering::Relaxed))).is_ok() {
                    moves.fetch_add(1, Ordering::Relaxed);
                }
                pause();
            }
        });
        let workers = [(&first, 0), (&second, 10_000)]
            .map(|(app, start)| scope.spawn(move || write(app, start)));
        replay(&redis, &path, 20_000..21_000);
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .chain(20_000..21_000)
            .collect()
    });
    let moves = moves.into_inner();
    assert!(moves >= MOVES, "the file was there only {moves} times");
    let found: BTreeSet<u64> =
        (0..moves).map(moved).chain([path.clone()]).flat_map(|file| numbers(&file)).collect();
    assert_eq!(found, sent);
}
