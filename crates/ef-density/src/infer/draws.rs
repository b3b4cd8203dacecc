//! The two proposals, and their weights.

use std::ops::Range;

use ef_tensor::Real;
use ndarray::Array2;

use super::evidence::{ColumnEvidence, Evidence};
use crate::autoregressive::{AncestralPass, OrderAgnostic, PassSums, Step};
use crate::density::Scores;
use crate::key::{Key, ScoreKey};
use crate::row_density::{Ancestral, RowDensity};
use crate::rows::{Layout, RowScratch, Rows};

/// The share of draws that the model's own proposal makes where both are used. Hesterberg (1995), Weighted average
/// importance sampling and defensive mixture distributions, takes 0.1 to 0.5: with a share `a` no weight is above `1 / a`
/// times that of the own proposal alone. A quarter was chosen by hand.
const OWN_SHARE: f64 = 0.25;

/// A row has `2^STREAM_BITS` streams, one a draw: draw `p` of row `k` takes stream `k 2^STREAM_BITS + p`.
pub const STREAM_BITS: u32 = 20;

/// Which proposals draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposing {
    /// The model's own.
    Own,
    /// The order-agnostic network and the model's own.
    Both,
}

/// What is asked of a sampler: `each` draws for every evidence. Draw `i` of them all is of `evidence[i / each]` and
/// takes stream `streams[i / each] + i % each`.
///
/// All evidence asked for at once must have the same [`leading`](Evidence::leading): the order-agnostic network draws
/// it in one order.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is known, row by row.
    pub evidence: &'a [&'a Evidence],
    /// The first stream of each.
    pub streams: &'a [u64],
    /// Draws of each.
    pub each: usize,
    /// Which proposals draw.
    pub proposing: Proposing,
    /// The family of streams.
    pub key: Key,
}

/// Draws weighted rows of a density given evidence.
#[derive(Debug, Clone, Copy)]
pub struct Sampler<'a, T: Real> {
    /// The density of whole rows.
    pub density: &'a dyn RowDensity<T>,
    /// Its parameters.
    pub params: &'a [T],
    /// The layout of its rows.
    pub layout: &'a Layout,
    /// The order-agnostic network and its parameters, where there is one.
    pub proposal: Option<(&'a OrderAgnostic, &'a [T])>,
}

impl<'a, T: Real> Sampler<'a, T> {
    /// Whether there is more than the density's own proposal.
    pub fn has_both(&self) -> bool {
        self.proposal.is_some()
    }

    /// Whether draws can be given any known value, one that has a density included. An ancestral density and an
    /// order-agnostic network take it as given. Without either, whole rows are drawn and those that agree with the
    /// evidence count; no drawn row has exactly a known value that has a density.
    pub fn knows_values(&self) -> bool {
        self.is_ancestral() || self.has_both()
    }

    /// Whether the density gives each column its distribution given those before it: then columns after the last known
    /// one need no weight, and known values have exact probabilities.
    pub fn is_ancestral(&self) -> bool {
        self.density.conditional().is_some()
    }

    /// How many networks are averaged: draw `p` of some evidence is made by number `p % members`.
    pub fn members(&self) -> usize {
        self.density.conditional().map_or(1, Ancestral::members)
    }

    /// How many columns of a row are drawn with weights.
    fn head(&self, evidence: &Evidence) -> usize {
        if self.is_ancestral() {
            evidence.head
        } else {
            evidence.columns.len()
        }
    }

    /// Whether draws given some evidence are independent as they are: nothing is known, or in an ancestral density only
    /// values of its first columns.
    pub fn needs_no_weights(&self, evidence: &Evidence) -> bool {
        evidence.head == 0 || (self.is_ancestral() && !evidence.draws_in_head())
    }

