//! The search for events in a Kafka value ends for any bytes, and each range it finds lies inside
//! the value, in order.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz shapes -- -dict=tests/fuzz/json.dict`

#![no_main]

use libfuzzer_sys::fuzz_target;
use traitsink::event::events_of;

fuzz_target!(|value: &[u8]| {
    let mut elements = events_of(value);
    let count = elements.len();
    let events: Vec<_> = std::iter::from_fn(|| elements.next(value)).collect();
    assert_eq!(events.len(), count);
    assert!(events.iter().all(|event| event.start <= event.end && event.end <= value.len()));
    assert!(events.is_sorted_by(|before, event| before.end <= event.start));
});
