//! `x ~ N(m, 1)` with noise from the step's key, and one fault each.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use ef_check::{DensityConfig, assert_density};
use ef_density::normal::{log_phi, ndtri};
use ef_density::{Density, FlowRows, Key, ScoreKey, StepKey, uniform};
use ef_tensor::ParamVisitor;
use ndarray::{Array2, array};
use rand::RngCore;

use crate::caught;

/// `log p(x) = log phi(x - m)`; in training `m` is moved by a tenth of a keyed normal number, if there is noise.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Normal {
    Right,
    RightWithNoise,
    WrongGradient,
    OverwritesGrads,
    LossWithoutConstant,
    NoiseOfThePositionInTheShard,
    NoiseOfNobody,
    RowsTalk,
    NotFinite,
    SampleOfThePositionInTheCall,
    SampleOfNobody,
    SamplesOutsideTheSupport,
    CountsParametersWrong,
    ProjectUndoesInit,
}

use Normal as N;

fn next_number() -> f64 {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed) as f64
}

impl Normal {
    fn noise(self, key: StepKey, i: usize) -> f64 {
        let row = match self {
            N::RightWithNoise => key.row + i as u64,
            N::NoiseOfThePositionInTheShard => i as u64,
            N::NoiseOfNobody => return next_number(),
            _ => return 0.0,
        };
        0.1 * ndtri(uniform(&mut key.purpose("noise").row(row)))
    }
}

impl Density<f64> for Normal {
    type Rows = FlowRows<f64>;
    type Scratch = ();

    fn num_params(&self) -> usize {
        1 + usize::from(*self == N::CountsParametersWrong)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("m", &[]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f64]) {
        params[0] = 0.5;
    }

    fn project(&self, params: &mut [f64]) {
        if *self == N::ProjectUndoesInit {
            params[0] = 0.0;
        }
    }

    fn log_prob(
        &self,
        params: &[f64],
        rows: &FlowRows<f64>,
        index: &[usize],
        _: ScoreKey,
        (): &mut (),
        out: &mut [f64],
    ) {
        for (out, &i) in out.iter_mut().zip(index) {
            let x = rows.x[[i, 0]];
            *out = match self {
                N::RowsTalk => log_phi(x - params[0]) + 1e-3 * rows.x[[index[0], 0]],
                N::NotFinite if x > 1.0 => f64::NAN,
                N::SamplesOutsideTheSupport if x > 50.0 => f64::NEG_INFINITY,
                _ => log_phi(x - params[0]),
            };
        }
    }

    fn nll_backward(
        &self,
        params: &[f64],
        rows: &FlowRows<f64>,
        index: &[usize],
        key: StepKey,
        (): &mut (),
        grads: &mut [f64],
    ) -> f64 {
        if *self == N::OverwritesGrads {
            grads.fill(0.0);
        }
        let mut nll = 0.0;
        for (i, &k) in index.iter().enumerate() {
            let away = rows.x[[k, 0]] - params[0] - self.noise(key, i);
            nll -= log_phi(away);
            if *self == N::LossWithoutConstant {
                nll -= 0.5 * (2.0 * std::f64::consts::PI).ln();
            }
            grads[0] -= if *self == N::WrongGradient {
                2.0 * away
            } else {
                away
            };
        }
        nll
    }

    fn sample(
        &self,
        params: &[f64],
        given: &FlowRows<f64>,
        rows: Range<u64>,
        key: Key,
        (): &mut (),
    ) -> FlowRows<f64> {
        let first = rows.start;
        let draw = |row: u64| match self {
            N::SampleOfThePositionInTheCall => ndtri(uniform(&mut key.row(row - first))),
            N::SampleOfNobody => next_number(),
            N::SamplesOutsideTheSupport => 100.0,
            _ => ndtri(uniform(&mut key.row(row))),
        };
        FlowRows {
            x: Array2::from_shape_vec((given.x.nrows(), 1), rows.map(|r| params[0] + draw(r)).collect())
                .unwrap(),
            context: given.context.clone(),
        }
    }
}

fn rows() -> FlowRows<f64> {
    FlowRows::new(array![[0.3], [-1.2], [2.5], [0.8], [-0.1]])
}

#[test]
fn the_right_ones_pass() {
    let report = assert_density(&N::Right, &rows(), &DensityConfig::default());
    assert_eq!((report.compared, report.skipped), (12, 0));
    let noisy = DensityConfig {
        exact_loss: false,
        ..DensityConfig::default()
    };
    assert_density(&N::RightWithNoise, &rows(), &noisy);
}

#[test]
fn each_wrong_one_is_caught_by_the_law_it_breaks() {
    for (wrong, law) in [
        (N::RightWithNoise, "the loss of nll_backward is -sum log_prob"),
        (
            N::WrongGradient,
            "gradient agrees with central differences, at m[0]",
        ),
        (N::OverwritesGrads, "nll_backward adds to grads, at m[0]"),
        (
            N::LossWithoutConstant,
            "the loss of nll_backward is -sum log_prob",
        ),
        (
            N::RowsTalk,
            "a row's log_prob depends neither on the order nor on the other rows",
        ),
        (N::NotFinite, "log_prob is finite, at row 2"),
        (
            N::SampleOfThePositionInTheCall,
            "rows of a sample are what they are when drawn alone",
        ),
        (N::SampleOfNobody, "sample is reproducible"),
        (N::SamplesOutsideTheSupport, "samples have a finite log_prob"),
        (
            N::CountsParametersWrong,
            "visit_params describes num_params values",
        ),
        (
            N::ProjectUndoesInit,
            "project changes nothing that init wrote, at m[0]",
        ),
    ] {
        caught(wrong, law, || {
            assert_density(&wrong, &rows(), &DensityConfig::default())
        });
    }
    let noisy = DensityConfig {
        exact_loss: false,
        ..DensityConfig::default()
    };
    for (wrong, law) in [
        (
            N::NoiseOfThePositionInTheShard,
            "the loss of a batch is the sum of its shards'",
        ),
        (
            N::NoiseOfNobody,
            "nll_backward gives the same bits for the same key",
        ),
    ] {
        caught(wrong, law, || assert_density(&wrong, &rows(), &noisy));
    }
}
