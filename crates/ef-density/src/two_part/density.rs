//! Whole rows: levels, then ranks given levels.

use std::ops::Range;

use ef_tensor::{ParamVisitor, Real, Scope};
use rand_core::RngCore;

use super::discrete::DiscreteMade;
use super::rank_flow::RankFlow;
use crate::density::{Density, Scores};
use crate::key::{Key, ScoreKey, StepKey};
use crate::row_density::RowDensity;
use crate::rows::{RowScratch, Rows};

/// `log p(row) = log_measure + log P(levels) + log E[ratio(ranks | levels)]`, in the table's own units.
///
/// Either part may be absent: tables of categories alone, tables of numbers alone. Parameters are those of the
/// discrete part, then those of the flow; the parts share none, so they can be trained one after the other.
#[derive(Debug)]
pub struct TwoPart<T: Real> {
    discrete: Option<DiscreteMade>,
    continuous: Option<RankFlow<T>>,
}

impl<T: Real> TwoPart<T> {
    /// A density of the parts given.
    pub fn new(discrete: Option<DiscreteMade>, continuous: Option<RankFlow<T>>) -> Self {
        Self { discrete, continuous }
    }

    /// The part over levels.
    pub fn discrete(&self) -> Option<&DiscreteMade> {
        self.discrete.as_ref()
    }

    /// The part over ranks.
    pub fn continuous(&self) -> Option<&RankFlow<T>> {
        self.continuous.as_ref()
    }

    /// `(discrete, continuous)` parameters.
    pub fn split<'a>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params.split_at(self.discrete_params())
    }

    fn discrete_params(&self) -> usize {
        self.discrete.as_ref().map_or(0, Density::<T>::num_params)
    }

    /// Scores the rows `index` and appends to `scores`.
    pub fn score(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        scores: &mut Scores,
    ) {
        let (p_discrete, p_continuous) = self.split(params);
        let n = index.len();
        let mut log_prob = vec![0.0; n];
        if let Some(discrete) = &self.discrete {
            discrete.log_prob(p_discrete, rows, index, key, scratch, &mut log_prob);
        }
        log_prob
            .iter_mut()
            .zip(index)
            .for_each(|(l, &r)| *l += rows.log_measure[r]);
        let mut errors = vec![0.0; n];
        if let Some(flow) = &self.continuous {
            flow.estimate(p_continuous, rows, index, key, scratch, |i, log_mean, error| {
                log_prob[i] += log_mean;
                errors[i] = error;
            });
        }
        scores.log_prob.extend(log_prob);
        scores.standard_error.extend(errors);
    }
}

impl<T: Real> Density<T> for TwoPart<T> {
    type Rows = Rows;
    type Scratch = RowScratch<T>;

    fn num_params(&self) -> usize {
        self.discrete_params() + self.continuous.as_ref().map_or(0, Density::num_params)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        if let Some(discrete) = &self.discrete {
            Density::<T>::visit_params(discrete, &mut Scope::new("discrete", visitor));
        }
        if let Some(flow) = &self.continuous {
            flow.visit_params(&mut Scope::new("continuous", visitor));
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let (a, b) = params.split_at_mut(self.discrete_params());
        if let Some(discrete) = &self.discrete {
            discrete.init(rng, a);
        }
        if let Some(flow) = &self.continuous {
            flow.init(rng, b);
        }
    }

    fn project(&self, params: &mut [T]) {
        let (a, b) = params.split_at_mut(self.discrete_params());
        if let Some(discrete) = &self.discrete {
            discrete.project(a);
        }
        if let Some(flow) = &self.continuous {
            flow.project(b);
        }
    }

    fn init_from_data(&self, params: &mut [T], rows: &Rows, index: &[usize]) {
        let at = self.discrete_params();
        if let Some(flow) = &self.continuous {
            flow.init_from_data(&mut params[at..], rows, index);
        }
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        out: &mut [f64],
    ) {
        let mut scores = Scores::default();
        self.score(params, rows, index, key, scratch, &mut scores);
        out.copy_from_slice(&scores.log_prob);
    }

    fn nll_backward(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: StepKey,
        scratch: &mut RowScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let (pa, pb) = self.split(params);
        let (ga, gb) = grads.split_at_mut(self.discrete_params());
        let mut nll = -index.iter().map(|&i| rows.log_measure[i]).sum::<f64>();
        if let Some(discrete) = &self.discrete {
            nll += discrete.nll_backward(pa, rows, index, key, scratch, ga);
        }
        if let Some(flow) = &self.continuous {
            nll += flow.nll_backward(pb, rows, index, key, scratch, gb);
        }
        nll
    }

    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let streams: Vec<u64> = rows.collect();
        RowDensity::sample(self, params, given, &streams, key, scratch)
    }
}

impl<T: Real> RowDensity<T> for TwoPart<T> {
    fn num_params(&self) -> usize {
        Density::num_params(self)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        Density::visit_params(self, visitor);
    }

    fn init(&self, key: Key, params: &mut [T]) {
        Density::init(self, &mut key.row(0), params);
    }

    fn project(&self, params: &mut [T]) {
        Density::project(self, params);
    }

    fn score(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        scores: &mut Scores,
    ) {
        Self::score(self, params, rows, index, key, scratch, scores);
    }

    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        streams: &[u64],
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let (p_discrete, p_continuous) = self.split(params);
        let streams = streams.iter().copied();
        let mut drawn = match &self.discrete {
            Some(discrete) => discrete.sample_streams(p_discrete, given, streams.clone(), key, scratch),
            None => Rows::of_context(given.context.clone()),
        };
        if let Some(flow) = &self.continuous {
            drawn = flow.sample_streams(p_continuous, &drawn, streams, key, scratch);
        }
        drawn
    }
}
