//! The laws of a density.

use std::ops::Range;

use ef_density::{Density, Key, RowSet, ScoreKey, StepKey};
use ef_tensor::params::ParamLayout;
use rand::Rng;
use rand::seq::SliceRandom;

use super::{DensityConfig, DensityDraw};
use crate::gradient::check_gradient;
use crate::laws::gradients::choose;
use crate::laws::params::{names_and_count, started_and_projected, through_a_file};
use crate::report::{Report, Violation};
use crate::strategy::{add_noise, stream};

/// Most rows a law asks for at once, and how many are sampled.
const MOST_ROWS: usize = 8;

pub(super) fn layout<D: Density<f64>>(density: &D) -> Result<(), Violation> {
    names_and_count(&layout_of(density), density.num_params())
}

fn layout_of<D: Density<f64>>(density: &D) -> ParamLayout {
    ParamLayout::of(|v| density.visit_params(v))
}

/// A density at drawn parameters, with a choice of rows.
pub(super) struct Case<'a, D: Density<f64>> {
    density: &'a D,
    rows: &'a D::Rows,
    config: &'a DensityConfig<D::Rows>,
    draw: DensityDraw,
    params: Vec<f64>,
    /// Some rows in random order; one of them twice where there is room.
    index: Vec<usize>,
    key: Key,
}

impl<'a, D: Density<f64>> Case<'a, D> {
    pub(super) fn new(
        density: &'a D,
        rows: &'a D::Rows,
        config: &'a DensityConfig<D::Rows>,
        draw: DensityDraw,
    ) -> Self {
        assert!(
            rows.num_rows() > 0,
            "a density is checked on rows: give at least one"
        );
        let mut rng = stream(draw.seed, 0);
        let mut params = vec![0.0; density.num_params()];
        density.init(&mut rng, &mut params);
        add_noise(&mut params, draw.scale * config.param_scale, &mut rng);
        density.project(&mut params);
        let mut index: Vec<usize> = (0..rows.num_rows()).collect();
        index.shuffle(&mut rng);
        index.truncate(MOST_ROWS - 1);
        index.push(index[0]);
        Self {
            density,
            rows,
            config,
            draw,
            params,
            index,
            key: Key::new(draw.seed),
        }
    }

    pub(super) fn starts(&self) -> Result<(), Violation> {
        started_and_projected(
            &layout_of(self.density),
            &self.params,
            |params, seed| self.density.init(&mut stream(seed, 0), params),
            |params| self.density.project(params),
            self.draw.seed,
        )
    }

    fn log_prob(&self, params: &[f64], rows: &D::Rows, index: &[usize], seed: u64) -> Vec<f64> {
        let mut out = vec![f64::NAN; index.len()];
        let key = ScoreKey::new(seed);
        self.density
            .log_prob(params, rows, index, key, &mut D::Scratch::default(), &mut out);
        out
    }

    /// Finite, the same again, in any order and for each row alone; under another key too, where that is claimed.
    pub(super) fn scores(&self) -> Result<(), Violation> {
        let score = |index: &[usize], seed: u64| self.log_prob(&self.params, self.rows, index, seed);
        let log_prob = score(&self.index, 1);
        let place = |i: usize| format!("row {}", self.index[i]);
        for (i, &l) in log_prob.iter().enumerate() {
            Violation::unless_finite("log_prob is finite", l, || place(i))?;
        }
        let law = "log_prob is reproducible";
        Violation::unless_same(law, &score(&self.index, 1), &log_prob, place)?;
        let law = "a row's log_prob depends neither on the order nor on the other rows";
        let reversed: Vec<usize> = self.index.iter().rev().copied().collect();
        let others = if self.config.exact_score { 2 } else { 1 };
        let reversed = score(&reversed, others);
        for (i, &expected) in log_prob.iter().enumerate() {
            let allowed = self.config.tolerance * (1.0 + expected.abs());
            let alone = score(&self.index[i..=i], others)[0];
            Violation::unless_close(law, alone, expected, allowed, || place(i))?;
            let found = reversed[log_prob.len() - 1 - i];
            Violation::unless_close(law, found, expected, allowed, || place(i))?;
        }
        Ok(())
    }

    /// Parameters that went through a file give the same bits.
    pub(super) fn saved(&self) -> Result<(), Violation> {
        let mut params = through_a_file(|| layout_of(self.density), &self.params)?;
        self.density.project(&mut params);
        let law = "saved and loaded parameters give the same bits";
        let found = self.log_prob(&params, self.rows, &self.index, 1);
        let expected = self.log_prob(&self.params, self.rows, &self.index, 1);
        Violation::unless_same(law, &found, &expected, |i| {
            format!("log_prob of row {}", self.index[i])
        })
    }

    /// `(loss, gradient)` of the positions `at` of the index, onto gradients that hold `held`.
    fn nll(&self, params: &[f64], at: Range<usize>, held: f64, scratch: &mut D::Scratch) -> (f64, Vec<f64>) {
        let mut grads = vec![held; params.len()];
        let key = StepKey {
            key: self.key,
            step: 3,
            // The batch begins somewhere inside a larger one.
            row: 5 + at.start as u64,
        };
        let index = &self.index[at];
        let loss = self
            .density
            .nll_backward(params, self.rows, index, key, scratch, &mut grads);
        (loss, grads)
    }

