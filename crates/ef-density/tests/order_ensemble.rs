//! One model over several orders of the columns.

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_bijectors::{
    Bijector as _, Chain, FlowConfig, MlpConfig, RationalQuadratic, Standardize, any_order_autoregressive,
    any_order_coupling, maf,
};
use ef_check::check_gradient;
use ef_density::{Density, FlowRows, FlowScratch, Key, OrderEnsemble, ScoreKey, StepKey};
use ndarray::{Array2, s};
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ORDERS: usize = 5;

fn ensembles() -> Vec<OrderEnsemble<f64>> {
    let config = FlowConfig {
        layers: 2,
        conditioner: MlpConfig {
            hidden: 9,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let masked = any_order_autoregressive(3, 2, &config, Standardize::default(), ORDERS, &mut *rng);
    let spline = RationalQuadratic::new(4, 3.0).unwrap();
    let coupled = any_order_coupling(3, 2, &config, spline, ORDERS, rng);
    [masked.unwrap(), coupled.unwrap()]
        .map(|flows| OrderEnsemble::new(flows).unwrap())
        .into()
}

fn rows(n: usize) -> FlowRows<f64> {
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    FlowRows {
        x: Array2::random_using((n, 3), StandardNormal, rng),
        context: Array2::random_using((n, 2), StandardNormal, rng),
    }
}

fn parameters(model: &OrderEnsemble<f64>) -> Vec<f64> {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let mut params = vec![0.0; model.num_params()];
    model.init(rng, &mut params);
    params
        .iter_mut()
        .for_each(|p| *p += 0.3 * rng.sample::<f64, _>(StandardNormal));
    model.project(&mut params);
    params
}

/// Every order is a density of its own over one slice; their mean is the model's, and a step's gradient is that of one
/// of them, the same for every shard.
#[test]
fn a_step_takes_one_order_and_a_score_takes_all() {
    for model in ensembles() {
        let (params, rows, index) = (parameters(&model), rows(6), [0, 1, 2, 3, 4, 5]);
        let scratch = &mut FlowScratch::default();
        let by_order = model.log_prob_by_order(&params, rows.x.view(), rows.context.view(), scratch);
        assert_eq!(by_order.dim(), (ORDERS, 6));
        let mut out = [0.0; 6];
        model.log_prob(&params, &rows, &index, ScoreKey::new(1), scratch, &mut out);
        let spread = model.log_prob_with_spread(&params, rows.x.view(), rows.context.view(), scratch);
        for r in 0..6 {
            let column = by_order.column(r);
            assert_relative_eq!(
                out[r].exp(),
                column.mapv(f64::exp).mean().unwrap(),
                max_relative = 1e-12
            );
            assert_relative_eq!(spread[r].0, out[r], max_relative = 1e-12);
            assert_relative_eq!(spread[r].1, column.std(0.0), max_relative = 1e-9);
            assert!(spread[r].1 > 1e-6, "the orders agree: is there one only?");
        }
        let losses: Vec<f64> = by_order.rows().into_iter().map(|l| -l.sum()).collect();
        // orders may have been drawn twice: then the first stands for both
        let order_of = |loss: f64| losses.iter().position(|l| (l - loss).abs() < 1e-9);
        let mut seen: Vec<bool> = (0..ORDERS).map(|o| order_of(losses[o]) != Some(o)).collect();
        for step in 0..40 {
            let key = StepKey {
                key: Key::new(2),
                step,
                row: 0,
            };
            let mut backward = |params: &[f64], index: &[usize], row, grads: &mut [f64]| {
                let key = StepKey { row, ..key };
                model.nll_backward(params, &rows, index, key, scratch, grads)
            };
            let mut grads = vec![0.0; params.len()];
            let loss = backward(&params, &index, 0, &mut grads);
            let order = order_of(loss).expect("the loss is that of one order");
            seen[order] = true;
            let mut halves = vec![0.0; params.len()];
            let sum = backward(&params, &index[..2], 0, &mut halves)
                + backward(&params, &index[2..], 2, &mut halves);
            assert_abs_diff_eq!(sum, loss, epsilon = 1e-9);
            assert_abs_diff_eq!(halves[..], grads[..], epsilon = 1e-9);
            if step == 0 {
                let chosen: Vec<usize> = (0..params.len()).step_by(7).collect();
                let f = |p: &[f64]| backward(p, &index, 0, &mut vec![0.0; params.len()]);
                check_gradient(f, &params, &grads, &chosen, 1e-6, |i| format!("parameter {i}")).unwrap();
            }
        }
        assert_eq!(seen, [true; ORDERS], "40 steps do not see all orders");
    }
}

/// A row's draw depends on its number alone, and is a draw of one of the orders.
#[test]
fn a_row_is_addressable() {
    for model in ensembles() {
        let (params, given) = (parameters(&model), rows(20));
        let scratch = &mut FlowScratch::default();
        let all = model.sample(&params, &given, 0..20, Key::new(5), scratch);
        let some = FlowRows {
            x: given.x.slice(s![7..12, ..]).to_owned(),
            context: given.context.slice(s![7..12, ..]).to_owned(),
        };
        let part = model.sample(&params, &some, 7..12, Key::new(5), scratch);
        assert_abs_diff_eq!(part.x, all.x.slice(s![7..12, ..]), epsilon = 1e-12);
        let context = &all.context;
        let scored = model.log_prob_with_spread(&params, all.x.view(), context.view(), scratch);
        assert!(scored.iter().all(|(l, _)| l.is_finite()));
    }
}

#[test]
fn strangers_do_not_share_a_slice() {
    let flow = |hidden| {
        let conditioner = MlpConfig {
            hidden,
            ..MlpConfig::default()
        };
        maf::<f64>(
            2,
            0,
            &FlowConfig {
                layers: 1,
                conditioner,
                ..FlowConfig::default()
            },
        )
        .unwrap()
    };
    let refused = |flows: Vec<Chain<f64>>| OrderEnsemble::new(flows).unwrap_err().to_string();
    assert_eq!(
        refused(vec![flow(4), flow(5)]),
        format!(
            "one of the orders is number 1, of 2 columns, 0 of context and {} parameters, but must be like number 0 in \
             columns, context and the names and shapes of its parameters",
            flow(5).num_params()
        )
    );
    assert_eq!(
        refused(Vec::new()),
        "the number of orders is 0, but must be at least 1"
    );
}
