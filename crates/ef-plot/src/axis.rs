//! An axis, linear or logarithmic: limits around the data, ticks at round numbers, labels that can be read.

/// Share of the data's span that is left free at either end.
const MARGIN: f64 = 0.04;
/// Pixels from tick to tick that are aimed at, and the number of ticks aimed at on a long axis.
const TICK_DISTANCE: f64 = 60.0;
const TICKS: f64 = 5.0;

/// The limits of one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// On a logarithmic axis, the decimal logarithms of the limits.
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// An axis that holds all ranges, with free space around those that ask for it; a constant is put in the middle,
    /// and no ranges give `[0, 1]`.
    pub(super) fn around(ranges: impl Iterator<Item = ([f64; 2], bool)> + Clone) -> Self {
        let span = |ranges: &mut dyn Iterator<Item = [f64; 2]>| {
            ranges.reduce(|[a, b], [low, high]| [a.min(low), b.max(high)])
        };
        let loose = span(&mut ranges.clone().filter(|r| r.1).map(|r| r.0)).map(with_margin);
        let tight = span(&mut ranges.clone().filter(|r| !r.1).map(|r| r.0));
        let both = span(&mut loose.into_iter().chain(tight));
        both.map_or(Self::exactly(0.0, 1.0), |[low, high]| Self::exactly(low, high))
    }

    /// The same with equal room for equal ratios. Ranges that are not all positive are left out.
    pub(super) fn log_around(ranges: impl Iterator<Item = ([f64; 2], bool)> + Clone) -> Self {
        let ranges = ranges.filter(|([low, _], _)| *low > 0.0);
        Self {
            log: true,
            ..Self::around(ranges.map(|(range, margin)| (range.map(f64::log10), margin)))
        }
    }

    /// An axis from `low` to `high`, which must be above it.
    pub(super) fn exactly(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            log: false,
        }
    }

    /// The axis from `low` to `high`, as this one linear or logarithmic; a logarithmic one cannot begin at 0 or below
    /// and stays as it is.
    pub(super) fn with_limits(self, [low, high]: [f64; 2]) -> Self {
        if !self.log {
            Self::exactly(low, high)
        } else if low > 0.0 {
            Self {
                low: low.log10(),
                high: high.log10(),
                log: true,
            }
        } else {
            self
        }
    }

    /// Where a value lies between the limits, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of ten, with their labels, on an axis of so many pixels.
    pub(super) fn ticks(&self, pixels: f64) -> Vec<(f64, String)> {
        if self.log {
            return self.log_ticks(pixels);
        }
        let rough = (self.high - self.low) / (pixels / TICK_DISTANCE).clamp(2.0, TICKS);
        let exponent = rough.log10().floor();
        let power = 10f64.powf(exponent);
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|step| *step >= rough);
        let (Some(step), true) = (step, power > 0.0) else {
            return Vec::new();
        };
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        // the step is at least a fifth of the axis, so there are six ticks at most
        (0..8)
            .map(|k| first + f64::from(k))
            .take_while(|k| *k <= last)
            .map(|k| (k * step, label(k * step, step)))
            .collect()
    }

    /// Ticks at powers of ten, at every second, third, .. if they are many, and between them if they are few.
    fn log_ticks(&self, pixels: f64) -> Vec<(f64, String)> {
        let most = (pixels / TICK_DISTANCE).clamp(2.0, TICKS) + 2.0;
        let decades = self.high - self.low;
        let every = (decades / most).ceil().max(1.0);
        let within: &[f64] = match 3.0 * decades {
            few if few <= most => &[1.0, 2.0, 5.0],
            some if some <= 1.5 * most => &[1.0, 3.0],
            _ => &[1.0],
        };
        let count = (decades / every) as usize + 2;
        let first = (self.low / every).floor() * every;
        (0..count)
            .map(|k| first + k as f64 * every)
            .flat_map(|exponent| within.iter().map(move |m| (*m, 10f64.powf(exponent))))
            .map(|(m, power)| (m * power, power))
            .filter(|(value, _)| (self.low..=self.high).contains(&value.log10()))
            .map(|(value, power)| (value, label(value, power)))
            .collect()
    }
}

/// The range with free space around it.
fn with_margin([low, high]: [f64; 2]) -> [f64; 2] {
    let span = high - low;
    // a span at the limit of precision is a constant: ticks inside it would all have one label
    let constant = span <= 1e-12 * low.abs().max(high.abs());
    let margin = if !constant {
        MARGIN * span
    } else if low == 0.0 {
        0.5
    } else {
        0.1 * low.abs()
    };
    [low - margin, high + margin]
}

