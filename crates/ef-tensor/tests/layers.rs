//! Layers against their definitions, and backward passes against differences, in f64.

use approx::assert_abs_diff_eq;
use ef_tensor::ndarray::{Array2, s};
use ef_tensor::params::ParamLayout;
use ef_tensor::simd::{Level, with_level};
use ef_tensor::{
    Activation, DropoutMask, Incremental, Linear, Mlp, MlpConfig, SparseLinear, Tape, Workspace,
};
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn normal(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::random_using((rows, columns), StandardNormal, rng)
}

/// Central differences of `f` at `x` against `gradient`, every coordinate.
fn assert_gradient(mut f: impl FnMut(&[f64]) -> f64, x: &[f64], gradient: &[f64]) {
    let mut at = x.to_vec();
    for i in 0..x.len() {
        let h = 1e-5;
        at[i] = x[i] + h;
        let up = f(&at);
        at[i] = x[i] - h;
        let down = f(&at);
        at[i] = x[i];
        assert_abs_diff_eq!(
            (up - down) / (2.0 * h),
            gradient[i],
            epsilon = 1e-5 * (1.0 + gradient[i].abs())
        );
    }
}

/// Sorted limits of a masked layer, several blocks wide.
fn limits(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut limits: Vec<usize> = (0..outputs).map(|_| rng.random_range(0..=inputs)).collect();
    limits.sort_unstable();
    limits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A masked layer is the dense sum over the inputs it may see, however it is cut into blocks; its gradients are
    /// those of that sum, zero outside the mask.
    #[test]
    fn masked_layer(seed: u64, rows in 0usize..5, inputs in 0usize..9, outputs in 0usize..120) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let limits = limits(inputs, outputs, &mut rng);
        let layer = Linear::masked(inputs, &limits).unwrap();
        let mut params = vec![0.0; layer.num_params()];
        layer.init(1.0, &mut rng, &mut params);
        params[inputs * outputs..].fill(0.25);
        let x = normal(rows, inputs, &mut rng);
        let mut y = Array2::from_elem((rows, outputs), f64::NAN);
        layer.forward(&params, x.view(), y.view_mut());
        for r in 0..rows {
            for j in 0..outputs {
                let sum: f64 = (0..limits[j]).map(|i| x[[r, i]] * params[i * outputs + j]).sum();
                assert_abs_diff_eq!(y[[r, j]], sum + 0.25, epsilon = 1e-12);
            }
        }
        let mut twice = y.clone();
        layer.forward_add(&params, x.view(), twice.view_mut());
        assert_abs_diff_eq!(twice, &y * 2.0, epsilon = 1e-12);
        // feature-major, unit by unit
        let mut units = Array2::from_elem((outputs, rows), f64::NAN);
        let mut at = 0;
        while at < outputs {
            let end = (at + 1..=outputs).rev().find(|&e| limits[e - 1] == limits[at]).unwrap_or(at + 1);
            layer.forward_units(&params, at..end, x.t(), units.view_mut());
            at = end;
        }
        assert_abs_diff_eq!(units.t().to_owned(), y, epsilon = 1e-12);

        let g = normal(rows, outputs, &mut rng);
        let (mut gx, mut grads) = (Array2::zeros((rows, inputs)), vec![0.0; params.len()]);
        layer.backward(x.view(), g.view(), &mut grads);
        layer.backward_input_add(&params, g.view(), gx.view_mut());
        for i in 0..inputs {
            for j in 0..outputs {
                let sum: f64 = (0..rows).map(|r| x[[r, i]] * g[[r, j]]).sum();
                let expected = if i < limits[j] { sum } else { 0.0 };
                assert_abs_diff_eq!(grads[i * outputs + j], expected, epsilon = 1e-12);
            }
            for r in 0..rows {
                let sum: f64 = (0..outputs).filter(|&j| i < limits[j]).map(|j| g[[r, j]] * params[i * outputs + j]).sum();
                assert_abs_diff_eq!(gx[[r, i]], sum, epsilon = 1e-12);
            }
        }
        // `f32` has the widest panels: what they compute beyond the mask must be gone at every level.
        let (x32, g32) = (x.mapv(|v| v as f32), g.mapv(|v| v as f32));
        for level in Level::ALL {
            let mut grads = vec![0.0_f32; params.len()];
            with_level(level, || layer.backward(x32.view(), g32.view(), &mut grads));
            for i in 0..inputs {
                for j in (0..outputs).filter(|&j| i >= limits[j]) {
                    prop_assert_eq!(grads[i * outputs + j], 0.0);
                }
            }
        }
        let mut noisy: Vec<f64> = params.iter().map(|p| p + 1.0).collect();
        layer.project(&mut noisy);
        for i in 0..inputs {
            for j in 0..outputs {
                assert_eq!(noisy[i * outputs + j] == 0.0, i >= limits[j] || params[i * outputs + j] == -1.0);
            }
        }
    }

    /// Gathering equals multiplying the expanded one-hots and dense features.
    #[test]
    fn sparse_layer(seed: u64, rows in 1usize..6) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layer = SparseLinear::new(7)
            .with_variable(3, &[vec![0.5, 0.0], vec![-1.0, 2.0], vec![0.0, 1.0]], 0)
            .with_variable(2, &[], 4);
        let mut params = vec![0.0; layer.num_params()];
        layer.init(1.0, &mut rng, &mut params);
        let codes = Array2::from_shape_fn((rows, 2), |(_, v)| match rng.random_range(0..4_u32) {
            3 => SparseLinear::NONE,
            c => c % if v == 0 { 3 } else { 2 },
        });
        let mut expanded = Array2::<f64>::zeros((rows, 7));
        for r in 0..rows {
            let c = codes[[r, 0]];
            if c != SparseLinear::NONE {
                expanded[[r, c as usize]] = 1.0;
                let dense = [[0.5, 0.0], [-1.0, 2.0], [0.0, 1.0]][c as usize];
                expanded[[r, 3]] = dense[0];
                expanded[[r, 4]] = dense[1];
            }
            if codes[[r, 1]] != SparseLinear::NONE {
                expanded[[r, 5 + codes[[r, 1]] as usize]] = 1.0;
            }
        }
        let w = Array2::from_shape_vec((7, 7), params.clone()).unwrap();
        let expected = expanded.dot(&w);
        let mut y = Array2::zeros((rows, 7));
        layer.forward_add(&params, codes.view(), y.view_mut());
        assert_abs_diff_eq!(y, expected, epsilon = 1e-12);
        assert_abs_diff_eq!(w.slice(s![5.., ..4]).sum(), 0.0);

        let mut units = Array2::zeros((7, rows));
        for v in 0..2 {
            layer.forward_variable(&params, v, &codes.column(v).to_vec(), 0..7, units.view_mut());
        }
        assert_abs_diff_eq!(units.t().to_owned(), expected, epsilon = 1e-12);

        let g = normal(rows, 7, &mut rng);
        let mut grads = vec![0.0; params.len()];
        layer.backward(codes.view(), g.view(), &mut grads);
        let mut expected = expanded.t().dot(&g);
        expected.slice_mut(s![5.., ..4]).fill(0.0);
        assert_abs_diff_eq!(Array2::from_shape_vec((7, 7), grads).unwrap(), expected, epsilon = 1e-12);
    }
}

