//! The disjunctive normal form of a condition: a list of boxes, one set of values a column each.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ConditionError;
use super::expression::{ColumnComparison, Comparison, Condition, Node};
use super::value_set::ValueSet;
use crate::schema::Schema;

/// Most boxes of a condition.
const MOST_BOXES: usize = 64;
/// Most boxes on the way there, before later parts of the condition empty or join them, and most pairs of boxes that one
/// `and` puts together.
const MOST_ON_THE_WAY: usize = 128;
const MOST_PAIRS: usize = 4096;
const TOO_MANY: ConditionError = ConditionError::TooManyBoxes { most: MOST_BOXES };

/// A condition as alternatives: a row meets it if it lies in one of the boxes. They may overlap.
///
/// No box is empty as far as sets of single columns tell, none lies within another, and no two differ in one column
/// alone. No box at all is a condition that no row can meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Boxes {
    boxes: Vec<ConditionBox>,
}

/// A set of values for each of some columns, and comparisons of two columns: all of them hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionBox {
    sets: BTreeMap<String, ValueSet>,
    comparisons: BTreeSet<ColumnComparison>,
}

impl Boxes {
    /// The boxes, in the order of the condition.
    pub fn iter(&self) -> impl Iterator<Item = &ConditionBox> {
        self.boxes.iter()
    }

    /// Number of boxes, at most 64.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether no row can meet the condition.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// Adds a box that no set makes empty, with those it joins or swallows put together.
    fn add(&mut self, mut new: ConditionBox) -> Result<(), ConditionError> {
        if new.sets.values().any(ValueSet::is_empty) {
            return Ok(());
        }
        loop {
            if self.boxes.iter().any(|old| new.is_within(old)) {
                return Ok(());
            }
            self.boxes.retain(|old| !old.is_within(&new));
            let joined = self
                .boxes
                .iter()
                .enumerate()
                .find_map(|(at, old)| Some((at, old.joined(&new)?)));
            match joined {
                Some((at, joined)) => {
                    self.boxes.remove(at);
                    new = joined;
                }
                None => break,
            }
        }
        self.boxes.push(new);
        self.check(MOST_ON_THE_WAY)
    }

