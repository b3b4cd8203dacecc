//! Where the levels of columns start, and what their numbers' maps start from beside the regression: a table given one
//! column before.
//!
//! Every column takes at most one parent among those before it, in the order of the table: a tree, as that of Chow and Liu
//! (1968) but directed by the order. A parent is in one of a few states: its most frequent levels, or the bins of its ranks.
//! For each state the column's log-shares are those of the training rows in it, pulled towards the shares of all rows,
//!
//! ```text
//! P(b | a) = (n_ab + alpha p_b) / (n_a + alpha)
//! ```
//!
//! and the location and log-scale of its numbers are those that the regression leaves there, pulled towards none. The
//! parent and `alpha` are those of the greatest likelihood of each row given all others (leave one out); what a state's
//! numbers gain is held against the two numbers that it takes (Akaike 1974). A column of which no parent tells enough has
//! none.
//!
//! All of it is counted, not trained: it lies among the parameters, has no gradient and does not decay.

use ef_tensor::{ParamVisitor, Real};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::network::Network;
use super::plan::Column;
use super::start::visit_constants;
use crate::rows::{Layout, Rows, Variable};
use crate::softmax::log_shares;

/// Bins of the ranks of a parent.
const BINS: usize = 16;
/// Most states of a parent: the most frequent levels have one each, the others the last one together.
const MOST_STATES: usize = 64;
/// Most numbers in the table of a column: the states of a parent are fewer where a column has many levels.
const MOST_ENTRIES: usize = 1 << 18;
/// Rows that tables are counted from, at most, and numbers in them.
const MOST_ROWS: usize = 1 << 17;
const MOST_NUMBERS: usize = 1 << 24;
/// Rows that parents are chosen by, at most.
const MOST_TRIED: usize = 1 << 14;
/// Pairs of columns that are compared, at most: with more columns, a column's parent is among the nearest before it.
const MOST_PAIRS: usize = 1 << 19;
/// Strengths of the pull towards the shares of all rows that are tried, in rows.
const STRENGTHS: [f64; 8] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 128.0];
/// Those tried while parents are chosen.
const FEW_STRENGTHS: [f64; 3] = [1.0, 8.0, 64.0];
/// The pull of a state's location and log-scale towards 0, in rows.
const PULL: f64 = 4.0;
/// What a parent has to gain beyond the logarithm of how many there are to choose from, nats over all rows.
const LEAST_GAIN: f64 = 3.0;
/// What a state's location and log-scale have to gain before they count, nats. By chance, one state in twenty gains as much
/// where the column does not depend on the parent.
const COST: f64 = 3.0;
/// Log-scales of a state lie between these.
const LOG_SCALES: (f64, f64) = (-2.0, 1.0);

/// Where one column's table lies.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    /// Number of its first entry among all.
    start: usize,
    /// States that it tells apart.
    states: usize,
    /// Shares of its levels in all rows, which its log-shares are relative to; none for a column with one level.
    shares: Vec<f64>,
    /// Whether a location and a log-scale follow.
    has_map: bool,
}

impl Table {
    /// Entries a state.
    fn width(&self) -> usize {
        self.shares.len() + if self.has_map { 2 } else { 0 }
    }

    fn entries(&self) -> usize {
        self.states * self.width()
    }
}

/// Tables of all columns, as parameters that training leaves alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    tables: Vec<Table>,
    entries: usize,
}

/// How many states a column has as a parent.
fn states(column: &Column) -> usize {
    let levels = if column.rank.is_some() {
        BINS + column.levels - 1
    } else if has_bins(column) {
        BINS + 1
    } else {
        column.levels
    };
    if levels < 2 { 0 } else { levels.min(MOST_STATES) }
}

/// Whether a parent moves the numbers of its children: one of categories. What ranks say of numbers is smooth, and the
/// steps of bins would have to be unlearned.
fn moves_numbers(column: &Column) -> bool {
    column.rank.is_none() && column.ordered.is_none()
}

/// Whether a parent of ordered levels has so many of them that they are read in bins.
fn has_bins(column: &Column) -> bool {
    column.ordered.is_some() && column.levels > 2 * BINS
}

