//! Several chains, trained apart and averaged.

use std::ops::Range;

use ef_density::autoregressive::{AncestralPass, PassSums, Step, TableMade};
use ef_density::rows::{RowScratch, Rows};
use ef_density::{Density, HeadOffsets, Key, ScoreKey, log_mean_exp, uniform};
use ef_tensor::{ParamVisitor, Scope};
use ndarray::{Array2, Axis};

use crate::stage::Part;
use crate::table_density::Piece;

/// The mixture with equal weights of `count` chains of one size: `p(row) = sum_m p_m(row) / count`. A row is drawn from a
/// member that its own stream picks.
#[derive(Debug)]
pub(crate) struct Ensemble {
    network: TableMade,
    count: usize,
}

impl Ensemble {
    pub(crate) fn new(network: TableMade, count: usize) -> Self {
        Self { network, count }
    }

    /// The constants of each member's heads, by what the names of its parameters begin with.
    pub(crate) fn head_offsets(&self) -> Vec<(String, HeadOffsets)> {
        let prefix = |member: usize| match self.count {
            1 => String::new(),
            _ => format!("{}.", member_name(member)),
        };
        (0..self.count)
            .map(|member| (prefix(member), self.network.head_offsets()))
            .collect()
    }

    pub(crate) fn hidden(&self) -> usize {
        self.network.hidden()
    }

    fn each(&self) -> usize {
        Density::<f32>::num_params(&self.network)
    }

