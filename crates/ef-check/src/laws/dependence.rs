//! Every output depends on every column that it may see.

use ef_bijectors::Bijector;
use ndarray::{Array2, Axis};

use crate::case::forward;
use crate::config::CheckConfig;
use crate::report::Violation;
use crate::strategy::{self, data_scale, inside, normal, stream};

/// Draws of parameters and data after which a pair that was never seen to depend counts as independent. In one draw a
/// ReLU unit passes nothing on for about half of all rows, and a draw has `ROWS` of them.
const DRAWS: u64 = 16;
const ROWS: usize = 8;

/// Moves one column of some rows at a time and looks which outputs move, at several parameters.
pub(crate) fn is_complete(b: &dyn Bijector<f64>, config: &CheckConfig) -> Result<(), Violation> {
    let dim = b.dim();
    let sees = |i: usize, j: usize| config.pattern.is_none_or(|pattern| pattern(i, j));
    let mut seen = Array2::from_elem((dim, dim), false);
    let missing = |seen: &Array2<bool>| {
        seen.indexed_iter()
            .find(|((i, j), seen)| !**seen && sees(*i, *j))
            .map(|(pair, _)| pair)
    };
    for seed in 0..DRAWS {
        let params = strategy::ordinary_params(b, config, seed, 1.0);
        let scale = data_scale(config, 1.0);
        let x = inside(config.forward_domain, ROWS, dim, scale, &mut stream(seed, 1));
        let other = inside(config.forward_domain, ROWS, dim, scale, &mut stream(seed, 3));
        let context = normal(ROWS, b.context_dim(), &mut stream(seed, 2));
        let (z, _) = forward(b, &params, x.view(), context.view());
        for j in 0..dim {
            let mut moved = x.clone();
            moved.column_mut(j).assign(&other.column(j));
            let (moved, _) = forward(b, &params, moved.view(), context.view());
            for (i, (before, after)) in z.axis_iter(Axis(1)).zip(moved.axis_iter(Axis(1))).enumerate() {
                seen[[i, j]] |= before != after;
            }
        }
        if missing(&seen).is_none() {
            return Ok(());
        }
    }
    let Some((i, j)) = missing(&seen) else {
        return Ok(());
    };
    let blind = seen
        .indexed_iter()
        .filter(|((i, j), seen)| !**seen && sees(*i, *j))
        .count();
    Err(Violation {
        law: "every output depends on every column that it may see",
        place: format!(
            "z_{i} and x_{j} (one of {blind} such pairs), tried at {DRAWS} draws, of seed: 0 and following"
        ),
        found: 0.0,
        expected: 1.0,
        allowed: 0.0,
    })
}
