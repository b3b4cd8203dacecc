//! Several networks of one size, trained apart and averaged.

use ef_tensor::{ParamVisitor, Real, Scope};
use ndarray::{Array2, Axis};

use super::pass::{AncestralPass, PassSums, Step};
use super::table_made::TableMade;
use crate::density::{Density, HeadOffsets, Scores};
use crate::key::{Key, ScoreKey, uniform};
use crate::log_sum::log_mean_exp;
use crate::row_density::{Ancestral, RowDensity};
use crate::rows::{RowScratch, Rows};

/// The mixture with equal weights of `count` networks of one size: `p(row) = sum_m p_m(row) / count`. A row is drawn from
/// a member that its own stream picks. The parameters of the members lie one after the other; each member is trained by
/// itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    network: TableMade,
    count: usize,
}

impl Ensemble {
    /// So many networks like this one, at least one.
    pub fn new(network: TableMade, count: usize) -> Self {
        Self {
            network,
            count: count.max(1),
        }
    }

    /// The network that each member is.
    pub fn network(&self) -> &TableMade {
        &self.network
    }

    /// Number of members.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The constants of each member's heads, by what the names of its parameters begin with.
    pub fn head_offsets(&self) -> Vec<(String, HeadOffsets)> {
        let prefix = |member: usize| match self.count {
            1 => String::new(),
            _ => format!("{}.", member_name(member)),
        };
        (0..self.count)
            .map(|member| (prefix(member), self.network.head_offsets()))
            .collect()
    }

    /// Gives members that were stopped before their training was over the weights of the first that was not, so that no
    /// half-trained network counts as much as a whole one.
    pub fn replace_unfinished<T: Real>(&self, finished: &[bool], params: &mut [T]) {
        let Some(first) = finished.iter().position(|&f| f) else {
            return;
        };
        let each = self.each();
        for (member, _) in finished.iter().enumerate().filter(|(_, finished)| !**finished) {
            params.copy_within(first * each..(first + 1) * each, member * each);
        }
    }

    /// Parameters of one member: as many for every type of number.
    fn each(&self) -> usize {
        Density::<f32>::num_params(&self.network)
    }

    /// The parameters of each member.
    fn of<'a, T>(&self, params: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        let each = self.each();
        (0..self.count).map(move |member| &params[member * each..(member + 1) * each])
    }

    fn for_each<T>(&self, params: &mut [T], mut f: impl FnMut(u64, &mut [T])) {
        let each = self.each();
        for member in 0..self.count {
            f(member as u64, &mut params[member * each..(member + 1) * each]);
        }
    }

    /// The positions of each member's rows.
    fn by_member(&self, rows: usize, member: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.count];
        for row in 0..rows {
            groups[member(row)].push(row);
        }
        groups
    }
}

impl<T: Real> RowDensity<T> for Ensemble {
    fn num_params(&self) -> usize {
        self.count * self.each()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        if self.count == 1 {
            return Density::<T>::visit_params(&self.network, visitor);
        }
        for member in 0..self.count {
            let name = member_name(member);
            Density::<T>::visit_params(&self.network, &mut Scope::new(name, visitor));
        }
    }

    fn init(&self, key: Key, params: &mut [T]) {
        self.for_each(params, |member, own| self.network.init(&mut key.row(member), own));
    }

    fn project(&self, params: &mut [T]) {
        self.for_each(params, |_, own| Density::<T>::project(&self.network, own));
    }

    /// Exact.
    fn score(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        scores: &mut Scores,
    ) {
        let score = |params| {
            let mut own = vec![0.0; index.len()];
            self.network.log_prob(params, rows, index, key, scratch, &mut own);
            own
        };
        let each: Vec<Vec<f64>> = self.of(params).map(score).collect();
        let mean = |i: usize| log_mean_exp(each.iter().map(|own| own[i]));
        scores.log_prob.extend((0..index.len()).map(mean));
        scores
            .standard_error
            .resize(scores.standard_error.len() + index.len(), 0.0);
    }

    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        streams: &[u64],
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        if self.count == 1 {
            return self.network.sample_streams(params, given, streams, key, scratch);
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

    fn conditional(&self) -> Option<&dyn Ancestral<T>> {
        Some(self)
    }
}

impl<T: Real> Ancestral<T> for Ensemble {
    fn members(&self) -> usize {
        self.count
    }

    fn pass<'a>(
        &'a self,
        params: &[T],
        rows: &mut Rows,
        columns: usize,
        pass: AncestralPass<'a>,
        member: &dyn Fn(usize) -> usize,
        scratch: &mut RowScratch<T>,
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

    /// The log-probability of each column's value given those of the columns before it, under the average of the members.
    ///
    /// ```text
    /// log p(x_j | before) = log mean_m p_m(x_1 .. x_j) - log mean_m p_m(x_1 .. x_(j-1))
    /// ```
    fn log_prob_by_column(&self, params: &[T], rows: &Rows, scratch: &mut RowScratch<T>) -> Array2<f64> {
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
}

/// What the parameters' names of a member begin with.
fn member_name(member: usize) -> String {
    format!("member{member}")
}
