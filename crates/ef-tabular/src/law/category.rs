//! The law of categories and booleans.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Place, Value, unseen_share};

/// Levels with a cell of their own; the others share one.
const OWN_CELLS: usize = 1000;

/// Categories by their counts: `P(seen value) = (1 - u) n_value / n`, `P(unseen) = u`, where `u` is the Good-Turing share
/// `min((singletons + 1) / (n + 2), 1/2)`.
///
/// Cells: the commonest 1000 levels (by count, then by text), one cell for all rarer ones with an in-cell law by counts,
/// and one for missing cells if there were any at fit. A new label, and a missing cell where none was missing at fit,
/// are one unseen event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct CategoryLaw {
    saved: Saved,
    /// Position of each level.
    index: HashMap<String, u32>,
    /// Cumulated counts of the pooled levels.
    pooled: Vec<u64>,
    rows: u64,
    unseen: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    levels: Vec<String>,
    counts: Vec<u64>,
    missing: u64,
    boolean: bool,
}

impl From<Saved> for CategoryLaw {
    fn from(mut saved: Saved) -> Self {
        let known = saved.levels.len().min(saved.counts.len());
        saved.levels.truncate(known);
        saved.counts.truncate(known);
        let index = saved
            .levels
            .iter()
            .enumerate()
            .map(|(position, level)| (level.clone(), position as u32))
            .collect();
        let mut total = 0u64;
        let mut pooled = Vec::new();
        for count in saved.counts.iter().skip(OWN_CELLS) {
            total += count;
            pooled.push(total);
        }
        let rows = saved.counts.iter().sum::<u64>() + saved.missing;
        let singletons = saved.counts.iter().filter(|count| **count == 1).count();
        let unseen = unseen_share(singletons, rows as usize);
        Self {
            saved,
            index,
            pooled,
            rows,
            unseen,
        }
    }
}

impl From<CategoryLaw> for Saved {
    fn from(law: CategoryLaw) -> Self {
        law.saved
    }
}

impl CategoryLaw {
    /// Counts the labels; `None` is a missing cell.
    pub fn fit<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self::count(values, false)
    }

    /// Counts true and false; `None` is a missing cell.
    pub fn fit_booleans(values: impl Iterator<Item = Option<bool>>) -> Self {
        Self::count(values.map(|value| value.map(boolean_level)), true)
    }

    fn count<'a>(values: impl Iterator<Item = Option<&'a str>>, boolean: bool) -> Self {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        let mut missing = 0;
        for value in values {
            match value {
                Some(level) => *counts.entry(level).or_default() += 1,
                None => missing += 1,
            }
        }
        let mut levels: Vec<(&str, u64)> = counts.into_iter().collect();
        levels.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let counts = levels.iter().map(|(_, count)| *count).collect();
        let levels = levels.into_iter().map(|(level, _)| level.to_owned()).collect();
        Saved {
            levels,
            counts,
            missing,
            boolean,
        }
        .into()
    }

    fn own(&self) -> usize {
        self.saved.levels.len().min(OWN_CELLS)
    }

    /// Cumulated counts of the pooled levels, which are the last ones.
    pub(super) fn pooled(&self) -> &[u64] {
        &self.pooled
    }

    fn rare_total(&self) -> u64 {
        self.pooled.last().copied().unwrap_or(0)
    }

    /// The cell of missing values, if any were missing at fit.
    pub fn missing_cell(&self) -> Option<u32> {
        (self.saved.missing > 0).then(|| (self.own() + usize::from(!self.pooled.is_empty())) as u32)
    }

    /// The cell that pools the rare levels, if there are more than 1000 levels.
    pub fn rare_cell(&self) -> Option<u32> {
        (!self.pooled.is_empty()).then(|| self.own() as u32)
    }

    /// The levels seen at fit, commonest first.
    pub fn levels(&self) -> &[String] {
        &self.saved.levels
    }

    /// Whether the labels are true and false.
    pub(crate) fn is_boolean(&self) -> bool {
        self.saved.boolean
    }

    /// Probability of a value never seen at fit.
    pub fn unseen_share(&self) -> f64 {
        self.unseen
    }

    pub(super) fn cells(&self) -> usize {
        let cells = self.own() + usize::from(!self.pooled.is_empty()) + usize::from(self.saved.missing > 0);
        cells.max(1)
    }

    pub(super) fn cell_shares(&self) -> Vec<f64> {
        if self.rows == 0 {
            return vec![1.0];
        }
        let own = self.saved.counts[..self.own()].iter().copied();
        let rare = self.rare_cell().map(|_| self.rare_total());
        let missing = self.missing_cell().map(|_| self.saved.missing);
        own.chain(rare)
            .chain(missing)
            .map(|count| count as f64 / self.rows as f64)
            .collect()
    }

    pub(super) fn place(&self, value: Value<'_>) -> Place {
        let seen = (-self.unseen).ln_1p();
        let level = match value {
            Value::Text(text) => self.index.get(text),
            Value::Boolean(value) => self.index.get(boolean_level(value)),
            Value::Missing => {
                return match self.missing_cell() {
                    Some(cell) => Place::discrete(Some(cell), seen),
                    None => Place::discrete(None, self.unseen.ln()),
                };
            }
            Value::Number(_) | Value::Date(_) => None,
        };
        match level {
            None => Place::discrete(None, self.unseen.ln()),
            Some(level) if (*level as usize) < OWN_CELLS => Place::discrete(Some(*level), seen),
            Some(level) => {
                let share = self.saved.counts[*level as usize] as f64 / self.rare_total() as f64;
                Place::discrete(self.rare_cell(), seen + share.ln())
            }
        }
    }

    pub(super) fn draw(&self, cell: u32, rank: f64) -> Value<'_> {
        let cell = cell as usize;
        let level = if cell < self.own() {
            cell
        } else if Some(cell as u32) == self.rare_cell() {
            let target = (rank.clamp(0.0, 1.0) * self.rare_total() as f64) as u64;
            let position = self.pooled.partition_point(|total| *total <= target);
            OWN_CELLS + position.min(self.pooled.len() - 1)
        } else {
            return Value::Missing;
        };
        let text = self.saved.levels[level].as_str();
        if self.saved.boolean {
            Value::Boolean(text == boolean_level(true))
        } else {
            Value::Text(text)
        }
    }

    pub(super) fn stored_training_values(&self) -> usize {
        self.saved.levels.len()
    }
}

