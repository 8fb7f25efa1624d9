//! Splitting ends for any body, and each range it finds lies inside the body, in order.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz split -- -dict=tests/fuzz/json.dict`

#![no_main]

use libfuzzer_sys::fuzz_target;
use traitsink::event::{Body, split};

fuzz_target!(|body: &[u8]| match split(body) {
    Ok(Body::Event(event)) => assert_eq!(event.end, body.len()),
    Ok(Body::Batch(mut elements)) => {
        let count = elements.len();
        let events: Vec<_> = std::iter::from_fn(|| elements.next(body)).collect();
        assert!(count > 0);
        assert_eq!(events.len(), count);
        assert!(events.iter().all(|event| event.start < event.end && event.end < body.len()));
        assert!(events.is_sorted_by(|before, event| before.end <= event.start));
    }
    Err(_) => {}
});
