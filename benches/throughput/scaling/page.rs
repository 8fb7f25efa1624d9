//! Puts plots and tables into `docs/`.

use std::fmt::Write as _;
use std::path::Path;

use crate::report::plain;

use super::dimension::{Dimension, Measured};
use super::{axis, plot};

/// The part of the page between these lines is written anew.
const BEGIN: &str = "<!-- scaling: written by `cargo bench --bench throughput -- scaling` -->\n";
const END: &str = "<!-- scaling: end -->";

/// Writes a plot for each of `measured`, and the part of the page that shows them.
pub(super) fn write(facts: &str, measured: &[(Dimension, Vec<Measured>)]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let plots = docs.join("performance");
    std::fs::create_dir_all(&plots).expect("a directory for the plots");
    let mut part = format!("\n{facts}\n");
    for (dimension, points) in measured {
        let file = format!("{}.svg", dimension.name);
        std::fs::write(plots.join(&file), plot::svg(dimension, points)).expect("a plot");
        write!(
            part,
            "\n### {title}\n\n![{title}: events per second](performance/{file})\n\n{table}",
            title = dimension.title,
            table = table(dimension, points)
        )
        .expect("writing to a string");
    }
    let page = docs.join("performance.md");
    let text = std::fs::read_to_string(&page).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first mark");
    let (_, after) = rest.split_once(END).expect("the page has the second mark");
    std::fs::write(&page, format!("{before}{BEGIN}{part}\n{END}{after}")).expect("the page");
    println!("{} and docs/performance/*.svg are written", page.display());
}

fn table(dimension: &Dimension, points: &[Measured]) -> String {
    let mut out = format!(
        "| {} | events/s | share of the limit | µs of CPU for one event |\n|---:|---:|---:|---:|\n",
        dimension.label
    );
    for Measured { x, rate, limit, cpu } in points {
        let share = limit.map_or_else(|| "–".to_owned(), |limit| format!("{:.2}", rate / limit));
        writeln!(out, "| {} | {} | {share} | {cpu:.1} |", axis::text(*x), plain(*rate))
            .expect("writing to a string");
    }
    out
}
