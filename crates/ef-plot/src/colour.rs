//! Colours: a few to tell things apart, and a scale from pale to dark for numbers.

use std::fmt;

/// Steps of a colour scale, at most. More would not be seen, and each costs bytes.
pub const LEVELS: usize = 24;

/// A colour, as red, green and blue from 0 to 255; shown as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour(pub [u8; 3]);

/// The palette of Okabe and Ito (2008): told apart by every kind of colour vision.
impl Colour {
    /// `#0072b2`
    pub const BLUE: Self = Self([0x00, 0x72, 0xb2]);
    /// `#d55e00`
    pub const VERMILION: Self = Self([0xd5, 0x5e, 0x00]);
    /// `#009e73`
    pub const GREEN: Self = Self([0x00, 0x9e, 0x73]);
    /// `#cc79a7`
    pub const PURPLE: Self = Self([0xcc, 0x79, 0xa7]);
    /// `#e69f00`
    pub const ORANGE: Self = Self([0xe6, 0x9f, 0x00]);
    /// `#111827`
    pub const BLACK: Self = Self([0x11, 0x18, 0x27]);
    /// `#6b7280`
    pub const GREY: Self = Self([0x6b, 0x72, 0x80]);
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

/// Numbers from `low` to `high` as colours from white to dark blue, in [`LEVELS`] steps or fewer.
///
/// A straight line of falling lightness in `OKLCh` (Ottosson 2020, <https://bottosson.github.io/posts/oklab/>), so that
/// equal steps look equal, darker is always more, and grey prints keep the order:
///
/// ```text
/// L = .99 - .72 t        C = .09 min(1, 6 t)        h = 108 + 177 t degrees        t in [0, 1]
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourScale {
    low: f64,
    high: f64,
    steps: usize,
    /// Where the line begins: 0 is white.
    start: f64,
}

impl ColourScale {
    /// A scale from `low`, which is white, to `high`. What lies beyond an end has the colour of that end. Bounds that
    /// are not finite and in order give the scale from 0 to 1.
    pub fn new(low: f64, high: f64) -> Self {
        let valid = low < high && (high - low).is_finite();
        let (low, high) = if valid { (low, high) } else { (0.0, 1.0) };
        Self {
            low,
            high,
            steps: LEVELS,
            start: 0.0,
        }
    }

    /// From 0, or the least value if that is below, to the greatest. Values that are not finite do not count.
    pub fn around(values: &[f64]) -> Self {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        Self::new(
            finite().fold(0.0, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// The scale without its palest quarter, for marks that stand on white.
    #[must_use]
    pub fn for_marks(self) -> Self {
        Self { start: 0.25, ..self }
    }

    /// The scale in fewer steps, between 2 and [`LEVELS`]: small maps in great number need no more.
    #[must_use]
    pub fn in_steps(self, steps: usize) -> Self {
        Self {
            steps: steps.clamp(2, LEVELS),
            ..self
        }
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The ends.
    pub fn limits(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// The step that a number falls in, below [`steps`](Self::steps); 0 for one that is not a number.
    pub fn level(&self, value: f64) -> usize {
        let share = (value - self.low) / (self.high - self.low);
        ((share * self.steps as f64).max(0.0) as usize).min(self.steps - 1)
    }

    /// The colour of a step.
    pub fn colour(&self, level: usize) -> Colour {
        let last = self.steps - 1;
        let share = level.min(last) as f64 / last as f64;
        let t = self.start + (1.0 - self.start) * share;
        let (lightness, chroma) = (0.99 - 0.72 * t, 0.09 * (6.0 * t).min(1.0));
        let hue = (108.0 + 177.0 * t).to_radians();
        Colour(srgb(oklab_to_linear(lightness, chroma * hue.cos(), chroma * hue.sin())).map(byte))
    }
}

/// Oklab to linear sRGB, by the matrices of the source.
#[allow(clippy::excessive_precision)]
fn oklab_to_linear(l: f64, a: f64, b: f64) -> [f64; 3] {
    let long = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (l - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ]
}

/// The transfer curve of sRGB (IEC 61966-2-1).
fn srgb(linear: [f64; 3]) -> [f64; 3] {
    linear.map(|c| {
        if c <= 0.003_130_8 {
            12.92 * c
        } else {
            1.055 * c.powf(1.0 / 2.4) - 0.055
        }
    })
}

fn byte(share: f64) -> u8 {
    (255.0 * share).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, which is what a grey print keeps.
    fn luminance(Colour(rgb): Colour) -> f64 {
        let linear = rgb.map(|c| (f64::from(c) / 255.0).powf(2.2));
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn every_step_is_darker_than_the_one_before() {
        for scale in [ColourScale::new(0.0, 1.0), ColourScale::new(0.0, 1.0).for_marks()] {
            for level in 1..LEVELS {
                let (before, here) = (luminance(scale.colour(level - 1)), luminance(scale.colour(level)));
                assert!(here < before, "{level}");
            }
        }
        let few = ColourScale::new(0.0, 1.0).in_steps(3);
        for (step, level) in [(0, 0), (2, LEVELS - 1), (99, LEVELS - 1)] {
            assert_eq!(few.colour(step), ColourScale::new(0.0, 1.0).colour(level));
        }
        assert_eq!(few.colour(0).to_string(), "#fcfcfc");
    }

    #[test]
    fn the_line_stays_among_the_colours_a_screen_has() {
        for k in 0..=100 {
            let t = f64::from(k) / 100.0;
            let (chroma, hue) = (0.09 * (6.0 * t).min(1.0), (108.0 + 177.0 * t).to_radians());
            let linear = oklab_to_linear(0.99 - 0.72 * t, chroma * hue.cos(), chroma * hue.sin());
            assert!(
                linear.iter().all(|c| (-1e-4..=1.0001).contains(c)),
                "{t}: {linear:?}"
            );
        }
    }

    #[test]
    fn levels_stay_in_range_for_any_number() {
        let scale = ColourScale::new(-2.0, 4.0);
        assert_eq!([-2.0, 0.9999, 1.0, 4.0].map(|v| scale.level(v)), [0, 11, 12, 23]);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308] {
            assert!(scale.level(value) < LEVELS && scale.in_steps(5).level(value) < 5);
        }
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (f64::MIN, f64::MAX)] {
            assert_eq!(ColourScale::new(low, high).limits(), [0.0, 1.0]);
        }
        assert_eq!(
            ColourScale::around(&[3.0, f64::NAN, f64::INFINITY]).limits(),
            [0.0, 3.0]
        );
    }
}