fn boolean_level(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::super::ColumnLaw;
    use super::*;

    fn total(law: &ColumnLaw, values: impl Iterator<Item = String>) -> f64 {
        values
            .map(|value| law.log_marginal(Value::Text(&value)).exp())
            .sum()
    }

    #[test]
    fn mass_is_one_with_missing_and_unseen() {
        let values = [Some("a"), Some("a"), None, Some("b")];
        let law = ColumnLaw::Category(CategoryLaw::fit(values.into_iter()));
        let seen = total(&law, ["a".to_owned(), "b".to_owned()].into_iter())
            + law.log_marginal(Value::Missing).exp();
        assert_relative_eq!(
            seen + law.log_marginal(Value::Text("new")).exp(),
            1.0,
            epsilon = 1e-12
        );
        assert_eq!(law.place(Value::Text("new")).cell, None);
        assert_relative_eq!(
            law.place(Value::Text("new")).log_measure,
            f64::ln(2.0 / 6.0),
            epsilon = 1e-12
        );
    }

    #[test]
    fn rare_levels_share_a_cell_by_their_counts() {
        let names: Vec<String> = (0..1500)
            .flat_map(|i| vec![format!("n{i}"); if i < 1000 { 3 } else { 1 + i % 2 }])
            .collect();
        let law = ColumnLaw::Category(CategoryLaw::fit(names.iter().map(|name| Some(name.as_str()))));
        assert_eq!(law.cells(), 1001);
        let seen = total(&law, (0..1500).map(|i| format!("n{i}")));
        assert_relative_eq!(
            seen + law.log_marginal(Value::Text("new")).exp(),
            1.0,
            epsilon = 1e-9
        );
        // uniform ranks give every pooled level its share
        let draws = 7500;
        let mut counts = HashMap::new();
        for k in 0..draws {
            let Value::Text(name) = law.draw(1000, (f64::from(k) + 0.5) / f64::from(draws)) else {
                unreachable!()
            };
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
        for (name, count) in counts {
            let place = law.place(Value::Text(&name));
            assert_eq!(place.cell, Some(1000));
            let share = place.log_measure.exp() / (1.0 - 251.0 / 3752.0);
            assert_relative_eq!(
                f64::from(count) / f64::from(draws),
                share,
                epsilon = 2.0 / f64::from(draws)
            );
        }
    }

    #[test]
    fn missing_unseen_at_fit_is_unseen() {
        let law = CategoryLaw::fit([Some("a"), Some("b")].into_iter());
        assert_eq!(law.place(Value::Missing).cell, None);
        assert_eq!(law.missing_cell(), None);
    }

    #[test]
    fn all_missing_is_one_cell_and_booleans_come_back_as_booleans() {
        let law = CategoryLaw::fit([None, None].into_iter());
        assert_eq!((law.cells(), law.draw(0, 0.5)), (1, Value::Missing));
        let law = CategoryLaw::fit_booleans([Some(true), Some(true), Some(false)].into_iter());
        assert_eq!(
            (law.draw(0, 0.5), law.draw(1, 0.5)),
            (Value::Boolean(true), Value::Boolean(false))
        );
        assert_eq!(law.place(Value::Boolean(false)).cell, Some(1));
    }

    #[test]
    fn json_round_trip() {
        let law = CategoryLaw::fit([Some("x"), None, Some("y")].into_iter());
        let json = serde_json::to_string(&law).unwrap();
        assert_eq!(serde_json::from_str::<CategoryLaw>(&json).unwrap(), law);
    }
}
