//! Weighted draws of what evidence leaves open.
//!
//! Two proposals, both with a known density of what they draw:
//!
//! * the model's **own**: each column given those before it, sets by truncation. The weight of a draw is the probability
//!   of what is known, `prod P(x_c | before)` over values and `prod P(S_c | before)` over sets: likelihood weighting
//!   (Fung and Chang 1990). Flows draw whole rows, of which those in the sets count.
//! * the **any-order** network: sets first, then the other columns up to the last that is known, each given all that is
//!   known.
//!
//! Both are weighted by the model's exact density. Where both are used, the weight is that of their mixture (the balance
//! heuristic, Veach and Guibas 1995), which the share of the own proposal keeps bounded:
//!
//! ```text
//! w = p(drawn, known) / (a p_own(drawn) + (1 - a) q(drawn))
//! ```
//!
//! Columns after the last that is known need no weight: the model draws them.

use std::ops::Range;

use ef_density::Key;
use ef_density::ScoreKey;
use ef_density::Scores;
use ef_density::autoregressive::{AncestralPass, PassSums, Step};
use ef_density::rows::{Layout, RowScratch, Rows};
use ndarray::Array2;

use super::evidence::{ColumnEvidence, Evidence};
use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::proposal::Proposal;
use crate::row_key::RowKey;
use crate::table_density::TableDensity;

/// The share of draws that the model's own proposal makes where both are used. Hesterberg (1995), Weighted average
/// importance sampling and defensive mixture distributions, takes 0.1 to 0.5: with a share `a` no weight is above `1 / a`
/// times that of the own proposal alone. A quarter was chosen by hand.
const OWN_SHARE: f64 = 0.25;

/// A row has `2^PARTICLE_BITS` streams, one a draw: draw `p` of row `k` takes stream `k 2^PARTICLE_BITS + p`.
pub(super) const PARTICLE_BITS: u32 = 20;

/// Which proposals draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proposing {
    /// The model's own.
    Own,
    /// The any-order network and the model's own.
    Both,
}

/// Weighted rows: those of one evidence lie together, equally many each.
#[derive(Debug)]
pub(crate) struct Particles {
    pub(crate) rows: Rows,
    /// Unnormalized, nats; `-inf` counts for nothing.
    pub(crate) log_weights: Vec<f64>,
    pub(crate) each: usize,
}

/// What some weights say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WeightSummary {
    /// `ln` of their mean: of the probability of what is known.
    pub(crate) log_mean: f64,
    /// The standard error of that mean over the mean.
    pub(crate) relative_error: f64,
    /// Effective sample size, `(sum w)^2 / sum w^2` (Kish 1965).
    pub(crate) ess: f64,
}

impl WeightSummary {
    pub(crate) fn of(log_weights: &[f64]) -> Self {
        let n = log_weights.len() as f64;
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if top == f64::NEG_INFINITY {
            return Self {
                log_mean: top,
                relative_error: 0.0,
                ess: 0.0,
            };
        }
        let (mut sum, mut squares) = (0.0, 0.0);
        for w in log_weights {
            let w = (w - top).exp();
            sum += w;
            squares += w * w;
        }
        let ess = sum * sum / squares;
        // of weights that differ by roundings alone nothing is uncertain
        let relative = (n / ess - 1.0).max(0.0);
        let relative = if relative < 1e-10 { 0.0 } else { relative };
        Self {
            log_mean: top + (sum / n).ln(),
            relative_error: (relative / (n - 1.0).max(1.0)).sqrt(),
            ess,
        }
    }
}

