//! The figures of all rounds, and the tables that are printed at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::targets::{Row, TARGETS, Target};

/// Rounds of each part.
pub(super) const ROUNDS: usize = 5;

/// The figures of all rounds.
#[derive(Default)]
pub(super) struct Report {
    rows: BTreeMap<Row, Vec<f64>>,
    /// Why rows have no figures.
    missing: BTreeMap<Row, String>,
    /// Figures that depend on the machine, in the order of their first round.
    absolute: Vec<Absolute>,
}

struct Absolute {
    what: String,
    unit: &'static str,
    figures: Vec<f64>,
}

impl Report {
    /// Adds the figure of one round.
    pub(super) fn row(&mut self, row: Row, figure: f64) {
        self.rows.entry(row).or_default().push(figure);
    }

    /// Says why rows cannot be measured.
    pub(super) fn missing(&mut self, rows: &[Row], why: &str) {
        println!("NOT MEASURED: {why}");
        self.missing.extend(rows.iter().map(|row| (*row, why.to_owned())));
    }

    /// Adds and prints a figure of one round that depends on the machine.
    pub(super) fn absolute(&mut self, what: &str, unit: &'static str, figure: f64) {
        println!("  {what}: {} {unit}", plain(figure));
        match self.absolute.iter_mut().find(|known| known.what == what && known.unit == unit) {
            Some(known) => known.figures.push(figure),
            None => {
                let figures = vec![figure];
                self.absolute.push(Absolute { what: what.to_owned(), unit, figures });
            }
        }
    }

    /// Both tables, in Markdown.
    pub(super) fn tables(&self) -> String {
        let mut out = String::from(
            "| what | 2026-11-28 | at least | aim | now: median (min..max) | reached |\n\
             |---|---:|---:|---:|---:|---|\n",
        );
        for target in &TARGETS {
            if let Some(line) = self.line(target) {
                out += &line;
            }
        }
        out += "\n| of this machine, in the same run | median (min..max) | |\n|---|---:|---|\n";
        for Absolute { what, unit, figures } in &self.absolute {
            writeln!(out, "| {what} | {} | {unit} |", spread(figures, &plain)).expect("a string");
        }
        out
    }

    fn line(&self, target: &Target) -> Option<String> {
        let goal = |goal: Option<f64>| goal.map_or_else(String::new, |goal| goal.to_string());
        let Target { row, what, unit, before, at_least, aim, .. } = target;
        let (now, reached) = match (self.rows.get(row), self.missing.get(row)) {
            (Some(figures), _) => {
                let now = spread(figures, &|figure| short(figure));
                (now, target.reached(median(figures)))
            }
            (None, Some(why)) => (format!("not measured: {why}"), ""),
            (None, None) => return None,
        };
        let what = if unit.is_empty() { (*what).to_owned() } else { format!("{what}, {unit}") };
        let (at_least, aim) = (goal(*at_least), goal(*aim));
        Some(format!("| {what} | {before} | {at_least} | {aim} | {now} | {reached} |\n"))
    }
}

fn spread(figures: &[f64], format: &dyn Fn(f64) -> String) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({}..{})", format(median(figures)), format(least), format(most))
}

pub(super) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A ratio with two digits after the point, other figures without.
fn short(figure: f64) -> String {
    if figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}

/// A figure with three digits at least.
pub(super) fn plain(figure: f64) -> String {
    match figure {
        figure if figure >= 100_000.0 => format!("{:.0} k", figure / 1e3),
        figure if figure >= 10_000.0 => format!("{:.1} k", figure / 1e3),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}
