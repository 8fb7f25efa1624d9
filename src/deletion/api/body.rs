//! The bodies of requests: which users they name, and what is to be done. Pure.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::deletion::kind::RegulationKind;
use crate::deletion::regulations::RegulationOrder;
use crate::event::user_id_text;

/// Users of one body, at most.
pub(super) const MOST_USERS: usize = 5000;
/// Bytes of a job's id, at most: it is sent back.
const LONGEST_JOB_ID: usize = 128;

/// Why a whole body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// No JSON, or not the members that are expected.
    Unreadable,
    NoUsers,
    TooManyUsers,
    BlankUser,
    /// A user id is longer than `transform.max_key`.
    UserTooLong,
    /// A job is for another kind of destination.
    OtherDestination,
}

/// A job of `/deleteUsers`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeletionJob {
    /// The JSON text of its id.
    pub(super) id: String,
    pub(super) order: RegulationOrder,
}

/// The members that Segment's clients send.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct SegmentBody<'a> {
    #[serde(borrow)]
    regulation_type: Cow<'a, str>,
    #[serde(borrow)]
    subject_type: Cow<'a, str>,
    #[serde(borrow)]
    subject_ids: UpToLimit<&'a RawValue>,
}

/// The members that RudderStack's clients send.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RudderBody<'a> {
    #[serde(borrow)]
    regulation_type: Cow<'a, str>,
    #[serde(borrow)]
    users: UpToLimit<RudderUser<'a>>,
    #[serde(default, borrow)]
    source_ids: Option<UpToLimit<Cow<'a, str>>>,
}

#[derive(serde::Deserialize)]
struct RudderUser<'a> {
    #[serde(default, rename = "userId", borrow)]
    user_id: Option<&'a RawValue>,
}

/// The members of a job that RudderStack's worker sends.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobBody<'a> {
    #[serde(borrow)]
    job_id: &'a RawValue,
    #[serde(default, borrow)]
    dest_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_attributes: UpToLimit<RudderUser<'a>>,
}

/// The regulation that a body of Segment's form asks for, without sources.
pub(super) fn segment(body: &[u8], max_key: usize) -> Result<RegulationOrder, BodyError> {
    let body: SegmentBody<'_> = read(body)?;
    let kind = match &*body.subject_type {
        "USER_ID" => RegulationKind::of_segment(&body.regulation_type),
        _ => RegulationKind::Unknown,
    };
    let users = users_of(body.subject_ids.whole()?.into_iter().map(Some), max_key)?;
    Ok(RegulationOrder { kind, users, sources: Vec::new() })
}

/// The regulation that a body of RudderStack's form asks for.
pub(super) fn rudderstack(body: &[u8], max_key: usize) -> Result<RegulationOrder, BodyError> {
    let body: RudderBody<'_> = read(body)?;
    let kind = RegulationKind::of_rudderstack(&body.regulation_type);
    let users = body.users.whole()?.into_iter().map(|user| user.user_id);
    let users = users_of(users, max_key)?;
    let sources = body.source_ids.map(|ids| ids.first).unwrap_or_default();
    let sources = sources.into_iter().map(Cow::into_owned).collect();
    Ok(RegulationOrder { kind, users, sources })
}

/// The jobs that a body of `/deleteUsers` holds.
pub(super) fn jobs(body: &[u8], max_key: usize) -> Result<Vec<DeletionJob>, BodyError> {
    let bodies: UpToLimit<JobBody<'_>> = read(body)?;
    let bodies = bodies.whole()?;
    let (mut jobs, mut count) = (Vec::new(), 0);
    for JobBody { job_id, dest_type, user_attributes } in bodies {
        let id = job_id.get();
        if !id.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
            || id.len() > LONGEST_JOB_ID
        {
            return Err(BodyError::Unreadable);
        }
        if dest_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("redis")) {
            return Err(BodyError::OtherDestination);
        }
        let users = user_attributes.whole()?;
        count += users.len();
        if count > MOST_USERS {
            return Err(BodyError::TooManyUsers);
        }
        let users = users_of(users.into_iter().map(|user| user.user_id), max_key)?;
        let kind = RegulationKind::DeleteOnly;
        let order = RegulationOrder { kind, users, sources: Vec::new() };
        jobs.push(DeletionJob { id: id.to_owned(), order });
    }
    if jobs.is_empty() { Err(BodyError::NoUsers) } else { Ok(jobs) }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BodyError> {
    serde_json::from_slice(body).map_err(|_| BodyError::Unreadable)
}