/// Draws for questions about one model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine<'a> {
    density: &'a TableDensity,
    params: &'a [f32],
    pub(crate) layout: &'a Layout,
    proposal: Option<&'a Proposal>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(model: &'a EchoFlow) -> Self {
        Self {
            density: &model.density,
            params: &model.params,
            layout: &model.layout,
            proposal: model.proposal.as_ref(),
        }
    }

    /// Whether there is more than the model's own proposal.
    pub(crate) fn has_both(&self) -> bool {
        self.proposal.is_some()
    }

    /// Whether values with a density, and cells at will, can be known: everything an autoregressive model or an order-agnostic network knows.
    pub(crate) fn knows_values(&self) -> bool {
        self.is_ancestral() || self.has_both()
    }

    /// Whether the model gives each column its distribution given those before it: then columns after the last known one
    /// need no weight, and known values have exact probabilities.
    pub(crate) fn is_ancestral(&self) -> bool {
        matches!(self.density, TableDensity::Autoregressive(_))
    }

    /// How many columns of a row are drawn with weights.
    fn head(&self, evidence: &Evidence) -> usize {
        match self.density {
            TableDensity::Autoregressive(_) => evidence.head,
            TableDensity::Flow(_) => evidence.columns.len(),
        }
    }

    /// Whether draws given some evidence are independent as they are: nothing is known, or in a model that is ancestral
    /// only values of its first columns.
    pub(crate) fn needs_no_weights(&self, evidence: &Evidence) -> bool {
        evidence.head == 0 || (self.is_ancestral() && !evidence.draws_in_head())
    }

    /// `each` draws for every evidence, from as many streams that begin at its own of `streams`.
    pub(crate) fn draw(
        &self,
        evidence: &[&Evidence],
        streams: &[u64],
        each: usize,
        proposing: Proposing,
        key: Key,
    ) -> Particles {
        let owned = match proposing {
            Proposing::Own => each,
            Proposing::Both => (OWN_SHARE * each as f64).ceil() as usize,
        };
        let parts = over_chunks(evidence.len() * each, |range, scratch: &mut RowScratch<f32>| {
            let batch = Batch {
                engine: self,
                evidence: range.clone().map(|i| evidence[i / each]).collect(),
                // which draws of a row are the model's own
                own: range.clone().map(|i| i % each < owned).collect(),
                places: range.clone().map(|i| i % each).collect(),
                streams: range.map(|i| streams[i / each] + (i % each) as u64).collect(),
                key,
            };
            match (proposing, self.proposal) {
                (Proposing::Both, Some(proposal)) => {
                    batch.both(proposal, owned as f64 / each as f64, scratch)
                }
                _ => batch.own(scratch),
            }
        });
        let (rows, weights): (Vec<Rows>, Vec<Vec<f64>>) = parts.into_iter().unzip();
        Particles {
            rows: Rows::concatenate(rows),
            log_weights: weights.concat(),
            each,
        }
    }

    /// Draws the columns after the head of rows whose head is drawn, `evidence` and `members` one a row.
    pub(crate) fn finish(&self, rows: Rows, evidence: &[&Evidence], members: &[usize], key: RowKey) -> Rows {
        let TableDensity::Autoregressive(ensemble) = self.density else {
            return rows;
        };
        let parts = over_chunks(evidence.len(), |range, scratch: &mut RowScratch<f32>| {
            let index: Vec<usize> = range.clone().collect();
            let mut own = rows.select(&index);
            let streams: Vec<u64> = key.numbers(&range).collect();
            let steps = |i: usize, j: usize| match evidence[index[i]] {
                evidence if j >= evidence.head => Step::Fill,
                evidence => evidence.columns[j].step(true),
            };
            let pass = AncestralPass {
                steps: &steps,
                streams: &streams,
                key: key.key.purpose("tail"),
                scored: false,
                by_column: false,
            };
            let member = |i: usize| members[index[i]];
            ensemble.pass(self.params, &mut own, usize::MAX, pass, &member, scratch);
            own
        });
        Rows::concatenate(parts)
    }

    /// How many members take turns.
    pub(crate) fn members(&self) -> usize {
        match self.density {
            TableDensity::Autoregressive(ensemble) => ensemble.count(),
            TableDensity::Flow(_) => 1,
        }
    }
}

/// A chunk of draws.
struct Batch<'a> {
    engine: &'a Engine<'a>,
    evidence: Vec<&'a Evidence>,
    own: Vec<bool>,
    /// Number of each draw in its evidence.
    places: Vec<usize>,
    streams: Vec<u64>,
    key: Key,
}

