//! Laws of densities over mixed rows beyond those of `ef-check`: mass 1, sampling agrees with scoring, rows are
//! independent.

mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_density::Scores;
use ef_density::normal::{log_phi, ndtr};
use ef_density::rows::{RowScratch, Rows};
use ef_density::two_part::TwoPart;
use ef_density::{Density, Key, Marginal, Place, RowSet, ScoreKey, uniform};
use ndarray::Array2;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use common::{density, draw_rows, marginal, tables};

fn all(n: usize) -> Vec<usize> {
    (0..n).collect()
}

fn params(density: &TwoPart<f64>, scale: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut params = vec![0.0; density.num_params()];
    density.init(rng, &mut params);
    params
        .iter_mut()
        .for_each(|p| *p += scale * (rng.random::<f64>() - 0.5));
    density.project(&mut params);
    params
}

/// Sums over all combinations of levels, and over a fine grid of ranks where there is one continuous column.
#[test]
fn mass_is_one() {
    for (i, marginals) in tables().iter().enumerate() {
        let continuous = marginals.iter().filter(|l| l.continuous).count();
        if continuous > 1 && marginals.len() == continuous {
            continue; // three dimensions of ranks: the flow's own marginals cover it
        }
        let mut rng = ChaCha8Rng::seed_from_u64(40 + i as u64);
        let (layout, density) = density(marginals, 1, 0.0, false);
        // With auxiliary draws, moderate: the mean of a heavy-tailed ratio is beyond a test's patience.
        let params = params(&density, if continuous > 1 { 0.4 } else { 1.0 }, &mut rng);
        let steps = if continuous > 1 { 100 } else { 1000 };
        let mut combos: Vec<(Vec<(u32, f64)>, f64)> = vec![(Vec::new(), 1.0)];
        for marginal in marginals {
            let mut options: Vec<((u32, f64), f64)> = (u32::from(marginal.continuous)
                ..marginal.levels() as u32)
                .map(|c| ((c, 0.5), 1.0))
                .collect();
            if marginal.continuous {
                // Midpoints in the normal score, where the flow lives: du = phi(z) dz.
                let dz = 16.0 / f64::from(steps);
                options.extend((0..steps).map(|k| {
                    let z = -8.0 + dz * (f64::from(k) + 0.5);
                    ((0, ndtr(z)), dz * log_phi(z).exp())
                }));
            }
            combos = combos
                .into_iter()
                .flat_map(|(head, w)| {
                    options.iter().map(move |&(o, v)| {
                        let mut next = head.clone();
                        next.push(o);
                        (next, w * v)
                    })
                })
                .collect();
        }
        let places: Vec<Vec<Place>> = marginals
            .iter()
            .enumerate()
            .map(|(j, marginal)| combos.iter().map(|(c, _)| marginal.place(&c[j])).collect())
            .collect();
        let rows = layout.rows(
            places.iter().map(Vec::as_slice),
            Array2::from_elem((combos.len(), 1), 0.3),
        );
        let mut out = vec![0.0; combos.len()];
        let key = ScoreKey {
            draws: 16,
            ..ScoreKey::new(1)
        };
        density.log_prob(
            &params,
            &rows,
            &all(combos.len()),
            key,
            &mut RowScratch::default(),
            &mut out,
        );
        let mass: f64 = out.iter().zip(&combos).map(|(l, (_, w))| w * l.exp()).sum();
        // Exact for levels; midpoints and auxiliary draws leave an error where there are ranks.
        let epsilon = if continuous == 0 { 1e-12 } else { 0.02 };
        println!("table {i}: mass {mass}");
        assert_abs_diff_eq!(mass, 1.0, epsilon = epsilon);
    }
}

#[test]
fn sampled_levels_follow_the_scored_probabilities() {
    let marginals = [marginal(false, 3), marginal(false, 2), marginal(false, 4)];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (layout, density) = density(&marginals, 1, 0.0, false);
    let params = params(&density, 2.0, &mut rng);
    let n = 40_000;
    let given = Rows::of_context(Array2::from_elem((n, 1), -0.4));
    let drawn = density.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(11),
        &mut RowScratch::default(),
    );
    let mut counts = [0.0; 24];
    drawn
        .levels
        .rows()
        .into_iter()
        .for_each(|c| counts[(c[0] * 8 + c[1] * 4 + c[2]) as usize] += 1.0);
    let levels: Vec<[u32; 3]> = (0..24).map(|k| [k / 8, k / 4 % 2, k % 4]).collect();
    let places: Vec<Vec<Place>> = (0..3)
        .map(|j| levels.iter().map(|c| marginals[j].place(&(c[j], 0.5))).collect())
        .collect();
    let rows = layout.rows(places.iter().map(Vec::as_slice), Array2::from_elem((24, 1), -0.4));
    let mut log_prob = vec![0.0; 24];
    density.log_prob(
        &params,
        &rows,
        &all(24),
        ScoreKey::new(1),
        &mut RowScratch::default(),
        &mut log_prob,
    );
    let chi2: f64 = counts
        .iter()
        .zip(&log_prob)
        .map(|(c, l)| {
            let e = n as f64 * l.exp();
            (c - e).powi(2) / e
        })
        .sum();
    // 99.99 % quantile of chi-squared with 23 degrees of freedom.
    assert!(chi2 < 59.0, "chi-squared {chi2}");
}

