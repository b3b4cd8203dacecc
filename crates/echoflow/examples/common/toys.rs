//! The six plane sets on which flows are usually compared, each with its exact density.
//!
//! The names are those of the literature (Grathwohl et al. 2019, FFJORD, 1810.01367, fig. 2; Durkan et al. 2019,
//! Neural Spline Flows, 1906.04032, fig. 1). Sizes and noises differ from paper to paper; these are ours, chosen so
//! that every density has a formula. With `u ~ U(0, 1)` and independent `e ~ N(0, s^2)` on both coordinates:
//!
//! | set | law | s |
//! | --- | --- | --- |
//! | two moons | `(cos pi u, sin pi u) + e` or `(1 - cos pi u, 1/2 - sin pi u) + e` | .1 |
//! | circles | `r (cos 2 pi u, sin 2 pi u) + e`, `r` = 1 or 2 | .1 |
//! | pinwheel | `R(2 pi k / 5 + .8 \|v\|) v`, `k = 0..5`, `v = (1.6 + .45 z, .15 z')` | |
//! | checkerboard | uniform on the 8 squares of `[-2, 2]^2`, of side 1, with `floor x + floor y` even | |
//! | 8 gaussians | `2 (cos pi k/4, sin pi k/4) + e`, `k = 0..8` | .2 |
//! | spirals | `+- (a / 4) (cos a, sin a) + e`, `a = 3 pi sqrt u` | .1 |
//!
//! A curve's density is the integral of the noise's along it, `p(x) = integral_0^1 N(x; c(u), s^2 I) du`, by the
//! midpoint rule; the pinwheel turns every point by an angle that depends on its radius only, which keeps areas.

use std::f64::consts::{FRAC_PI_4, PI, TAU};

use super::{Draws, ln_normal, log_sum_exp};

/// Points of the midpoint rule along a curve: steps of half the noise at most, for which a sum of Gaussians is the
/// integral to 1e-15 inside the curve and to 1 % at the end of its arms.
const NODES: usize = 500;

/// A plane set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toy {
    Moons,
    Circles,
    Pinwheel,
    Checkerboard,
    Gaussians,
    Spirals,
}