    /// Draws `range` of those asked for, numbered as in [`Asked`], and the logarithms of their weights in nats; a draw
    /// of weight `-inf` counts for nothing. Under an ancestral density the columns after the [`head`](Evidence::head)
    /// of a row are left to [`Self::finish`].
    pub fn draw(
        &self,
        asked: Asked<'_>,
        range: Range<usize>,
        scratch: &mut RowScratch<T>,
    ) -> (Rows, Vec<f64>) {
        let each = asked.each;
        let owned = match asked.proposing {
            Proposing::Own => each,
            Proposing::Both => (OWN_SHARE * each as f64).ceil() as usize,
        };
        let batch = Batch {
            sampler: self,
            evidence: range.clone().map(|i| asked.evidence[i / each]).collect(),
            // which draws of a row are the density's own
            own: range.clone().map(|i| i % each < owned).collect(),
            places: range.clone().map(|i| i % each).collect(),
            streams: range
                .map(|i| asked.streams[i / each] + (i % each) as u64)
                .collect(),
            key: asked.key,
        };
        match (asked.proposing, self.proposal) {
            (Proposing::Both, Some(proposal)) => batch.both(proposal, owned as f64 / each as f64, scratch),
            _ => batch.own(scratch),
        }
    }

    /// Draws the columns after the [`head`](Evidence::head) of rows whose head is drawn; `evidence`, `members` and
    /// `streams` hold one entry a row. Where the density is not ancestral, [`Self::draw`] has drawn whole rows, and
    /// they are returned unchanged.
    pub fn finish(
        &self,
        mut rows: Rows,
        evidence: &[&Evidence],
        members: &[usize],
        streams: &[u64],
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let Some(ancestral) = self.density.conditional() else {
            return rows;
        };
        let steps = |i: usize, j: usize| match evidence[i] {
            evidence if j >= evidence.head => Step::Fill,
            evidence => evidence.columns[j].step(true),
        };
        let pass = AncestralPass {
            steps: &steps,
            streams,
            key: key.purpose("tail"),
            scored: false,
            by_column: false,
        };
        ancestral.pass(self.params, &mut rows, usize::MAX, pass, &|i| members[i], scratch);
        rows
    }
}

/// A chunk of draws.
struct Batch<'a, T: Real> {
    sampler: &'a Sampler<'a, T>,
    evidence: Vec<&'a Evidence>,
    own: Vec<bool>,
    /// Number of each draw in its evidence.
    places: Vec<usize>,
    streams: Vec<u64>,
    key: Key,
}

