//! Order-agnostic training: a new order of the columns every mini-batch, all of them at test.

use ef_bijectors::{
    Affine, Chain, FlowConfig, MlpConfig, Standardize, any_order_autoregressive, any_order_coupling,
};
use ef_density::{Density, FlowRows, FlowScratch, OrderEnsemble, normal::ndtri};
use ef_random::{Key, uniform};
use ef_train::{TrainConfig, fit};
use ndarray::{Array2, ArrayView2};

/// `x_0 ~ N(0, 1)`, `x_1 = x_0 + N(0, 1/4)`, `x_2 = -x_1 + N(0, 1/4)`: the log-density is known.
fn rows(n: usize, seed: u64) -> FlowRows<f32> {
    let mut x = Array2::zeros((n, 3));
    for (r, mut row) in x.rows_mut().into_iter().enumerate() {
        let rng = &mut Key::new(seed).row(r as u64);
        let e: Vec<f32> = (0..3).map(|_| ndtri(uniform(rng)) as f32).collect();
        row[0] = e[0];
        row[1] = row[0] + 0.5 * e[1];
        row[2] = -row[1] + 0.5 * e[2];
    }
    FlowRows::new(x)
}

/// The mean log-density of the truth: an entropy.
fn truth() -> f64 {
    -1.5 * (1.0 + std::f64::consts::TAU.ln()) - 2.0 * 0.5_f64.ln()
}

fn mean_of(orders: &Array2<f64>) -> Vec<f64> {
    orders.rows().into_iter().map(|l| l.mean().unwrap()).collect()
}

fn score(model: &OrderEnsemble<f32>, params: &[f32], x: ArrayView2<'_, f32>) -> (f64, Vec<f64>, f64) {
    let (none, scratch) = (Array2::zeros((x.nrows(), 0)), &mut FlowScratch::default());
    let all = model.log_prob_with_spread(params, x, none.view(), scratch);
    let count = all.len() as f64;
    let mean = all.iter().map(|(l, _)| l).sum::<f64>() / count;
    let spread = all.iter().map(|(_, s)| s).sum::<f64>() / count;
    let by_order = mean_of(&model.log_prob_by_order(params, x, none.view(), scratch));
    (mean, by_order, spread)
}

fn learns(flows: Vec<Chain<f32>>) {
    let model = OrderEnsemble::new(flows).unwrap();
    let mut params = vec![0.0; model.num_params()];
    model.init(&mut Key::new(2).row(0), &mut params);
    let (train, test) = (rows(3000, 1), rows(1000, 2));
    let before = score(&model, &params, test.x.view()).0;
    let config = TrainConfig::default().epochs(30).batch(128).lr(5e-3).threads(1);
    fit(&model, &mut params, &train, &config, &mut ()).unwrap();
    let (mean, by_order, spread) = score(&model, &params, test.x.view());
    let gap = truth() - mean;
    println!(
        "{before:.3} before; {mean:.3} of {:.3} after, spread {spread:.3}, orders {by_order:.3?}",
        truth()
    );
    // A test set of 1000 rows has a standard error of 0.04.
    assert!(gap < 0.15, "{gap} nats below the truth");
    assert!(before < mean - 0.5);
    // The mean over orders is better than the orders are on average (Jensen), and no order was left out.
    let average = by_order.iter().sum::<f64>() / by_order.len() as f64;
    assert!(mean >= average, "{mean} {average}");
    assert!(by_order.iter().all(|l| truth() - l < 0.3), "{by_order:?}");
}

fn sizes() -> FlowConfig {
    FlowConfig {
        layers: 4,
        conditioner: MlpConfig {
            hidden: 32,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    }
}

#[test]
fn a_masked_flow_learns_under_every_order() {
    let rng = &mut Key::new(1).row(0);
    learns(any_order_autoregressive(3, 0, &sizes(), Standardize::default(), 6, rng).unwrap());
}

#[test]
fn a_coupling_flow_learns_under_every_mask() {
    let rng = &mut Key::new(1).row(0);
    learns(any_order_coupling(3, 0, &sizes(), Affine::default(), 3, rng).unwrap());
}
