//! Columns of numbers as whole steps of their rounding grids, and the relations that are looked for among them.

use super::evidence;
use super::level::{grid_of, number};
use super::linear::gcd;
use crate::marginal::Grid;
use crate::table::Table;

/// The steps of a missing cell.
const ABSENT: i64 = i64::MIN;
/// Rows of a column that are tried before all are, spread over the table.
const SPREAD: usize = 24;
/// Most columns among which sums of two others are looked for, and sums of three: all triples, all quadruples.
const MOST_FOR_TRIPLES: usize = 300;
const MOST_FOR_QUADRUPLES: usize = 100;

/// A column of numbers in steps.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) column: usize,
    pub(super) grid: Grid,
    /// `(rows)`; [`ABSENT`] for a missing cell.
    steps: Vec<i64>,
    pub(super) missing: u64,
}

impl Steps {
    /// The steps of a column; `None` if it has no rounding grid, or all its numbers are one.
    pub(super) fn new(table: &Table, column: usize) -> Option<Self> {
        if !table.schema().columns[column].kind.is_number() {
            return None;
        }
        let values = || (0..table.num_rows()).map(|row| table.value(row, column));
        let grid = grid_of(values());
        grid.decimals()?;
        let step = |x: Option<f64>| x.and_then(|x| grid.point(x)).unwrap_or(ABSENT);
        let steps: Vec<i64> = values().map(|value| step(number(value))).collect();
        let missing = steps.iter().filter(|step| **step == ABSENT).count() as u64;
        let mut present = steps.iter().filter(|step| **step != ABSENT);
        let first = *present.next()?;
        present.any(|step| *step != first).then_some(Self {
            column,
            grid,
            steps,
            missing,
        })
    }

    /// The step in units of a grid of `decimals`, at least as fine.
    fn fine(&self, row: usize, decimals: u8) -> Option<i128> {
        let step = self.steps[row];
        (step != ABSENT).then(|| i128::from(step) * self.unit(decimals))
    }

    /// Steps of a grid of `decimals` in one step of this one.
    pub(super) fn unit(&self, decimals: u8) -> i128 {
        10i128.pow(u32::from(decimals - self.decimals()))
    }

    pub(super) fn decimals(&self) -> u8 {
        self.grid.decimals().unwrap_or(0)
    }
}

/// `divisor * y = factor * x + offset`, in steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaling {
    pub(super) factor: i128,
    pub(super) offset: i128,
    pub(super) divisor: i128,
}

impl Scaling {
    /// The same relation, solved for `x`.
    pub(super) fn turned(self) -> Self {
        let sign = self.factor.signum();
        Self {
            factor: sign * self.divisor,
            offset: -sign * self.offset,
            divisor: sign * self.factor,
        }
    }

    /// The scaling that holds in every row, cells missing together, if there is one and it is believed.
    pub(super) fn find(x: &Steps, y: &Steps, bound: f64) -> Option<Self> {
        if x.missing != y.missing {
            return None;
        }
        let pairs = || x.steps.iter().copied().zip(y.steps.iter().copied());
        let mut present = pairs().filter(|(a, b)| *a != ABSENT && *b != ABSENT);
        let (x0, y0) = present.next()?;
        let (x1, y1) = present.find(|(a, _)| *a != x0)?;
        let (run, rise) = (i128::from(x1) - i128::from(x0), i128::from(y1) - i128::from(y0));
        let common = gcd(run, rise) * run.signum();
        let (factor, divisor) = (rise / common, run / common);
        let found = Self {
            factor,
            offset: divisor * i128::from(y0) - factor * i128::from(x0),
            divisor,
        };
        let holds = |(a, b): (i64, i64)| {
            (a == ABSENT) == (b == ABSENT)
                && (a == ABSENT || divisor * i128::from(b) == factor * i128::from(a) + found.offset)
        };
        if factor == 0 || !pairs().all(holds) {
            return None;
        }
        // two values are on a line whatever they are: a lookup says that better
        let decimals = x.decimals().max(y.decimals());
        let plain = factor.abs() * y.unit(decimals) == divisor * x.unit(decimals);
        let third = present.any(|(a, _)| a != x0 && a != x1);
        ((plain || third) && believed(&[x, y], 2, bound)).then_some(found)
    }
}

/// `sum_k sign_k * column_k = offset`, in steps of the finest of the columns' grids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sum {
    /// Positions among the columns searched, ascending, and signs.
    pub(super) terms: Vec<(usize, i128)>,
    pub(super) offset: i128,
    pub(super) decimals: u8,
}