/// The texts of `ids`, each once, in their order.
fn users_of<'a>(
    ids: impl Iterator<Item = Option<&'a RawValue>>,
    max_key: usize,
) -> Result<Vec<String>, BodyError> {
    let (mut users, mut seen) = (Vec::new(), HashSet::new());
    for id in ids {
        let user = id.and_then(|id| user_id_text(id.get())).ok_or(BodyError::BlankUser)?;
        if user.len() > max_key {
            return Err(BodyError::UserTooLong);
        }
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    if users.is_empty() { Err(BodyError::NoUsers) } else { Ok(users) }
}

/// A list of which only so many elements are kept as a body may have users.
struct UpToLimit<T> {
    first: Vec<T>,
    has_more: bool,
}

impl<T> UpToLimit<T> {
    fn whole(self) -> Result<Vec<T>, BodyError> {
        if self.has_more { Err(BodyError::TooManyUsers) } else { Ok(self.first) }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for UpToLimit<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = UpToLimit<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = UpToLimit { first: Vec::new(), has_more: false };
        while found.first.len() < MOST_USERS {
            match list.next_element()? {
                Some(element) => found.first.push(element),
                None => return Ok(found),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            found.has_more = true;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegulationKind as K;

    fn users(body: &str) -> Result<Vec<String>, BodyError> {
        segment(body.as_bytes(), 8).map(|order| order.users)
    }

    fn with_ids(ids: &str) -> String {
        format!(r#"{{"regulationType":"DELETE_ONLY","subjectType":"USER_ID","subjectIds":{ids}}}"#)
    }

    #[test]
    fn ids_become_the_texts_that_events_have() {
        for (ids, expected) in [
            (r#"["a","b","a"]"#, &["a", "b"][..]),
            (r#"[1,"1",1.0,-0]"#, &["1", "-0"]),
            (r#"["a:b","{c}"," d "]"#, &["a:b", "{c}", " d "]),
            (r#"[["x",2],true]"#, &["x,2", "true"]),
            (r#"["\u0061"]"#, &["a"]),
        ] {
            assert_eq!(users(&with_ids(ids)).unwrap(), expected, "{ids}");
        }
    }

    #[test]
    fn bad_ids_cost_the_whole_body() {
        let many = format!("[{}1]", "1,".repeat(5000));
        let enough = format!("[{}1]", "1,".repeat(4999));
        assert_eq!(users(&with_ids(&enough)).unwrap(), ["1"]);
        for (ids, error) in [
            ("[]", BodyError::NoUsers),
            (r#"["a",""]"#, BodyError::BlankUser),
            (r#"["a"," \n"]"#, BodyError::BlankUser),
            ("[null]", BodyError::BlankUser),
            (r#"["123456789"]"#, BodyError::UserTooLong),
            (many.as_str(), BodyError::TooManyUsers),
            ("\"a\"", BodyError::Unreadable),
            ("[1,]", BodyError::Unreadable),
        ] {
            assert_eq!(users(&with_ids(ids)), Err(error), "{ids:.20}");
        }
    }

    #[test]
    fn the_forms_of_both_systems() {
        let order = |kind, users: &[&str], sources: &[&str]| RegulationOrder {
            kind,
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        };
        let body = r#"{"subjectType":"OBJECT_ID","regulationType":"DELETE_ONLY",
            "subjectIds":["a"],"more":[{}]}"#;
        assert_eq!(segment(body.as_bytes(), 8), Ok(order(K::Unknown, &["a"], &[])));
        let body = r#"{"regulationType":"suppress","users":[{"userId":"a","phone":"1"},
            {"userId":2}],"sourceIds":["web"],"destinationIds":["x"]}"#;
        let expected = order(K::SuppressOnly, &["a", "2"], &["web"]);
        assert_eq!(rudderstack(body.as_bytes(), 8), Ok(expected));
        for body in [
            r#"{"regulationType":"suppress","users":[{"email":"a"}]}"#,
            r#"{"regulationType":"suppress","users":[{"userId":null}]}"#,
        ] {
            assert_eq!(rudderstack(body.as_bytes(), 8), Err(BodyError::BlankUser), "{body}");
        }

        let body = r#"[{"jobId":7,"destType":"redis","config":{"a":1},
            "userAttributes":[{"userId":"a"},{"userId":"a"}]},
            {"jobId":"j","userAttributes":[{"userId":"b"}]}]"#;
        let job = |id: &str, user| DeletionJob {
            id: id.to_owned(),
            order: order(K::DeleteOnly, &[user], &[]),
        };
        assert_eq!(jobs(body.as_bytes(), 8), Ok(vec![job("7", "a"), job("\"j\"", "b")]));
    }

    #[test]
    fn bad_jobs_cost_the_whole_body() {
        let users = |count: usize| {
            let users = vec![r#"{"userId":1}"#; count].join(",");
            format!(r#"{{"jobId":1,"userAttributes":[{users}]}}"#)
        };
        for (body, error) in [
            ("[]".to_owned(), BodyError::NoUsers),
            ("{}".to_owned(), BodyError::Unreadable),
            (r#"[{"userAttributes":[{"userId":1}]}]"#.to_owned(), BodyError::Unreadable),
            (format!(r#"[{}]"#, users(1).replace("1,", "{},")), BodyError::Unreadable),
            (format!("[{}]", users(0)), BodyError::NoUsers),
            (format!("[{},{}]", users(2500), users(2501)), BodyError::TooManyUsers),
            (
                format!("[{}]", users(1).replace("\"jobId\"", "\"destType\":\"AM\",\"jobId\"")),
                BodyError::OtherDestination,
            ),
        ] {
            assert_eq!(jobs(body.as_bytes(), 8), Err(error), "{body:.60}");
        }
    }
}