struct Fixed(Array2<f64>);

impl DropoutMask<f64> for Fixed {
    fn fill(&mut self, block: usize, mut mask: ef_tensor::ndarray::ArrayViewMut2<'_, f64>) {
        mask.assign(&self.0);
        mask *= 1.0 + block as f64;
    }
}

/// Every combination of activation, residual or plain, masked or dense, dropped or not: gradients of parameters and
/// of the first pre-activation.
#[test]
fn network_gradients() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Silu] {
        for (residual, masked, drop) in [
            (false, false, false),
            (false, true, false),
            (true, false, false),
            (true, true, false),
            (true, true, true),
        ] {
            let config = MlpConfig {
                hidden: 6,
                blocks: 2,
                residual,
                activation,
            };
            let net = if masked {
                Mlp::masked(config, &[0, 0, 1, 1, 2, 2], &[0, 1, 1, 2]).unwrap()
            } else {
                Mlp::new(config, 4)
            };
            let mut params = vec![0.0; net.num_params()];
            net.init(1.0, &mut rng, &mut params);
            // Away from zero biases, where a unit with no active input would sit on ReLU's kink.
            params
                .iter_mut()
                .for_each(|p| *p += 0.2 * rng.random::<f64>() + 0.05);
            net.project(&mut params);
            let layout = ParamLayout::of(|v| net.visit_params(v));
            assert_eq!(layout.len(), params.len());
            let (h, gy) = (normal(3, 6, &mut rng), normal(3, 4, &mut rng));
            let mask = normal(3, 6, &mut rng).mapv(|v| if v > 0.0 { 2.0 } else { 0.0 });
            let mut ws = Workspace::default();
            let mut loss = |params: &[f64], h: &Array2<f64>, tape: Option<&mut Tape<f64>>| {
                let mut y = Array2::zeros((3, 4));
                let mut fixed = Fixed(mask.clone());
                let dropout = drop.then_some(&mut fixed as &mut dyn DropoutMask<f64>);
                net.forward(params, h.clone(), y.view_mut(), dropout, tape, &mut ws);
                (&y * &gy).sum()
            };
            let mut tape = Tape::default();
            loss(&params, &h, Some(&mut tape));
            let mut grads = vec![0.0; params.len()];
            let gh = net.backward(
                &params,
                gy.view(),
                drop,
                &mut grads,
                &mut tape,
                &mut Workspace::default(),
            );
            assert!(tape.is_empty());
            let projected = |p: &[f64]| {
                let mut p = p.to_vec();
                net.project(&mut p);
                p
            };
            assert_gradient(|p| loss(&projected(p), &h, None), &params, &grads);
            let flat: Vec<f64> = h.iter().copied().collect();
            let gh: Vec<f64> = gh.iter().copied().collect();
            let shaped = |v: &[f64]| Array2::from_shape_vec((3, 6), v.to_vec()).unwrap();
            assert_gradient(|v| loss(&params, &shaped(v), None), &flat, &gh);
        }
    }
}

