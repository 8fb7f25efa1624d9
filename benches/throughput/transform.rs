//! The transform alone, on one thread, beside serde_json's `IgnoredAny`, which only skips the same
//! bytes.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::de::IgnoredAny;
use traitsink::event::{Decision, Origin, Transformer};

use super::events::{Events, Mix};
use super::report::{ROUNDS, Report};
use super::rules::rules;
use super::targets::Row;

/// Number of different events.
const EVENTS: u64 = 256;
/// How often they are read in one round.
const PASSES: u64 = 1_000;

pub(super) fn measure(report: &mut Report) {
    for (what, row, mix) in [
        ("all identify", Row::TransformAll, Mix::All),
        ("20 % identify", Row::TransformMixed, Mix::Fifth),
    ] {
        let mut source = Events::new(mix);
        let texts: Vec<Vec<u8>> = (0..EVENTS)
            .map(|_| {
                let mut event = String::new();
                source.next(&mut event);
                event.into_bytes()
            })
            .collect();
        let (rules, mut transformer) = (rules(), Transformer::default());
        let first = transformer.transform(&rules, Origin::default(), &texts[0]);
        assert!(
            matches!(&first, Decision::Update(update) if update.field_count() == 8),
            "{first:?}"
        );
        for round in 1..=ROUNDS {
            println!("transform, {what}, round {round}");
            let (mut transform, mut skip) = (Duration::ZERO, Duration::ZERO);
            for _ in 0..PASSES {
                transform += timed(|| {
                    for text in &texts {
                        let text = black_box(text);
                        black_box(transformer.transform(&rules, Origin::default(), text));
                    }
                });
                skip += timed(|| {
                    for text in &texts {
                        let skipped = serde_json::from_slice::<IgnoredAny>(black_box(text));
                        black_box(skipped).expect("JSON");
                    }
                });
            }
            let each = |time: Duration| time.as_secs_f64() * 1e6 / (EVENTS * PASSES) as f64;
            report.absolute(&format!("transform, {what}"), "CPU s per million", each(transform));
            report.absolute(&format!("`IgnoredAny`, {what}"), "CPU s per million", each(skip));
            report.row(row, transform.as_secs_f64() / skip.as_secs_f64());
        }
    }
}

/// Processor time of this thread for `work`.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("time does not run back")
    };
    let before = now();
    work();
    now() - before
}
