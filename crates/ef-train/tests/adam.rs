//! Adam against the paper's algorithm, one number at a time.

use approx::assert_relative_eq;
use ef_tensor::params::ParamLayout;
use ef_train::{Adam, AdamConfig};
use proptest::prelude::*;

/// Kingma & Ba, algorithm 1, line by line, with the decoupled decay of Loshchilov & Hutter, algorithm 2.
fn slow(config: &AdamConfig, x: f64, grads: &[f64], lr: f64) -> f64 {
    let (mut x, mut m, mut v) = (x, 0.0, 0.0);
    for (i, g) in grads.iter().enumerate() {
        let t = i as f64 + 1.0;
        m = config.beta1 * m + (1.0 - config.beta1) * g;
        v = config.beta2 * v + (1.0 - config.beta2) * g * g;
        let m_hat = m / (1.0 - config.beta1.powf(t));
        let v_hat = v / (1.0 - config.beta2.powf(t));
        x -= lr * (m_hat / (v_hat.sqrt() + config.eps) + config.weight_decay * x);
    }
    x
}

proptest! {
    #[test]
    fn the_fast_loop_is_the_paper(
        x in -10.0_f64..10.0,
        grads in prop::collection::vec(prop_oneof![-1e3_f64..1e3, Just(0.0)], 1..50),
        lr in 1e-5_f64..0.1,
        weight_decay in 0.0_f64..0.5,
    ) {
        let config = AdamConfig { weight_decay, ..AdamConfig::default() };
        let expected = slow(&config, x, &grads, lr);
        // Eleven equal parameters: whole vector registers and a rest.
        let mut wide = [x; 11];
        let mut narrow = wide.map(|x| x as f32);
        let (mut adam, mut adam_f32) = (Adam::new(config, 11), Adam::new(config, 11));
        for g in &grads {
            adam.update(&mut wide, &[*g; 11], lr);
            adam_f32.update(&mut narrow, &[*g as f32; 11], lr);
        }
        prop_assert_eq!(adam.steps(), grads.len() as u64);
        for (w, n) in wide.iter().zip(&narrow) {
            assert_relative_eq!(*w, expected, epsilon = 1e-12, max_relative = 1e-10);
            let step = lr * grads.len() as f64;
            assert_relative_eq!(f64::from(*n), expected, epsilon = 1e-4 * step + 1e-5, max_relative = 1e-5);
        }
    }

    /// Decay acts on the weights of a layout alone.
    #[test]
    fn offsets_do_not_decay(x in -10.0_f64..10.0, g in -1.0_f64..1.0, weight_decay in 0.1_f64..0.5) {
        let config = AdamConfig { weight_decay, ..AdamConfig::default() };
        let layout = ParamLayout::of(|v| {
            v.offset("bias", &[2]);
            v.param("weight", &[3]);
            v.offset("shift", &[1]);
        });
        let mut adam = Adam::of_layout(config, &layout);
        let mut all = [x; 6];
        adam.update(&mut all, &[g; 6], 0.01);
        let plain = slow(&AdamConfig::default(), x, &[g], 0.01);
        let decayed = slow(&config, x, &[g], 0.01);
        for (at, found) in all.into_iter().enumerate() {
            let expected = if (2..5).contains(&at) { decayed } else { plain };
            assert_relative_eq!(found, expected, epsilon = 1e-12);
        }
    }

    /// A part of the parameters at a time, in any order, is the same update.
    #[test]
    fn an_update_can_be_cut(cut in 0usize..=20, scale in 0.1_f64..2.0) {
        let step = AdamConfig::default().step::<f32>(3, 1e-2);
        let grads: Vec<f32> = (0..20).map(|i| (i as f32).sin()).collect();
        let start = || (vec![1.0_f32; 20], vec![0.1_f32; 20], vec![0.2_f32; 20]);
        let (mut x, mut m, mut v) = start();
        step.update(&mut x, &grads, scale as f32, &mut m, &mut v);
        let (mut y, mut n, mut w) = start();
        for part in [cut..20, 0..cut] {
            step.update(&mut y[part.clone()], &grads[part.clone()], scale as f32, &mut n[part.clone()], &mut w[part]);
        }
        prop_assert_eq!((x, m, v), (y, n, w));
    }
}
