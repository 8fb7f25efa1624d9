//! What a worker is made of: memory, lanes, Redis, Kafka, certificates. Pure.

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::look::Look;
use super::part::Part;
use super::table::{left, right, table};
use super::text::{UNKNOWN, age, bytes, clock, count};
use crate::printable::printable;
use crate::status::{KafkaReport, LaneReport, StatusReport};

/// A line that begins with a title.
fn titled(title: &str, text: String, look: Look) -> Line<'static> {
    Line::from(vec![Span::styled(format!("{title}  "), look.title()), Span::raw(text)])
}

/// Memory, and the end of the first certificate.
pub(super) fn memory(report: &StatusReport, look: Look) -> Part {
    let memory = &report.memory;
    let percent = memory.in_flight_bytes * 100 / memory.max_in_flight_bytes.max(1);
    let text = format!(
        "events in flight {} of {} ({percent} %), process {}",
        bytes(memory.in_flight_bytes),
        bytes(memory.max_in_flight_bytes),
        bytes(memory.resident_bytes)
    );
    Part::new(vec![titled("MEMORY", text, look)], 1)
}

/// When certificates end, the first one first.
pub(super) fn certificates(report: &StatusReport, look: Look) -> Option<Part> {
    let first = report.certificates.iter().min_by_key(|certificate| certificate.at)?;
    let client = printable(&first.client);
    let text = if first.at > report.now {
        format!("the first one ends in {} ({client})", age(report.now, first.at))
    } else {
        format!("one ended {} ago ({client})", age(first.at, report.now))
    };
    Some(Part::new(vec![titled("CERTIFICATES", text, look)], 1))
}

/// How many lanes can write, and which cannot.
pub(super) fn lanes(report: &StatusReport, look: Look) -> Part {
    let in_state = |state: &str| report.lanes.iter().filter(|lane| lane.state == state).count();
    let queued = |of: fn(&LaneReport) -> u64| report.lanes.iter().map(of).sum::<u64>();
    let text = format!(
        "{} of {} up; queued {} events, {}",
        in_state("up"),
        report.lanes.len(),
        count(queued(|lane| lane.queued_events)),
        bytes(queued(|lane| lane.queued_bytes))
    );
    let rows = report.lanes.iter().filter(|lane| lane.state != "up").map(|lane| {
        let reason = lane.reason.as_deref().map(printable).unwrap_or_default();
        vec![
            left(format!("lane {}", lane.lane)),
            left(printable(&lane.state)).styled(look.warning()),
            right(count(lane.queued_events)),
            left(reason),
        ]
    });
    let rows = table(rows.collect());
    Part::new(std::iter::once(titled("LANES", text, look)).chain(rows).collect(), 1)
}

/// The servers of Redis, those that do not answer first.
pub(super) fn redis(report: &StatusReport, look: Look) -> Part {
    let mut nodes: Vec<_> = report.redis.nodes.iter().collect();
    nodes.sort_by_key(|node| node.up);
    let mode = format!("REDIS {}", printable(&report.redis.mode));
    let title = [left(mode), left("role"), left("state"), right("reconnects"), left("last error")];
    let title = title.into_iter().map(|cell| cell.styled(look.title())).collect();
    let rows = nodes.into_iter().map(|node| {
        let (word, style) = if node.up { ("up", look.good()) } else { ("DOWN", look.bad()) };
        let error = node.last_error.as_ref().map_or(UNKNOWN.to_owned(), |error| {
            let at = clock(error.at, report.now);
            format!("{at} {} {}", printable(&error.class), printable(&error.code))
        });
        vec![
            left(printable(&node.node)),
            left(printable(&node.role)),
            left(word).styled(style),
            right(count(node.reconnects)),
            left(error),
        ]
    });
    Part::new(table(std::iter::once(title).chain(rows).collect()), 2)
}

/// The lag of all partitions together.
pub(super) fn lag(kafka: &KafkaReport) -> u64 {
    kafka.partitions.iter().map(|partition| partition.lag.max(0) as u64).sum()
}

/// The consumer, and its partitions, those with the largest lag first.
pub(super) fn kafka(report: &StatusReport, look: Look) -> Option<Part> {
    let kafka = report.kafka.as_ref()?;
    let mut partitions: Vec<_> = kafka.partitions.iter().filter(|one| one.lag > 0).collect();
    partitions.sort_by_key(|partition| std::cmp::Reverse(partition.lag));
    let text = format!(
        "lag {}; {} partitions, {} paused",
        count(lag(kafka)),
        kafka.assigned,
        kafka.paused
    );
    let style = if kafka.paused > 0 { look.warning() } else { Style::new() };
    let title = titled("KAFKA", text, look).style(style);
    let rows = partitions.into_iter().map(|partition| {
        let name = format!("{}/{}", printable(&partition.topic), partition.partition);
        vec![left(name), right(count(partition.lag.max(0) as u64))]
    });
    let rows = table(rows.collect());
    Some(Part::new(std::iter::once(title).chain(rows).collect(), 1))
}
