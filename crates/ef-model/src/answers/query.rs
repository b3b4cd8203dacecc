//! A condition as a union of branches, each evidence about the modelled columns.

use std::collections::BTreeMap;

use ef_column::Place;
use ef_density::infer::{ColumnEvidence, Evidence};
use ef_density::rows::Rows;
use ef_tabular::condition::{Condition, ConditionBox, ValueSet};
use ef_tabular::{ColumnMarginal, Table, Value};

use super::evidence::{levels_within, within};
use crate::error::ModelError;
use crate::model::EchoFlow;

/// One box of a condition: evidence, and what has to be looked at in decoded rows.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) evidence: Evidence,
    /// Of all columns, derived ones too.
    pub(super) sets: BTreeMap<String, ValueSet>,
    /// Comparisons of columns.
    residual: Option<Condition>,
    /// Derived columns whose sets could not be brought to their sources.
    unresolved: Vec<String>,
    /// Known values that have densities.
    densities: usize,
}

/// A condition as a union of boxes.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) branches: Vec<Branch>,
}

impl Query {
    /// # Errors
    /// A condition that does not fit the columns, that is about context columns, or that no row of the model meets.
    pub(super) fn new(model: &EchoFlow, condition: &Condition, tails: bool) -> Result<Self, ModelError> {
        let boxes = condition.boxes(&model.full_schema())?;
        let context = model.columns.context_names();
        if let Some(name) = condition
            .columns()
            .into_iter()
            .find(|name| context.contains(name))
        {
            return Err(ModelError::ConditionOnContext(name.to_owned()));
        }
        let mut unknown = Vec::new();
        let mut branches = Vec::new();
        for one in &boxes {
            let branch = Branch::new(model, one, tails, &mut unknown);
            if branch.evidence.is_possible() {
                branches.push(branch);
            }
        }
        // beside a branch that has a mass, one that gives an exact value of a number has none
        let least = branches
            .iter()
            .map(|branch: &Branch| branch.densities)
            .min()
            .unwrap_or(0);
        branches.retain(|branch| branch.densities == least);
        // whether a row belongs to an earlier branch depends on the columns of that branch: they have to be drawn too
        let mut head = 0;
        for branch in &mut branches {
            head = head.max(branch.evidence.head);
            branch.evidence.head = head;
        }
        if branches.is_empty() {
            unknown.dedup();
            return Err(ModelError::Impossible {
                condition: condition.to_string(),
                because: if unknown.is_empty() {
                    "no row can meet all of it".to_owned()
                } else {
                    unknown.join("; ")
                },
            });
        }
        Ok(Self { branches })
    }

    /// How many known values have densities: the condition has a probability if none has.
    pub(super) fn densities(&self) -> usize {
        self.branches.first().map_or(0, |branch| branch.densities)
    }

    /// Whether weights that are all alike are exact, and not alike by chance.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.branches.as_slice(), [branch] if !branch.is_checked())
    }
}

impl Branch {
    fn new(model: &EchoFlow, one: &ConditionBox, tails: bool, unknown: &mut Vec<String>) -> Self {
        let mut sets = one.sets().clone();
        let all = sets.clone();
        let mut unresolved = Vec::new();
        let derived: Vec<_> = model.derived_columns().collect();
        for column in derived.iter().rev() {
            let (dependency, own) = (column.dependency, column.marginal);
            let Some(set) = sets.remove(dependency.derived()) else {
                continue;
            };
            unknown.extend(never_drawn(dependency.derived(), own, &set));
            let sources = dependency.sources();
            let marginal = sources.first().and_then(|source| marginal_of(model, source));
            let preimage = marginal.and_then(|marginal| dependency.preimage(&set, marginal));
            match (preimage, sources.as_slice()) {
                (Some(preimage), [source]) => {
                    let both = match sets.get(*source) {
                        Some(set) => set.intersect(&preimage),
                        None => preimage,
                    };
                    sets.insert((*source).to_owned(), both);
                }
                _ => unresolved.push(dependency.derived().to_owned()),
            }
        }
        let schema = model.schema();
        let (mut columns, mut leading) = (Vec::new(), Vec::new());
        for (j, (column, marginal)) in schema.columns.iter().zip(model.marginals()).enumerate() {
            let known = match sets.get(&column.name) {
                None => ColumnEvidence::open(marginal),
                Some(set) => {
                    unknown.extend(never_drawn(&column.name, marginal, set));
                    column_evidence(marginal, set, tails)
                }
            };
            if matches!(known, ColumnEvidence::Within(_)) {
                leading.push(j);
            }
            columns.push(known);
        }
        let residual = one.residual();
        let mut evidence = Evidence::new(columns, leading, Vec::new());
        // what is checked in decoded rows has to be drawn with weights
        let mut checked: Vec<String> = residual
            .iter()
            .flat_map(Condition::columns)
            .map(str::to_owned)
            .collect();
        checked.extend(unresolved.iter().cloned());
        while let Some(name) = checked.pop() {
            if let Some(j) = schema.index(&name) {
                evidence.head = evidence.head.max(j + 1);
            }
            if let Some(column) = derived.iter().find(|c| c.dependency.derived() == name) {
                checked.extend(column.dependency.sources().into_iter().map(str::to_owned));
            }
        }
        let dense = |(known, marginal): (&ColumnEvidence, &ColumnMarginal)| matches!(known, ColumnEvidence::Value(p) if marginal.is_continuous() && p.level == Some(0) && p.low == p.high);
        let densities = evidence
            .columns
            .iter()
            .zip(model.marginals())
            .filter(|both| dense(*both))
            .count();
        Self {
            densities,
            evidence,
            sets: all,
            residual,
            unresolved,
        }
    }

