//! At the edges of the domain and beyond them, at 0 and far out, with ordinary and with extreme parameters.
//!
//! | where | value | `log_det` |
//! | --- | --- | --- |
//! | inside the domain, up to `reach`, ordinary parameters | finite | finite |
//! | there with extreme parameters; up to `far`; on an end of an interval | finite | finite or `-inf` |
//! | outside the domain | finite | `-inf` |
//! | NaN, infinities, the largest numbers on the real line | no claim | no claim |
//!
//! No call panics anywhere, no row spoils another, and a value inside the domain is mapped into the other one.

use ef_bijectors::Bijector;
use ef_tensor::{Real, Tape, Workspace};
use ndarray::{Array2, ArrayView2, Axis, s};

use crate::case::{Case, forward, inverse};
use crate::config::{CheckConfig, Domain};
use crate::report::Violation;
use crate::strategy;

/// What is claimed of a row's `log_det`, because of one number in it. All but `Nothing` also claim finite values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Claim {
    Finite,
    FiniteOrMinusInfinity,
    Outside,
    Nothing,
}

/// What is claimed of a row's gradient, where `log_det` is finite. Next to an end it may overflow.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Slope {
    Finite,
    NotNan,
    Nothing,
}

/// One set of parameters at which the edges are tried.
pub(crate) struct Edges<'a, T: Real> {
    pub(crate) b: &'a dyn Bijector<T>,
    pub(crate) config: &'a CheckConfig,
    pub(crate) params: &'a [T],
    pub(crate) extreme: bool,
    /// An ordinary row of data and one of latents.
    pub(crate) rows: [Vec<f64>; 2],
    pub(crate) context: Vec<f64>,
    /// The same bijector in wider numbers: where its values are huge, `T` may overflow.
    pub(crate) wide: Option<(&'a dyn Bijector<f64>, &'a [f64])>,
}

pub(crate) fn hold(case: &Case<'_>) -> Result<(), Violation> {
    let extreme = strategy::extreme(case.b, case.config, &case.draw);
    for (params, extreme) in [(&case.params, false), (&extreme, true)] {
        let latent = strategy::inside(case.config.inverse_domain, 1, case.b.dim(), 1.0, &mut case.rng(2));
        let edges = Edges {
            b: case.b,
            config: case.config,
            params,
            extreme,
            rows: [case.x.row(0).to_vec(), latent.row(0).to_vec()],
            context: case.context.row(0).to_vec(),
            wide: None,
        };
        edges.hold()?;
    }
    Ok(())
}

