//! A column's values as intervals of one rank, so that one latent serves all its levels.

use ef_tabular::{ColumnMarginal, NumberMarginal, Place, Value};

/// The levels of a column side by side on (0, 1), each as wide as its share.
///
/// Categories: the commonest first. Numbers: ascending, an atom where the continuous level reaches its value, missing
/// levels last.
#[derive(Debug)]
pub struct ColumnRanks<'a> {
    marginal: &'a ColumnMarginal,
    shares: Vec<f64>,
    /// Where each level begins; of the continuous level, where it begins without the atoms inside it.
    starts: Vec<f64>,
    /// Inside the continuous level, ascending: the rank an atom stands at, and the share of all atoms up to it.
    atoms: Vec<(f64, f64)>,
}

/// What a value is under its column's marginal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// The interval of ranks, of no width for a density; none for a value that no level holds.
    pub(super) ranks: Option<(f64, f64)>,
    /// What is left of the log-density beside the latent's: `log P(ranks) - log(width)`, or the latent's density over
    /// that of a standard normal, is added to it. With independent columns the two cancel to the share of the level.
    pub(super) log_measure: f64,
}

impl<'a> ColumnRanks<'a> {
    /// Lays out the levels of a marginal.
    pub fn new(marginal: &'a ColumnMarginal) -> Self {
        let shares = marginal.level_shares();
        let mut starts = vec![0.0; shares.len()];
        let mut atoms = Vec::new();
        match marginal {
            ColumnMarginal::Number(number) if number.is_continuous() => {
                // level 0 is continuous, then atoms by their values, then the missing cell
                let mut before = 0.0;
                for (atom, &x) in number.atoms().iter().enumerate() {
                    let rank = rank_above(marginal, number, x);
                    starts[atom + 1] = shares[0] * rank + before;
                    before += shares[atom + 1];
                    atoms.push((rank, before));
                }
                if let Some(missing) = number.missing_level() {
                    starts[missing as usize] = shares[0] + before;
                }
            }
            _ => {
                let mut order: Vec<usize> = (0..shares.len()).collect();
                if matches!(marginal, ColumnMarginal::Category(_)) {
                    order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
                }
                let mut before = 0.0;
                for level in order {
                    starts[level] = before;
                    before += shares[level];
                }
            }
        }
        Self {
            marginal,
            shares,
            starts,
            atoms,
        }
    }

    pub(super) fn find(&self, value: Value<'_>) -> Found {
        let Place {
            level,
            low: lo,
            high: hi,
            log_measure,
        } = self.marginal.place(value);
        let Some(level) = level.map(|level| level as usize) else {
            return Found {
                ranks: None,
                log_measure,
            };
        };
        let share = self.shares[level];
        let passed = match self.atoms.partition_point(|(rank, _)| *rank <= lo) {
            atoms if self.marginal.is_continuous() && level == 0 && atoms > 0 => self.atoms[atoms - 1].1,
            _ => 0.0,
        };
        let at = |rank: f64| self.starts[level] + passed + share * rank;
        // An interval has `log_measure - log(hi - lo)` beside its probability, which is `share (hi - lo)` by itself. A
        // point has its density by itself.
        Found {
            ranks: Some((at(lo), at(hi))),
            log_measure: log_measure + share.ln(),
        }
    }

    /// Log-density of a value under the marginal alone, nats.
    pub fn log_marginal(&self, value: Value<'_>) -> f64 {
        self.find(value).log_measure
    }
}

/// The rank in the continuous level up to which values lie below the atom `x`: that of the next value that is no atom.
fn rank_above(marginal: &ColumnMarginal, number: &NumberMarginal, x: f64) -> f64 {
    let step = number.decimals().map(|decimals| 10f64.powi(-i32::from(decimals)));
    for k in 1..=number.atoms().len() + 1 {
        let next = step.map_or(x.next_up(), |step| x + k as f64 * step);
        let place = marginal.place(Value::Number(next));
        match place.level {
            Some(0) => return place.low,
            Some(_) => {}
            // beyond the column's natural end
            None => return 1.0,
        }
    }
    1.0
}
