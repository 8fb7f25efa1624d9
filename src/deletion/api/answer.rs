//! The answers: JSON without user ids. Pure.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::deletion::kind::RegulationKind;
use crate::deletion::regulation::{Regulation, RegulationState, Shortfall};

/// The answer to Segment's `POST`.
pub(super) fn accepted(regulation: &Regulation) -> String {
    text(&Enveloped { data: AcceptedRegulation { regulate_id: &regulation.id } })
}

/// The answer to Segment's `GET`.
pub(super) fn state(regulation: &Regulation) -> String {
    let time = |at: i64| {
        jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default()
    };
    text(&Enveloped {
        data: RegulationData {
            regulation: ShownRegulation {
                id: &regulation.id,
                regulation_type: regulation.kind,
                overall_status: regulation.state,
                created_at: time(regulation.created),
                finished_at: regulation.finished.map(time),
                subjects: regulation.subjects,
                keys_deleted: regulation.keys_deleted,
                dead_letters: ShownLetters {
                    removed: regulation.letters_removed,
                    left: regulation.letters_left,
                },
                reasons: regulation.shortfalls.iter().copied().collect(),
            },
        },
    })
}

/// The answer to each request of RudderStack's `/v2/regulations`.
pub(super) fn job(regulation: &Regulation) -> String {
    text(&ShownJob { id: &regulation.id, status: status(regulation) })
}

/// The answer to `/deleteUsers`, and whether all jobs succeeded. A job without a regulation was not
/// done in time.
pub(super) fn jobs(jobs: &[(String, Option<Regulation>)]) -> (String, bool) {
    let outcome = |(id, regulation): &(String, Option<Regulation>)| {
        let error = match regulation {
            Some(done) if done.state == RegulationState::Finished => None,
            Some(done) => Some(failure(done)),
            None => Some("the deletion is not done yet; it goes on".to_owned()),
        };
        JobOutcome {
            job_id: RawValue::from_string(id.clone()).unwrap_or_default(),
            status: if error.is_none() { "successful" } else { "failed" },
            error,
        }
    };
    let outcomes: Vec<JobOutcome> = jobs.iter().map(outcome).collect();
    let all = outcomes.iter().all(|outcome| outcome.error.is_none());
    (text(&outcomes), all)
}

/// RudderStack's word for a state.
fn status(regulation: &Regulation) -> &'static str {
    match regulation.state {
        RegulationState::Initialized => "pending",
        RegulationState::Running => "running",
        RegulationState::Finished => "complete",
        RegulationState::Failed if regulation.shortfalls.contains(&Shortfall::Lifted) => "aborted",
        RegulationState::PartialSuccess | RegulationState::Failed => "failed",
        RegulationState::Invalid | RegulationState::NotSupported => "aborted",
    }
}

fn failure(regulation: &Regulation) -> String {
    let reason = |shortfall: &Shortfall| match shortfall {
        Shortfall::WrongType => "a key holds another type than a profile, and was left",
        Shortfall::Refused => "Redis refuses the deletion of a key for good",
        Shortfall::TooManyPrefixes => {
            "more dynamic prefixes were seen than are remembered: keys under others may be left"
        }
        Shortfall::DeadLetterTopic => "dead letters in the Kafka topic are left",
        Shortfall::Lifted => "it was ended before it was done",
    };
    regulation.shortfalls.iter().map(reason).collect::<Vec<_>>().join("; ")
}

fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("texts and numbers are JSON")
}

#[derive(Serialize)]
struct Enveloped<T> {
    data: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedRegulation<'a> {
    regulate_id: &'a str,
}

#[derive(Serialize)]
struct RegulationData<'a> {
    regulation: ShownRegulation<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRegulation<'a> {
    id: &'a str,
    regulation_type: RegulationKind,
    overall_status: RegulationState,
    /// RFC 3339, like the next.
    created_at: String,
    finished_at: Option<String>,
    subjects: u64,
    keys_deleted: u64,
    dead_letters: ShownLetters,
    /// Why less was done than was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Shortfall>,
}

#[derive(Serialize)]
struct ShownLetters {
    removed: u64,
    left: u64,
}

#[derive(Serialize)]
struct ShownJob<'a> {
    id: &'a str,
    status: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobOutcome {
    job_id: Box<RawValue>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::deletion::regulation::WorkDone;

    fn regulation(state: RegulationState, shortfalls: &[Shortfall]) -> Regulation {
        let prefixes = Some(vec!["team".to_owned()]);
        let mut found = Regulation::new(
            "r1".into(),
            RegulationKind::SuppressOnly,
            3,
            prefixes,
            1_700_000_000_000,
        );
        let (keys_deleted, letters_removed, letters_left) = (4, 5, 6);
        let shortfalls = shortfalls.iter().copied().collect();
        found.add(WorkDone { keys_deleted, letters_removed, letters_left, shortfalls });
        found.state = state;
        found
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_regulation_in_the_form_of_segment() {
        let mut found = regulation(RegulationState::Running, &[]);
        assert_eq!(accepted(&found), r#"{"data":{"regulateId":"r1"}}"#);
        let mut expected = json!({
            "id": "r1", "regulationType": "SUPPRESS_ONLY", "overallStatus": "RUNNING",
            "createdAt": "2023-11-14T22:13:20Z", "finishedAt": null, "subjects": 3,
            "keysDeleted": 4, "deadLetters": {"removed": 5, "left": 6},
        });
        assert_eq!(parsed(&state(&found)), json!({"data": {"regulation": expected}}));
        found.finished = Some(1_700_000_000_250);
        found.shortfalls.insert(Shortfall::WrongType);
        expected["finishedAt"] = "2023-11-14T22:13:20.25Z".into();
        expected["reasons"] = json!(["wrong_type"]);
        assert_eq!(parsed(&state(&found)), json!({"data": {"regulation": expected}}));
    }

    #[test]
    fn a_state_in_the_words_of_rudderstack() {
        use RegulationState as S;
        for (state, shortfalls, word) in [
            (S::Initialized, &[][..], "pending"),
            (S::Running, &[], "running"),
            (S::Finished, &[], "complete"),
            (S::PartialSuccess, &[Shortfall::WrongType], "failed"),
            (S::Failed, &[Shortfall::Lifted], "aborted"),
            (S::Failed, &[], "failed"),
            (S::Invalid, &[], "aborted"),
            (S::NotSupported, &[], "aborted"),
        ] {
            let found = regulation(state, shortfalls);
            assert_eq!(parsed(&job(&found)), json!({"id": "r1", "status": word}));
        }
    }

    #[test]
    fn jobs_fail_with_the_reason() {
        let done = Some(regulation(RegulationState::Finished, &[Shortfall::DeadLetterTopic]));
        let part = Some(regulation(RegulationState::PartialSuccess, &[Shortfall::WrongType]));
        let good = ("7".to_owned(), done);
        let (text, all) = jobs(std::slice::from_ref(&good));
        assert_eq!((text.as_str(), all), (r#"[{"jobId":7,"status":"successful"}]"#, true));
        let (text, all) = jobs(&[good, ("\"j\"".into(), part), ("9".into(), None)]);
        let answer = parsed(&text);
        assert!(!all && answer[0]["status"] == "successful");
        assert_eq!((&answer[1]["jobId"], &answer[1]["status"]), (&json!("j"), &json!("failed")));
        assert!(answer[1]["error"].as_str().unwrap().contains("another type"), "{answer}");
        assert!(answer[2]["error"].as_str().unwrap().contains("goes on"), "{answer}");
    }
}
