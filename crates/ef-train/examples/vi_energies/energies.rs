//! The four energies of Rezende & Mohamed 2015 (1505.05770), table 1, with their gradients.

use std::f64::consts::FRAC_PI_2;

use ef_train::Target;

/// `p~(x) = exp(-U(x))` on the plane, with
///
/// ```text
/// U1 = ((|x| - 2) / 0.4)^2 / 2 - ln(exp(-((x1 - 2) / 0.6)^2 / 2) + exp(-((x1 + 2) / 0.6)^2 / 2))
/// U2 = ((x2 - w1) / 0.4)^2 / 2
/// U3 = -ln(exp(-((x2 - w1) / 0.35)^2 / 2) + exp(-((x2 - w1 + w2) / 0.35)^2 / 2))
/// U4 = -ln(exp(-((x2 - w1) / 0.4)^2 / 2) + exp(-((x2 - w1 + w3) / 0.35)^2 / 2))
/// w1 = sin(pi x1 / 2)    w2 = 3 exp(-((x1 - 1) / 0.6)^2 / 2)    w3 = 3 sigmoid((x1 - 1) / 0.3)
/// ```
///
/// As printed, `U2` to `U4` do not grow along `x1`, so they have no finite integral and no divergence from them is
/// finite; the paper shows them on `-4 <= x1 <= 4`. Here they get a wall outside, `((|x1| - 4) / 0.4)^2 / 2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Energy {
    U1,
    U2,
    U3,
    U4,
}

impl Energy {
    pub(crate) const ALL: [Self; 4] = [Self::U1, Self::U2, Self::U3, Self::U4];

    /// `ln Z`, by the midpoint rule on a square that holds all but a vanishing part of the mass. For smooth functions
    /// that vanish at the ends the rule's error falls faster than any power of its step.
    pub(crate) fn log_z(self) -> f64 {
        const HALF: f64 = 8.0;
        const CELLS: usize = 800;
        let step = 2.0 * HALF / CELLS as f64;
        let at = |i: usize| (i as f64 + 0.5) * step - HALF;
        let mut sum = 0.0;
        for i in 0..CELLS {
            for j in 0..CELLS {
                sum += self.log_density(&[at(i), at(j)], &mut [0.0; 2]).exp();
            }
        }
        (sum * step * step).ln()
    }
}

impl Target for Energy {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (value, by_x1, by_x2) = match self {
            Self::U1 => ring(x[0], x[1]),
            Self::U2 => {
                let [w1, ..] = waves(x[0]);
                valleys(x, [w1, w1], [0.4, 0.4], -std::f64::consts::LN_2)
            }
            Self::U3 => {
                let [w1, w2, _] = waves(x[0]);
                valleys(x, [w1, w1.minus(w2)], [0.35, 0.35], 0.0)
            }
            Self::U4 => {
                let [w1, _, w3] = waves(x[0]);
                valleys(x, [w1, w1.minus(w3)], [0.4, 0.35], 0.0)
            }
        };
        gradient[0] = by_x1;
        gradient[1] = by_x2;
        value
    }
}

/// A function of `x1` with its derivative.
#[derive(Clone, Copy)]
struct Wave {
    value: f64,
    slope: f64,
}

impl Wave {
    fn minus(self, other: Self) -> Self {
        Self {
            value: self.value - other.value,
            slope: self.slope - other.slope,
        }
    }
}

/// `w1`, `w2` and `w3`.
fn waves(x1: f64) -> [Wave; 3] {
    let (sin, cos) = (FRAC_PI_2 * x1).sin_cos();
    let bump = 3.0 * (-0.5 * ((x1 - 1.0) / 0.6).powi(2)).exp();
    let sigmoid = 1.0 / (1.0 + (-(x1 - 1.0) / 0.3).exp());
    [
        Wave {
            value: sin,
            slope: FRAC_PI_2 * cos,
        },
        Wave {
            value: bump,
            slope: -bump * (x1 - 1.0) / 0.36,
        },
        Wave {
            value: 3.0 * sigmoid,
            slope: 3.0 * sigmoid * (1.0 - sigmoid) / 0.3,
        },
    ]
}

/// `ln(e^a + e^b)` and the share of `e^a` in the sum.
fn log_sum_exp(a: f64, b: f64) -> (f64, f64) {
    let share = 1.0 / (1.0 + (b - a).exp());
    (a.max(b) + (-(a - b).abs()).exp().ln_1p(), share)
}

/// `-U1` with its derivatives.
fn ring(x1: f64, x2: f64) -> (f64, f64, f64) {
    let r = x1.hypot(x2);
    let along = if r > 0.0 { (r - 2.0) / (0.16 * r) } else { 0.0 };
    let (right, left) = ((x1 - 2.0) / 0.6, (x1 + 2.0) / 0.6);
    let (both, share) = log_sum_exp(-0.5 * right * right, -0.5 * left * left);
    (
        both - 0.5 * ((r - 2.0) / 0.4).powi(2),
        -along * x1 - (share * right + (1.0 - share) * left) / 0.6,
        -along * x2,
    )
}

/// `ln(sum_k exp(-((x2 - wave_k) / width_k)^2 / 2))` plus `constant`, less the wall, with its derivatives.
fn valleys(x: &[f64], waves: [Wave; 2], widths: [f64; 2], constant: f64) -> (f64, f64, f64) {
    let [a, b] = [0, 1].map(|k| (x[1] - waves[k].value) / widths[k]);
    let (both, share) = log_sum_exp(-0.5 * a * a, -0.5 * b * b);
    let (pull_a, pull_b) = (share * a / widths[0], (1.0 - share) * b / widths[1]);
    let beyond = (x[0].abs() - 4.0).max(0.0) / 0.4;
    (
        both + constant - 0.5 * beyond * beyond,
        pull_a * waves[0].slope + pull_b * waves[1].slope - (beyond / 0.4).copysign(x[0]),
        -pull_a - pull_b,
    )
}