impl Toy {
    pub(crate) const ALL: [Toy; 6] = [
        Toy::Moons,
        Toy::Circles,
        Toy::Pinwheel,
        Toy::Checkerboard,
        Toy::Gaussians,
        Toy::Spirals,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Toy::Moons => "two moons",
            Toy::Circles => "circles",
            Toy::Pinwheel => "pinwheel",
            Toy::Checkerboard => "checkerboard",
            Toy::Gaussians => "8 gaussians",
            Toy::Spirals => "spirals",
        }
    }

    /// The ranges of x and y that a picture shows.
    pub(crate) fn window(self) -> [[f64; 2]; 2] {
        match self {
            Toy::Moons => [[-1.4, 2.4], [-1.65, 2.15]],
            Toy::Checkerboard => [[-2.4, 2.4]; 2],
            Toy::Circles | Toy::Gaussians | Toy::Spirals | Toy::Pinwheel => [[-3.0, 3.0]; 2],
        }
    }

    /// Independent points.
    pub(crate) fn sample(self, count: usize, seed: u64) -> Vec<[f64; 2]> {
        let mut draws = Draws::new(seed);
        (0..count).map(|_| self.draw(&mut draws)).collect()
    }

    fn draw(self, draws: &mut Draws) -> [f64; 2] {
        match self {
            Toy::Checkerboard => {
                let (x, y) = (4.0 * draws.uniform() - 2.0, 4.0 * draws.uniform() - 2.0);
                // an odd square's neighbour on the right, around the edge, is even
                if even_square(x, y) {
                    [x, y]
                } else {
                    [if x < 1.0 { x + 1.0 } else { x - 3.0 }, y]
                }
            }
            Toy::Pinwheel => {
                let arm = draws.below(5) as f64;
                let v = [1.6 + 0.45 * draws.normal(), 0.15 * draws.normal()];
                turned(v, TAU * arm / 5.0 + 0.8 * v[0].hypot(v[1]))
            }
            Toy::Moons | Toy::Circles | Toy::Gaussians | Toy::Spirals => {
                let curves = self.curves();
                let curve = &curves[draws.below(curves.len())];
                let u = draws.uniform();
                let [x, y] = curve(if self == Toy::Spirals { u.sqrt() } else { u });
                let s = self.noise();
                [x + s * draws.normal(), y + s * draws.normal()]
            }
        }
    }

    /// `ln p` of each point, nats.
    pub(crate) fn log_density(self, points: &[[f64; 2]]) -> Vec<f64> {
        let nodes = self.nodes();
        let s = self.noise();
        let one = |&[x, y]: &[f64; 2]| match self {
            Toy::Checkerboard => {
                if x.abs() < 2.0 && y.abs() < 2.0 && even_square(x, y) {
                    -8.0_f64.ln()
                } else {
                    f64::NEG_INFINITY
                }
            }
            Toy::Pinwheel => {
                let arms: [f64; 5] = std::array::from_fn(|k| {
                    let angle = TAU * k as f64 / 5.0 + 0.8 * x.hypot(y);
                    let [a, b] = turned([x, y], -angle);
                    ln_normal(a, 1.6, 0.45) + ln_normal(b, 0.0, 0.15)
                });
                log_sum_exp(&arms) - 5.0_f64.ln()
            }
            Toy::Moons | Toy::Circles | Toy::Gaussians | Toy::Spirals => {
                let exponent =
                    |&([a, b], _): &([f64; 2], f64)| -0.5 * ((x - a).powi(2) + (y - b).powi(2)) / (s * s);
                let largest = nodes.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
                let near = nodes.iter().filter(|node| exponent(node) > largest - 40.0);
                let sum: f64 = near.map(|node| node.1 * (exponent(node) - largest).exp()).sum();
                largest + sum.ln() - (TAU * s * s).ln()
            }
        };
        points.iter().map(one).collect()
    }

    /// Points along the curves and their weights, which sum to 1: the midpoint rule in `t`.
    fn nodes(self) -> Vec<([f64; 2], f64)> {
        let curves = self.curves();
        let count = if self == Toy::Gaussians { 1 } else { NODES };
        let step = 1.0 / count as f64;
        curves
            .iter()
            .flat_map(|curve| (0..count).map(move |k| (curve, (k as f64 + 0.5) * step)))
            .map(|(curve, t)| {
                // u = t^2 on the spirals, so that the integrand is smooth at their centre
                let slope = if self == Toy::Spirals { 2.0 * t } else { 1.0 };
                (curve(t), slope * step / curves.len() as f64)
            })
            .collect()
    }

    fn noise(self) -> f64 {
        if self == Toy::Gaussians { 0.2 } else { 0.1 }
    }

    /// The curves that are equally likely, by `t` in (0, 1): `t = u`, on the spirals `t = sqrt u`.
    fn curves(self) -> Vec<Box<dyn Fn(f64) -> [f64; 2]>> {
        match self {
            Toy::Moons => vec![
                Box::new(|u| [(PI * u).cos(), (PI * u).sin()]),
                Box::new(|u| [1.0 - (PI * u).cos(), 0.5 - (PI * u).sin()]),
            ],
            Toy::Circles => vec![
                Box::new(|u| [(TAU * u).cos(), (TAU * u).sin()]),
                Box::new(|u| [2.0 * (TAU * u).cos(), 2.0 * (TAU * u).sin()]),
            ],
            Toy::Gaussians => (0..8)
                .map(|k| f64::from(k) * FRAC_PI_4)
                .map(|angle| -> Box<dyn Fn(f64) -> [f64; 2]> {
                    Box::new(move |_| [2.0 * angle.cos(), 2.0 * angle.sin()])
                })
                .collect(),
            Toy::Spirals => [1.0, -1.0]
                .into_iter()
                .map(|side| -> Box<dyn Fn(f64) -> [f64; 2]> {
                    Box::new(move |t| {
                        let a = 3.0 * PI * t;
                        [side * 0.25 * a * a.cos(), side * 0.25 * a * a.sin()]
                    })
                })
                .collect(),
            Toy::Pinwheel | Toy::Checkerboard => Vec::new(),
        }
    }
}

fn even_square(x: f64, y: f64) -> bool {
    (x.floor() + y.floor()).rem_euclid(2.0) == 0.0
}

fn turned([x, y]: [f64; 2], angle: f64) -> [f64; 2] {
    let (sin, cos) = angle.sin_cos();
    [cos * x - sin * y, sin * x + cos * y]
}