impl Batch<'_> {
    fn blank(&self) -> Rows {
        let width = self.evidence.first().map_or(0, |evidence| evidence.context.len());
        let context: Vec<f32> = self
            .evidence
            .iter()
            .flat_map(|p| p.context.iter().copied())
            .collect();
        let context =
            Array2::from_shape_vec((self.evidence.len(), width), context).expect("contexts of one width");
        let mut rows = self.engine.layout.blank(context);
        for (row, evidence) in self.evidence.iter().enumerate() {
            evidence.write(self.engine.layout, &mut rows, row);
        }
        rows
    }

    fn known(&self, row: usize, column: usize) -> Option<&ColumnEvidence> {
        let evidence = self.evidence[row];
        (column < self.engine.head(evidence)).then(|| &evidence.columns[column])
    }

    /// The model's own proposal, or its exact density of rows that are there, for rows that are not its `own`.
    fn under_model(&self, rows: &mut Rows, scored: bool, scratch: &mut RowScratch<f32>) -> PassSums {
        let engine = self.engine;
        match engine.density {
            TableDensity::Autoregressive(ensemble) => {
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
                let until = self.evidence.iter().map(|p| engine.head(p)).max().unwrap_or(0);
                let member = |i: usize| self.places[i] % ensemble.count();
                ensemble.pass(engine.params, rows, until, pass, &member, scratch)
            }
            TableDensity::Flow(density) => {
                let n = rows.context.nrows();
                if self.own.contains(&true) {
                    let given = Rows::of_context(rows.context.clone());
                    let streams = self.streams.iter().copied();
                    let drawn = density.sample_streams(
                        engine.params,
                        &given,
                        streams,
                        self.key.purpose("own"),
                        scratch,
                    );
                    let own: Vec<usize> = (0..n).filter(|row| self.own[*row]).collect();
                    rows.assign(&own, &drawn.select(&own));
                }
                let ranked: Vec<bool> = engine.layout.ranked().collect();
                let mass =
                    |row: usize| match self.evidence[row].holds(engine.layout, rows, row, |j| ranked[j]) {
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
                        density.score(engine.params, rows, &index, key, scratch, &mut scores);
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

    fn own(&self, scratch: &mut RowScratch<f32>) -> (Rows, Vec<f64>) {
        let mut rows = self.blank();
        let sums = self.under_model(&mut rows, false, scratch);
        let weights = sums.observed.iter().zip(&sums.set_mass).zip(&self.evidence);
        let weights =
            weights.map(|((observed, mass), evidence)| number(observed + mass + evidence.log_measure));
        let weights = weights.collect();
        (rows, weights)
    }

    fn both(&self, proposal: &Proposal, share: f64, scratch: &mut RowScratch<f32>) -> (Rows, Vec<f64>) {
        let mut rows = self.blank();
        let proposed = self.proposed(proposal, &mut rows, false, scratch);
        let sums = self.under_model(&mut rows, true, scratch);
        let replayed = self.proposed(proposal, &mut rows, true, scratch);
        let weights = (0..rows.log_measure.len()).map(|i| {
            let by_network = if self.own[i] { &replayed } else { &proposed };
            if sums.set_mass[i] == f64::NEG_INFINITY {
                return f64::NEG_INFINITY;
            }
            // a flow's own draws never have a known value
            let knows = self.engine.is_ancestral() || !self.evidence[i].has_values();
            let own = match knows {
                true => share.ln() + sums.proposed[i] - sums.set_mass[i],
                false => f64::NEG_INFINITY,
            };
            let network = (1.0 - share).ln() + by_network.proposed[i] - by_network.set_mass[i];
            let top = own.max(network);
            let mixture = top + ((own - top).exp() + (network - top).exp()).ln();
            number(sums.observed[i] + sums.proposed[i] - mixture + self.evidence[i].log_measure)
        });
        let weights = weights.collect();
        (rows, weights)
    }

    /// The any-order network's draws, or its log-probabilities of the model's own draws.
    fn proposed(
        &self,
        proposal: &Proposal,
        rows: &mut Rows,
        replay: bool,
        scratch: &mut RowScratch<f32>,
    ) -> PassSums {
        let steps = |row: usize, column: usize| match self.known(row, column) {
            Some(known @ ColumnEvidence::Value(_)) => known.step(replay),
            Some(known) if self.own[row] == replay => known.step(replay),
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
        proposal.net.pass(&proposal.params, rows, &order, pass, scratch)
    }
}

fn number(log_weight: f64) -> f64 {
    if log_weight.is_nan() || log_weight == f64::INFINITY {
        f64::NEG_INFINITY
    } else {
        log_weight
    }
}