    fn check(&self, most: usize) -> Result<(), ConditionError> {
        if self.boxes.len() > most {
            return Err(TOO_MANY);
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Boxes {
    type Item = &'a ConditionBox;
    type IntoIter = std::slice::Iter<'a, ConditionBox>;

    fn into_iter(self) -> Self::IntoIter {
        self.boxes.iter()
    }
}

impl ConditionBox {
    /// Every row.
    fn all() -> Self {
        Self {
            sets: BTreeMap::new(),
            comparisons: BTreeSet::new(),
        }
    }

    /// A set of values of one column, all others free.
    fn of(column: &str, set: ValueSet) -> Self {
        let mut one = Self::all();
        if !set.is_all() {
            one.sets.insert(column.to_owned(), set);
        }
        one
    }

    /// The columns that are not free, by name, and the values they may have.
    pub fn sets(&self) -> &BTreeMap<String, ValueSet> {
        &self.sets
    }

    /// The comparisons of two columns that hold in the box as well. Their columns are among the sets, without missing
    /// cells.
    pub fn residual(&self) -> Option<Condition> {
        let comparison = |columns: &ColumnComparison| Condition {
            node: Node::Columns(columns.clone()),
        };
        (!self.comparisons.is_empty()).then(|| Condition::all(self.comparisons.iter().map(comparison)))
    }

    /// The rows of both boxes.
    fn intersect(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.comparisons.extend(other.comparisons.iter().cloned());
        for (column, set) in &other.sets {
            both.sets
                .entry(column.clone())
                .and_modify(|own| *own = own.intersect(set))
                .or_insert_with(|| set.clone());
        }
        both
    }

    fn is_within(&self, other: &Self) -> bool {
        let narrower = |(column, wide): (&String, &ValueSet)| {
            self.sets.get(column).is_some_and(|own| own.is_within(wide))
        };
        self.comparisons.is_superset(&other.comparisons) && other.sets.iter().all(narrower)
    }

    /// The union of two boxes that differ in one column.
    fn joined(&self, other: &Self) -> Option<Self> {
        if self.comparisons != other.comparisons || !self.sets.keys().eq(other.sets.keys()) {
            return None;
        }
        let mut different = self
            .sets
            .iter()
            .filter(|(column, set)| other.sets[*column] != **set);
        let (column, set) = different.next()?;
        if different.next().is_some() {
            return None;
        }
        let mut joined = self.clone();
        let union = set.union(&other.sets[column]);
        if union.is_all() {
            joined.sets.remove(column);
        } else {
            joined.sets.insert(column.clone(), union);
        }
        Some(joined)
    }
}

impl Condition {
    /// The condition as a union of boxes: every `and` moved inside every `or`.
    ///
    /// # Errors
    /// A column that is not there; a value or a comparison that is not of its column's kind; more than 64 boxes.
    pub fn boxes(&self, schema: &Schema) -> Result<Boxes, ConditionError> {
        let boxes = self.expanded(schema)?;
        boxes.check(MOST_BOXES)?;
        Ok(boxes)
    }

    fn expanded(&self, schema: &Schema) -> Result<Boxes, ConditionError> {
        let mut boxes = Boxes { boxes: Vec::new() };
        match &self.node {
            Node::Test { column, test } => {
                let kind = schema.columns[schema.position(column)?].kind;
                boxes.add(ConditionBox::of(column, test.set(column, kind)?))?;
            }
            Node::Columns(columns) => {
                if let Some(one) = compared(columns, schema)? {
                    boxes.add(one)?;
                }
            }
            Node::All(parts) => {
                let (tests, rest) = gathered(parts, schema, ValueSet::intersect)?;
                boxes.add(ConditionBox {
                    sets: tests,
                    comparisons: BTreeSet::new(),
                })?;
                // an unknown column is an error also where earlier parts leave nothing
                for part in rest {
                    let part = part.expanded(schema)?;
                    if boxes.len() * part.len() > MOST_PAIRS {
                        return Err(TOO_MANY);
                    }
                    let mut product = Boxes { boxes: Vec::new() };
                    for one in &boxes {
                        for other in &part {
                            product.add(one.intersect(other))?;
                        }
                    }
                    boxes = product;
                }
            }
            Node::Any(parts) => {
                let (tests, rest) = gathered(parts, schema, ValueSet::union)?;
                for (column, set) in tests {
                    boxes.add(ConditionBox::of(&column, set))?;
                }
                for part in rest {
                    for one in part.expanded(schema)?.boxes {
                        boxes.add(one)?;
                    }
                }
            }
        }
        Ok(boxes)
    }
}

/// The tests among the parts of a condition, those of one column combined, and the other parts.
fn gathered<'a>(
    parts: &'a [Condition],
    schema: &Schema,
    combine: impl Fn(&ValueSet, &ValueSet) -> ValueSet,
) -> Result<(BTreeMap<String, ValueSet>, Vec<&'a Condition>), ConditionError> {
    let (mut tests, mut rest) = (BTreeMap::<String, Vec<ValueSet>>::new(), Vec::new());
    for part in parts {
        match &part.node {
            Node::Test { column, test } => {
                let kind = schema.columns[schema.position(column)?].kind;
                let sets = tests.entry(column.clone()).or_default();
                sets.push(test.set(column, kind)?);
            }
            _ => rest.push(part),
        }
    }
    let together = |(column, mut sets): (String, Vec<ValueSet>)| {
        // by twos, so that a long list is not copied once for each of its values
        while sets.len() > 1 {
            let pair = |pair: &[ValueSet]| match pair {
                [a, b] => combine(a, b),
                other => other[0].clone(),
            };
            sets = sets.chunks(2).map(pair).collect();
        }
        Some((column, sets.pop()?))
    };
    Ok((tests.into_iter().filter_map(together).collect(), rest))
}

/// The box of one comparison; `None` if no row can meet it.
fn compared(columns: &ColumnComparison, schema: &Schema) -> Result<Option<ConditionBox>, ConditionError> {
    let ColumnComparison {
        left,
        comparison,
        right,
    } = columns;
    let (a, b) = schema.comparable(left, *comparison, right)?;
    let mut one = ConditionBox::all();
    for (name, position) in [(left, a), (right, b)] {
        let known = ValueSet::known(schema.columns[position].kind);
        one.sets.insert(name.clone(), known);
    }
    if left != right {
        one.comparisons.insert(columns.clone());
    } else if matches!(
        comparison,
        Comparison::NotEqual | Comparison::Less | Comparison::More
    ) {
        return Ok(None);
    }
    Ok(Some(one))
}
