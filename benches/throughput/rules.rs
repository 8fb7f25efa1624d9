//! The rules of the transform that both benchmarks use.

use traitsink::event::{Limits, Rules};

/// The defaults of the configuration.
pub(crate) fn rules() -> Rules {
    let limits = Limits {
        max_event: 1 << 20,
        max_depth: 200,
        max_fields: 10_000,
        max_key: 1 << 10,
        max_field_name: 1 << 10,
        max_update: 2 << 20,
    };
    Rules::new(limits, "Redis")
}
