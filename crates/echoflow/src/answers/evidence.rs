//! What is known of a row, column by column: what a condition or a table fixes or narrows.

use ef_column::{LevelSet, Place};
use ef_density::autoregressive::Step;
use ef_density::rows::{Layout, Rows};
use ef_tabular::ColumnMarginal;
use ef_tabular::condition::ValueSet;

/// What is known of one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnEvidence {
    /// Nothing.
    Free,
    /// That there is only one level.
    Certain,
    /// Its value.
    Value(Place),
    /// That it lies in a set.
    Within(LevelSet),
}

/// The levels of a marginal in a set of values; without `tails`, in the range seen at fit.
pub(crate) fn levels_within(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> LevelSet {
    let within = marginal.levels_within(set);
    match tails {
        true => within,
        false => marginal.within_range_seen(within),
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

impl ColumnEvidence {
    /// What is known of a column of which nothing else is: little, or that it has one level.
    pub(crate) fn open(marginal: &ColumnMarginal) -> Self {
        match marginal.levels() == 1 && !marginal.is_continuous() {
            true => Self::Certain,
            false => Self::Free,
        }
    }

    /// That the column lies in a set: nothing if the set leaves nothing out.
    pub(crate) fn within(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> Self {
        let within = levels_within(marginal, set, tails);
        if !set.is_all() && !is_whole(&within, marginal, tails) {
            Self::Within(within)
        } else {
            Self::Free
        }
    }

    /// What an ancestral pass does with the column where it is drawn (or replayed) if it is not known.
    pub(crate) fn step(&self, replay: bool) -> Step<'_> {
        let set = match self {
            Self::Value(_) | Self::Certain => return Step::Observe,
            Self::Free => None,
            Self::Within(within) => Some(within),
        };
        match replay {
            true => Step::Score(set),
            false => Step::Draw(set),
        }
    }

    /// The position in a pooled level that a uniform number stands for.
    pub(crate) fn position(&self, u: f64) -> f64 {
        match self {
            Self::Within(within) => within.position(u),
            _ => u,
        }
    }

    /// The share of a level that is left.
    pub(crate) fn share_of_level(&self, level: u32) -> f64 {
        match self {
            Self::Free | Self::Certain => 1.0,
            Self::Value(place) => f64::from(u8::from(place.level == Some(level))),
            Self::Within(within) => within.share(level),
        }
    }

    fn is_free(&self) -> bool {
        matches!(self, Self::Free | Self::Certain)
    }
}

/// What is known of a row. Draws are made of the rest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evidence {
    /// Of each modelled column.
    pub(crate) columns: Vec<ColumnEvidence>,
    /// Context features.
    pub(crate) context: Vec<f32>,
    /// How many of the columns, from the first, weights depend on: all up to the last of which something is known.
    pub(crate) head: usize,
    /// Columns that proposals draw first.
    pub(crate) leading: Vec<usize>,
    /// The context-free part of the log-density of known values.
    pub(crate) log_measure: f64,
}

impl Evidence {
    pub(crate) fn new(columns: Vec<ColumnEvidence>, leading: Vec<usize>, context: Vec<f32>) -> Self {
        let head = columns
            .iter()
            .rposition(|known| !known.is_free())
            .map_or(0, |last| last + 1);
        let measure = |known: &ColumnEvidence| match known {
            ColumnEvidence::Value(place) => place.log_measure,
            _ => 0.0,
        };
        Self {
            log_measure: columns.iter().map(measure).sum(),
            columns,
            context,
            head,
            leading,
        }
    }

    /// Whether every set has something in it.
    pub(crate) fn is_possible(&self) -> bool {
        self.columns.iter().all(|known| match known {
            ColumnEvidence::Within(within) => !within.is_empty(),
            ColumnEvidence::Value(place) => place.level.is_some() || place.log_measure > f64::NEG_INFINITY,
            ColumnEvidence::Free | ColumnEvidence::Certain => true,
        })
    }

    /// Whether any value is known.
    pub(crate) fn has_values(&self) -> bool {
        self.columns
            .iter()
            .any(|known| matches!(known, ColumnEvidence::Value(_)))
    }

    /// Whether anything is drawn in the head; if not, one draw says all.
    pub(crate) fn draws_in_head(&self) -> bool {
        self.columns[..self.head]
            .iter()
            .any(|known| !matches!(known, ColumnEvidence::Value(_) | ColumnEvidence::Certain))
    }

    /// Writes known values to a row.
    pub(crate) fn write(&self, layout: &Layout, rows: &mut Rows, row: usize) {
        for (j, known) in self.columns.iter().enumerate() {
            if let ColumnEvidence::Value(place) = known {
                layout.set_place(rows, row, j, place);
            }
        }
    }

    /// Whether a row's values lie in all sets.
    pub(crate) fn holds(
        &self,
        layout: &Layout,
        rows: &Rows,
        row: usize,
        marginal_is_continuous: impl Fn(usize) -> bool,
    ) -> bool {
        self.columns.iter().enumerate().all(|(j, known)| match known {
            ColumnEvidence::Free | ColumnEvidence::Certain => true,
            ColumnEvidence::Value(place) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                let ranked = marginal_is_continuous(j) && level == 0;
                place.level == Some(level) && (!ranked || (place.low < rank && rank <= place.high))
            }
            ColumnEvidence::Within(within) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                within.contains(level, marginal_is_continuous(j).then_some(rank))
            }
        })
    }
}
