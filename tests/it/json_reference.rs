//! A second, simple version of what an event does to a JSON document, for comparison. It follows
//! the words of the manual, keeps the document itself, and has no limits but the depth that
//! RedisJSON has.

use traitsink::event::DocumentRules;
use traitsink::profile::{JsonNulls, JsonTraits};

use crate::reference::{Js, Utf16, assign, read, utf16};

/// What an event does.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// The key, and where in its document.
    Written(String, Vec<String>, Change),
    NoTraits,
    TooDeep,
    NoDocument,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    Merge(Js),
    Replace(Js),
}

/// The effect of an identify event of the user `u`. Entities have keys that begin with `W:D:`.
pub(crate) fn effect(event: &str, rules: DocumentRules) -> Effect {
    let event = read(event).expect("an event");
    let empty = Js::Object(Vec::new());
    let context = event.get("context").unwrap_or(&empty);
    if let Some(effect) = of_entity(&event, context) {
        return effect;
    }
    let (context, own) = (context.get("traits"), event.get("traits"));
    let chosen = match rules.traits {
        JsonTraits::Both => {
            let objects: Vec<Js> = [context, own]
                .into_iter()
                .flatten()
                .filter(|value| matches!(value, Js::Object(_)))
                .map(well_formed)
                .collect();
            match objects.as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                [base, over, ..] => Some(united(base, over)),
            }
        }
        JsonTraits::Either => match own {
            None | Some(Js::Null) => context.map(well_formed),
            Some(Js::String(text)) if text.is_empty() => context.map(well_formed),
            Some(own) => Some(well_formed(own)),
        },
    };
    let Some(value @ (Js::Object(_) | Js::Array(_))) = chosen else { return Effect::NoTraits };
    if depth(&value) > 127 {
        return Effect::TooDeep;
    }
    let removes = rules.nulls == JsonNulls::Delete && !rules.replace;
    let stays = |value: &Js| !is_null(value) || removes || rules.nulls == JsonNulls::Keep;
    if let Js::Object(members) = &value
        && !members.iter().any(|(_, value)| stays(value))
    {
        return Effect::NoTraits;
    }
    let change = if rules.replace { Change::Replace(value) } else { Change::Merge(value) };
    Effect::Written("user:u".into(), Vec::new(), change)
}

/// `None`: the event is none of the Profiles branch.
fn of_entity(event: &Js, context: &Js) -> Option<Effect> {
    let Some(Js::String(model)) = context.get("sources")?.get("profiles_model") else {
        return None;
    };
    let path: Vec<String> = String::from_utf16_lossy(model).split('.').map(str::to_owned).collect();
    let Some(value @ (Js::Object(_) | Js::Array(_))) = event.get("traits") else {
        return Some(Effect::NoDocument);
    };
    let value = well_formed(value);
    if depth(&value) + path.len() > 127 {
        return Some(Effect::TooDeep);
    }
    Some(Effect::Written("W:D:e:i:u".into(), path, Change::Merge(value)))
}

/// The document after the change.
pub(crate) fn changed(
    document: Option<Js>,
    path: &[String],
    change: Change,
    nulls: JsonNulls,
) -> Js {
    let empty = || Js::Object(Vec::new());
    match change {
        Change::Merge(value) => {
            let nested =
                path.iter().rev().fold(value, |inner, name| Js::Object(vec![(utf16(name), inner)]));
            merged(document.unwrap_or_else(empty), &nested, nulls, &mut Vec::new())
        }
        Change::Replace(value) => {
            let nulls = match nulls {
                JsonNulls::Delete => JsonNulls::Skip,
                other => other,
            };
            replaced(&value, nulls)
        }
    }
}

fn merged(old: Js, patch: &Js, nulls: JsonNulls, path: &mut Vec<Utf16>) -> Js {
    let Js::Object(patch) = patch else { return patch.clone() };
    let mut members = if let Js::Object(members) = old { members } else { Vec::new() };
    for (name, value) in patch {
        path.push(name.clone());
        let before = members.iter().position(|(known, _)| known == name);
        if !is_null(value) {
            let old = before.map_or(Js::Null, |at| members[at].1.clone());
            let new = merged(old, value, nulls, path);
            assign(&mut members, name.clone(), new);
        } else if nulls == JsonNulls::Keep && path.iter().all(|name| can_be_named(name)) {
            assign(&mut members, name.clone(), Js::Null);
        } else if nulls != JsonNulls::Skip
            && let Some(at) = before
        {
            members.remove(at);
        }
        path.pop();
    }
    Js::Object(members)
}

/// The value without its nulls, or with them.
fn replaced(value: &Js, nulls: JsonNulls) -> Js {
    let Js::Object(members) = value else { return value.clone() };
    let kept = members
        .iter()
        .filter(|(_, value)| !is_null(value) || nulls == JsonNulls::Keep)
        .map(|(name, value)| (name.clone(), replaced(value, nulls)));
    Js::Object(kept.collect())
}

/// `traits` over `context.traits`.
fn united(base: &Js, over: &Js) -> Js {
    let (Js::Object(base), Js::Object(over)) = (base, over) else { return over.clone() };
    let mut members = base.clone();
    for (name, value) in over {
        let old = members.iter().find(|(known, _)| known == name).map(|(_, old)| old.clone());
        let new = old.map_or_else(|| value.clone(), |old| united(&old, value));
        assign(&mut members, name.clone(), new);
    }
    Js::Object(members)
}

fn is_null(value: &Js) -> bool {
    *value == Js::Null || matches!(value, Js::Number(number) if number.is_infinite())
}

/// Whether JSONPath can name a member.
fn can_be_named(name: &[u16]) -> bool {
    let has = |c: char| name.contains(&(c as u16));
    !(has('\\') || has('"') && has('\''))
}

/// The value with U+FFFD for each lone surrogate.
fn well_formed(value: &Js) -> Js {
    let text = |text: &Utf16| utf16(&String::from_utf16_lossy(text));
    match value {
        Js::String(units) => Js::String(text(units)),
        Js::Array(elements) => Js::Array(elements.iter().map(well_formed).collect()),
        Js::Object(members) => {
            let mut formed = Vec::new();
            for (name, value) in members {
                assign(&mut formed, text(name), well_formed(value));
            }
            Js::Object(formed)
        }
        scalar => scalar.clone(),
    }
}

fn depth(value: &Js) -> usize {
    match value {
        Js::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Js::Object(members) => 1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}
