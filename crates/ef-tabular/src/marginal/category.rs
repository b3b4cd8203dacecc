//! The marginal of categories and booleans.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use ef_column::Place;

use super::unseen::unseen_share;
use crate::value::Value;

/// Labels with a level of their own; the others share one.
const OWN_LEVELS: usize = 1000;

/// Categories by their counts: `P(seen value) = (1 - u) n_value / n`, `P(unseen) = u`, where `u` is the Good-Turing
/// share `min((singletons + 1) / (n + 2), 1/2)`.
///
/// Levels: the commonest 1000 labels (by count, then by text), one level for all rarer ones, which are told apart by
/// their counts, and one for missing cells if there were any at fit. A new label, and a missing cell where none was
/// missing at fit, are one unseen event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct CategoryMarginal {
    saved: Saved,
    /// Position of each label.
    index: HashMap<String, u32>,
    /// Cumulated counts of the pooled labels.
    pooled: Vec<u64>,
    rows: u64,
    unseen: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    #[serde(rename = "levels")]
    labels: Vec<String>,
    counts: Vec<u64>,
    missing: u64,
    boolean: bool,
}

impl From<Saved> for CategoryMarginal {
    fn from(mut saved: Saved) -> Self {
        let known = saved.labels.len().min(saved.counts.len());
        saved.labels.truncate(known);
        saved.counts.truncate(known);
        let index = saved
            .labels
            .iter()
            .enumerate()
            .map(|(position, label)| (label.clone(), position as u32))
            .collect();
        let mut total = 0u64;
        let mut pooled = Vec::new();
        for count in saved.counts.iter().skip(OWN_LEVELS) {
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

impl From<CategoryMarginal> for Saved {
    fn from(marginal: CategoryMarginal) -> Self {
        marginal.saved
    }
}

impl CategoryMarginal {
    /// Counts the labels; `None` is a missing cell.
    pub fn fit<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self::count(values, false)
    }

    /// Counts true and false; `None` is a missing cell.
    pub fn fit_booleans(values: impl Iterator<Item = Option<bool>>) -> Self {
        Self::count(values.map(|value| value.map(boolean_label)), true)
    }

    fn count<'a>(values: impl Iterator<Item = Option<&'a str>>, boolean: bool) -> Self {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        let mut missing = 0;
        for value in values {
            match value {
                Some(label) => *counts.entry(label).or_default() += 1,
                None => missing += 1,
            }
        }
        let mut labels: Vec<(&str, u64)> = counts.into_iter().collect();
        labels.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let counts = labels.iter().map(|(_, count)| *count).collect();
        let labels = labels.into_iter().map(|(label, _)| label.to_owned()).collect();
        Saved {
            labels,
            counts,
            missing,
            boolean,
        }
        .into()
    }

    fn own(&self) -> usize {
        self.saved.labels.len().min(OWN_LEVELS)
    }

    /// Cumulated counts of the pooled labels, which are the last ones.
    pub(super) fn pooled(&self) -> &[u64] {
        &self.pooled
    }

    fn rare_total(&self) -> u64 {
        self.pooled.last().copied().unwrap_or(0)
    }

    /// The level of missing values, if any were missing at fit.
    pub fn missing_level(&self) -> Option<u32> {
        (self.saved.missing > 0).then(|| (self.own() + usize::from(!self.pooled.is_empty())) as u32)
    }

    /// The level that pools the rare labels, if there are more than 1000 labels.
    pub fn rare_level(&self) -> Option<u32> {
        (!self.pooled.is_empty()).then(|| self.own() as u32)
    }

    /// The labels seen at fit, commonest first.
    pub fn labels(&self) -> &[String] {
        &self.saved.labels
    }

    /// Whether the labels are true and false.
    pub(crate) fn is_boolean(&self) -> bool {
        self.saved.boolean
    }

    /// Probability of a value never seen at fit.
    pub fn unseen_share(&self) -> f64 {
        self.unseen
    }

    pub(super) fn levels(&self) -> usize {
        let levels = self.own() + usize::from(!self.pooled.is_empty()) + usize::from(self.saved.missing > 0);
        levels.max(1)
    }

    pub(super) fn level_shares(&self) -> Vec<f64> {
        if self.rows == 0 {
            return vec![1.0];
        }
        let own = self.saved.counts[..self.own()].iter().copied();
        let rare = self.rare_level().map(|_| self.rare_total());
        let missing = self.missing_level().map(|_| self.saved.missing);
        own.chain(rare)
            .chain(missing)
            .map(|count| count as f64 / self.rows as f64)
            .collect()
    }

    pub(super) fn place(&self, value: Value<'_>) -> Place {
        let seen = (-self.unseen).ln_1p();
        let label = match value {
            Value::Text(text) => self.index.get(text),
            Value::Boolean(value) => self.index.get(boolean_label(value)),
            Value::Missing => {
                return match self.missing_level() {
                    Some(level) => Place::discrete(Some(level), seen),
                    None => Place::discrete(None, self.unseen.ln()),
                };
            }
            Value::Number(_) | Value::Date(_) => None,
        };
        match label {
            None => Place::discrete(None, self.unseen.ln()),
            Some(label) if (*label as usize) < OWN_LEVELS => Place::discrete(Some(*label), seen),
            Some(label) => {
                let share = self.saved.counts[*label as usize] as f64 / self.rare_total() as f64;
                Place::discrete(self.rare_level(), seen + share.ln())
            }
        }
    }

    pub(super) fn draw(&self, level: u32, rank: f64) -> Value<'_> {
        let level = level as usize;
        let label = if level < self.own() {
            level
        } else if Some(level as u32) == self.rare_level() {
            let target = (rank.clamp(0.0, 1.0) * self.rare_total() as f64) as u64;
            let position = self.pooled.partition_point(|total| *total <= target);
            OWN_LEVELS + position.min(self.pooled.len() - 1)
        } else {
            return Value::Missing;
        };
        let text = self.saved.labels[label].as_str();
        if self.saved.boolean {
            Value::Boolean(text == boolean_label(true))
        } else {
            Value::Text(text)
        }
    }