    /// The parameters of each member.
    fn of<'a>(&self, params: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        let each = self.each();
        (0..self.count).map(move |member| &params[member * each..(member + 1) * each])
    }

    fn for_each(&self, params: &mut [f32], mut f: impl FnMut(u64, &mut [f32])) {
        let each = self.each();
        for member in 0..self.count {
            f(member as u64, &mut params[member * each..(member + 1) * each]);
        }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        // a single column of a single cell has nothing to train
        let count = if self.each() > 0 { self.count } else { 0 };
        (0..count).map(|member| Piece {
            part: Part::Columns,
            member,
            params: self.each(),
            density: &self.network,
        })
    }

    pub(crate) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        if self.count == 1 {
            return Density::<f32>::visit_params(&self.network, visitor);
        }
        for member in 0..self.count {
            let name = member_name(member);
            Density::<f32>::visit_params(&self.network, &mut Scope::new(name, visitor));
        }
    }

    pub(crate) fn init(&self, key: Key, params: &mut [f32]) {
        self.for_each(params, |member, own| self.network.init(&mut key.row(member), own));
    }

    pub(crate) fn project(&self, params: &mut [f32]) {
        self.for_each(params, |_, own| Density::<f32>::project(&self.network, own));
    }

    /// Gives members that were stopped before their training was over the weights of the first that was not, so that no
    /// half-trained network counts as much as a whole one.
    pub(crate) fn replace_unfinished(&self, finished: &[bool], params: &mut [f32]) {
        let Some(first) = finished.iter().position(|&f| f) else {
            return;
        };
        let each = self.each();
        for (member, _) in finished.iter().enumerate().filter(|(_, finished)| !**finished) {
            params.copy_within(first * each..(first + 1) * each, member * each);
        }
    }

    /// Log-densities of the rows `index`, nats; exact.
    pub(crate) fn log_probs(
        &self,
        params: &[f32],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<f32>,
    ) -> Vec<f64> {
        let score = |params| {
            let mut own = vec![0.0; index.len()];
            self.network.log_prob(params, rows, index, key, scratch, &mut own);
            own
        };
        let each: Vec<Vec<f64>> = self.of(params).map(score).collect();
        (0..index.len())
            .map(|i| log_mean_exp(each.iter().map(|own| own[i])))
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Runs a pass over the first `columns` columns of all rows, each under the member that `member` names for its position.
    pub(crate) fn pass<'a>(
        &'a self,
        params: &[f32],
        rows: &mut Rows,
        columns: usize,
        pass: AncestralPass<'a>,
        member: &dyn Fn(usize) -> usize,
        scratch: &mut RowScratch<f32>,
    ) -> PassSums {
        let columns = columns.min(self.network.columns());
        if self.count == 1 {
            return self.network.pass(params, rows, columns, pass, scratch);
        }
        let n = pass.streams.len();
        let mut all = PassSums {
            observed: vec![0.0; n],
            proposed: vec![0.0; n],
            set_mass: vec![0.0; n],
            by_column: Array2::zeros((if pass.by_column { self.network.columns() } else { 0 }, n)),
        };
        for (index, params) in self.by_member(n, member).iter().zip(self.of(params)) {
            if index.is_empty() {
                continue;
            }
            let mut own = rows.select(index);
            let steps = |i: usize, column: usize| (pass.steps)(index[i], column);
            let streams: Vec<u64> = index.iter().map(|&row| pass.streams[row]).collect();
            let own_pass = AncestralPass {
                steps: &steps,
                streams: &streams,
                ..pass
            };
            let sums = self.network.pass(params, &mut own, columns, own_pass, scratch);
            rows.assign(index, &own);
            for (i, &row) in index.iter().enumerate() {
                all.observed[row] = sums.observed[i];
                all.proposed[row] = sums.proposed[i];
                all.set_mass[row] = sums.set_mass[i];
                if pass.by_column {
                    all.by_column.column_mut(row).assign(&sums.by_column.column(i));
                }
            }
        }
        all
    }

    /// The split of each row's log-density by column, `(columns, rows)`: the log-probability of each column's value given
    /// those of the columns before it, under the average of the members.
    ///
    /// ```text
    /// log p(x_j | before) = log mean_m p_m(x_1 .. x_j) - log mean_m p_m(x_1 .. x_(j-1))
    /// ```
    pub(crate) fn log_prob_by_column(
        &self,
        params: &[f32],
        rows: &Rows,
        scratch: &mut RowScratch<f32>,
    ) -> Array2<f64> {
        let n = rows.log_measure.len();
        let pass = AncestralPass {
            steps: &|_, _| Step::Score(None),
            streams: &vec![0; n],
            // every value is there: nothing is drawn
            key: Key::new(0),
            scored: true,
            by_column: true,
        };
        let columns = self.network.columns();
        let mut each = self.of(params).map(|params| {
            let mut own = rows.clone();
            self.network
                .pass(params, &mut own, columns, pass, scratch)
                .by_column
        });
        if self.count == 1 {
            return each.next().expect("one member");
        }
        let mut each: Vec<Array2<f64>> = each.collect();
        for own in &mut each {
            own.accumulate_axis_inplace(Axis(0), |before, sum| *sum += before);
        }
        let mut split =
            Array2::from_shape_fn((columns, n), |at| log_mean_exp(each.iter().map(|own| own[at])));
        for row in 0..n {
            for j in (1..columns).rev() {
                // what is impossible by an earlier column says no more
                let before = split[[j - 1, row]];
                split[[j, row]] = if before.is_finite() {
                    split[[j, row]] - before
                } else {
                    0.0
                };
            }
        }
        split
    }

    /// The positions of each member's rows.
    fn by_member(&self, rows: usize, member: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.count];
        for row in 0..rows {
            groups[member(row)].push(row);
        }
        groups
    }

    pub(crate) fn sample(
        &self,
        params: &[f32],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<f32>,
    ) -> Rows {
        let streams: Vec<u64> = rows.collect();
        if self.count == 1 {
            return self.network.sample_streams(params, given, &streams, key, scratch);
        }
        let picks = key.purpose("member");
        let pick = |i: usize| {
            let picked = (uniform(&mut picks.row(streams[i])) * self.count as f64) as usize;
            picked.min(self.count - 1)
        };
        let groups = self.by_member(streams.len(), pick);
        let mut drawn = Vec::with_capacity(self.count);
        for (index, params) in groups.iter().zip(self.of(params)) {
            let own: Vec<u64> = index.iter().map(|&row| streams[row]).collect();
            let context = Rows::of_context(given.context.select(Axis(0), index));
            drawn.push(self.network.sample_streams(params, &context, &own, key, scratch));
        }
        // from the members' rows, one group after the other, to the rows' own order
        let mut place = vec![0; streams.len()];
        for (at, &row) in groups.iter().flatten().enumerate() {
            place[row] = at;
        }
        Rows::concatenate(drawn).select(&place)
    }
}

