//! Weighted draws of a model, in parallel.

use ef_density::Key;
use ef_density::infer::{Asked, Evidence, Sampler, resample};
use ef_density::rows::{RowScratch, Rows};
use ef_density::uniform;
use rand::seq::SliceRandom;

use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::row_key::RowKey;

/// Weighted rows: those of one evidence lie together, equally many each.
#[derive(Debug)]
pub(super) struct Particles {
    pub(super) rows: Rows,
    /// Unnormalized, nats; `-inf` counts for nothing.
    pub(super) log_weights: Vec<f64>,
    pub(super) each: usize,
}

/// What draws from a model.
pub(super) fn sampler(model: &EchoFlow) -> Sampler<'_, f32> {
    let proposal = model.proposal.as_ref();
    Sampler {
        density: model.density.as_ref(),
        params: &model.params,
        layout: &model.layout,
        proposal: proposal.map(|proposal| (&proposal.net, proposal.params.as_slice())),
    }
}

/// All draws that are asked for.
pub(super) fn draw(sampler: &Sampler<'_, f32>, asked: Asked<'_>) -> Particles {
    let count = asked.evidence.len() * asked.each;
    let parts = over_chunks(count, |range, scratch: &mut RowScratch<f32>| {
        sampler.draw(asked, range, scratch)
    });
    let (rows, weights): (Vec<Rows>, Vec<Vec<f64>>) = parts.into_iter().unzip();
    Particles {
        rows: Rows::concatenate(rows),
        log_weights: weights.concat(),
        each: asked.each,
    }
}

/// Draws the columns after the head of rows whose head is drawn, `evidence` and `members` one a row.
pub(super) fn finish(
    sampler: &Sampler<'_, f32>,
    rows: Rows,
    evidence: &[&Evidence],
    members: &[usize],
    key: RowKey,
) -> Rows {
    if !sampler.is_ancestral() {
        return rows;
    }
    let parts = over_chunks(evidence.len(), |range, scratch: &mut RowScratch<f32>| {
        let own = rows.select(&range.clone().collect::<Vec<usize>>());
        let streams: Vec<u64> = key.numbers(&range).collect();
        let (evidence, members) = (&evidence[range.clone()], &members[range]);
        sampler.finish(own, evidence, members, &streams, key.key, scratch)
    });
    Rows::concatenate(parts)
}

/// Chooses `count` positions with probabilities proportional to the weights, in random order. Empty if no weight counts.
pub(super) fn chosen(log_weights: &[f64], count: usize, key: Key) -> Vec<usize> {
    let mut stream = key.purpose("resample").row(0);
    let mut chosen = resample(log_weights, count, uniform(&mut stream));
    chosen.shuffle(&mut stream);
    chosen
}