/// A number written with the digits that tell it from its neighbours a step away.
fn label(value: f64, step: f64) -> String {
    let largest = value.abs();
    if value == 0.0 && step < 1e-4 {
        return "0".to_owned();
    }
    if largest >= 1e7 || step < 1e-4 {
        let digits = (largest.log10().floor() - step.log10().floor()).clamp(0.0, 6.0) as usize;
        return minus(&format!("{value:.digits$e}"));
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let plain = format!("{largest:.decimals$}");
    let (whole, fraction) = plain
        .split_once('.')
        .map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let mut text = whole.parse::<usize>().map_or_else(|_| whole.to_owned(), grouped);
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    if value < 0.0 {
        minus(&format!("-{text}"))
    } else {
        text
    }
}

/// The typographic minus, as wide as a plus.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

/// A whole number with commas between thousands.
pub(super) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        Axis::exactly(low, high)
            .ticks(330.0)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_read_well() {
        assert_eq!(labels(-1.1, 1.2), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(-2_000.0, 52_000.0), ["0", "20,000", "40,000"]);
        assert_eq!(labels(0.0, 1e-7), ["0", "2e−8", "4e−8", "6e−8", "8e−8", "1.0e−7"]);
        assert_eq!(labels(0.0, 4.5e9), ["0", "1e9", "2e9", "3e9", "4e9"]);
    }

    #[test]
    fn ticks_lie_inside_their_axis_at_every_scale() {
        for exponent in -300..=300 {
            for (low, high) in [(-0.3, 2.1), (0.99, 1.01), (-7.7, -7.2)] {
                let scale = 10f64.powi(exponent);
                let axis = Axis::around([([low * scale, high * scale], true)].into_iter());
                for (pixels, most) in [(330.0, 7), (120.0, 4)] {
                    let ticks = axis.ticks(pixels);
                    assert!(
                        (1..=most).contains(&ticks.len()),
                        "{axis:?} has {} ticks",
                        ticks.len()
                    );
                    for (value, _) in &ticks {
                        assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(*value)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_gives_ratios_equal_room() {
        let axis = Axis::log_around([([1.0, 100.0], false), ([0.0, 5.0], false)].into_iter());
        assert_eq!(axis.place(10.0), 0.5);
        let labels = |low: f64, high: f64| -> Vec<String> {
            let axis = Axis::log_around([([low, high], false)].into_iter());
            axis.ticks(330.0).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(4.0, 130.0), ["5", "10", "20", "50", "100"]);
        assert_eq!(labels(0.5, 300.0), ["1", "3", "10", "30", "100", "300"]);
        assert_eq!(
            labels(0.01, 2e4),
            ["0.01", "0.1", "1", "10", "100", "1,000", "10,000"]
        );
        assert_eq!(axis.with_limits([10.0, 1000.0]).place(100.0), 0.5);
        assert_eq!(axis.with_limits([0.0, 1000.0]), axis);
        // nothing that is positive: no panic, and an axis
        assert_eq!(Axis::log_around([].into_iter()).place(1.0), 0.0);
        for exponent in -300..=300 {
            for span in [0.1, 1.0, 7.0, 100.0] {
                let low = 10f64.powi(exponent);
                let axis = Axis::log_around([([low, low * 10f64.powf(span)], true)].into_iter());
                assert!(axis.ticks(330.0).len() <= 9, "{axis:?}: {:?}", axis.ticks(330.0));
            }
        }
    }

    #[test]
    fn constants_and_nothing_have_an_axis() {
        assert_eq!(Axis::around([].into_iter()), Axis::exactly(0.0, 1.0));
        for value in [0.0, 3.0, -1e12, 1e-300] {
            let axis = Axis::around([([value, value], true)].into_iter());
            assert!((axis.place(value) - 0.5).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn exact_ranges_have_no_margin_and_loose_ones_have() {
        let exact = ([-3.0, 3.0], false);
        assert_eq!(Axis::around([exact].into_iter()), Axis::exactly(-3.0, 3.0));
        // loose points well inside an exact range do not widen it
        assert_eq!(
            Axis::around([exact, ([-1.0, 1.0], true)].into_iter()),
            Axis::exactly(-3.0, 3.0)
        );
        assert_eq!(
            Axis::around([([0.0, 10.0], true)].into_iter()),
            Axis::exactly(-0.4, 10.4)
        );
    }
}
