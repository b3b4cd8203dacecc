//! Evidence about columns as conditions and tables state it: by sets of values.

use ef_column::LevelSet;
use ef_density::infer::ColumnEvidence;
use ef_tabular::ColumnMarginal;
use ef_tabular::condition::ValueSet;

/// The levels of a marginal in a set of values; without `tails`, in the range seen at fit.
pub(super) fn levels_within(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> LevelSet {
    let within = marginal.levels_within(set);
    if tails {
        within
    } else {
        marginal.within_range_seen(within)
    }
}

/// Whether a set leaves nothing of the marginal out that is ever drawn.
fn is_whole(within: &LevelSet, marginal: &ColumnMarginal, tails: bool) -> bool {
    *within == levels_within(marginal, &ValueSet::all(kind_of(marginal)), tails)
}

fn kind_of(marginal: &ColumnMarginal) -> ef_tabular::Kind {
    match marginal {
        ColumnMarginal::Number(_) => ef_tabular::Kind::Decimal,
        ColumnMarginal::Date(_) => ef_tabular::Kind::Date,
        _ => ef_tabular::Kind::Category,
    }
}

/// That a column lies in a set: nothing if the set leaves nothing out.
pub(super) fn within(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> ColumnEvidence {
    let within = levels_within(marginal, set, tails);
    if !set.is_all() && !is_whole(&within, marginal, tails) {
        ColumnEvidence::Within(within)
    } else {
        ColumnEvidence::Free
    }
}
