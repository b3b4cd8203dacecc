//! A fit finds the maximum of the likelihood, and keeps the weights that validated best.

mod common;

use approx::assert_relative_eq;
use common::{Normal, Ramp, Recorder, Rows, plain};
use ef_train::{Plan, StopReason, TrainConfig, ema_decay, fit};
use ndarray::Axis;
use proptest::prelude::*;

#[test]
fn a_normal_finds_the_mean_and_the_standard_deviation() {
    let rows = Rows::random(2000, 3, 1);
    // Few rows are held out, so that the optimum of the training rows is nearly that of the table.
    let config = TrainConfig::default()
        .lr(3e-2)
        .epochs(60)
        .plan(Plan::Cosine { patience: None })
        .weight_decay(0.0);
    let mean = rows.0.mean_axis(Axis(0)).unwrap();
    let std = rows.0.std_axis(Axis(0), 0.0);
    let mut wide = vec![0.0_f64; 6];
    let history = fit(&Normal::new(3), &mut wide, &rows, &config, &mut ()).unwrap();
    let mut narrow = vec![0.0_f32; 6];
    fit(&Normal::new(3), &mut narrow, &rows, &config, &mut ()).unwrap();
    for j in 0..3 {
        // Standard error of a mean over 1600 of the 2000 rows, given those 2000: about std / 90.
        assert_relative_eq!(wide[j], mean[j], epsilon = 0.05 * std[j]);
        assert_relative_eq!(wide[3 + j].exp(), std[j], max_relative = 0.05);
        assert_relative_eq!(f64::from(narrow[j]), wide[j], epsilon = 1e-2);
    }
    assert!(history.best_nll < history.start_nll);
    assert_eq!(history.train_rows + history.validation_rows, 2000);
    assert_eq!(history.epochs.len(), 60);
    assert_relative_eq!(history.epochs[59].lr, config.lr_min);
}

/// Weight decay, however strong, leaves means and log-scales where the data have them.
#[test]
fn offsets_do_not_decay() {
    let rows = Rows::random(400, 2, 4);
    let config = plain(3e-2)
        .lr_min(1e-6)
        .epochs(200)
        .plan(Plan::Cosine { patience: None });
    let fitted = |weight_decay: f64| {
        let mut params = vec![0.0_f64; 4];
        let config = config.clone().weight_decay(weight_decay);
        fit(&Normal::new(2), &mut params, &rows, &config, &mut ()).unwrap();
        params
    };
    assert_eq!(fitted(20.0), fitted(0.0));
}

#[test]
fn a_table_too_small_to_split_is_learned_exactly() {
    let rows = Rows::random(7, 2, 5);
    let mut params = vec![0.0_f64; 4];
    let config = plain(3e-2)
        .lr_min(1e-6)
        .epochs(1500)
        .plan(Plan::Cosine { patience: None });
    let history = fit(&Normal::new(2), &mut params, &rows, &config, &mut ()).unwrap();
    assert!(history.validated_on_training);
    assert_eq!((history.train_rows, history.validation_rows), (7, 7));
    let mean = rows.0.mean_axis(Axis(0)).unwrap();
    let std = rows.0.std_axis(Axis(0), 0.0);
    for j in 0..2 {
        assert_relative_eq!(params[j], mean[j], epsilon = 1e-4);
        assert_relative_eq!(params[2 + j].exp(), std[j], max_relative = 1e-4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Adam moves the ramp's parameter by `lr` a step exactly, so every validation loss is known.
    #[test]
    fn the_kept_weights_are_the_best_validated(best in 0usize..8, patience in 1usize..5, ema in 0.0_f64..0.99) {
        let rows = Rows::random(100, 1, 0);
        let steps = 10; // 80 training rows, 8 a mini-batch
        let mut path = vec![0.0]; // the average after each epoch
        let (mut p, mut average) = (0.0, 0.0);
        for t in 1..=20 * steps {
            p += 0.01;
            let d = ema_decay(ema, t);
            average = d * average + (1.0 - d) * p;
            if t % steps == 0 {
                path.push(average);
            }
        }
        let mut params = [0.0];
        let config = plain(0.01).ema(ema).epochs(20).plan(Plan::Cosine { patience: Some(patience) });
        let history = fit(&Ramp { peak: path[best] }, &mut params, &rows, &config, &mut ()).unwrap();
        assert_relative_eq!(params[0], path[best], epsilon = 1e-5);
        prop_assert_eq!(history.best_epoch, Some(best));
        prop_assert_eq!(history.epochs.len(), best + patience);
        prop_assert_eq!(history.stopped_by, StopReason::EarlyStopping);
        for record in &history.epochs {
            let expected = (path[record.epoch] - path[best]).abs();
            assert_relative_eq!(record.validation_nll, expected, epsilon = 1e-5);
        }
    }

    /// Also at a learning rate that can only do harm.
    #[test]
    fn a_fit_never_returns_worse_than_it_was_given(lr in 1e-3_f64..50.0, seed: u64, n in 1usize..60) {
        let rows = Rows::random(n, 2, seed);
        let mut params = vec![0.3_f64; 4];
        let config = TrainConfig::default().lr(lr).lr_min(0.0).epochs(3).seed(seed).weight_decay(0.0).threads(1);
        if let Ok(history) = fit(&Normal::new(2), &mut params, &rows, &config, &mut ()) {
            prop_assert!(history.best_nll <= history.start_nll);
        }
        prop_assert!(params.iter().all(|p| p.is_finite()));
    }
}

#[test]
fn the_observer_is_told_what_the_history_holds() {
    let rows = Rows::random(300, 2, 2);
    let mut params = vec![0.0_f64; 4];
    let mut seen = Recorder::default();
    let config = TrainConfig::default().epochs(5);
    let history = fit(&Normal::new(2), &mut params, &rows, &config, &mut seen).unwrap();
    assert_eq!(seen.starts.len(), 1);
    assert_eq!(seen.starts[0].params, 4);
    assert_relative_eq!(seen.starts[0].start_nll, history.start_nll);
    assert_eq!(seen.steps.len(), 5 * history.steps_per_epoch);
    assert!(history.steps_per_epoch >= 20);
    assert_eq!(seen.steps.last().unwrap().step, seen.steps.len() as u64);
    for (report, record) in seen.epochs.iter().zip(&history.epochs) {
        assert_eq!((report.epoch, report.planned), (record.epoch, 5));
        assert_relative_eq!(report.validation_nll, record.validation_nll);
        assert_relative_eq!(report.train_nll, record.train_nll);
    }
    assert_eq!(
        seen.epochs.last().unwrap().best_epoch,
        history.best_epoch.unwrap()
    );
    assert!(history.is_reproducible());
}