    /// The loss is that of the scores where claimed; the same again with used scratch memory; the sum of its shards',
    /// with their gradients; and gradients are added.
    pub(super) fn losses(&self) -> Result<(), Violation> {
        let n = self.index.len();
        let mut scratch = D::Scratch::default();
        let (loss, grads) = self.nll(&self.params, 0..n, 0.0, &mut scratch);
        let layout = layout_of(self.density);
        let allowed = self.config.tolerance * (1.0 + loss.abs());
        if self.config.exact_loss {
            let law = "the loss of nll_backward is -sum log_prob";
            let expected = -self
                .log_prob(&self.params, self.rows, &self.index, 1)
                .iter()
                .sum::<f64>();
            Violation::unless_close(law, loss, expected, allowed, || "the loss".into())?;
        }
        let law = "nll_backward gives the same bits for the same key";
        let (again, grads_again) = self.nll(&self.params, 0..n, 0.0, &mut scratch);
        Violation::unless_same(law, [&again], [&loss], |_| "the loss".into())?;
        Violation::unless_same(law, &grads_again, &grads, |i| layout.describe(i))?;

        let cut = stream(self.draw.seed, 4).random_range(0..=n);
        let (left, left_grads) = self.nll(&self.params, 0..cut, 0.0, &mut scratch);
        let (right, right_grads) = self.nll(&self.params, cut..n, 0.0, &mut scratch);
        let law = "the loss of a batch is the sum of its shards'";
        let shards = || format!("the loss of {cut} rows and the other {}", n - cut);
        Violation::unless_close(law, left + right, loss, allowed, shards)?;
        let largest = grads.iter().fold(1.0_f64, |m, g| m.max(g.abs()));
        let allowed = self.config.tolerance * largest;
        let law = "the gradient of a batch is the sum of its shards'";
        for (i, &expected) in grads.iter().enumerate() {
            let found = left_grads[i] + right_grads[i];
            Violation::unless_close(law, found, expected, allowed, || layout.describe(i))?;
        }
        let onto = self.nll(&self.params, 0..n, 3.0, &mut scratch).1;
        let mut held = vec![3.0; grads.len()];
        self.density.project(&mut held);
        for (i, &due) in grads.iter().enumerate().filter(|(i, _)| held[*i] != 0.0) {
            let law = "nll_backward adds to grads";
            Violation::unless_close(law, onto[i], 3.0 + due, allowed, || layout.describe(i))?;
        }
        Ok(())
    }

    /// Reproducible; row `k` of a key is row `k` whichever rows are drawn; of finite score.
    pub(super) fn samples(&self) -> Result<(), Violation> {
        let n = self.rows.num_rows().min(MOST_ROWS);
        let given = (self.config.slice)(self.rows, 0..n);
        let first = 7_u64;
        let sample = |given: &D::Rows, rows: Range<u64>| {
            self.density
                .sample(&self.params, given, rows, self.key, &mut D::Scratch::default())
        };
        let drawn = sample(&given, first..first + n as u64);
        let numbers = (self.config.numbers)(&drawn);
        let count = "sample draws as many rows as are asked for";
        Violation::unless_close(count, numbers.nrows() as f64, n as f64, 0.0, || {
            "the sample".into()
        })?;
        let place = |i: usize| format!("value {i} of the sampled rows");
        let law = "sample is reproducible";
        let again = (self.config.numbers)(&sample(&given, first..first + n as u64));
        Violation::unless_same(law, &again, &numbers, place)?;

        let mut rng = stream(self.draw.seed, 5);
        let a = rng.random_range(0..n);
        let b = rng.random_range(a + 1..=n);
        let part = sample(
            &(self.config.slice)(&given, a..b),
            first + a as u64..first + b as u64,
        );
        let part = (self.config.numbers)(&part);
        let law = "rows of a sample are what they are when drawn alone";
        Violation::unless_close(law, part.nrows() as f64, (b - a) as f64, 0.0, || {
            "the number of rows".into()
        })?;
        for ((r, j), &found) in part.indexed_iter() {
            let expected = numbers[[a + r, j]];
            let allowed = self.config.tolerance * (1.0 + expected.abs());
            Violation::unless_close(law, found, expected, allowed, || {
                format!("row {}, number {j}", first as usize + a + r)
            })?;
        }
        let all: Vec<usize> = (0..n).collect();
        let law = "samples have a finite log_prob";
        for (r, l) in self
            .log_prob(&self.params, &drawn, &all, 1)
            .into_iter()
            .enumerate()
        {
            Violation::unless_finite(law, l, || format!("row {}", first as usize + r))?;
        }
        Ok(())
    }

    /// The gradient is that of the loss that `nll_backward` itself returns for the same key.
    pub(super) fn gradient(&self) -> Result<Report, Violation> {
        let n = self.index.len();
        let mut scratch = D::Scratch::default();
        let grads = self.nll(&self.params, 0..n, 0.0, &mut scratch).1;
        let layout = layout_of(self.density);
        let chosen = choose(
            grads.len(),
            self.config.max_coordinates,
            &mut stream(self.draw.seed, 6),
        );
        let untrained = |i: &usize| {
            let name = layout.describe(*i);
            self.config.untrained.iter().any(|start| name.starts_with(start))
        };
        let (untrained, chosen): (Vec<usize>, Vec<usize>) = chosen.into_iter().partition(untrained);
        for i in untrained {
            let law = "a parameter that is not trained has no gradient";
            Violation::unless_close(law, grads[i], 0.0, 0.0, || layout.describe(i))?;
        }
        let loss = |p: &[f64]| {
            let mut p = p.to_vec();
            self.density.project(&mut p);
            self.nll(&p, 0..n, 0.0, &mut scratch).0
        };
        let tolerance = self.config.gradient_tolerance;
        let part = check_gradient(loss, &self.params, &grads, &chosen, tolerance, |i| {
            layout.describe(i)
        })?;
        Ok(Report {
            cases: 1,
            compared: part.compared,
            skipped: part.skipped,
            ..Report::default()
        })
    }
}
