//! Several chains, trained apart and averaged.

use std::ops::Range;

use ef_density::autoregressive::{AncestralPass, PassSums, TableMade};
use ef_density::rows::{RowScratch, Rows};
use ef_density::{Density, HeadOffsets, Key, ScoreKey, log_mean_exp, uniform};
use ef_tensor::{ParamVisitor, Scope};

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
        let given = rows.clone();
        let mut all = PassSums::default();
        for (m, params) in self.of(params).enumerate() {
            let mut own = given.clone();
            let sums = self.network.pass(params, &mut own, columns, pass, scratch);
            if m == 0 {
                all = sums.clone();
            }
            for i in (0..pass.streams.len()).filter(|i| member(*i) == m) {
                rows.levels.row_mut(i).assign(&own.levels.row(i));
                rows.low.row_mut(i).assign(&own.low.row(i));
                rows.high.row_mut(i).assign(&own.high.row(i));
                (all.observed[i], all.proposed[i], all.set_mass[i]) =
                    (sums.observed[i], sums.proposed[i], sums.set_mass[i]);
                if pass.by_column {
                    all.by_column.column_mut(i).assign(&sums.by_column.column(i));
                }
            }
        }
        all
    }

    pub(crate) fn sample(
        &self,
        params: &[f32],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<f32>,
    ) -> Rows {
        let picks = key.purpose("member");
        let mut members = self.of(params).zip(0..);
        let (first, _) = members.next().expect("at least one member");
        let mut drawn = self.network.sample(first, given, rows.clone(), key, scratch);
        for (params, member) in members {
            let other = self.network.sample(params, given, rows.clone(), key, scratch);
            for (i, row) in rows.clone().enumerate() {
                let pick = (uniform(&mut picks.row(row)) * self.count as f64) as usize;
                if pick == member {
                    drawn.levels.row_mut(i).assign(&other.levels.row(i));
                    drawn.low.row_mut(i).assign(&other.low.row(i));
                    drawn.high.row_mut(i).assign(&other.high.row(i));
                }
            }
        }
        drawn
    }
}

/// What the parameters' names of a member begin with.
fn member_name(member: usize) -> String {
    format!("member{member}")
}