    fn is_checked(&self) -> bool {
        self.residual.is_some() || !self.unresolved.is_empty()
    }

    /// The values that a column has in every row.
    pub(super) fn single(&self, column: &str) -> Option<Value<'_>> {
        self.sets.get(column).and_then(ValueSet::single)
    }
}

/// Which of a branch's draws count: those that meet what its sets could not say, and belong to no branch before it.
pub(super) fn counted(
    model: &EchoFlow,
    branches: &[Branch],
    at: usize,
    rows: &Rows,
    decode: impl Fn(&Rows) -> Result<Table, ModelError>,
) -> Result<Option<Vec<bool>>, ModelError> {
    let (branch, before) = (&branches[at], &branches[..at]);
    if before.is_empty() && !branch.is_checked() {
        return Ok(None);
    }
    let n = rows.log_measure.len();
    let decoded = if branch.is_checked() || before.iter().any(Branch::is_checked) {
        Some(decode(rows)?)
    } else {
        None
    };
    let checks = |branch: &Branch| -> Result<Vec<bool>, ModelError> {
        let Some(table) = decoded.as_ref().filter(|_| branch.is_checked()) else {
            return Ok(vec![true; n]);
        };
        let mut meets = match &branch.residual {
            Some(residual) => residual.matches(table)?,
            None => vec![true; n],
        };
        for name in &branch.unresolved {
            let column = table.column_index(name)?;
            for (row, meets) in meets.iter_mut().enumerate() {
                *meets &= branch.sets[name].contains(table.value(row, column));
            }
        }
        Ok(meets)
    };
    let mut counts = checks(branch)?;
    for earlier in before {
        let meets = checks(earlier)?;
        for row in 0..n {
            let inside = meets[row] && earlier.evidence.holds(&model.layout, rows, row);
            counts[row] &= !inside;
        }
    }
    Ok(Some(counts))
}

/// A set of values as evidence: a single value that a marginal can draw, or has a density for, is known.
fn column_evidence(marginal: &ColumnMarginal, set: &ValueSet, tails: bool) -> ColumnEvidence {
    if let Some(value) = set.single() {
        let place = marginal.place(value);
        // places are those of the nearest value on a grid, which may be another
        let drawn = levels_within(marginal, set, true);
        if marginal.has_density(value) && drawn.is_empty() && place.level.is_some() {
            return ColumnEvidence::Value(place);
        }
        if let Some(level) = place.level.filter(|_| !drawn.is_empty()) {
            // what is never seen has no part in what is drawn: the same measure as that of sets
            return ColumnEvidence::Value(Place {
                log_measure: drawn.log_share(level),
                ..place
            });
        }
        return ColumnEvidence::Within(drawn);
    }
    within(marginal, set, tails)
}

/// The marginal of a modelled or derived column.
fn marginal_of<'a>(model: &'a EchoFlow, name: &str) -> Option<&'a ColumnMarginal> {
    match model.schema().index(name) {
        Some(at) => model.marginals().get(at),
        None => model
            .derived_columns()
            .find(|column| column.dependency.derived() == name)
            .map(|column| column.marginal),
    }
}

/// What a set names that a marginal cannot draw, in words.
fn never_drawn(column: &str, marginal: &ColumnMarginal, set: &ValueSet) -> Vec<String> {
    let values: Vec<String> = marginal.unknown_in(set).iter().map(ToString::to_string).collect();
    match values.is_empty() {
        true if set.single().is_none()
            && !set.is_empty()
            && levels_within(marginal, set, true).is_empty() =>
        {
            vec![format!(
                "a list of exact values of {column} has no probability; ask for one value, or for ranges"
            )]
        }
        true => Vec::new(),
        false => vec![format!("no training row has {column} = {}", values.join(" or "))],
    }
}
