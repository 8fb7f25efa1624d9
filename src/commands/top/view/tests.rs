//! The view on a terminal in memory.

use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;

use super::super::state::{TopKey, TopState};
use super::example::report;
use super::{Look, draw};
use crate::status::{StatusReport, WaitingPart};

fn now() -> jiff::Timestamp {
    "2026-11-29T12:00:01Z".parse().unwrap()
}

fn screen(state: &TopState, look: Look, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(state, now(), look, frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen without spaces at the ends of its lines.
fn shown(state: &TopState, size: (u16, u16)) -> String {
    let buffer = screen(state, Look::new(true), size);
    let row = |y| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..size.1).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

/// One worker that answered with `answer`.
fn one(answer: Result<StatusReport, String>) -> TopState {
    let mut state = TopState::new(["127.0.0.1:9464".to_owned()]);
    state.answered(0, answer, now());
    state
}

#[test]
fn one_worker_on_an_ordinary_terminal() {
    let text = shown(&one(Ok(report())), (80, 24));
    assert_eq!(text, include_str!("80x24.txt"), "\n{text}");
}

#[test]
fn everything_on_a_large_terminal() {
    let text = shown(&one(Ok(report())), (100, 70));
    for words in [
        "127.0.0.1:9464  ready  cdp-1, up 3 d 4 h, 0.1.0 (01234567), 12:00:00Z",
        "received  5",
        "freshness 12 ms / 139 ms",
        "http    1,234,567  1,234,540          0       0     2         5       20",
        "MEMORY  events in flight 1.0 MiB of 32.0 MiB (3 %), process 54.0 MiB",
        "LANES  4 of 4 up; queued 12 events, 3.9 KiB",
        "redis-2:6379            replica  DOWN            1  11:58:30Z reconnect NONE",
        "KAFKA  lag 6,600; 12 partitions, 0 paused",
        "events/11  1,100\nevents/10  1,000\n",
        "DEAD LETTERS  file, 1.2 KiB of 1.0 GiB  /var/lib/traitsink/dead-letters.ndjson",
        "11:59:00Z  http    invalid_json  rejected  6daf61bb15aa1c6e",
        "CERTIFICATES  the first one ends in 10 d 12 h (redis)",
        "q quit  ? help",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains('…'), "{text}");
}

#[test]
fn a_small_terminal_shows_the_most_important_parts() {
    let text = shown(&one(Ok(report())), (40, 12));
    for words in ["127.0.0.1:9464  ready", "EVENTS", "freshness", "SOURCE", "http", "REDIS"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(text.lines().any(|line| line.ends_with('…')), "what is cut off is marked\n{text}");
    // However small it is, nothing panics.
    let mut several = TopState::new(["a", "b", "c"].map(str::to_owned));
    several.answered(0, Ok(report()), now());
    several.press(TopKey::Help);
    for width in [1, 2, 9, 40] {
        for height in 1..14 {
            shown(&several, (width, height));
            shown(&one(Ok(report())), (width, height));
        }
    }
}

#[test]
fn a_worker_that_waits_says_for_what() {
    let mut waiting = report();
    waiting.ready = false;
    waiting.waiting_for = vec![WaitingPart {
        part: "redis".to_owned(),
        reason: "connection refused\u{1b}[2J; is Redis running there?".to_owned(),
    }];
    waiting.lanes[2].state = "trouble".to_owned();
    waiting.lanes[2].reason = Some("connection refused".to_owned());
    let text = shown(&one(Ok(waiting)), (100, 60));
    for words in [
        "127.0.0.1:9464  NOT READY  cdp-1",
        "redis: connection refused\\u{1b}[2J; is Redis running there?",
        "LANES  3 of 4 up",
        "lane 2  trouble  3  connection refused",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn a_worker_that_does_not_answer_says_since_when() {
    let mut state = one(Err("cannot connect (connection refused)".to_owned()));
    let text = shown(&state, (80, 24));
    assert!(
        text.starts_with(
            "127.0.0.1:9464  NO ANSWER since 12:00:01Z, 0 s\ncannot connect (connection refused)\n"
        ),
        "{text}"
    );
    state.answered(0, Ok(report()), now());
    state.answered(0, Err("no answer within 3s".to_owned()), now());
    let text = shown(&state, (80, 24));
    for words in ["NO ANSWER", "below: its last answer, from 12:00:00Z", "SOURCE"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn several_workers_are_a_table_and_the_details_of_one() {
    let mut state = TopState::new(["a:9464", "b:9464", "c:9464"].map(str::to_owned));
    let mut waiting = report();
    waiting.ready = false;
    state.answered(0, Ok(report()), now());
    state.answered(1, Ok(waiting), now());
    let rows = |state: &TopState| {
        let text = shown(state, (100, 40));
        text.lines().take(6).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = rows(&state);
    assert!(before[1].starts_with("a:9464  ready"), "{before:#?}");
    assert!(before[1].ends_with("139 ms    1.0 MiB  6,600"), "{before:#?}");
    assert!(before[2].starts_with("b:9464  NOT READY"), "{before:#?}");
    assert!(before[3].starts_with("c:9464  asking"), "{before:#?}");
    assert!(before[5].starts_with("a:9464  ready  cdp-1"), "{before:#?}");
    state.press(TopKey::Down);
    assert!(rows(&state)[5].starts_with("b:9464  NOT READY"));
    let selected = |state: &TopState, y: u16| {
        let buffer = screen(state, Look::new(true), (80, 24));
        buffer[(0, y)].modifier.contains(Modifier::REVERSED)
    };
    assert!(selected(&state, 2) && !selected(&state, 1));
    // More workers than lines: the selected one is among those shown.
    let mut many = TopState::new((0..40).map(|n| format!("w{n}:9464")));
    (0..30).for_each(|_| _ = many.press(TopKey::Down));
    let text = shown(&many, (80, 24));
    assert!(text.contains("\nw30:9464  asking"), "{text}");
}

#[test]
fn help_explains_the_words() {
    let mut state = one(Ok(report()));
    assert!(!shown(&state, (80, 24)).contains("from an event's own time"));
    state.press(TopKey::Help);
    let text = shown(&state, (80, 24));
    assert!(text.contains("freshness: from an event's own time to Redis"), "{text}");
}

#[test]
fn without_colours_there_is_none() {
    let colours = |look| {
        let buffer = screen(&one(Ok(report())), look, (80, 24));
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(colours(Look::new(true)));
    assert!(!colours(Look::new(false)));
}
