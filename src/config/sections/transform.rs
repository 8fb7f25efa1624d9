//! `[transform]`: which events are meant for us, and how large one may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Limits, Rules};

use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::{Size, print_size};

/// From an event to a key and its fields. An event that exceeds a limit is rejected by itself, with
/// a counted reason.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTransform {
    /// The name that is looked up in an event's `integrations`.
    destination: String,
    /// Size of one event as text.
    pub(crate) max_event: Size,
    /// Levels below `traits`; parts of the event that are not used are skipped at any depth.
    #[schemars(range(min = 1, max = 1000))]
    max_depth: usize,
    /// Fields of one event.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_fields: usize,
    /// Size of the Redis key.
    max_key: Size,
    /// Size of the name of a field, which is a flattened path.
    max_field_name: Size,
    /// Names and values of one event together: nested names repeat those of their parents. At most
    /// half of `delivery.max_in_flight`. Default: 2MiB, or that half if it is less.
    #[schemars(example = &"2MiB")]
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
    pub(crate) fn resolve(&self, max_in_flight: usize, report: &mut ConfigReport) -> Rules {
        let half = Size(max_in_flight as u64 / 2);
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
        Rules::new(limits, &self.destination)
    }

    /// The section with `max_update` as it was decided.
    pub(crate) fn effective(self, valid: &Rules) -> Self {
        Self { max_update: Some(Size(valid.limits.max_update as u64)), ..self }
    }
}