impl<T: Real> Edges<'_, T> {
    pub(crate) fn hold(&self) -> Result<(), Violation> {
        // Ends as `T` knows them.
        let [here, there] = [self.config.forward_domain, self.config.inverse_domain].map(|d| match d {
            Domain::Real => d,
            Domain::Interval(low, high) => Domain::Interval(T::of(low).wide(), T::of(high).wide()),
        });
        let (x, claims) = self.batch(here, &self.rows[0]);
        let context = self.contexts(x.nrows());
        let (z, log_det) = forward(self.b, self.params, x.view(), context.view());
        let wide = self
            .wide
            .map(|(b, p)| forward(b, p, x.mapv(Real::wide).view(), context.mapv(Real::wide).view()).0);
        let trial = Trial {
            direction: "forward",
            extreme: self.extreme,
            from: &x,
            claims: &claims,
            into: there,
            wide,
        };
        trial.judge(&z, &log_det)?;
        let one = (x.slice(s![..1, ..]), context.slice(s![..1, ..]));
        trial.first_row_unspoilt(&z, &forward(self.b, self.params, one.0, one.1).0)?;
        self.gradients(&trial, &log_det, context.view())?;

        let (z, claims) = self.batch(there, &self.rows[1]);
        let (x, log_det) = inverse(self.b, self.params, z.view(), context.view());
        let wide = self
            .wide
            .map(|(b, p)| inverse(b, p, z.mapv(Real::wide).view(), context.mapv(Real::wide).view()).0);
        let trial = Trial {
            direction: "inverse",
            extreme: self.extreme,
            from: &z,
            claims: &claims,
            into: here,
            wide,
        };
        trial.judge(&x, &log_det)?;
        let one = (z.slice(s![..1, ..]), context.slice(s![..1, ..]));
        trial.first_row_unspoilt(&x, &inverse(self.b, self.params, one.0, one.1).0)
    }

    fn contexts(&self, rows: usize) -> Array2<T> {
        Array2::from_shape_fn((rows, self.context.len()), |(_, j)| T::of(self.context[j]))
    }

    /// An ordinary row first; then for every number a row full of it, and an ordinary row with one column set to it.
    fn batch(&self, domain: Domain, ordinary: &[f64]) -> (Array2<T>, Vec<(Claim, Slope)>) {
        let dim = ordinary.len();
        let ordinary: Vec<T> = ordinary.iter().map(|&v| T::of(v)).collect();
        let numbers = self.numbers(domain);
        let mut rows = ordinary.clone();
        let first = if self.extreme {
            Claim::FiniteOrMinusInfinity
        } else {
            Claim::Finite
        };
        let mut claims = vec![(first, Slope::Finite)];
        for (i, &(number, claim)) in numbers.iter().enumerate() {
            rows.extend(vec![number; dim]);
            rows.extend(&ordinary);
            let at = rows.len() - dim + i % dim;
            rows[at] = number;
            claims.extend([claim; 2]);
        }
        let rows = Array2::from_shape_vec((claims.len(), dim), rows).expect("one claim a row");
        (rows, claims)
    }

    fn numbers(&self, domain: Domain) -> Vec<(T, (Claim, Slope))> {
        let largest = T::max_value().wide();
        let mut numbers = vec![T::nan()];
        let mut both = |v: T| numbers.extend([v, -v]);
        for v in [
            0.0,
            1.0,
            1e3,
            self.config.reach,
            self.config.far,
            largest,
            f64::INFINITY,
        ] {
            both(T::of(v));
        }
        both(T::min_positive_value());
        if let Domain::Interval(low, high) = domain {
            for end in [T::of(low), T::of(high)] {
                numbers.extend([end, next(end, T::one()), next(end, -T::one())]);
            }
            numbers.extend([low - (high - low), (low + high) / 2.0, high + (high - low)].map(T::of));
        }
        numbers.into_iter().map(|v| (v, self.claim(domain, v))).collect()
    }

    fn claim(&self, domain: Domain, v: T) -> (Claim, Slope) {
        let v = v.wide();
        if v.is_nan() {
            return (Claim::Nothing, Slope::Nothing);
        }
        if !domain.contains(v) {
            return (Claim::Outside, Slope::Nothing);
        }
        // f32 has no room for numbers far out in a network.
        let far = T::NAME == "f64" && v.abs() <= self.config.far;
        if v.abs() > self.config.reach {
            let claim = if far {
                Claim::FiniteOrMinusInfinity
            } else {
                Claim::Nothing
            };
            return (claim, Slope::Nothing);
        }
        let (mut claim, mut slope) = (Claim::Finite, Slope::Finite);
        if let Domain::Interval(low, high) = domain {
            if v == low || v == high {
                claim = Claim::FiniteOrMinusInfinity;
            }
            if (v - low).min(high - v) < 1e-6 * (high - low) {
                slope = Slope::NotNan;
            }
        }
        if self.extreme {
            claim = Claim::FiniteOrMinusInfinity;
        }
        (claim, slope)
    }

    /// Gradients are finite where `forward` is; from other rows `backward` returns all the same.
    fn gradients(
        &self,
        trial: &Trial<'_, T>,
        log_det: &[f64],
        context: ArrayView2<'_, T>,
    ) -> Result<(), Violation> {
        self.backward(trial.from.view(), context);
        for wanted in [Slope::Finite, Slope::NotNan] {
            let claimed: Vec<usize> = (0..log_det.len())
                .filter(|&r| trial.claims[r].1 == wanted && log_det[r].is_finite() && !trial.may_overflow(r))
                .collect();
            let from = trial.from.select(Axis(0), &claimed);
            let (g, grads) = self.backward(from.view(), context.select(Axis(0), &claimed).view());
            for ((r, j), v) in g.indexed_iter() {
                if wanted == Slope::Finite || v.is_nan() {
                    let law = "gradients are finite where forward is";
                    let place = || trial.place(claimed[r], &format!("dL/dx_{j}"));
                    Violation::unless_finite(law, v.wide(), place)?;
                }
            }
            let layout = ef_tensor::params::ParamLayout::of(|v| self.b.visit_params(v));
            for (i, v) in grads.iter().enumerate().filter(|_| wanted == Slope::Finite) {
                let law = "gradients are finite where forward is";
                Violation::unless_finite(law, v.wide(), || {
                    format!(
                        "{}, {}, over rows at the edges",
                        layout.describe(i),
                        trial.parameters()
                    )
                })?;
            }
        }
        Ok(())
    }

    fn backward(&self, x: ArrayView2<'_, T>, context: ArrayView2<'_, T>) -> (Array2<T>, Vec<T>) {
        let (mut tape, mut ws) = (Tape::default(), Workspace::default());
        let mut z = x.to_owned();
        let mut log_det = vec![0.0; x.nrows()];
        self.b.forward(
            self.params,
            z.view_mut(),
            context,
            &mut log_det,
            Some(&mut tape),
            &mut ws,
        );
        let mut g = Array2::ones(x.dim());
        let mut grads = vec![T::zero(); self.params.len()];
        self.b.backward(
            self.params,
            g.view_mut(),
            &vec![-T::one(); x.nrows()],
            context,
            None,
            &mut grads,
            &mut tape,
            &mut ws,
        );
        (g, grads)
    }
}

