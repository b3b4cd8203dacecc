//! The number of threads changes who computes, not what.

mod common;

use approx::assert_abs_diff_eq;
use common::{Normal, Rows};
use ef_train::{History, TrainConfig, fit};
use proptest::prelude::*;

fn run(dim: usize, rows: &Rows, config: &TrainConfig) -> (Vec<u32>, History) {
    let density = Normal { dim, noise: 0.1 };
    let mut params = vec![0.0_f32; 2 * dim];
    let history = fit(&density, &mut params, rows, config, &mut ()).unwrap();
    (params.iter().map(|p| p.to_bits()).collect(), history)
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    // 5200 parameters: several ranges, the last a short one.
    let rows = Rows::random(700, 2600, 4);
    let config = TrainConfig::default().epochs(2).batch(64).seed(11);
    let one = run(2600, &rows, &config.clone().threads(1));
    for threads in [2, 3, 8] {
        assert!(
            run(2600, &rows, &config.clone().threads(threads)) == one,
            "{threads} threads"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn for_any_table_and_cut(n in 1usize..200, dim in 1usize..5, batch in 1usize..70, shards in 1usize..9, seed: u64) {
        let rows = Rows::random(n, dim, seed);
        let config = TrainConfig::default().epochs(3).batch(batch).shards(shards).seed(seed);
        let one = run(dim, &rows, &config.clone().threads(1));
        for threads in [2, 3, 8] {
            prop_assert!(run(dim, &rows, &config.clone().threads(threads)) == one, "{} threads", threads);
        }
    }
}

#[test]
fn the_seed_matters() {
    let rows = Rows::random(100, 2, 4);
    let config = TrainConfig::default().epochs(2);
    assert_ne!(
        run(2, &rows, &config.clone().seed(1)),
        run(2, &rows, &config.seed(2))
    );
}

/// The number of shards is a setting and rounds differently, but a row's noise does not depend on where it is cut.
#[test]
fn the_number_of_shards_changes_no_more_than_rounding() {
    let rows = Rows::random(300, 3, 8);
    let density = Normal { dim: 3, noise: 2.0 };
    let run = |shards| {
        let mut params = vec![0.0_f64; 6];
        let config = TrainConfig::default().epochs(4).lr(2e-2).shards(shards);
        fit(&density, &mut params, &rows, &config, &mut ()).unwrap();
        params
    };
    let one = run(1);
    for shards in [2, 5] {
        assert_abs_diff_eq!(run(shards)[..], one[..], epsilon = 1e-9);
    }
}
