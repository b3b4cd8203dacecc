//! Every base distribution through the same laws.

use approx::assert_abs_diff_eq;
use ef_bijectors::{Autoregressive, Chain, ElementwiseAffine, MlpConfig, RationalQuadratic};
use ef_check::check_gradient;
use ef_density::flow::base::{
    Base, DiagonalNormal, Logistic, NormalMixture, StandardNormal, StudentT, UniformBox,
};
use ef_density::{Density, Flow, FlowRows, Key};
use ef_tensor::Workspace;
use ef_tensor::params::ParamLayout;
use ef_tensor::simd::{Level, with_level};
use ndarray::{Array1, Array2, array, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn table(dim: usize) -> Vec<Box<dyn Base<f64>>> {
    vec![
        Box::new(StandardNormal),
        Box::new(Logistic),
        Box::new(StudentT::new(1.5).unwrap()),
        Box::new(StudentT::new(7.0).unwrap()),
        Box::new(UniformBox::new(-1.0, 3.0).unwrap()),
        Box::new(DiagonalNormal::new(dim)),
        Box::new(NormalMixture::new(dim, 1).unwrap()),
        Box::new(NormalMixture::new(dim, 4).unwrap()),
    ]
}

/// Parameters away from their start.
fn parameters(base: &dyn Base<f64>, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut params = vec![0.0; base.num_params()];
    base.init(rng, &mut params);
    params
        .iter_mut()
        .for_each(|p| *p += 0.8 * rng.random::<f64>() - 0.4);
    params
}

#[test]
fn parameters_are_named_and_counted() {
    for dim in [1, 3] {
        for base in table(dim) {
            assert_eq!(
                ParamLayout::of(|v| base.visit_params(v)).len(),
                base.num_params(),
                "{base:?}"
            );
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    for dim in [1, 3] {
        for base in table(dim) {
            let rng = &mut ChaCha8Rng::seed_from_u64(dim as u64);
            for _ in 0..10 {
                let params = parameters(&*base, rng);
                let z: Vec<f64> = (0..dim).map(|_| 2.5 * rng.random::<f64>() - 0.8).collect();
                let (mut g, mut grads) = (Array1::zeros(dim), vec![0.5; params.len()]);
                base.nll_backward(&params, Array1::from(z.clone()).view(), g.view_mut(), &mut grads);
                grads.iter_mut().for_each(|g| *g -= 0.5);
                let of_z = |z: &[f64]| -base.log_prob(&params, z.into());
                let all: Vec<usize> = (0..dim).collect();
                check_gradient(of_z, &z, g.as_slice().unwrap(), &all, 1e-7, |j| {
                    format!("{base:?}, z[{j}]")
                })
                .unwrap();
                let of_params = |p: &[f64]| -base.log_prob(p, z.as_slice().into());
                let all: Vec<usize> = (0..params.len()).collect();
                check_gradient(of_params, &params, &grads, &all, 1e-7, |i| {
                    format!("{base:?}, parameter {i}")
                })
                .unwrap();
            }
        }
    }
}

/// Many rows at once are the rows one by one, however they are cut.
#[test]
fn blocks_of_rows_are_the_rows() {
    for (dim, n) in [(1, 40), (2, 33), (3, 16), (9, 21)] {
        for base in table(dim) {
            let params = parameters(&*base, &mut ChaCha8Rng::seed_from_u64(3));
            let key = Key::new(11).purpose("rows");
            let number = |i: usize| 7 + 3 * i as u64;
            let mut z = Array2::zeros((n, dim));
            base.sample_rows(&params, key, &mut (0..n).map(number), z.view_mut());
            let mut tail = Array2::zeros((dim, n - 5)).reversed_axes();
            base.sample_rows(&params, key, &mut (5..n).map(number), tail.view_mut());
            assert_eq!(tail, z.slice(s![5.., ..]), "{base:?}");

            let (mut out, mut ws) = (vec![1.0; n], Workspace::default());
            base.log_prob_rows(&params, z.view(), &mut out);
            let (mut g, mut grads, mut again) = (z.clone(), vec![0.0; params.len()], vec![1.0; n]);
            base.nll_backward_rows(&params, g.view_mut(), &mut again, &mut grads, &mut ws);
            let mut row_grads = grads.clone();
            row_grads.fill(0.0);
            for i in 0..n {
                let (mut alone, mut row_g) = (Array1::zeros(dim), Array1::zeros(dim));
                base.sample(&params, &mut key.row(number(i)), alone.view_mut());
                assert_eq!(alone, z.row(i), "{base:?}");
                let log_prob = base.log_prob(&params, z.row(i));
                assert_abs_diff_eq!(out[i] - 1.0, log_prob, epsilon = 1e-12 * (1.0 + log_prob.abs()));
                assert_eq!(out[i], again[i], "{base:?}");
                base.nll_backward(&params, z.row(i), row_g.view_mut(), &mut row_grads);
                assert_eq!(row_g, g.row(i), "{base:?}");
            }
            assert_eq!(grads, row_grads, "{base:?}");
        }
    }
}

/// The draws of the standard normal do not hang on the instruction set, nor on the width of the numbers.
#[test]
fn normal_draws_have_the_same_bits_at_every_level() {
    let draw = |level| {
        let mut z = Array2::<f64>::zeros((100, 7));
        let rows = &mut (0..100);
        with_level(level, || {
            StandardNormal.sample_rows(&[], Key::new(2), rows, z.view_mut());
        });
        z
    };
    let z = draw(Level::Baseline);
    let mut narrow = Array2::<f32>::zeros((100, 7));
    StandardNormal.sample_rows(&[], Key::new(2), &mut (0..100), narrow.view_mut());
    assert_eq!(narrow, z.mapv(|z| z as f32));
    for level in Level::ALL {
        assert_eq!(draw(level), z);
    }
}

/// The integral of the density up to each point of a grid on which `z = tan(t)`, so that no tail is left out.
fn cdf(base: &dyn Base<f64>, params: &[f64]) -> Vec<(f64, f64)> {
    let steps = 400_000;
    let mut total = 0.0;
    (0..steps)
        .map(|i| {
            let t = std::f64::consts::PI * ((i as f64 + 0.5) / steps as f64 - 0.5);
            let jacobian = 1.0 + t.tan().powi(2);
            total += base.log_prob(params, array![t.tan()].view()).exp() * jacobian * std::f64::consts::PI
                / steps as f64;
            (t.tan(), total)
        })
        .collect()
}

/// The density has mass 1, and draws follow it (Kolmogorov's test at a level of 1e-4).
#[test]
fn densities_integrate_to_one_and_draws_follow_them() {
    for base in table(1) {
        let params = parameters(&*base, &mut ChaCha8Rng::seed_from_u64(9));
        let cdf = cdf(&*base, &params);
        assert_abs_diff_eq!(cdf.last().unwrap().1, 1.0, epsilon = 2e-5);
        let (key, n) = (Key::new(4), 4000);
        let mut draws: Vec<f64> = (0..n)
            .map(|row| {
                let mut z = array![0.0];
                base.sample(&params, &mut key.row(row), z.view_mut());
                z[0]
            })
            .collect();
        draws.sort_by(f64::total_cmp);
        let below = |x: f64| cdf[cdf.partition_point(|p| p.0 < x).min(cdf.len() - 1)].1;
        let steps = draws.iter().enumerate();
        let distance = steps.fold(0.0_f64, |d, (i, &x)| {
            d.max((below(x) - i as f64 / n as f64).abs())
        });
        assert!(distance < 2.23 / (n as f64).sqrt(), "{base:?}: {distance}");
    }
}

#[test]
fn a_mixture_in_two_columns_has_mass_one() {
    let base = NormalMixture::new(2, 3).unwrap();
    let params = parameters(&base, &mut ChaCha8Rng::seed_from_u64(2));
    let step = 0.05;
    let at = |i: i32| step * f64::from(i);
    let mass: f64 = (-200..200)
        .flat_map(|i| (-200..200).map(move |j| (i, j)))
        .map(|(i, j)| base.log_prob(&params, array![at(i), at(j)].view()).exp() * step * step)
        .sum();
    assert_abs_diff_eq!(mass, 1.0, epsilon = 1e-9);
}

/// What cannot be: refused, or a density of zero.
#[test]
fn edges() {
    assert!(StudentT::new(0.0).is_err() && StudentT::new(f64::NAN).is_err());
    // beyond the largest nu that the gamma function can tell apart, a normal
    let at_zero = |nu: f64| Base::<f64>::log_prob(&StudentT::new(nu).unwrap(), &[], array![0.0].view());
    for nu in [1e5, 9.99e5, 1.01e6, 1e12, 1e300] {
        assert_abs_diff_eq!(
            at_zero(nu),
            -0.5 * std::f64::consts::TAU.ln() - 0.25 / nu,
            epsilon = 1e-9
        );
    }
    assert!(UniformBox::new(1.0, 1.0).is_err() && UniformBox::new(0.0, f64::INFINITY).is_err());
    assert!(NormalMixture::new(2, 0).is_err());
    let uniform: &dyn Base<f64> = &UniformBox::new(0.0, 1.0).unwrap();
    for outside in [-1e-9, 1.0 + 1e-9, f64::NAN, f64::INFINITY] {
        assert_eq!(
            uniform.log_prob(&[], array![0.5, outside].view()),
            f64::NEG_INFINITY
        );
    }
    for base in table(1) {
        let params = parameters(&*base, &mut ChaCha8Rng::seed_from_u64(1));
        for far in [1e30, -1e30] {
            let l = base.log_prob(&params, array![far].view());
            assert!(l < -50.0 && !l.is_nan(), "{base:?}: {l}");
        }
    }
    let bijector = || Box::new(ElementwiseAffine::new(3).unwrap());
    assert!(Flow::<f64>::with_base(bijector(), Box::new(DiagonalNormal::new(2))).is_err());
    assert!(Flow::<f64>::with_base(bijector(), Box::new(DiagonalNormal::new(3))).is_ok());
}

/// A constant column keeps its mean and gets scale 1, whatever rounding makes of its variance.
#[test]
fn constant_columns_start_at_their_value() {
    let z = Array2::from_elem((10, 1), 0.1);
    let mut params = [0.0; 2];
    DiagonalNormal::new(1).init_from_data(&mut params, z.view());
    assert_abs_diff_eq!(params[..], [0.1, 0.0], epsilon = 1e-15);
    let mut params = [0.0; 3];
    NormalMixture::new(1, 1)
        .unwrap()
        .init_from_data(&mut params, z.view());
    assert_abs_diff_eq!(params[..], [0.0, 0.1, 0.0], epsilon = 1e-15);
}

/// What a normal base draws outside a spline's box is told as impossible, never as infinitely likely.
#[test]
fn draws_outside_the_domain_have_no_density() {
    let spline = RationalQuadratic::on_box(4, -0.5, 0.5).unwrap();
    let flow = Flow::new(Autoregressive::new(1, 0, MlpConfig::default(), spline).unwrap());
    let params = vec![0.0; flow.num_params()];
    let none = Array2::zeros((50, 0));
    let (_, log_prob) =
        flow.sample_with_log_prob(&params, none.view(), 0..50, Key::new(1), &mut Default::default());
    assert!(log_prob.contains(&f64::NEG_INFINITY));
    assert!(log_prob.iter().all(|&l| l < 1.0), "{log_prob:?}");
}

/// In a flow the base's parameters lie behind the bijector's, start from data, and are drawn from.
#[test]
fn a_flow_trains_its_base() {
    let bijector = Chain::new(vec![Box::new(ElementwiseAffine::new(1).unwrap()) as _]).unwrap();
    let flow = Flow::with_base(Box::new(bijector), Box::new(DiagonalNormal::new(1))).unwrap();
    let layout = ParamLayout::of(|v| flow.visit_params(v));
    let names: Vec<_> = layout.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["0.log_scale", "0.shift", "base.mean", "base.log_scale"]);

    let mut params = vec![0.0; flow.num_params()];
    Density::init(&flow, &mut ChaCha8Rng::seed_from_u64(1), &mut params);
    let rows = FlowRows::new(array![[1.0], [3.0], [5.0], [7.0]]);
    flow.init_from_data(&mut params, &rows, &[0, 1, 2, 3]);
    assert_abs_diff_eq!(params[..], [0.0, 0.0, 4.0, 0.5 * 5.0_f64.ln()], epsilon = 1e-12);

    let given = FlowRows::new(Array2::zeros((2000, 1)));
    let drawn = Density::sample(
        &flow,
        &params,
        &given,
        0..2000,
        Key::new(3),
        &mut Default::default(),
    );
    assert_abs_diff_eq!(drawn.x.mean().unwrap(), 4.0, epsilon = 0.2);
}
