//! `[[profile.field_ttl]]`: fields that expire by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ttl::not_below_a_millisecond;
use crate::config::engine::long_span::LongSpan;
use crate::config::engine::report::ConfigReport;
use crate::profile::FieldTtl;

/// Fields that expire by themselves, after each write of the field anew: needs Redis 7.4 or Valkey
/// 9. The first entry that matches a field decides.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFieldTtl {
    /// Whole names of fields; `*` stands for any characters, dots too.
    #[serde(rename = "match")]
    #[schemars(example = &"session.*")]
    pattern: Option<String>,
    /// How long after their last write they expire.
    #[schemars(example = &"30m")]
    ttl: Option<LongSpan>,
}

/// Redis refuses a field that expires after 2^46 ms since 1970: until the year 2100 this is less.
const LONGEST: LongSpan = LongSpan::days(760_000);

pub(super) fn resolve(entries: &[RawFieldTtl], report: &mut ConfigReport) -> Vec<FieldTtl> {
    let resolved = entries.iter().enumerate().filter_map(|(n, entry)| {
        let at = format!("profile.field_ttl[{n}]");
        let ttl_key = format!("{at}.ttl");
        if entry.pattern.is_none() {
            report.error(&format!("{at}.match"), "names no field: write a name, or a pattern");
        }
        match entry.ttl {
            None => report.error(&ttl_key, "is needed"),
            Some(ttl) if ttl > LONGEST => {
                report.error(&ttl_key, "must be at most 760000d: Redis takes no later expiry");
            }
            Some(ttl) => not_below_a_millisecond(&ttl_key, ttl, report),
        }
        Some(FieldTtl { pattern: entry.pattern.clone()?, ttl: entry.ttl?.0 })
    });
    resolved.collect()
}
