//! What a question fixes or narrows of each modelled column.

use ef_column::{LevelSet, Place};
use ef_density::autoregressive::Step;
use ef_density::rows::{Layout, Rows};
use ef_tabular::ColumnMarginal;
use ef_tabular::condition::ValueSet;

/// What is known of one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Limit {
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

impl Limit {
    /// What is known of a column of which nothing else is: little, or that it has one level.
    pub(crate) fn open(marginal: &ColumnMarginal) -> Self {
        match marginal.levels() == 1 && !marginal.is_continuous() {
            true => Self::Certain,
            false => Self::Free,
        }
    }

    /// A set as a limit: nothing if it leaves nothing out.
    pub(crate) fn within(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> Self {
        let within = levels_within(marginal, set, tails);
        if !set.is_all() && !is_whole(&within, marginal, tails) {
            Self::Within(within)
        } else {
            Self::Free
        }
    }

    /// What a walk does with the column where it is drawn (or replayed) if it is not known.
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

    fn is_free(&self) -> bool {
        matches!(self, Self::Free | Self::Certain)
    }
}

/// One question: what is known of a row. Draws are made of the rest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// Of each modelled column.
    pub(crate) limits: Vec<Limit>,
    /// Context features.
    pub(crate) context: Vec<f32>,
    /// How many of the columns, from the first, weights depend on: all up to the last limit.
    pub(crate) head: usize,
    /// Columns that proposals draw first.
    pub(crate) leading: Vec<usize>,
    /// The context-free part of the log-density of known values.
    pub(crate) log_measure: f64,
}

impl Problem {
    pub(crate) fn new(limits: Vec<Limit>, leading: Vec<usize>, context: Vec<f32>) -> Self {
        let head = limits
            .iter()
            .rposition(|limit| !limit.is_free())
            .map_or(0, |last| last + 1);
        let measure = |limit: &Limit| match limit {
            Limit::Value(place) => place.log_measure,
            _ => 0.0,
        };
        Self {
            log_measure: limits.iter().map(measure).sum(),
            limits,
            context,
            head,
            leading,
        }
    }

    /// Whether every set has something in it.
    pub(crate) fn is_possible(&self) -> bool {
        self.limits.iter().all(|limit| match limit {
            Limit::Within(within) => !within.is_empty(),
            Limit::Value(place) => place.level.is_some() || place.log_measure > f64::NEG_INFINITY,
            Limit::Free | Limit::Certain => true,
        })
    }

    /// Whether any value is known.
    pub(crate) fn has_values(&self) -> bool {
        self.limits.iter().any(|limit| matches!(limit, Limit::Value(_)))
    }

    /// Whether anything is drawn in the head; if not, one draw says all.
    pub(crate) fn draws_in_head(&self) -> bool {
        self.limits[..self.head]
            .iter()
            .any(|limit| !matches!(limit, Limit::Value(_) | Limit::Certain))
    }

    /// Writes known values to a row.
    pub(crate) fn write(&self, layout: &Layout, rows: &mut Rows, row: usize) {
        for (j, limit) in self.limits.iter().enumerate() {
            if let Limit::Value(place) = limit {
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
        self.limits.iter().enumerate().all(|(j, limit)| match limit {
            Limit::Free | Limit::Certain => true,
            Limit::Value(place) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                let ranked = marginal_is_continuous(j) && level == 0;
                place.level == Some(level) && (!ranked || (place.low < rank && rank <= place.high))
            }
            Limit::Within(within) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                within.contains(level, marginal_is_continuous(j).then_some(rank))
            }
        })
    }
}
