//! A variational fit finds what is known, its gradient is that of its objective, and threads change nothing.

#[allow(dead_code)]
#[path = "../examples/vi_energies/energies.rs"]
mod energies;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_bijectors::{
    Activation, Bijector, Chain, ElementwiseAffine, Ends, FlowConfig, LuLinear, MlpConfig, Planar, Radial,
    Tanh, UnitMap, maf, planar_chain,
};
use ef_density::flow::base::{Base, DiagonalNormal, NormalMixture, StandardNormal};
use ef_random::{Key, StepKey};
use ef_tensor::Real;
use ef_train::{
    Observer, StopReason, Target, TrainError, Variational, VariationalConfig, VariationalScratch,
    fit_variational, kl_divergence,
};
use energies::Energy;
use proptest::prelude::*;

/// A normal distribution with precision matrix `[[a, b], [b, c]]`, unnormalised.
#[derive(Debug)]
struct Normal {
    mean: [f64; 2],
    precision: [f64; 3],
}

impl Normal {
    fn log_z(&self) -> f64 {
        let [a, b, c] = self.precision;
        std::f64::consts::TAU.ln() - 0.5 * (a * c - b * b).ln()
    }
}

impl Target for Normal {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (d, e) = (x[0] - self.mean[0], x[1] - self.mean[1]);
        let [a, b, c] = self.precision;
        gradient[0] = -(a * d + b * e);
        gradient[1] = -(b * d + c * e);
        0.5 * (gradient[0] * d + gradient[1] * e)
    }
}

const NORMAL: Normal = Normal {
    mean: [3.0, -1.0],
    precision: [4.0, 1.5, 1.0],
};

fn start<T: Real>(q: &Variational<T>, seed: u64) -> Vec<T> {
    let mut params = vec![T::zero(); q.num_params()];
    q.init(&mut Key::new(seed).row(0), &mut params);
    params
}

fn planar<T: Real>(layers: usize) -> Variational<T> {
    Variational::new(planar_chain(2, 0, layers, Tanh).unwrap()).unwrap()
}

#[test]
fn a_linear_flow_becomes_the_normal_distribution_it_is_fitted_to() {
    let q = Variational::<f64>::new(LuLinear::new(2).unwrap()).unwrap();
    let mut params = start(&q, 1);
    let before = kl_divergence(&q, &params, &NORMAL, NORMAL.log_z(), 1000, Key::new(5)).unwrap();
    assert!(before.mean > 1.0);
    let config = VariationalConfig::default().steps(3000).lr(2e-2).threads(1);
    let history = fit_variational(&q, &mut params, &NORMAL, &config, &mut ()).unwrap();
    let after = kl_divergence(&q, &params, &NORMAL, NORMAL.log_z(), 20_000, Key::new(5)).unwrap();
    // q = p makes every term of the estimate 0, so its standard error vanishes too.
    assert_abs_diff_eq!(after.mean, 0.0, epsilon = 1e-3);
    assert!(after.standard_error < 1e-3);
    assert_relative_eq!(history.blocks[29].loss, -NORMAL.log_z(), epsilon = 0.05);
    // z -> L U z + b has mean b and covariance L U (L U)^T.
    let (mean, covariance) = (&params[4..], NORMAL.precision[0] - NORMAL.precision[1].powi(2));
    assert_abs_diff_eq!(mean, &NORMAL.mean[..], epsilon = 0.02);
    let (upper, scale) = (params[1], params[2].exp());
    assert_relative_eq!(
        scale * scale + upper * upper,
        NORMAL.precision[2] / covariance,
        max_relative = 0.05
    );
}