/// The number next to `v`, towards `sign`.
fn next<T: Real>(v: T, sign: T) -> T {
    if v == T::zero() {
        return T::min_positive_value() * sign;
    }
    let mut step = v.abs() * T::epsilon();
    let half = T::of(0.5);
    while v + sign * step * half != v {
        step *= half;
    }
    v + sign * step
}

/// One direction at all numbers.
struct Trial<'a, T: Real> {
    direction: &'static str,
    extreme: bool,
    from: &'a Array2<T>,
    claims: &'a [(Claim, Slope)],
    into: Domain,
    wide: Option<Array2<f64>>,
}

impl<T: Real> Trial<'_, T> {
    fn judge(&self, to: &Array2<T>, log_det: &[f64]) -> Result<(), Violation> {
        for (r, (&(claim, _), &l)) in self.claims.iter().zip(log_det).enumerate() {
            if claim == Claim::Nothing || self.may_overflow(r) {
                continue;
            }
            for (j, v) in to.row(r).iter().map(|v| v.wide()).enumerate() {
                let place = || self.place(r, &format!("value {j}"));
                Violation::unless_finite("values are finite at and beyond the edges", v, place)?;
                if claim != Claim::Outside {
                    let law = "values inside the domain are mapped into the other domain";
                    Violation::unless_close(law, v, self.into.nearest(v), 0.0, place)?;
                }
            }
            let minus_infinity = f64::NEG_INFINITY;
            match claim {
                Claim::Outside => {
                    let law = "log_det is -inf outside the domain";
                    Violation::unless_close(law, l, minus_infinity, 0.0, || self.place(r, "log_det"))?;
                }
                _ if l.is_finite() => {}
                Claim::Finite => {
                    let law = "log_det is finite inside the domain";
                    Violation::unless_finite(law, l, || self.place(r, "log_det"))?;
                }
                _ => {
                    let law = "log_det is finite or -inf";
                    Violation::unless_close(law, l, minus_infinity, 0.0, || self.place(r, "log_det"))?;
                }
            }
        }
        Ok(())
    }

    /// The ordinary row among the others gives what it gives alone.
    fn first_row_unspoilt(&self, to: &Array2<T>, alone: &Array2<T>) -> Result<(), Violation> {
        let law = "a row's result does not depend on the other rows";
        for (j, (found, expected)) in to.row(0).iter().zip(alone.row(0)).enumerate() {
            if alone[[0, j]].is_finite() {
                let allowed = 1e4 * T::epsilon().wide() * (1.0 + expected.wide().abs());
                Violation::unless_close(law, found.wide(), expected.wide(), allowed, || {
                    self.place(0, &format!("value {j}, among rows at the edges"))
                })?;
            }
        }
        Ok(())
    }

    fn may_overflow(&self, r: usize) -> bool {
        self.wide
            .as_ref()
            .is_some_and(|wide| !wide.row(r).iter().all(|v| v.abs() < 1e15))
    }

    fn parameters(&self) -> &'static str {
        if self.extreme {
            "extreme parameters"
        } else {
            "ordinary parameters"
        }
    }

    fn place(&self, r: usize, what: &str) -> String {
        let row: Vec<String> = self
            .from
            .row(r)
            .iter()
            .map(|v| format!("{:e}", v.wide()))
            .collect();
        let (direction, parameters) = (self.direction, self.parameters());
        format!("{direction} of ({}) with {parameters}, {what}", row.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_next() {
        for v in [1.0, 3.0, -0.3, 1e-30, 0.1, 2.0_f64.powi(40)] {
            assert_eq!(next(v, 1.0), v.next_up());
            assert_eq!(next(v, -1.0), v.next_down());
        }
        for v in [1.0, 3.0, -0.3_f32] {
            assert_eq!((next(v, 1.0), next(v, -1.0)), (v.next_up(), v.next_down()));
        }
    }
}
