//! What is known of a row, column by column: what a condition or a table fixes or narrows.

use ef_density::Place;
use ef_density::autoregressive::{CellSet, Step};
use ef_density::rows::{Layout, Rows};
use ef_tabular::ColumnLaw;
use ef_tabular::condition::ValueSet;

/// What is known of one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnEvidence {
    /// Nothing.
    Free,
    /// That there is only one cell.
    Certain,
    /// Its value.
    Value(Place),
    /// That it lies in a set.
    Within(Within),
}

/// A set of values of a column, in cells and ranks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Within {
    pub(crate) set: CellSet,
    /// Of the cell that pools rare categories: which positions lie in the set. Empty for all.
    positions: Vec<(f64, f64)>,
}

impl Within {
    /// The part of a law in a set of values; without `tails`, in the range seen at fit.
    pub(crate) fn new(law: &ColumnLaw, set: &ValueSet, tails: bool) -> Self {
        let mut within = law.cells_within(set);
        if !tails {
            within = within.confined(law);
        }
        let mut cells: Vec<f64> = within
            .cells()
            .iter()
            .map(|&held| f64::from(u8::from(held)))
            .collect();
        let (mut ranks, mut positions) = (Vec::new(), Vec::new());
        match (law, within.ranked_cell()) {
            (ColumnLaw::Category(_), Some(cell)) => {
                cells[cell as usize] = within.rank_share();
                positions = within.ranks().to_vec();
            }
            _ => ranks = within.ranks().to_vec(),
        }
        Self {
            set: CellSet { cells, ranks },
            positions,
        }
    }

    /// `ln` of the share of a cell, or of the ranks of the continuous one, that lies in the set.
    pub(crate) fn log_share(&self, law: &ColumnLaw, cell: u32) -> f64 {
        match law.is_continuous() && cell == 0 {
            true => self
                .set
                .ranks
                .iter()
                .map(|(low, high)| high - low)
                .sum::<f64>()
                .ln(),
            false => self.set.cells[cell as usize].ln(),
        }
    }

    /// Whether it leaves nothing of the law out that is ever drawn.
    fn is_whole(&self, law: &ColumnLaw, tails: bool) -> bool {
        let all = Self::new(law, &ValueSet::all(kind_of(law)), tails);
        *self == all
    }

    /// The position in the pooled cell that a uniform number stands for.
    fn position(&self, u: f64) -> f64 {
        let total: f64 = self.positions.iter().map(|(low, high)| high - low).sum();
        let mut left = u * total;
        for (low, high) in &self.positions {
            if left < high - low {
                return (low + left).max(low.next_up()).min(high.next_down());
            }
            left -= high - low;
        }
        self.positions.last().map_or(u, |(_, high)| high.next_down())
    }
}

fn kind_of(law: &ColumnLaw) -> ef_tabular::Kind {
    match law {
        ColumnLaw::Number(_) => ef_tabular::Kind::Decimal,
        ColumnLaw::Date(_) => ef_tabular::Kind::Date,
        _ => ef_tabular::Kind::Category,
    }
}

impl ColumnEvidence {
    /// What is known of a column of which nothing else is: little, or that it has one cell.
    pub(crate) fn open(law: &ColumnLaw) -> Self {
        match law.cells() == 1 && !law.is_continuous() {
            true => Self::Certain,
            false => Self::Free,
        }
    }

    /// That the column lies in a set: nothing if the set leaves nothing out.
    pub(crate) fn within(law: &ColumnLaw, set: &ValueSet, tails: bool) -> Self {
        let within = Within::new(law, set, tails);
        if !set.is_all() && !within.is_whole(law, tails) {
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
            Self::Within(within) => Some(&within.set),
        };
        match replay {
            true => Step::Score(set),
            false => Step::Draw(set),
        }
    }

    /// The position in a pooled cell that a uniform number stands for.
    pub(crate) fn position(&self, u: f64) -> f64 {
        match self {
            Self::Within(within) if !within.positions.is_empty() => within.position(u),
            _ => u,
        }
    }

    /// The share of a cell that is left.
    pub(crate) fn share_of_cell(&self, cell: usize) -> f64 {
        match self {
            Self::Free | Self::Certain => 1.0,
            Self::Value(place) => f64::from(u8::from(place.cell == Some(cell as u32))),
            Self::Within(within) => within.set.cells.get(cell).copied().unwrap_or(0.0),
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
            ColumnEvidence::Within(within) => !within.set.is_empty(),
            ColumnEvidence::Value(place) => place.cell.is_some() || place.log_measure > f64::NEG_INFINITY,
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
        law_is_continuous: impl Fn(usize) -> bool,
    ) -> bool {
        self.columns.iter().enumerate().all(|(j, known)| match known {
            ColumnEvidence::Free | ColumnEvidence::Certain => true,
            ColumnEvidence::Value(place) => {
                let (cell, rank) = layout.cell_and_rank(rows, row, j);
                let ranked = law_is_continuous(j) && cell == 0;
                place.cell == Some(cell) && (!ranked || (place.low < rank && rank <= place.high))
            }
            ColumnEvidence::Within(within) => {
                let (cell, rank) = layout.cell_and_rank(rows, row, j);
                within.set.contains(cell, law_is_continuous(j).then_some(rank))
            }
        })
    }
}
