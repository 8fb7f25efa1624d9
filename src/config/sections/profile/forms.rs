//! Which keys of `[profile]` go together.

use crate::config::engine::report::ConfigReport;
use crate::profile::{NewestWins, Nulls, Profile, ProfileMode, Store};

/// Errors for keys that exclude each other, and for keys without effect beside the others.
pub(super) fn check(profile: &Profile, report: &mut ConfigReport) {
    match profile.store {
        Store::Json => documents(profile, report),
        Store::Hash => {
            for key in ["profile.json_nulls", "profile.json_traits"] {
                report.no_effect(key, "with profile.store = \"hash\"");
            }
        }
    }
    if profile.mode == ProfileMode::Replace {
        replaced(profile, report);
    }
    if !profile.is_guarded() {
        for key in ["profile.time_field", "profile.max_ahead"] {
            report.no_effect(key, "with profile.newest_wins = \"off\"");
        }
    }
    if profile.ttl.is_none() && profile.ttl_path.is_none() {
        report.no_effect("profile.ttl_mode", "without profile.ttl or profile.ttl_path");
    }
}

fn documents(profile: &Profile, report: &mut ConfigReport) {
    const JSON: (&str, &str) = ("profile.store", "json");
    if profile.is_guarded() {
        let word = format!("\"{}\" ", profile.newest_wins.as_str());
        exclude(report, ("profile.newest_wins", &word), JSON, "a document has no times of fields");
    }
    if !profile.field_ttl.is_empty() {
        exclude(report, ("profile.field_ttl", ""), JSON, "a document has no fields that expire");
    }
    report.no_effect(
        "profile.nulls",
        "with profile.store = \"json\": profile.json_nulls says what a null does",
    );
}

fn replaced(profile: &Profile, report: &mut ConfigReport) {
    if profile.newest_wins == NewestWins::Field {
        exclude(
            report,
            ("profile.mode", "\"replace\" "),
            ("profile.newest_wins", "field"),
            "with \"profile\" the newest event's traits are the whole hash",
        );
    }
    if profile.nulls == Nulls::Delete && profile.store == Store::Hash {
        report.error(
            "profile.nulls",
            format_args!(
                "\"delete\" has no effect with {} = \"replace\", which removes every field that \
                 the event does not set",
                report.place("profile.mode")
            ),
        );
    }
}

/// An error that `key` does not go with `other` while that has this value.
fn exclude(
    report: &mut ConfigReport,
    (key, value): (&str, &str),
    (other, others_value): (&str, &str),
    why: &str,
) {
    let other = report.place(other);
    report.error(key, format_args!("{value}does not go with {other} = \"{others_value}\": {why}"));
}