/// The state of a column in a row, given its level; `None` for a value that has none.
fn state(network: &Network, column: &Column, level: u32, rows: &Rows, row: usize) -> Option<usize> {
    let state = match column.rank {
        Some(r) if level == 0 => {
            let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
            let rank = network.ranks[r].representative(0, middle)?;
            ((rank * BINS as f64) as usize).min(BINS - 1)
        }
        None if has_bins(column) => {
            let place = column.ordered.as_ref()?.place(level);
            place.map_or(BINS, |((low, high), _)| {
                ((0.5 * (low + high) * BINS as f64) as usize).min(BINS - 1)
            })
        }
        Some(_) if (level as usize) < column.levels => BINS + level as usize - 1,
        None if (level as usize) < column.levels => level as usize,
        _ => return None,
    };
    Some(state.min(MOST_STATES - 1))
}

/// Shares that have logarithms.
fn shares(variable: &Variable) -> Vec<f64> {
    log_shares(&variable.shares).into_iter().map(f64::exp).collect()
}

impl Tree {
    /// What the names of the parameters begin with.
    pub(super) const NAME: &str = "tree";

    pub(super) fn new(columns: &[Column], layout: &Layout) -> Self {
        let (mut entries, mut most) = (0, 0);
        let tables = columns
            .iter()
            .map(|column| {
                let mut table = Table {
                    start: entries,
                    states: 0,
                    shares: match column.variable {
                        Some(v) if !column.outputs.is_empty() => shares(&layout.variables()[v]),
                        _ => Vec::new(),
                    },
                    has_map: column.map().is_some(),
                };
                if table.width() > 0 {
                    table.states = most.min(MOST_ENTRIES / table.width());
                }
                entries += table.entries();
                most = most.max(states(column));
                table
            })
            .collect();
        Self { tables, entries }
    }

    /// Rows that tables are counted from, at most: fewer of many columns, all of whose numbers are held at once.
    pub(super) fn most_rows(columns: &[Column]) -> usize {
        MOST_ROWS.min(MOST_NUMBERS / columns.len().max(1))
    }

    pub(super) fn num_params(&self) -> usize {
        if self.entries == 0 {
            0
        } else {
            self.tables.len() + self.entries
        }
    }

    /// Names and shapes.
    pub(super) fn params(&self) -> Vec<(&'static str, Vec<usize>)> {
        if self.entries == 0 {
            return Vec::new();
        }
        vec![("parent", vec![self.tables.len()]), ("table", vec![self.entries])]
    }

