//! What is known of a row, column by column: what is fixed, and what is narrowed to a set.

use ef_column::{LevelSet, Marginal, Place};

use crate::autoregressive::Step;
use crate::rows::{Layout, Rows};

/// What is known of one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnEvidence {
    /// Nothing.
    Free,
    /// That it has one level and no continuous one, so that nothing is open.
    Certain,
    /// Its value.
    Value(Place),
    /// That it lies in a set.
    Within(LevelSet),
}

impl ColumnEvidence {
    /// The evidence of a column that nothing was said of: [`Certain`](Self::Certain) or [`Free`](Self::Free).
    pub fn open<M: Marginal>(marginal: &M) -> Self {
        if marginal.levels() == 1 && !marginal.is_continuous() {
            Self::Certain
        } else {
            Self::Free
        }
    }

    /// What an ancestral pass does with the column: a known or certain value is observed, any other is drawn, or
    /// scored if `scored`.
    pub fn step(&self, scored: bool) -> Step<'_> {
        let set = match self {
            Self::Value(_) | Self::Certain => return Step::Observe,
            Self::Free => None,
            Self::Within(within) => Some(within),
        };
        if scored { Step::Score(set) } else { Step::Draw(set) }
    }

    /// The position in a pooled level that a uniform number stands for.
    pub fn position(&self, u: f64) -> f64 {
        match self {
            Self::Within(within) => within.position(u),
            _ => u,
        }
    }

    /// The share of a level that is left.
    pub fn share_of_level(&self, level: u32) -> f64 {
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
pub struct Evidence {
    /// Of each modelled column.
    pub columns: Vec<ColumnEvidence>,
    /// Context features.
    pub context: Vec<f32>,
    /// How many of the columns, from the first, the weights of an ancestral density depend on: all up to the last of
    /// which something is known. The weights of a flow depend on all columns.
    pub head: usize,
    /// Columns that the order-agnostic network draws first. The model's own proposal keeps to the order of the columns.
    pub leading: Vec<usize>,
    /// The context-free part of the log-density of known values.
    pub log_measure: f64,
}

impl Evidence {
    /// Evidence of each modelled column; the order-agnostic network draws the columns `leading` first.
    pub fn new(columns: Vec<ColumnEvidence>, leading: Vec<usize>, context: Vec<f32>) -> Self {
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
    pub fn is_possible(&self) -> bool {
        self.columns.iter().all(|known| match known {
            ColumnEvidence::Within(within) => !within.is_empty(),
            ColumnEvidence::Value(place) => place.level.is_some() || place.log_measure > f64::NEG_INFINITY,
            ColumnEvidence::Free | ColumnEvidence::Certain => true,
        })
    }

    /// Whether any value is known.
    pub fn has_values(&self) -> bool {
        self.columns
            .iter()
            .any(|known| matches!(known, ColumnEvidence::Value(_)))
    }

    /// Whether anything is drawn in the head; if not, one draw says all.
    pub fn draws_in_head(&self) -> bool {
        self.columns[..self.head]
            .iter()
            .any(|known| !matches!(known, ColumnEvidence::Value(_) | ColumnEvidence::Certain))
    }

    /// Writes known values to a row.
    pub fn write(&self, layout: &Layout, rows: &mut Rows, row: usize) {
        for (j, known) in self.columns.iter().enumerate() {
            if let ColumnEvidence::Value(place) = known {
                layout.set_place(rows, row, j, place);
            }
        }
    }

    /// Whether a row's values lie in all sets.
    pub fn holds(&self, layout: &Layout, rows: &Rows, row: usize) -> bool {
        let is_ranked = |j: usize| layout.columns()[j].1.is_some();
        self.columns.iter().enumerate().all(|(j, known)| match known {
            ColumnEvidence::Free | ColumnEvidence::Certain => true,
            ColumnEvidence::Value(place) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                let ranked = is_ranked(j) && level == 0;
                place.level == Some(level) && (!ranked || (place.low < rank && rank <= place.high))
            }
            ColumnEvidence::Within(within) => {
                let (level, rank) = layout.level_and_rank(rows, row, j);
                within.contains(level, is_ranked(j).then_some(rank))
            }
        })
    }
}
