//! Finds circles of arrows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};

/// The names that make each arrow, by its two ends (from, to).
pub(crate) type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// Files or rooms that reach each other, and the arrows between them.
pub(crate) struct Circle {
    pub(crate) members: BTreeSet<String>,
    /// A shortest way round; contains each member at most once.
    way: Vec<String>,
    arrows: Arrows,
}

/// All circles, the largest first; each member is in one circle only.
pub(crate) fn circles(arrows: &Arrows) -> Vec<Circle> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&str, BTreeMap<&str, &str>> =
        next.keys().map(|from| (*from, reach(&next, from))).collect();
    let mut found: Vec<Circle> = Vec::new();
    for from in next.keys() {
        let mutual = |to: &&str| reached.get(to).is_some_and(|back| back.contains_key(from));
        let members: BTreeSet<String> =
            reached[from].keys().filter(|to| mutual(to)).map(|to| (*to).into()).collect();
        if members.is_empty() {
            continue;
        }
        let way = way_round(&reached[from], from);
        if let Some(circle) = found.iter_mut().find(|circle| circle.members == members) {
            if way.len() < circle.way.len() {
                circle.way = way;
            }
            continue;
        }
        let inside = |(from, to): &(String, String)| members.contains(from) && members.contains(to);
        let arrows = arrows.iter().filter(|(ends, _)| inside(ends));
        let arrows = arrows.map(|(ends, names)| (ends.clone(), names.clone())).collect();
        found.push(Circle { members, way, arrows });
    }
    found.sort_by_key(|circle| std::cmp::Reverse(circle.members.len()));
    found
}

/// Everything that `from` reaches, each with its predecessor on a shortest way.
fn reach<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str) -> BTreeMap<&'a str, &'a str> {
    let mut before = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(at) = waiting.pop_front() {
        for to in next.get(at).into_iter().flatten() {
            before.entry(*to).or_insert_with(|| {
                waiting.push_back(to);
                at
            });
        }
    }
    before
}

/// A shortest way from `from` back to itself.
fn way_round(before: &BTreeMap<&str, &str>, from: &str) -> Vec<String> {
    let mut way = vec![from.to_owned()];
    let mut at = before[from];
    while at != from {
        way.push(at.into());
        at = before[at];
    }
    way[1..].reverse();
    way
}

fn list(names: &BTreeSet<String>, most: usize) -> String {
    let mut list = names.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > most {
        write!(list, ", {} more", names.len() - most).unwrap();
    }
    list
}

impl fmt::Display for Circle {
    /// Writes one way round in a line, then all arrows between the members, if there are more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circle of {}: {}", self.members.len(), self.way[0])?;
        let ends = self.way.iter().cycle().skip(1);
        for (from, to) in self.way.iter().zip(ends) {
            write!(f, " -> {to} ({})", list(&self.arrows[&(from.clone(), to.clone())], 4))?;
        }
        if self.arrows.len() > self.way.len() {
            for ((from, to), names) in &self.arrows {
                write!(f, "\n    {from} -> {to}: {}", list(names, 12))?;
            }
        }
        Ok(())
    }
}
