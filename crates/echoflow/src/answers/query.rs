//! A condition as a union of branches, each evidence about the modelled columns.

use std::collections::BTreeMap;

use ef_density::Place;
use ef_density::rows::Rows;
use ef_tabular::condition::{Condition, ConditionBox, ValueSet};
use ef_tabular::{ColumnLaw, Table, Value};

use super::evidence::{ColumnEvidence, Evidence, Within};
use crate::error::Error;
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
    pub(super) fn new(model: &EchoFlow, condition: &Condition, tails: bool) -> Result<Self, Error> {
        let boxes = condition.boxes(&model.full_schema())?;
        let context = model.columns.context_names();
        if let Some(name) = condition
            .columns()
            .into_iter()
            .find(|name| context.contains(name))
        {
            return Err(Error::ConditionOnContext(name.to_owned()));
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
            return Err(Error::Impossible {
                condition: condition.to_string(),
                because: match unknown.is_empty() {
                    true => "no row can meet all of it".to_owned(),
                    false => unknown.join("; "),
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
        for (dependency, _, own) in derived.iter().rev() {
            let Some(set) = sets.remove(dependency.derived()) else {
                continue;
            };
            unknown.extend(never_drawn(dependency.derived(), own, &set));
            let sources = dependency.sources();
            let law = sources.first().and_then(|source| law_of(model, source));
            let preimage = law.and_then(|law| dependency.preimage(&set, law));
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
        for (j, (column, law)) in schema.columns.iter().zip(model.laws()).enumerate() {
            let known = match sets.get(&column.name) {
                None => ColumnEvidence::open(law),
                Some(set) => {
                    unknown.extend(never_drawn(&column.name, law, set));
                    column_evidence(law, set, tails)
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
            if let Some((dependency, ..)) = derived.iter().find(|(d, ..)| d.derived() == name) {
                checked.extend(dependency.sources().into_iter().map(str::to_owned));
            }
        }
        let dense = |(known, law): (&ColumnEvidence, &ColumnLaw)| matches!(known, ColumnEvidence::Value(p) if law.is_continuous() && p.cell == Some(0) && p.low == p.high);
        let densities = evidence
            .columns
            .iter()
            .zip(model.laws())
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
    decode: impl Fn(&Rows) -> Result<Table, Error>,
) -> Result<Option<Vec<bool>>, Error> {
    let (branch, before) = (&branches[at], &branches[..at]);
    if before.is_empty() && !branch.is_checked() {
        return Ok(None);
    }
    let n = rows.log_measure.len();
    let ranked: Vec<bool> = model.layout.ranked().collect();
    let decoded = match branch.is_checked() || before.iter().any(Branch::is_checked) {
        true => Some(decode(rows)?),
        false => None,
    };
    let checks = |branch: &Branch| -> Result<Vec<bool>, Error> {
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
            let inside = meets[row] && earlier.evidence.holds(&model.layout, rows, row, |j| ranked[j]);
            counts[row] &= !inside;
        }
    }
    Ok(Some(counts))
}

/// A set of values as evidence: a single value that a law can draw, or has a density for, is known.
fn column_evidence(law: &ColumnLaw, set: &ValueSet, tails: bool) -> ColumnEvidence {
    if let Some(value) = set.single() {
        let place = crate::columns::Law(law).place_of(value);
        // places are those of the nearest value on a grid, which may be another
        let drawn = Within::new(law, set, true);
        if law.has_density(value) && drawn.set.is_empty() && place.cell.is_some() {
            return ColumnEvidence::Value(place);
        }
        if let Some(cell) = place.cell.filter(|_| !drawn.set.is_empty()) {
            // what is never seen has no part in what is drawn: the same measure as that of sets
            return ColumnEvidence::Value(Place {
                log_measure: drawn.log_share(law, cell),
                ..place
            });
        }
        return ColumnEvidence::Within(drawn);
    }
    ColumnEvidence::within(law, set, tails)
}

/// The law of a modelled or derived column.
fn law_of<'a>(model: &'a EchoFlow, name: &str) -> Option<&'a ColumnLaw> {
    match model.schema().index(name) {
        Some(at) => model.laws().get(at),
        None => model
            .derived_columns()
            .find(|(dependency, ..)| dependency.derived() == name)
            .map(|(_, _, law)| law),
    }
}

/// What a set names that a law cannot draw, in words.
fn never_drawn(column: &str, law: &ColumnLaw, set: &ValueSet) -> Vec<String> {
    let values: Vec<String> = law.unknown_in(set).iter().map(ToString::to_string).collect();
    match values.is_empty() {
        true if set.single().is_none() && !set.is_empty() && Within::new(law, set, true).set.is_empty() => {
            vec![format!(
                "a list of exact values of {column} has no probability; ask for one value, or for ranges"
            )]
        }
        true => Vec::new(),
        false => vec![format!("no training row has {column} = {}", values.join(" or "))],
    }
}