impl<T: Real> Batch<'_, T> {
    fn blank(&self) -> Rows {
        let width = self.evidence.first().map_or(0, |evidence| evidence.context.len());
        let context: Vec<f32> = self
            .evidence
            .iter()
            .flat_map(|p| p.context.iter().copied())
            .collect();
        let context =
            Array2::from_shape_vec((self.evidence.len(), width), context).expect("contexts of one width");
        let mut rows = self.sampler.layout.blank(context);
        for (row, evidence) in self.evidence.iter().enumerate() {
            evidence.write(self.sampler.layout, &mut rows, row);
        }
        rows
    }

    fn known(&self, row: usize, column: usize) -> Option<&ColumnEvidence> {
        let evidence = self.evidence[row];
        (column < self.sampler.head(evidence)).then(|| &evidence.columns[column])
    }

    /// The model's own proposal, or its exact density of rows that are there, for rows that are not its `own`.
    fn under_model(&self, rows: &mut Rows, scored: bool, scratch: &mut RowScratch<T>) -> PassSums {
        let sampler = self.sampler;
        match sampler.density.conditional() {
            Some(ancestral) => {
                let steps = |row: usize, column: usize| match self.known(row, column) {
                    Some(known) => known.step(!self.own[row]),
                    None => Step::Fill,
                };
                let pass = AncestralPass {
                    steps: &steps,
                    streams: &self.streams,
                    key: self.key.purpose("own"),
                    scored,
                    by_column: false,
                };
                let until = self.evidence.iter().map(|p| sampler.head(p)).max().unwrap_or(0);
                let members = ancestral.members();
                let member = |i: usize| self.places[i] % members;
                ancestral.pass(sampler.params, rows, until, pass, &member, scratch)
            }
            None => {
                let density = sampler.density;
                let n = rows.context.nrows();
                if self.own.contains(&true) {
                    let given = Rows::of_context(rows.context.clone());
                    let key = self.key.purpose("own");
                    let drawn = density.sample(sampler.params, &given, &self.streams, key, scratch);
                    let own: Vec<usize> = (0..n).filter(|row| self.own[*row]).collect();
                    rows.assign(&own, &drawn.select(&own));
                }
                let mass = |row: usize| match self.evidence[row].holds(sampler.layout, rows, row) {
                    true => 0.0,
                    // what is known is not drawn: only the other proposal can have made it
                    false if !self.own[row] => 0.0,
                    false => f64::NEG_INFINITY,
                };
                let mut sums = PassSums {
                    set_mass: (0..n).map(mass).collect(),
                    observed: vec![0.0; n],
                    proposed: vec![0.0; n],
                    by_column: Array2::zeros((0, 0)),
                };
                if scored {
                    let mut scores = Scores::default();
                    for run in self.runs() {
                        // the first of the rows would have this number if their streams were one run
                        let first_row = self.streams[run.start].wrapping_sub(run.start as u64);
                        let key = ScoreKey {
                            key: self.key.purpose("score"),
                            draws: ScoreKey::DRAWS,
                            first_row,
                        };
                        let index: Vec<usize> = run.collect();
                        density.score(sampler.params, rows, &index, key, scratch, &mut scores);
                    }
                    sums.proposed = scores.log_prob;
                }
                sums
            }
        }
    }

    /// The draws in runs of consecutive streams.
    fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.streams
            .chunk_by(|one, next| one + 1 == *next)
            .map(move |run| {
                let range = start..start + run.len();
                start = range.end;
                range
            })
    }

    fn own(&self, scratch: &mut RowScratch<T>) -> (Rows, Vec<f64>) {
        let mut rows = self.blank();
        let sums = self.under_model(&mut rows, false, scratch);
        let weights = sums.observed.iter().zip(&sums.set_mass).zip(&self.evidence);
        let weights =
            weights.map(|((observed, mass), evidence)| number(observed + mass + evidence.log_measure));
        let weights = weights.collect();
        (rows, weights)
    }

    fn both(
        &self,
        proposal: (&OrderAgnostic, &[T]),
        share: f64,
        scratch: &mut RowScratch<T>,
    ) -> (Rows, Vec<f64>) {
        let mut rows = self.blank();
        let proposed = self.proposed(proposal, &mut rows, false, scratch);
        let sums = self.under_model(&mut rows, true, scratch);
        let scored = self.proposed(proposal, &mut rows, true, scratch);
        let weights = (0..rows.log_measure.len()).map(|i| {
            let by_network = if self.own[i] { &scored } else { &proposed };
            if sums.set_mass[i] == f64::NEG_INFINITY {
                return f64::NEG_INFINITY;
            }
            // a flow's own draws never have a known value
            let knows = self.sampler.is_ancestral() || !self.evidence[i].has_values();
            let own = if knows {
                share.ln() + sums.proposed[i] - sums.set_mass[i]
            } else {
                f64::NEG_INFINITY
            };
            let network = (1.0 - share).ln() + by_network.proposed[i] - by_network.set_mass[i];
            let top = own.max(network);
            let mixture = top + ((own - top).exp() + (network - top).exp()).ln();
            number(sums.observed[i] + sums.proposed[i] - mixture + self.evidence[i].log_measure)
        });
        let weights = weights.collect();
        (rows, weights)
    }

    /// The order-agnostic network's draws, or its log-probabilities of the model's own draws.
    fn proposed(
        &self,
        (network, params): (&OrderAgnostic, &[T]),
        rows: &mut Rows,
        scored: bool,
        scratch: &mut RowScratch<T>,
    ) -> PassSums {
        let steps = |row: usize, column: usize| match self.known(row, column) {
            Some(known @ ColumnEvidence::Value(_)) => known.step(scored),
            Some(known) if self.own[row] == scored => known.step(scored),
            _ => Step::Skip,
        };
        let columns = self.evidence.first().map_or(0, |evidence| evidence.columns.len());
        let leading = self
            .evidence
            .first()
            .map_or(&[][..], |evidence| &evidence.leading);
        let others = (0..columns).filter(|j| !leading.contains(j));
        let order: Vec<usize> = leading.iter().copied().chain(others).collect();
        let pass = AncestralPass {
            steps: &steps,
            streams: &self.streams,
            key: self.key.purpose("any order"),
            scored: true,
            by_column: false,
        };
        network.pass(params, rows, &order, pass, scratch)
    }
}

fn number(log_weight: f64) -> f64 {
    if log_weight.is_nan() || log_weight == f64::INFINITY {
        f64::NEG_INFINITY
    } else {
        log_weight
    }
}