#[test]
fn columns_of_a_product_are_found_alone() {
    // A diagonal affine map cannot be a correlated normal; its best is known: precisions a and c, means kept.
    let q = Variational::<f32>::new(ElementwiseAffine::new(2).unwrap()).unwrap();
    let mut params = start(&q, 1);
    let config = VariationalConfig::default()
        .steps(4000)
        .lr(2e-2)
        .anneal_steps(1000)
        .threads(1);
    fit_variational(&q, &mut params, &NORMAL, &config, &mut ()).unwrap();
    let [a, b, c] = NORMAL.precision;
    let expected = [-0.5 * a.ln(), -0.5 * c.ln(), 3.0, -1.0].map(|v| v as f32);
    assert_abs_diff_eq!(params[..], expected[..], epsilon = 0.02);
    let kl = kl_divergence(&q, &params, &NORMAL, NORMAL.log_z(), 50_000, Key::new(5)).unwrap();
    let known = 0.5 * (a * c / (a * c - b * b)).ln();
    assert_abs_diff_eq!(kl.mean, known, epsilon = 4.0 * kl.standard_error + 1e-3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_gradient_is_that_of_the_keyed_objective(seed: u64, step in 0u64..1000, beta in 0.01..1.0_f64, which in 0usize..4) {
        let conditioner = MlpConfig { hidden: 8, blocks: 1, residual: true, activation: Activation::Tanh };
        let flow = FlowConfig { layers: 2, conditioner, ..FlowConfig::default() };
        let parts: Vec<Box<dyn Bijector<f64>>> = vec![
            Box::new(ElementwiseAffine::new(2).unwrap()),
            Box::new(Planar::new(2, 0, Tanh).unwrap()),
            Box::new(maf(2, 0, &flow).unwrap()),
            Box::new(Radial::new(2, 0).unwrap()),
        ];
        let q = Variational::new(Chain::new(parts).unwrap()).unwrap();
        let mut params = start(&q, seed);
        for (i, p) in params.iter_mut().enumerate() {
            *p += 0.3 * ((i as f64) + (seed % 97) as f64).sin();
        }
        let energy = Energy::ALL[which];
        let key = StepKey { key: Key::new(seed), step, row: 3 };
        let mut scratch = VariationalScratch::default();
        // What a mask excludes is no parameter.
        let mut loss = |p: &[f64], grads: &mut [f64]| {
            let mut p = p.to_vec();
            q.bijector().project(&mut p);
            q.loss_backward(&p, &energy, beta, 5, key, &mut scratch, grads)
        };
        let mut grads = vec![0.0; params.len()];
        loss(&params, &mut grads);
        for i in 0..params.len() {
            let mut ignored = vec![0.0; params.len()];
            let mut at = params.clone();
            at[i] += 1e-5;
            let up = loss(&at, &mut ignored);
            at[i] -= 2e-5;
            let down = loss(&at, &mut ignored);
            let numeric = (up - down) / 2e-5;
            prop_assert!((grads[i] - numeric).abs() <= 1e-5 * (1.0 + up.abs() + numeric.abs()), "{i}: {} {numeric}", grads[i]);
        }
    }

    #[test]
    fn energies_have_the_gradients_they_say(x1 in -6.0..6.0_f64, x2 in -6.0..6.0_f64) {
        for energy in Energy::ALL {
            let at = |x1, x2| energy.log_density(&[x1, x2], &mut [0.0; 2]);
            let mut gradient = [0.0; 2];
            energy.log_density(&[x1, x2], &mut gradient);
            let h = 1e-6;
            let numeric = [(at(x1 + h, x2) - at(x1 - h, x2)) / (2.0 * h), (at(x1, x2 + h) - at(x1, x2 - h)) / (2.0 * h)];
            for (g, n) in gradient.iter().zip(numeric) {
                // The wall's second derivative jumps at 4.
                prop_assert!((g - n).abs() <= 1e-4 * (1.0 + n.abs()), "{energy:?} at {x1}, {x2}: {g} for {n}");
            }
        }
    }
}

#[test]
fn energies_have_the_integrals_they_say() {
    let root = std::f64::consts::TAU.sqrt();
    // Along x2 every slice of U2 and U3 is one, or two, normal curves; the wall adds half a curve at each end.
    let length = 8.0 + 0.4 * root;
    assert_abs_diff_eq!(Energy::U2.log_z(), (length * 0.4 * root).ln(), epsilon = 1e-9);
    assert_abs_diff_eq!(Energy::U3.log_z(), (length * 0.7 * root).ln(), epsilon = 1e-9);
    assert_abs_diff_eq!(Energy::U4.log_z(), (length * 0.75 * root).ln(), epsilon = 1e-9);
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let q = planar::<f32>(4);
    for batch in [1, 37, 64] {
        let config = VariationalConfig::default()
            .steps(60)
            .batch(batch)
            .anneal_steps(30)
            .shards(3);
        let run = |threads| {
            let mut params = start(&q, 3);
            let config = config.clone().threads(threads);
            let history = fit_variational(&q, &mut params, &Energy::U1, &config, &mut ()).unwrap();
            (params.iter().map(|p| p.to_bits()).collect::<Vec<_>>(), history)
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(run(threads) == one, "{threads} threads, batch {batch}");
        }
    }
}

#[test]
fn shards_cut_one_set_of_draws() {
    let q = planar::<f64>(2);
    let run = |shards, seed| {
        let mut params = start(&q, 3);
        let config = VariationalConfig::default()
            .steps(20)
            .batch(50)
            .shards(shards)
            .seed(seed)
            .threads(1);
        fit_variational(&q, &mut params, &Energy::U3, &config, &mut ()).unwrap();
        params
    };
    assert_abs_diff_eq!(run(1, 0)[..], run(5, 0)[..], epsilon = 1e-9);
    assert_ne!(run(1, 0), run(1, 1));
}

/// Not finite where `x1` is above `edge`.
#[derive(Debug)]
struct Cliff {
    edge: f64,
}

impl Target for Cliff {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        if x[0] > self.edge {
            gradient.fill(f64::NAN);
            return f64::NAN;
        }
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        -0.5 * (x[0] * x[0] + x[1] * x[1])
    }
}

