//! What the examples share must be true: densities of toy sets are densities, of the points that are drawn.

#[path = "../examples/common/mod.rs"]
mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use common::Draws;
use common::compare::{area, corners, energy_test, roc};
use common::toys::Toy;
use echoflow::plot::Grid;

#[test]
fn densities_of_toy_sets_integrate_to_one() {
    // steps of less than half the least noise: for smooth densities the sum is the integral; the checkerboard's
    // squares are whole cells
    let grid = Grid::new([-4.0, 4.0], [-4.0, 4.0], 200, 200);
    for toy in Toy::ALL {
        let values: Vec<f64> = toy.log_density(&grid.centres()).iter().map(|l| l.exp()).collect();
        let whole = grid.integral(&values);
        assert!((whole - 1.0).abs() < 1e-5, "{}: {whole}", toy.name());
    }
}

#[test]
fn points_of_toy_sets_follow_their_densities() {
    let (cells, count) = (16, 20_000);
    for toy in Toy::ALL {
        let points = toy.sample(count, 5);
        let centres = Grid::new([-4.0, 4.0], [-4.0, 4.0], 12 * cells, 12 * cells).centres();
        let cell = |[x, y]: [f64; 2]| {
            let at = |v: f64| (((v + 4.0) / 8.0 * cells as f64) as usize).min(cells - 1);
            at(y) * cells + at(x)
        };
        let (mut expected, mut seen) = (vec![0.0; cells * cells], vec![0.0; cells * cells]);
        let share = 64.0 / centres.len() as f64 * count as f64;
        for (centre, l) in centres.iter().zip(toy.log_density(&centres)) {
            expected[cell(*centre)] += l.exp() * share;
        }
        points.iter().for_each(|p| seen[cell(*p)] += 1.0);
        // Pearson's chi^2 over cells that are expected to hold enough; its mean is their number, its variance twice that
        let (mut square, mut used) = (0.0, 0.0);
        for (e, s) in expected.iter().zip(&seen).filter(|(e, _)| **e >= 8.0) {
            square += (s - e) * (s - e) / e;
            used += 1.0;
        }
        let bound = used + 5.0 * (2.0_f64 * used).sqrt();
        assert!(
            used >= 8.0 && square < bound,
            "{}: {square} over {used} cells",
            toy.name()
        );
    }
}

#[test]
fn the_same_seed_draws_the_same_points() {
    for toy in Toy::ALL {
        assert_eq!(toy.sample(50, 3), toy.sample(60, 3)[..50]);
        assert_ne!(toy.sample(50, 3), toy.sample(50, 4));
    }
}

#[test]
fn the_area_under_a_roc_curve_counts_ordered_pairs() {
    let mut draws = Draws::new(1);
    // rounded, so that scores tie
    let scores: Vec<f64> = (0..300).map(|_| (4.0 * draws.normal()).round()).collect();
    let positive: Vec<bool> = scores.iter().map(|s| s + 5.0 * draws.normal() > 3.0).collect();
    let (mut pairs, mut ordered) = (0.0, 0.0);
    for (a, p) in scores.iter().zip(&positive).filter(|(_, p)| **p) {
        for (b, _) in scores.iter().zip(&positive).filter(|(_, q)| *q != p) {
            pairs += 1.0;
            ordered += if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            };
        }
    }
    let curve = roc(&scores, &positive);
    assert_relative_eq!(area(&curve), ordered / pairs, epsilon = 1e-12);
    assert_relative_eq!(area(&corners(&curve)), ordered / pairs, epsilon = 1e-9);
}

#[test]
fn the_energy_test_keeps_its_level_and_sees_a_shift() {
    let mut draws = Draws::new(2);
    let mut cloud = |shift: f64| -> Vec<[f64; 2]> {
        (0..60)
            .map(|_| [shift + draws.normal(), draws.normal()])
            .collect()
    };
    let pairs: Vec<_> = (0..60).map(|_| (cloud(0.0), cloud(0.0))).collect();
    let shifted = (cloud(0.0), cloud(1.0));
    let mut shuffles = Draws::new(3);
    let p_values: Vec<f64> = pairs
        .iter()
        .map(|(x, y)| energy_test(x, y, 99, &mut shuffles).p_value)
        .collect();
    // uniform p-values: their mean has sd 0.037
    assert_abs_diff_eq!(common::mean(&p_values), 0.5, epsilon = 0.15);
    let seen = energy_test(&shifted.0, &shifted.1, 99, &mut shuffles);
    assert_relative_eq!(seen.p_value, 0.01);
    assert!(seen.distance > 0.1);
}

#[test]
fn the_energy_distance_is_that_of_its_definition() {
    let (x, y) = ([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [3.0, 4.0]]);
    let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let pairs = |a: &[[f64; 2]], b: &[[f64; 2]]| {
        a.iter()
            .flat_map(|p| b.iter().map(|q| distance(*p, *q)))
            .sum::<f64>()
    };
    let expected = 2.0 * pairs(&x, &y) / 6.0 - pairs(&x, &x) / 6.0 - pairs(&y, &y) / 2.0;
    let found = energy_test(&x, &y, 1, &mut Draws::new(0));
    assert_relative_eq!(found.distance, expected, epsilon = 1e-6);
}
