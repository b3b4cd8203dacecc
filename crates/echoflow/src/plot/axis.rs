//! An axis: limits around the data, ticks at round numbers, labels that can be read.

/// Share of the data's span that is left free at either end.
const MARGIN: f64 = 0.04;
/// The number of ticks that is aimed at.
const TICKS: f64 = 5.0;

/// The limits of one axis, shared by both panels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis that holds all values; a constant is put in the middle, and no values give `[0, 1]`.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
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
        Self {
            low: low - margin,
            high: high + margin,
        }
    }

    /// Where a value lies between the limits, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of ten, with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / TICKS;
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
        Axis { low, high }
            .ticks()
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
                let axis = Axis::around([low * scale, high * scale].into_iter());
                let ticks = axis.ticks();
                assert!(
                    (2..=7).contains(&ticks.len()),
                    "{axis:?} has {} ticks",
                    ticks.len()
                );
                for (value, _) in &ticks {
                    assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(*value)));
                }
            }
        }
    }

    #[test]
    fn constants_and_nothing_have_an_axis() {
        assert_eq!(Axis::around([].into_iter()), Axis { low: 0.0, high: 1.0 });
        for value in [0.0, 3.0, -1e12, 1e-300] {
            let axis = Axis::around([value, value].into_iter());
            assert!((axis.place(value) - 0.5).abs() < 1e-9, "{value}");
        }
    }
}