/// Every sum of three or four columns with a fixed result that holds in every row and is believed.
///
/// Whether missing cells fit depends on which column is derived: see [`missing_fits`].
pub(super) fn sums(columns: &[Steps]) -> Vec<Sum> {
    let count = columns.len();
    let triples = if count <= MOST_FOR_TRIPLES {
        choose(count, 3)
    } else {
        0
    };
    let quadruples = if count <= MOST_FOR_QUADRUPLES {
        choose(count, 4)
    } else {
        0
    };
    let bound = evidence::bound(4 * triples + 8 * quadruples);
    let probes = Probes::new(columns);
    let mut found = Vec::new();
    let mut attempt = |set: &[usize]| {
        for signs in 0..1 << (set.len() - 1) {
            let sign = |k: usize| if k > 0 && signs >> (k - 1) & 1 == 1 { -1 } else { 1 };
            if probes.fit(set, sign) {
                found.extend(verified(columns, set, sign, bound));
            }
        }
    };
    if triples > 0 {
        for (i, j) in (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))) {
            (j + 1..count).for_each(|k| attempt(&[i, j, k]));
        }
    }
    if quadruples > 0 {
        for (i, j) in (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))) {
            for k in j + 1..count {
                (k + 1..count).for_each(|l| attempt(&[i, j, k, l]));
            }
        }
    }
    found
}

fn choose(n: usize, k: usize) -> usize {
    (0..k).fold(1, |product, i| product * n.saturating_sub(i) / (i + 1))
}

/// Whether `derived` is missing exactly where one of `sources` is.
pub(super) fn missing_fits<'a>(derived: &Steps, sources: impl Iterator<Item = &'a Steps> + Clone) -> bool {
    if derived.missing == 0 && sources.clone().all(|source| source.missing == 0) {
        return true;
    }
    (0..derived.steps.len()).all(|row| {
        (derived.steps[row] == ABSENT) == sources.clone().any(|source| source.steps[row] == ABSENT)
    })
}

fn verified(columns: &[Steps], set: &[usize], sign: impl Fn(usize) -> i128, bound: f64) -> Option<Sum> {
    let decimals = set.iter().map(|at| columns[*at].decimals()).max()?;
    let total = |row: usize| {
        let terms = set.iter().enumerate();
        terms
            .map(|(k, at)| Some(sign(k) * columns[*at].fine(row, decimals)?))
            .sum::<Option<i128>>()
    };
    let mut totals = (0..columns[set[0]].steps.len()).filter_map(total);
    let offset = totals.next()?;
    if !totals.all(|other| other == offset) {
        return None;
    }
    let members: Vec<&Steps> = set.iter().map(|at| &columns[*at]).collect();
    believed(&members, 1, bound).then(|| Sum {
        terms: set.iter().enumerate().map(|(k, at)| (*at, sign(k))).collect(),
        offset,
        decimals,
    })
}

/// Whether the relation is no accident: each column agrees with all others in every row, so the one that is easiest to
/// guess decides. `free` rows were used to read the relation off.
fn believed(columns: &[&Steps], free: usize, bound: f64) -> bool {
    let present = |row: &usize| columns.iter().all(|column| column.steps[*row] != ABSENT);
    let rows: Vec<usize> = (0..columns[0].steps.len()).filter(present).collect();
    let read_off = free as f64 * (rows.len().max(1) as f64).ln();
    columns.iter().all(|column| {
        let mut steps: Vec<i64> = rows.iter().map(|row| column.steps[*row]).collect();
        steps.sort_unstable();
        evidence::of_column(evidence::counts(&steps).into_iter()) - read_off >= bound
    })
}

/// Some rows of all columns, in steps of one grid modulo 2^64: what holds must hold there.
struct Probes {
    /// Per column, one entry a probed row.
    steps: Vec<Vec<Option<i64>>>,
}

impl Probes {
    /// Rows spread over the table, and two of each column that are off its first row's value: a column that hardly
    /// varies would pass everywhere else.
    fn new(columns: &[Steps]) -> Self {
        let rows = columns.first().map_or(0, |column| column.steps.len());
        let mut chosen: Vec<usize> = (0..rows).step_by((rows / SPREAD).max(1)).collect();
        for column in columns {
            let first = column.steps.iter().find(|step| **step != ABSENT);
            let off = |row: &usize| column.steps[*row] != ABSENT && Some(&column.steps[*row]) != first;
            chosen.extend((0..rows).filter(off).take(2));
        }
        let decimals = columns.iter().map(Steps::decimals).max().unwrap_or(0);
        let fine = |column: &Steps| {
            let unit = column.unit(decimals) as i64;
            let step = |row: &usize| Some(column.steps[*row]).filter(|step| *step != ABSENT);
            chosen
                .iter()
                .map(|row| step(row).map(|step| step.wrapping_mul(unit)))
                .collect()
        };
        Self {
            steps: columns.iter().map(fine).collect(),
        }
    }

    fn fit(&self, set: &[usize], sign: impl Fn(usize) -> i128) -> bool {
        let rows = self.steps.first().map_or(0, Vec::len);
        let mut first = None;
        for row in 0..rows {
            let mut total = Some(0i64);
            for (k, at) in set.iter().enumerate() {
                let (Some(sum), Some(step)) = (total, self.steps[*at][row]) else {
                    total = None;
                    break;
                };
                total = Some(sum.wrapping_add(step.wrapping_mul(sign(k) as i64)));
            }
            let Some(total) = total else { continue };
            if *first.get_or_insert(total) != total {
                return false;
            }
        }
        true
    }
}