#[test]
fn steps_that_are_not_finite_are_skipped_and_counted() {
    let q = planar::<f64>(1);
    let config = VariationalConfig::default().steps(200).batch(4).threads(1);
    let mut params = start(&q, 1);
    let history = fit_variational(&q, &mut params, &Cliff { edge: 2.0 }, &config, &mut ()).unwrap();
    assert!(history.skipped_steps > 0, "one draw of 44 is beyond 2");
    assert_eq!(history.steps, 200);
    assert!(params.iter().all(|p| p.is_finite()));

    let mut params = start(&q, 1);
    let error = fit_variational(&q, &mut params, &Cliff { edge: 0.0 }, &config, &mut ()).unwrap_err();
    assert!(
        matches!(error, TrainError::TargetNotFinite { steps: 200, .. }),
        "{error:?}"
    );
    assert!(params.iter().all(|p| p.is_finite()));
}

struct StopAfter(u64);

impl Observer for StopAfter {
    fn on_step(&mut self, report: &ef_train::StepReport) {
        self.0 -= u64::from(report.step > 0);
    }

    fn should_stop(&mut self) -> bool {
        self.0 == 0
    }
}

#[test]
fn an_observer_stops_it() {
    let q = planar::<f64>(1);
    let history = fit_variational(
        &q,
        &mut start(&q, 1),
        &NORMAL,
        &VariationalConfig::default(),
        &mut StopAfter(7),
    )
    .unwrap();
    assert_eq!((history.steps, history.stopped_by), (7, StopReason::Cancelled));
}

#[test]
fn what_does_not_fit_is_refused() {
    let q = Variational::<f64>::new(ElementwiseAffine::new(3).unwrap()).unwrap();
    let config = VariationalConfig::default();
    let refusal =
        |params: &mut [f64], config| fit_variational(&q, params, &NORMAL, config, &mut ()).unwrap_err();
    assert!(matches!(
        refusal(&mut [0.0; 5], &config),
        TrainError::ParamCount { .. }
    ));
    assert!(matches!(
        refusal(&mut [0.0; 6], &config),
        TrainError::TargetDimension { .. }
    ));
    assert!(matches!(
        refusal(&mut [0.0; 6], &config.clone().batch(0)),
        TrainError::Setting { setting: "batch", .. }
    ));
    let context = Planar::new(2, 1, Tanh).unwrap();
    assert!(matches!(
        Variational::<f64>::new(context),
        Err(TrainError::Context { columns: 1 })
    ));
    let based = |base: Box<dyn Base<f64>>| {
        let bijector = Box::new(ElementwiseAffine::new(2).unwrap());
        Variational::<f64>::with_base(bijector, base)
    };
    for base in [
        Box::new(DiagonalNormal::new(2)) as Box<dyn Base<f64>>,
        Box::new(NormalMixture::new(3, 2).unwrap()),
    ] {
        assert!(matches!(
            based(base),
            Err(TrainError::Setting { setting: "base", .. })
        ));
    }
    assert!(based(Box::new(StandardNormal)).is_ok());

    // A normal base over a map of the unit interval: most draws come from nowhere, and no number stands for that.
    let unit = UnitMap::from_unit(2, Ends::Logistic).unwrap();
    let q = Variational::<f64>::new(unit).unwrap();
    let error = kl_divergence(&q, &[], &NORMAL, 0.0, 100, Key::new(1)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("100 draws have a density that is not finite"),
        "{error}"
    );

    assert!(
        kl_divergence(
            &planar::<f64>(1),
            &start(&planar(1), 1),
            &NORMAL,
            0.0,
            1,
            Key::new(1)
        )
        .is_err()
    );
}

#[test]
fn annealing_rises_on_a_line_to_1() {
    let config = VariationalConfig::default().anneal_from(0.01).anneal_steps(100);
    assert_relative_eq!(config.beta(0), 0.01);
    assert_relative_eq!(config.beta(50), 0.505);
    assert_relative_eq!(config.beta(100), 1.0);
    assert_relative_eq!(VariationalConfig::default().beta(0), 1.0);
}
