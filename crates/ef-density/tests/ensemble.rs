//! Laws of an ensemble: each row is drawn, passed through and scored as its members do it.

mod common;

use approx::assert_relative_eq;
use ef_density::autoregressive::{AncestralPass, Ensemble, Step};
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::{Ancestral, Density, Key, RowDensity, ScoreKey, Scores, uniform};

use common::autoregressive::{chain, params, seeded};
use common::{draw_rows, gridded, marginal};

const ROWS: usize = 300;
const MEMBERS: usize = 3;

fn ensemble() -> (Ensemble, Vec<f64>, Layout, Rows) {
    let marginals = [
        marginal(false, 3),
        marginal(true, 1),
        gridded(6, 2),
        marginal(false, 2),
    ];
    let mut rng = seeded(4);
    let (layout, network) = chain(&marginals, 1, 0.0);
    let params = (0..MEMBERS)
        .flat_map(|_| params(&network, 1.0, &mut rng))
        .collect();
    let rows = draw_rows(&layout, &marginals, ROWS, 1, &mut rng);
    (Ensemble::new(network, MEMBERS), params, layout, rows)
}

fn members<'a>(ensemble: &Ensemble, params: &'a [f64]) -> impl Iterator<Item = &'a [f64]> {
    params.chunks(Density::<f64>::num_params(ensemble.network()))
}

/// Each row is, to the bit, what its member draws for it among all rows.
#[test]
fn rows_are_those_of_their_members() {
    let (ensemble, params, _, rows) = ensemble();
    let (scratch, key) = (&mut RowScratch::default(), Key::new(1));
    let streams: Vec<u64> = ((1 << 40)..).take(ROWS).collect();
    let drawn = ensemble.sample(&params, &rows, &streams, key, scratch);
    let each: Vec<Rows> = members(&ensemble, &params)
        .map(|own| {
            let network = ensemble.network();
            network.sample_streams(own, &rows, &streams, key, scratch)
        })
        .collect();
    let mut counts = [0; MEMBERS];
    for row in 0..ROWS {
        let member = (uniform(&mut key.purpose("member").row(streams[row])) * MEMBERS as f64) as usize;
        counts[member] += 1;
        assert_eq!(drawn.select(&[row]), each[member].select(&[row]), "row {row}");
    }
    assert!(counts.iter().all(|&rows| rows > 60), "{counts:?}");
}

/// A pass leaves each row and its sums, to the bit, as its member's pass over all rows does.
#[test]
fn passes_are_those_of_the_members() {
    let (ensemble, params, layout, rows) = ensemble();
    let scratch = &mut RowScratch::default();
    let columns = layout.ranked().count();
    let steps = |row: usize, column: usize| match (row + column) % 3 {
        0 => Step::Observe,
        1 => Step::Draw(None),
        _ => Step::Score(None),
    };
    let streams: Vec<u64> = (0..ROWS as u64).map(|row| row * row).collect();
    let pass = AncestralPass {
        steps: &steps,
        streams: &streams,
        key: Key::new(2),
        scored: true,
        by_column: true,
    };
    let member = |row: usize| row * 7 % MEMBERS;
    let mut ours = rows.clone();
    let sums = ensemble.pass(&params, &mut ours, columns, pass, &member, scratch);
    for (m, own) in members(&ensemble, &params).enumerate() {
        let mut theirs = rows.clone();
        let expected = ensemble.network().pass(own, &mut theirs, columns, pass, scratch);
        for row in (0..ROWS).filter(|row| member(*row) == m) {
            assert_eq!(ours.select(&[row]), theirs.select(&[row]), "row {row}");
            assert_eq!(sums.observed[row], expected.observed[row]);
            assert_eq!(sums.proposed[row], expected.proposed[row]);
            assert_eq!(sums.set_mass[row], expected.set_mass[row]);
            assert_eq!(sums.by_column.column(row), expected.by_column.column(row));
        }
    }
}

/// The split by column adds up to the row's log-density under the average of the members.
#[test]
fn the_split_by_column_adds_up() {
    let (ensemble, params, _, rows) = ensemble();
    let scratch = &mut RowScratch::default();
    let split = ensemble.log_prob_by_column(&params, &rows, scratch);
    let index: Vec<usize> = (0..ROWS).collect();
    let mut whole = Scores::default();
    ensemble.score(&params, &rows, &index, ScoreKey::new(1), scratch, &mut whole);
    for row in 0..ROWS {
        let sum = split.column(row).sum() + rows.log_measure[row];
        assert_relative_eq!(sum, whole.log_prob[row], epsilon = 1e-9, max_relative = 1e-9);
    }
}
