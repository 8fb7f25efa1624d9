//! One axis of a plot: where a figure is, and which figures are written beside it.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    Log,
}

pub(super) struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Axis {
    /// An axis with room for all `figures`, which are at least one and positive if `scale` is
    /// [`Scale::Log`].
    pub(super) fn new(scale: Scale, figures: impl Iterator<Item = f64> + Clone) -> Self {
        let least = figures.clone().fold(f64::INFINITY, f64::min);
        let most = figures.fold(f64::NEG_INFINITY, f64::max);
        match scale {
            Scale::Linear => {
                let step = step(most);
                Self { scale, least: 0.0, most: (most / step).ceil() * step }
            }
            Scale::Log => {
                let room = (most / least).powf(0.05);
                Self { scale, least: least / room, most: most * room }
            }
        }
    }

    /// The place of a figure, 0 at the beginning of the axis and 1 at its end.
    pub(super) fn place(&self, figure: f64) -> f64 {
        match self.scale {
            Scale::Linear => figure / self.most,
            Scale::Log => (figure / self.least).ln() / (self.most / self.least).ln(),
        }
    }

    /// Round figures along the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = step(self.most);
                (0..)
                    .map(|n| f64::from(n) * step)
                    .take_while(|at| *at <= self.most * 1.001)
                    .collect()
            }
            Scale::Log => {
                let decades = (self.most / self.least).log10();
                let within = if decades > 3.5 { &[1.0][..] } else { &[1.0, 2.0, 5.0] };
                let decade = |power: i32| within.iter().map(move |n| n * 10_f64.powi(power));
                let powers = self.least.log10().floor() as i32..=self.most.log10().ceil() as i32;
                let ticks = powers.flat_map(decade);
                ticks.filter(|at| (self.least..=self.most).contains(at)).collect()
            }
        }
    }
}

/// The distance of ticks from zero to `most`: four to eight of them.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 4.0).log10().floor());
    let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * power * 4.0 <= most);
    digit.unwrap_or(1.0) * power
}

/// A figure at a tick: `200 k`.
pub(super) fn text(figure: f64) -> String {
    let (figure, unit) = match figure {
        figure if figure >= 1e6 => (figure / 1e6, " M"),
        figure if figure >= 1e4 => (figure / 1e3, " k"),
        figure => (figure, ""),
    };
    format!("{}{unit}", (figure * 100.0).round() / 100.0)
}
