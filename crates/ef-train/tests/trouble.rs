//! What a fit does when something is wrong, or when it is stopped.

mod common;

use std::time::Duration;

use common::{Normal, Ramp, Recorder, Rows, plain};
use ef_random::Key;
use ef_train::{Plan, StopReason, TrainConfig, TrainError, fit, validation_split};

/// 1000 rows (800 trained on, 40 a mini-batch) of which `bad` hold NaN.
fn rows_with_nan(bad: usize) -> Rows {
    let mut rows = Rows::random(1000, 2, 9);
    for i in 0..bad {
        rows.0[[i * (1000 / bad), 0]] = f64::NAN;
    }
    rows
}

#[test]
fn a_few_bad_rows_cost_their_steps_and_nothing_else() {
    let mut params = vec![0.0_f64; 4];
    let mut seen = Recorder::default();
    let config = TrainConfig::default()
        .epochs(10)
        .lr(5e-2)
        .threads(1)
        .plan(Plan::Cosine { patience: None });
    let history = fit(
        &Normal::new(2),
        &mut params,
        &rows_with_nan(3),
        &config,
        &mut seen,
    )
    .unwrap();
    let skipped = seen.steps.iter().filter(|s| s.skipped).count();
    assert!(skipped > 0);
    assert_eq!(history.skipped_steps, skipped);
    let by_epoch: usize = history.epochs.iter().map(|e| e.skipped_steps).sum();
    assert_eq!(by_epoch, skipped);
    assert!(params.iter().all(|p| p.is_finite()));
    assert!(history.best_epoch > Some(0));
    assert!(
        history
            .epochs
            .iter()
            .all(|e| e.train_nll.is_finite() && e.validation_nll.is_finite())
    );
    // The held-out bad rows are counted, and do not hide how the others fare.
    assert!(history.epochs[0].impossible_rows <= 3);
}