    pub(super) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visit_constants(Self::NAME, &self.params(), visitor);
    }

    /// The parent of a column: its number, of which 1 more is held, so that 0 is none. Numbers from a file that name no
    /// column before are none too.
    fn parent<T: Real>(params: &[T], column: usize) -> Option<usize> {
        let parent = params.get(column)?.wide();
        (parent >= 1.0 && parent <= column as f64).then(|| parent as usize - 1)
    }

    /// Sets parents that are not columns before to none.
    pub(super) fn project<T: Real>(&self, params: &mut [T]) {
        for column in 0..self.tables.len().min(params.len()) {
            let parent = Self::parent(params, column).map_or(0.0, |parent| parent as f64 + 1.0);
            params[column] = T::of(parent);
        }
    }

    /// The parent of a column whose table has entries.
    fn read_parent<'a, T: Real>(&self, network: &'a Network, params: &[T], j: usize) -> Option<&'a Column> {
        let parent = Self::parent(params, j).filter(|_| self.tables[j].entries() > 0)?;
        Some(&network.columns[parent])
    }

    /// The entries of a column for a state of its parent.
    fn given<'a, T: Real>(&self, params: &'a [T], j: usize, state: usize) -> &'a [T] {
        let table = &self.tables[j];
        let state = state.min(table.states - 1);
        let start = self.tables.len() + table.start + state * table.width();
        &params[start..start + table.width()]
    }

    /// Adds to the outputs of the rows `index`, `y: (rows, outputs)`, of which `levels` are the levels.
    pub(super) fn add<T: Real>(
        &self,
        network: &Network,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        levels: ArrayView2<'_, u32>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        for (j, column) in network.columns.iter().enumerate() {
            let Some(parent) = self.read_parent(network, params, j) else {
                continue;
            };
            for (i, (&row, mut y)) in index.iter().zip(y.rows_mut()).enumerate() {
                let level = parent.variable.map_or(0, |v| levels[[i, v]]);
                let Some(state) = state(network, parent, level, rows, row) else {
                    continue;
                };
                let entries = self.given(params, j, state);
                let y = y.as_slice_mut().expect("rows of a standard layout");
                if column.components == 0 {
                    // An output an entry, in the same order.
                    let y = &mut y[column.outputs.clone()];
                    y.iter_mut().zip(entries).for_each(|(y, &entry)| *y += entry);
                } else {
                    add_entries(&self.tables[j], column, entries, |output, entry| {
                        y[output] += entry;
                    });
                }
            }
        }
    }

    /// Adds to the outputs of column `j` of all rows, whose columns before it are drawn: `y: (outputs, rows)`.
    pub(super) fn add_to_column<T: Real>(
        &self,
        network: &Network,
        j: usize,
        params: &[T],
        rows: &Rows,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let Some(parent) = self.read_parent(network, params, j) else {
            return;
        };
        for row in 0..y.ncols() {
            let level = parent.variable.map_or(0, |v| rows.levels[[row, v]]);
            if let Some(state) = state(network, parent, level, rows, row) {
                let (column, entries) = (&network.columns[j], self.given(params, j, state));
                add_entries(&self.tables[j], column, entries, |output, entry| {
                    y[[output, row]] += entry;
                });
            }
        }
    }
}

impl Tree {
    /// Chooses parents and counts tables on the rows `index`, in random order, beside what the regressions say.
    ///
    /// A column of ordered levels has either its regression, with locations and log-scales by a parent beside it, or a
    /// table of its levels: what gains more. The columns whose regression has to go are returned.
    pub(super) fn fit<T: Real>(
        &self,
        network: &Network,
        rows: &Rows,
        index: &[usize],
        regressions: &Regressions<'_>,
        params: &mut [T],
    ) -> Vec<usize> {
        params.fill(T::zero());
        let mut without = Vec::new();
        if self.entries == 0 {
            return without;
        }
        let columns = &network.columns;
        let states_of: Vec<Vec<u8>> = columns
            .iter()
            .map(|column| {
                let state = |&row: &usize| {
                    let level = column.variable.map_or(0, |v| rows.levels[[row, v]]);
                    state(network, column, level, rows, row).map_or(NO_STATE, |s| s as u8)
                };
                index.iter().map(state).collect()
            })
            .collect();
        let reach = (MOST_PAIRS / columns.len()).max(1);
        for (j, (table, column)) in self.tables.iter().zip(columns).enumerate() {
            let parents = (j.saturating_sub(reach)..j).filter(|&i| states(&columns[i]) > 0);
            let choices = parents.clone().count();
            if table.entries() == 0 || choices == 0 {
                continue;
            }
            let child = Child::new(table, column, rows, index, regressions.left);
            let few = index.len().min(MOST_TRIED);
            let least = LEAST_GAIN + (choices as f64).ln();
            // parent and gain of the best of both, of levels alone and of numbers alone
            let mut best = [None::<(usize, f64)>; 3];
            for i in parents {
                let [levels, mut numbers] = child.given(&states_of[i][..few]).gains(&FEW_STRENGTHS);
                if !moves_numbers(&columns[i]) {
                    numbers = 0.0;
                }
                for (best, gain) in best.iter_mut().zip([levels + numbers, levels, numbers]) {
                    if gain > least && best.is_none_or(|(_, most)| gain > most) {
                        *best = Some((i, gain));
                    }
                }
            }
            let [both, levels, numbers] = best;
            let (chosen, use_levels, use_numbers) = match (&column.ordered, column.score) {
                (Some(_), Some(score)) => {
                    let by_regression = regressions.gains[score] * few as f64;
                    let gain = |best: Option<(usize, f64)>| best.map_or(0.0, |(_, gain)| gain);
                    if gain(levels) > by_regression + gain(numbers) {
                        without.push(score);
                        (levels, true, false)
                    } else {
                        (numbers, false, true)
                    }
                }
                _ => (both, true, true),
            };
            let Some((parent, _)) = chosen else { continue };
            params[j] = T::of(parent as f64 + 1.0);
            let start = self.tables.len() + table.start;
            let entries = &mut params[start..start + table.entries()];
            let scale = column
                .score
                .map_or(1.0, |score| regressions.log_scales[score].exp());
            let counts = child.given(&states_of[parent]);
            if use_levels {
                counts.write_levels(entries);
            }
            if use_numbers && moves_numbers(&columns[parent]) {
                counts.write_numbers(scale, entries);
            }
        }
        without
    }
}