/// What the parameters' names of a member begin with.
fn member_name(member: usize) -> String {
    format!("member{member}")
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use ef_demo::Demo;
    use ef_density::autoregressive::TableMadeConfig;
    use ef_density::rows::Layout;

    use super::*;
    use crate::columns::Columns;

    const ROWS: usize = 300;

    fn ensemble() -> (Ensemble, Vec<f32>, Layout, Rows) {
        let table = Demo::Loans.generate(ROWS, 1).to_table().unwrap();
        let (columns, _) = Columns::fit(&table, &[], true, &Default::default()).unwrap();
        let layout = columns.layout();
        let mut config = TableMadeConfig::default();
        (config.net.hidden, config.net.blocks) = (16, 1);
        let ensemble = Ensemble::new(TableMade::new(&layout, &config).unwrap(), 3);
        let mut params = vec![0.0; 3 * ensemble.each()];
        ensemble.init(Key::new(4), &mut params);
        // no network starts at outputs of zero
        let mut rng = Key::new(5).row(0);
        for param in params.iter_mut().filter(|param| **param == 0.0) {
            *param = 0.2 * (uniform(&mut rng) as f32 - 0.5);
        }
        ensemble.project(&mut params);
        let rows = columns.rows(&table, &layout).unwrap();
        (ensemble, params, layout, rows)
    }

    /// Each row is, to the bit, what its member draws for it among all rows.
    #[test]
    fn rows_are_those_of_their_members() {
        let (ensemble, params, _, rows) = ensemble();
        let (scratch, key) = (&mut RowScratch::default(), Key::new(1));
        let first = 1 << 40;
        let drawn = ensemble.sample(&params, &rows, first..first + ROWS as u64, key, scratch);
        let each: Vec<Rows> = ensemble
            .of(&params)
            .map(|own| {
                ensemble
                    .network
                    .sample(own, &rows, first..first + ROWS as u64, key, scratch)
            })
            .collect();
        let mut members = [0; 3];
        for row in 0..ROWS {
            let u = uniform(&mut key.purpose("member").row(first + row as u64));
            let member = (u * 3.0) as usize;
            members[member] += 1;
            assert_eq!(drawn.select(&[row]), each[member].select(&[row]), "row {row}");
        }
        assert!(members.iter().all(|&rows| rows > 60), "{members:?}");
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
        let member = |row: usize| row * 7 % 3;
        let mut ours = rows.clone();
        let sums = ensemble.pass(&params, &mut ours, columns, pass, &member, scratch);
        for (m, own) in ensemble.of(&params).enumerate() {
            let mut theirs = rows.clone();
            let expected = ensemble.network.pass(own, &mut theirs, columns, pass, scratch);
            for row in (0..ROWS).filter(|row| member(*row) == m) {
                assert_eq!(ours.select(&[row]), theirs.select(&[row]), "row {row}");
                assert_eq!(
                    (sums.observed[row], sums.proposed[row], sums.set_mass[row]),
                    (
                        expected.observed[row],
                        expected.proposed[row],
                        expected.set_mass[row]
                    )
                );
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
        let whole = ensemble.log_probs(&params, &rows, &index, ScoreKey::new(1), scratch);
        for row in 0..ROWS {
            let sum = split.column(row).sum() + rows.log_measure[row];
            approx::assert_relative_eq!(sum, whole[row], epsilon = 1e-3, max_relative = 1e-4);
        }
    }
}