#[test]
fn sampled_ranks_follow_the_scored_density() {
    let marginals = [marginal(true, 0), marginal(true, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (_, density) = density(&marginals, 1, 0.0, false);
    let params = params(&density, 0.3, &mut rng);
    let n = 20_000;
    let given = Rows::of_context(Array2::from_elem((n, 1), 0.8));
    let drawn = density.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(2),
        &mut RowScratch::default(),
    );
    let mut log_prob = vec![0.0; n];
    density.log_prob(
        &params,
        &drawn,
        &all(n),
        ScoreKey::new(1),
        &mut RowScratch::default(),
        &mut log_prob,
    );
    // E_p[1/p] over the unit square is its area; of a density far from flat this mean has no use, hence the small weights.
    let area: f64 = log_prob.iter().map(|l| (-l).exp()).sum::<f64>() / n as f64;
    assert_abs_diff_eq!(area, 1.0, epsilon = 0.05);
}

#[test]
fn a_row_is_addressable() {
    let marginals = [marginal(true, 2), marginal(false, 3), marginal(true, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (layout, density) = density(&marginals, 1, 0.0, false);
    let params = params(&density, 1.0, &mut rng);
    let given = |n| Rows::of_context(Array2::from_elem((n, 1), 0.1));
    let mut scratch = RowScratch::default();
    let all = density.sample(&params, &given(20), 0..20, Key::new(6), &mut scratch);
    let some = density.sample(&params, &given(5), 7..12, Key::new(6), &mut scratch);
    assert_eq!(all.levels.slice(ndarray::s![7..12, ..]), some.levels);
    assert_abs_diff_eq!(
        all.low.slice(ndarray::s![7..12, ..]).to_owned(),
        some.low,
        epsilon = 1e-12
    );

    let rows = draw_rows(&layout, &marginals, 20, 1, &mut rng);
    let score = |ranges: &[std::ops::Range<usize>]| {
        let mut scores = Scores::default();
        for range in ranges {
            density.score(
                &params,
                &rows,
                &range.clone().collect::<Vec<_>>(),
                ScoreKey::new(3),
                &mut RowScratch::default(),
                &mut scores,
            );
        }
        scores
    };
    let whole = score(std::slice::from_ref(&(0..20)));
    let cut = score(&[0..3, 3..11, 11..20]);
    assert_abs_diff_eq!(whole.log_prob[..], cut.log_prob[..], epsilon = 1e-9);
    assert_abs_diff_eq!(whole.standard_error[..], cut.standard_error[..], epsilon = 1e-9);
    for r in 0..20 {
        assert_eq!(rows.has_intervals(r), whole.standard_error[r] > 0.0);
    }
    assert_eq!(rows.num_rows(), 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// With the flow at its start (the identity) the ratio is 1 whatever the interval, so scores are the marginals.
    #[test]
    fn the_start_is_independent_columns(seed: u64) {
        let marginals = [marginal(true, 2), marginal(false, 3), marginal(true, 0)];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (layout, density) = density(&marginals, 0, 0.0, seed % 2 == 0);
        let params = params(&density, 0.0, &mut rng);
        let rows = draw_rows(&layout, &marginals, 10, 0, &mut rng);
        let mut scores = Scores::default();
        density.score(&params, &rows, &all(10), ScoreKey::new(seed), &mut RowScratch::default(), &mut scores);
        for (r, (l, e)) in scores.log_prob.iter().zip(&scores.standard_error).enumerate() {
            let log_share = |v: usize| marginals[v].level_shares()[rows.levels[[r, v]] as usize].ln();
            assert_relative_eq!(*l, log_share(0) + log_share(1), max_relative = 1e-9);
            assert_abs_diff_eq!(*e, 0.0, epsilon = 1e-9);
        }
    }

    #[test]
    fn uniforms_are_inside(seed: u64) {
        let u = uniform(&mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert!(0.0 < u && u < 1.0);
    }
}