/// What the regressions of columns say of the rows that tables are counted from.
pub(super) struct Regressions<'a> {
    /// What they leave of each number, in units of their scale: of mean 0 and variance 1 where they say all there is to
    /// know; NaN where a row has no number. `(rows, scores)`.
    pub(super) left: ArrayView2<'a, f64>,
    /// Of each score.
    pub(super) log_scales: &'a [f64],
    /// What each gains, nats a row.
    pub(super) gains: &'a [f64],
}

/// The state of a value that has none.
const NO_STATE: u8 = u8::MAX;
const _: () = assert!(MOST_STATES < NO_STATE as usize);

/// A column whose parent is looked for.
struct Child<'a> {
    table: &'a Table,
    /// Level of each row; more than there are for none.
    levels: Vec<u32>,
    /// What the regression leaves of each row's number; empty if there are none.
    residuals: Vec<f64>,
}

/// What the rows of each state of a parent say of a child.
struct Counts<'a> {
    child: &'a Child<'a>,
    /// `(states, levels)`.
    levels: Vec<f64>,
    /// Rows with a level in each state.
    rows: Vec<f64>,
    /// Numbers, their sum and their sum of squares in each state.
    numbers: Vec<[f64; 3]>,
}

impl<'a> Child<'a> {
    fn new(
        table: &'a Table,
        column: &Column,
        rows: &Rows,
        index: &[usize],
        residuals: ArrayView2<'_, f64>,
    ) -> Self {
        let mut child = Self {
            table,
            levels: Vec::new(),
            residuals: Vec::new(),
        };
        if let Some(v) = column.variable.filter(|_| !table.shares.is_empty()) {
            child.levels = index.iter().map(|&row| rows.levels[[row, v]]).collect();
        }
        if let Some(score) = column.score.filter(|_| table.has_map) {
            child.residuals = residuals
                .column(score)
                .iter()
                .copied()
                .take(index.len())
                .collect();
        }
        child
    }

    /// The counts of the first rows, whose parent is in these states.
    fn given(&'a self, states: &[u8]) -> Counts<'a> {
        let (all, levels) = (self.table.states, self.table.shares.len());
        let mut counts = Counts {
            child: self,
            levels: vec![0.0; all * levels],
            rows: vec![0.0; all],
            numbers: vec![[0.0; 3]; if self.residuals.is_empty() { 0 } else { all }],
        };
        for (row, &state) in states.iter().enumerate().filter(|(_, state)| **state != NO_STATE) {
            let state = usize::from(state).min(all - 1);
            if let Some(level) = self
                .levels
                .get(row)
                .map(|&level| level as usize)
                .filter(|l| *l < levels)
            {
                counts.levels[state * levels + level] += 1.0;
                counts.rows[state] += 1.0;
            }
            if let Some(&residual) = self.residuals.get(row).filter(|residual| residual.is_finite()) {
                let [n, sum, squares] = &mut counts.numbers[state];
                (*n, *sum, *squares) = (*n + 1.0, *sum + residual, *squares + residual * residual);
            }
        }
        counts
    }
}

impl Counts<'_> {
    /// The levels' log-likelihood of each row given all others, above that of the shares of all rows, nats in all.
    fn gain_of_levels(&self, strength: f64) -> f64 {
        let shares = &self.child.table.shares;
        let mut gain = 0.0;
        for (counts, &rows) in self.levels.chunks(shares.len().max(1)).zip(&self.rows) {
            for (&count, share) in counts.iter().zip(shares).filter(|(count, _)| **count > 0.0) {
                let others = (count - 1.0 + strength * share) / (rows - 1.0 + strength);
                gain += count * (others / share).ln();
            }
        }
        gain
    }

