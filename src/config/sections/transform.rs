//! `[transform]`: which events are meant for us, and how large one may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Limits, Rules};

use crate::config::engine::report::Report;
use crate::config::engine::units::{Size, print_size};

/// From an event to a key and its fields. What exceeds a limit is rejected by itself, with a
/// counted reason.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTransform {
    /// The name looked up in an event's `integrations`.
    destination: String,
    /// One event's text.
    pub(crate) max_event: Size,
    /// Levels below `traits`; parts of the event that are not used are skipped at any depth.
    #[schemars(range(min = 1, max = 1000))]
    max_depth: usize,
    /// Fields of one event.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_fields: usize,
    /// The Redis key.
    max_key: Size,
    /// The name of a field: a flattened path.
    max_field_name: Size,
    /// Names and values of one event together; at most half of `delivery.max_in_flight`.
    max_update: Option<Size>,
}

impl Default for RawTransform {
    fn default() -> Self {
        Self {
            destination: "Redis".into(),
            max_event: Size::mib(1),
            max_depth: 200,
            max_fields: 10_000,
            max_key: Size::kib(1),
            max_field_name: Size::kib(1),
            max_update: None,
        }
    }
}

impl RawTransform {
    /// `max_in_flight` is `delivery.max_in_flight`: an update that takes more than half of it would
    /// find no room.
    pub(crate) fn resolve(&self, max_in_flight: Size, report: &mut Report) -> Rules {
        let half = Size(max_in_flight.0 / 2);
        let max_update = self.max_update.unwrap_or(Size::mib(2).min(half));
        let limit = ("half of delivery.max_in_flight", print_size(&half.0));
        report.ordered(
            ("transform.max_update", print_size(&max_update.0)),
            limit,
            max_update <= half,
        );
        let limits = Limits {
            max_event: self.max_event.bytes(),
            max_depth: self.max_depth,
            max_fields: self.max_fields,
            max_key: self.max_key.bytes(),
            max_field_name: self.max_field_name.bytes(),
            max_update: max_update.bytes(),
        };
        Rules { limits, destination: self.destination.clone() }
    }

    /// What `valid` came to, in the form that is typed.
    pub(crate) fn effective(self, valid: &Rules) -> Self {
        Self { max_update: Some(Size(valid.limits.max_update as u64)), ..self }
    }
}