#[test]
fn too_many_bad_rows_end_the_fit_with_the_best_weights_so_far() {
    let mut params = vec![0.25_f64; 4];
    let config = TrainConfig::default().threads(1);
    let error = fit(
        &Normal::new(2),
        &mut params,
        &rows_with_nan(100),
        &config,
        &mut (),
    )
    .unwrap_err();
    let TrainError::NonFinite {
        epoch: 1,
        skipped: 5,
        steps: 20,
        best_epoch: 0,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(params, [0.25; 4]);
    let text = error.to_string();
    assert!(text.contains("`lr`") && text.contains("clip_norm"), "{text}");
}

#[test]
fn impossible_validation_rows_are_counted_and_do_not_stop_learning() {
    let mut rows = Rows::random(200, 1, 1);
    let config = TrainConfig::default().epochs(5).lr(2e-2);
    let split = validation_split(200, Key::new(config.seed), &config.validation);
    for i in &split.validation[..3] {
        rows.0[[*i, 0]] = f64::INFINITY;
    }
    let mut params = vec![1.0_f64; 2];
    let history = fit(&Normal::new(1), &mut params, &rows, &config, &mut ()).unwrap();
    assert_eq!(history.skipped_steps, 0);
    assert!(history.epochs.iter().all(|e| e.impossible_rows == 3));
    assert!(history.best_nll < history.start_nll && history.start_nll.is_finite());
}

#[test]
fn cancelled_in_the_first_epoch_keeps_the_weights_of_that_moment() {
    let rows = Rows::random(100, 1, 0);
    let mut params = [0.0];
    let mut stop = Recorder {
        cancel_after: Some(3),
        ..Recorder::default()
    };
    let history = fit(&Ramp { peak: 1.0 }, &mut params, &rows, &plain(0.01), &mut stop).unwrap();
    approx::assert_relative_eq!(params[0], 0.03, epsilon = 1e-6);
    assert_eq!(history.stopped_by, StopReason::Cancelled);
    assert_eq!(history.best_epoch, None);
    assert!(history.epochs.is_empty() && !history.is_reproducible());
}

#[test]
fn cancelled_later_keeps_the_best_epoch() {
    let rows = Rows::random(100, 1, 0);
    let mut params = [0.0];
    // Ten steps an epoch; the peak is at the end of the first.
    let mut stop = Recorder {
        cancel_after: Some(25),
        ..Recorder::default()
    };
    let history = fit(&Ramp { peak: 0.1 }, &mut params, &rows, &plain(0.01), &mut stop).unwrap();
    approx::assert_relative_eq!(params[0], 0.1, epsilon = 1e-6);
    assert_eq!((history.best_epoch, history.epochs.len()), (Some(1), 2));
    assert_eq!(history.stopped_by, StopReason::Cancelled);
}

#[test]
fn cancelled_before_the_first_step_changes_nothing() {
    let rows = Rows::random(100, 1, 0);
    let mut params = [0.5];
    let mut stop = Recorder {
        cancel_after: Some(0),
        ..Recorder::default()
    };
    let history = fit(&Ramp { peak: 1.0 }, &mut params, &rows, &plain(0.01), &mut stop).unwrap();
    assert_eq!((params, history.best_epoch), ([0.5], Some(0)));
}

#[test]
fn a_fit_without_time_is_marked_and_changes_nothing() {
    let rows = Rows::random(100, 1, 0);
    let mut params = [0.5];
    let config = plain(0.01).max_time(Some(Duration::ZERO));
    let history = fit(&Ramp { peak: 1.0 }, &mut params, &rows, &config, &mut ()).unwrap();
    assert_eq!((params, history.stopped_by), ([0.5], StopReason::Clock));
    assert!(!history.is_reproducible());
}

#[test]
fn the_clock_leaves_a_validated_part_of_an_epoch() {
    /// Takes its time over every step, so that the clock strikes within the first epoch.
    struct Slow;
    impl ef_train::Observer for Slow {
        fn on_step(&mut self, _: &ef_train::StepReport) {
            std::thread::sleep(Duration::from_millis(450));
        }
    }
    let rows = Rows::random(100, 1, 0);
    let mut params = [0.0];
    let config = plain(0.01).max_time(Some(Duration::from_millis(400)));
    let history = fit(&Ramp { peak: 1.0 }, &mut params, &rows, &config, &mut Slow).unwrap();
    assert_eq!(history.stopped_by, StopReason::Clock);
    assert_eq!((history.epochs.len(), history.best_epoch), (1, Some(1)));
    assert!(params[0] > 0.0 && params[0] < 0.05);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (density, rows) = (Normal::new(1), Rows::random(50, 1, 0));
    let run =
        |params: &mut [f64], rows: &Rows, config: &TrainConfig| fit(&density, params, rows, config, &mut ());
    let config = TrainConfig::default();

    let error = run(&mut [0.0; 2], &Rows::random(0, 1, 0), &config).unwrap_err();
    assert_eq!(error, TrainError::NoRows);
    let error = run(&mut [0.0; 3], &rows, &config).unwrap_err();
    assert_eq!(
        error,
        TrainError::ParamCount {
            expected: 2,
            given: 3
        }
    );
    let error = run(&mut [0.0, f64::NAN], &rows, &config).unwrap_err();
    assert_eq!(
        error,
        TrainError::ParamNotFinite {
            name: "log_scale[0]".into()
        }
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let ok = TrainConfig::default;
    let wrong = [
        ("epochs", ok().epochs(0)),
        ("batch", ok().batch(0)),
        ("lr", ok().lr(f64::NAN)),
        ("lr_min", ok().lr_min(1.0)),
        ("weight_decay", ok().weight_decay(-1.0)),
        ("clip_norm", ok().clip_norm(Some(0.0))),
        ("ema", ok().ema(1.0)),
        ("plan.patience", ok().plan(Plan::Cosine { patience: Some(0) })),
        ("validation_draws", ok().validation_draws(0)),
        ("shards", ok().shards(0)),
        ("threads", ok().threads(5000)),
    ];
    assert!(ok().validate().is_ok());
    for (name, config) in wrong {
        let error = config.validate().unwrap_err();
        assert!(
            matches!(&error, TrainError::Setting { setting, .. } if *setting == name),
            "{error}"
        );
    }
}

#[test]
fn saved_settings_do_not_name_the_machine() {
    let config = TrainConfig::default()
        .threads(3)
        .max_time(Some(Duration::from_secs(9)))
        .seed(5);
    let json = serde_json::to_string(&config).unwrap();
    assert!(!json.contains("threads") && !json.contains("max_time"), "{json}");
    let back: TrainConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(back, config.threads(0).max_time(None));
    // But they can be read from a person's file.
    let read: TrainConfig = serde_json::from_str(r#"{"threads": 2, "epochs": 3}"#).unwrap();
    assert_eq!(read, TrainConfig::default().threads(2).epochs(3));
    assert!(serde_json::from_str::<TrainConfig>(r#"{"epoch": 3}"#).is_err());
}