/// Degree by degree, a masked network computes what one pass computes.
#[test]
fn incremental_is_the_forward_pass() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for residual in [false, true] {
        let config = MlpConfig {
            hidden: 7,
            blocks: 3,
            residual,
            activation: Activation::Silu,
        };
        let degrees = [0, 1, 1, 1, 3, 3, 4];
        let net = Mlp::masked(config, &degrees, &[0, 0, 1, 2, 3, 4]).unwrap();
        let mut params = vec![0.0; net.num_params()];
        net.init(1.0, &mut rng, &mut params);
        let h = normal(5, 7, &mut rng);
        let mut ws = Workspace::default();
        let mut y = Array2::zeros((5, 6));
        net.forward(&params, h.clone(), y.view_mut(), None, None, &mut ws);
        let mut steps = Incremental::new(&net, &params, 5, &mut ws);
        let mut found = Array2::zeros((6, 5));
        for (degree, outputs) in [(0, 0..2), (1, 2..3), (2, 3..4), (3, 4..5), (4, 5..6)] {
            let units = degrees.partition_point(|&d| d < degree)..degrees.partition_point(|&d| d <= degree);
            steps
                .first
                .slice_mut(s![units.clone(), ..])
                .assign(&h.t().slice(s![units.clone(), ..]));
            steps.advance(units);
            found
                .slice_mut(s![outputs.clone(), ..])
                .assign(&steps.outputs(outputs));
        }
        steps.finish(&mut ws);
        assert_abs_diff_eq!(found.t().to_owned(), y, epsilon = 1e-12);
    }
}