    pub(super) fn stored_training_values(&self) -> usize {
        self.saved.labels.len()
    }
}

fn boolean_label(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::super::ColumnMarginal;
    use super::*;

    fn total(marginal: &ColumnMarginal, values: impl Iterator<Item = String>) -> f64 {
        values
            .map(|value| marginal.log_marginal(Value::Text(&value)).exp())
            .sum()
    }

    #[test]
    fn mass_is_one_with_missing_and_unseen() {
        let values = [Some("a"), Some("a"), None, Some("b")];
        let marginal = ColumnMarginal::Category(CategoryMarginal::fit(values.into_iter()));
        let seen = total(&marginal, ["a".to_owned(), "b".to_owned()].into_iter())
            + marginal.log_marginal(Value::Missing).exp();
        assert_relative_eq!(
            seen + marginal.log_marginal(Value::Text("new")).exp(),
            1.0,
            epsilon = 1e-12
        );
        assert_eq!(marginal.place(Value::Text("new")).level, None);
        assert_relative_eq!(
            marginal.place(Value::Text("new")).log_measure,
            f64::ln(2.0 / 6.0),
            epsilon = 1e-12
        );
    }

    #[test]
    fn rare_labels_share_a_level_by_their_counts() {
        let names: Vec<String> = (0..1500)
            .flat_map(|i| vec![format!("n{i}"); if i < 1000 { 3 } else { 1 + i % 2 }])
            .collect();
        let marginal = ColumnMarginal::Category(CategoryMarginal::fit(
            names.iter().map(|name| Some(name.as_str())),
        ));
        assert_eq!(marginal.levels(), 1001);
        let seen = total(&marginal, (0..1500).map(|i| format!("n{i}")));
        assert_relative_eq!(
            seen + marginal.log_marginal(Value::Text("new")).exp(),
            1.0,
            epsilon = 1e-9
        );
        // uniform ranks give every pooled label its share
        let draws = 7500;
        let mut counts = HashMap::new();
        for k in 0..draws {
            let Value::Text(name) = marginal.draw(1000, (f64::from(k) + 0.5) / f64::from(draws)) else {
                unreachable!()
            };
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
        for (name, count) in counts {
            let place = marginal.place(Value::Text(&name));
            assert_eq!(place.level, Some(1000));
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
        let marginal = CategoryMarginal::fit([Some("a"), Some("b")].into_iter());
        assert_eq!(marginal.place(Value::Missing).level, None);
        assert_eq!(marginal.missing_level(), None);
    }

    #[test]
    fn all_missing_is_one_level_and_booleans_come_back_as_booleans() {
        let marginal = CategoryMarginal::fit([None, None].into_iter());
        assert_eq!((marginal.levels(), marginal.draw(0, 0.5)), (1, Value::Missing));
        let marginal = CategoryMarginal::fit_booleans([Some(true), Some(true), Some(false)].into_iter());
        assert_eq!(
            (marginal.draw(0, 0.5), marginal.draw(1, 0.5)),
            (Value::Boolean(true), Value::Boolean(false))
        );
        assert_eq!(marginal.place(Value::Boolean(false)).level, Some(1));
    }

    #[test]
    fn json_round_trip() {
        let marginal = CategoryMarginal::fit([Some("x"), None, Some("y")].into_iter());
        let json = serde_json::to_string(&marginal).unwrap();
        assert_eq!(serde_json::from_str::<CategoryMarginal>(&json).unwrap(), marginal);
    }
}