    fn best_strength(&self, strengths: &[f64]) -> (f64, f64) {
        let gains = strengths
            .iter()
            .map(|&strength| (strength, self.gain_of_levels(strength)));
        gains
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .unwrap_or((1.0, 0.0))
    }

    /// What a parent of these counts gains for levels and for numbers, nats over all rows.
    fn gains(&self, strengths: &[f64]) -> [f64; 2] {
        let of_levels = self.best_strength(strengths).1;
        let of_numbers = self.numbers.iter().filter_map(|&sums| Moved::of(sums));
        [of_levels.max(0.0), of_numbers.map(|moved| moved.gain).sum()]
    }

    /// Writes the log-shares of all states.
    fn write_levels<T: Real>(&self, entries: &mut [T]) {
        let table = self.child.table;
        let shares = &table.shares;
        let (strength, gain) = self.best_strength(&STRENGTHS);
        for (state, entries) in entries.chunks_mut(table.width()).enumerate() {
            if gain <= 0.0 || self.rows[state] == 0.0 {
                continue;
            }
            let counts = &self.levels[state * shares.len()..(state + 1) * shares.len()];
            for ((entry, count), share) in entries.iter_mut().zip(counts).zip(shares) {
                let given = (count + strength * share) / (self.rows[state] + strength);
                *entry = T::of((given / share).ln());
            }
        }
    }

    /// Writes the locations and log-scales of all states; `scale` is that of the regression.
    fn write_numbers<T: Real>(&self, scale: f64, entries: &mut [T]) {
        let table = self.child.table;
        for (entries, &sums) in entries.chunks_mut(table.width()).zip(&self.numbers) {
            if let (Some(moved), [.., location, log_scale]) = (Moved::of(sums), entries) {
                (*location, *log_scale) = (T::of(scale * moved.location), T::of(moved.log_scale));
            }
        }
    }
}

/// Location and log-scale of the numbers of one state.
struct Moved {
    location: f64,
    log_scale: f64,
    /// Nats over all rows, less what two numbers cost.
    gain: f64,
}

impl Moved {
    /// Of the number of residuals, their sum and their sum of squares; `None` if they are as they were, nearly.
    fn of([n, sum, squares]: [f64; 3]) -> Option<Self> {
        let location = sum / (n + PULL);
        let left = squares - 2.0 * location * sum + n * location * location;
        let log_scale = (0.5 * ((left + PULL) / (n + PULL)).ln()).clamp(LOG_SCALES.0, LOG_SCALES.1);
        let gain = -n * log_scale - 0.5 * (left * (-2.0 * log_scale).exp() - squares) - COST;
        (gain > 0.0).then_some(Self {
            location,
            log_scale,
            gain,
        })
    }
}

/// Hands `add` each output of a column's head that a state's entries belong to, with its entry.
fn add_entries<T: Real>(table: &Table, column: &Column, entries: &[T], mut add: impl FnMut(usize, T)) {
    let (levels, map) = entries.split_at(table.shares.len());
    let start = column.outputs.start;
    if let Some((&continuous, others)) = levels.split_first() {
        // the logistics and the background, or level 0 of a column without ranks
        (0..=column.components).for_each(|logit| add(start + logit, continuous));
        for (l, &other) in others.iter().enumerate() {
            add(start + column.components + 1 + l, other);
        }
    }
    if let Some(outputs) = column.map() {
        outputs.zip(map).for_each(|(output, &entry)| add(output, entry));
    }
}
