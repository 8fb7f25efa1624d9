//! One plot as SVG, for light and dark pages.

use std::fmt::Write as _;

use super::axis::{Axis, text};
use super::dimension::{Dimension, Measured};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
/// The area between the axes.
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = HEIGHT - 58.0;

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #4b5563 }
  .title { font-size: 16px; font-weight: 600; fill: #111827 }
  .back { fill: #ffffff } .grid { stroke: #e5e7eb } .axis { stroke: #9ca3af }
  .worker { stroke: #0f766e; stroke-width: 2.5; fill: none } .dot { fill: #0f766e }
  .limit { stroke: #9a3412; stroke-width: 2; stroke-dasharray: 6 4; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #9ca3af } .title { fill: #f3f4f6 }
    .back { fill: #0d1117 } .grid { stroke: #262c36 } .axis { stroke: #6b7280 }
    .worker { stroke: #2dd4bf } .dot { fill: #2dd4bf } .limit { stroke: #fb923c }
  }
";

/// Events per second over what `dimension` varies.
pub(super) fn svg(dimension: &Dimension, points: &[Measured]) -> String {
    let Dimension { title, label, .. } = dimension;
    let x = Axis::new(dimension.x, points.iter().map(|point| point.x));
    let figures = points.iter().flat_map(|point| [Some(point.rate), point.limit]);
    let y = Axis::new(dimension.y, figures.flatten());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}: events per \
         second over {label}\">\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n\
         <text x=\"{LEFT}\" y=\"50\">events/s</text>\n\
         <text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>\n",
        middle = (LEFT + RIGHT) / 2.0,
        below = HEIGHT - 16.0,
    );
    let mut add = |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("a string");
    for tick in y.ticks() {
        let (at, text) = (vertical(&y, tick), text(tick));
        add(format_args!(r#"<path class="grid" d="M{LEFT} {at:.1}H{RIGHT}"/>"#));
        let (left, at) = (LEFT - 10.0, at + 4.0);
        add(format_args!(r#"<text x="{left}" y="{at:.1}" text-anchor="end">{text}</text>"#));
    }
    for point in points {
        let (at, text) = (horizontal(&x, point.x), text(point.x));
        add(format_args!(r#"<path class="grid" d="M{at:.1} {TOP}V{BOTTOM}"/>"#));
        let below = BOTTOM + 20.0;
        add(format_args!(r#"<text x="{at:.1}" y="{below}" text-anchor="middle">{text}</text>"#));
    }
    add(format_args!(r#"<path class="axis" d="M{LEFT} {BOTTOM}H{RIGHT}"/>"#));
    let path = |figure: fn(&Measured) -> Option<f64>| {
        let places = points.iter().filter_map(|point| {
            Some(format!("{:.1} {:.1}", horizontal(&x, point.x), vertical(&y, figure(point)?)))
        });
        places.collect::<Vec<_>>().join("L")
    };
    if dimension.has_limit {
        add(format_args!(r#"<path class="limit" d="M{}"/>"#, path(|point| point.limit)));
        add(format_args!(r#"<path class="limit" d="M{} 46h28"/>"#, RIGHT - 262.0));
        let left = RIGHT - 228.0;
        add(format_args!(r#"<text x="{left}" y="50">redis-benchmark</text>"#));
    }
    add(format_args!(r#"<path class="worker" d="M{}"/>"#, path(|point| Some(point.rate))));
    for point in points {
        let (at, above) = (horizontal(&x, point.x), vertical(&y, point.rate));
        add(format_args!(r#"<circle class="dot" cx="{at:.1}" cy="{above:.1}" r="4"/>"#));
    }
    add(format_args!(r#"<path class="worker" d="M{} 46h28"/>"#, RIGHT - 96.0));
    add(format_args!(r#"<text x="{}" y="50">traitsink</text>"#, RIGHT - 62.0));
    out + "</svg>\n"
}

fn horizontal(axis: &Axis, figure: f64) -> f64 {
    LEFT + axis.place(figure) * (RIGHT - LEFT)
}

fn vertical(axis: &Axis, figure: f64) -> f64 {
    BOTTOM - axis.place(figure) * (BOTTOM - TOP)
}
