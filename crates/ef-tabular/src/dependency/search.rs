//! Finding dependencies, and choosing among those that overlap.

use super::level::Coded;
use super::linear::Linear;
use super::lookup::{Key, Lookup, MOST_DAYS, MOST_ENTRIES};
use super::steps::{Scaling, Steps, Sum, missing_fits, sums};
use super::{Dependencies, Dependency, Rule, date_part, evidence};
use crate::marginal::Grid;
use crate::schema::Kind;
use crate::table::Table;
use crate::value::Value;

pub(super) fn find(table: &Table, given: &[&str]) -> Dependencies {
    let names = table.column_names();
    let mut plan = Plan {
        given: names.iter().map(|name| given.contains(name)).collect(),
        derived: names.iter().map(|_| None).collect(),
        names,
    };
    let steps: Vec<Steps> = (0..plan.names.len())
        .filter_map(|column| Steps::new(table, column))
        .collect();
    copies(table, &steps, &mut plan);
    scalings(&steps, &mut plan);
    // one of each class of copies and scalings: sums among the others say nothing new, and there are very many
    let steps: Vec<Steps> = steps
        .into_iter()
        .filter(|steps| plan.derived[steps.column].is_none())
        .collect();
    for sum in sums(&steps) {
        derive_sum(&steps, &sum, &mut plan);
    }
    drop(steps);
    lookups(table, &mut plan);
    plan.ordered()
}

/// What is derived so far.
struct Plan<'a> {
    names: Vec<&'a str>,
    /// Columns that must not be derived.
    given: Vec<bool>,
    /// The columns each derived one is derived from.
    derived: Vec<Option<(Vec<usize>, Dependency)>>,
}

impl Plan<'_> {
    /// Whether a column may still be derived from these.
    fn allows(&self, column: usize, sources: &[usize]) -> bool {
        let free = !self.given[column] && self.derived[column].is_none();
        free && !sources.iter().any(|source| self.reaches(*source, column))
    }

    /// Whether `column` is, or is derived from, `origin`.
    fn reaches(&self, column: usize, origin: usize) -> bool {
        let mut seen = vec![false; self.derived.len()];
        let mut open = vec![column];
        while let Some(column) = open.pop() {
            if column == origin {
                return true;
            }
            if !std::mem::replace(&mut seen[column], true) {
                open.extend(self.derived[column].iter().flat_map(|(sources, _)| sources));
            }
        }
        false
    }

    fn derive(&mut self, column: usize, sources: Vec<usize>, grid: Grid, missing: bool, rule: Rule) {
        let dependency = Dependency {
            derived: self.names[column].to_owned(),
            grid,
            missing,
            rule,
        };
        self.derived[column] = Some((sources, dependency));
    }

    /// Sources first.
    fn ordered(mut self) -> Dependencies {
        let mut found = Vec::new();
        loop {
            let ready = |(sources, _): &(Vec<usize>, Dependency)| {
                sources.iter().all(|source| self.derived[*source].is_none())
            };
            let next = self
                .derived
                .iter()
                .position(|entry| entry.as_ref().is_some_and(ready));
            let Some((_, dependency)) = next.and_then(|next| self.derived[next].take()) else {
                return Dependencies { found };
            };
            found.push(dependency);
        }
    }
}

/// All pairs, the left column first.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |i| (i + 1..count).map(move |j| (i, j)))
}

/// Columns alike cell by cell. Numbers with a rounding grid are left to the scalings.
fn copies(table: &Table, steps: &[Steps], plan: &mut Plan<'_>) {
    let others: Vec<usize> = (0..plan.names.len())
        .filter(|column| steps.iter().all(|steps| steps.column != *column))
        .collect();
    let bound = evidence::bound(others.len() * others.len());
    for (i, j) in pairs(others.len()) {
        let (i, j) = (others[i], others[j]);
        let Some((derived, source)) = later_first(plan, i, j) else {
            continue;
        };
        if table.batch.column(i) != table.batch.column(j) {
            continue;
        }
        let Some(coded) = Coded::new(table, i, usize::MAX) else {
            continue;
        };
        if evidence::of_column(coded.counts.iter().copied()) >= bound {
            let rule = Rule::Copy(plan.names[source].to_owned());
            plan.derive(derived, vec![source], coded.grid, coded.missing > 0, rule);
        }
    }
}

/// Which of two columns that determine each other can be derived, and from which: the later one if it may be.
fn later_first(plan: &Plan<'_>, i: usize, j: usize) -> Option<(usize, usize)> {
    [(j, i), (i, j)]
        .into_iter()
        .find(|(derived, source)| plan.allows(*derived, &[*source]))
}

fn scalings(steps: &[Steps], plan: &mut Plan<'_>) {
    let bound = evidence::bound(steps.len() * steps.len());
    for (i, j) in pairs(steps.len()) {
        let (x, y) = (&steps[i], &steps[j]);
        if later_first(plan, x.column, y.column).is_none() {
            continue;
        }
        let Some(found) = Scaling::find(x, y, bound) else {
            continue;
        };
        let linear = |scaling: Scaling, x: &Steps, y: &Steps| {
            let terms = vec![(plan.names[x.column].to_owned(), scaling.factor, x.grid)];
            Linear::new(terms, scaling.offset, scaling.divisor, y.grid)
        };
        let ways = [(y, x, linear(found, x, y)), (x, y, linear(found.turned(), y, x))];
        let possible = || {
            ways.iter()
                .filter(|(derived, source, _)| plan.allows(derived.column, &[source.column]))
                .filter_map(|(derived, source, linear)| Some((derived, source, linear.as_ref()?)))
        };
        // from the coarser to the finer every value has its image; the other way round, some are rounded
        let exact = possible().find(|(_, _, linear)| linear.is_exact());
        if let Some((derived, source, linear)) = exact.or_else(|| possible().next()) {
            let (column, sources, grid) = (derived.column, vec![source.column], derived.grid);
            let rule = Rule::Linear(linear.clone());
            plan.derive(column, sources, grid, derived.missing > 0, rule);
        }
    }
}

/// Derives the last column of a sum that may be derived, of the finest grid if possible.
fn derive_sum(steps: &[Steps], sum: &Sum, plan: &mut Plan<'_>) {
    let mut candidates: Vec<usize> = (0..sum.terms.len()).rev().collect();
    candidates.sort_by_key(|k| std::cmp::Reverse(steps[sum.terms[*k].0].decimals()));
    for k in candidates {
        let (at, sign) = sum.terms[k];
        let derived = &steps[at];
        let others = || sum.terms.iter().filter(|(other, _)| *other != at);
        let sources: Vec<usize> = others().map(|(other, _)| steps[*other].column).collect();
        if !plan.allows(derived.column, &sources)
            || !missing_fits(derived, others().map(|(other, _)| &steps[*other]))
        {
            continue;
        }
        let terms = others()
            .map(|(other, theirs)| {
                let source = &steps[*other];
                let name = plan.names[source.column].to_owned();
                (name, -sign * theirs * source.unit(sum.decimals), source.grid)
            })
            .collect();
        if let Some(linear) = Linear::new(terms, sign * sum.offset, derived.unit(sum.decimals), derived.grid)
        {
            let rule = Rule::Linear(linear);
            plan.derive(derived.column, sources, derived.grid, derived.missing > 0, rule);
            return;
        }
    }
}

/// A lookup that could derive a column.
struct Candidate {
    key: usize,
    map: Vec<u32>,
    /// Both columns determine each other.
    one_to_one: bool,
}

fn lookups(table: &Table, plan: &mut Plan<'_>) {
    let kinds: Vec<Kind> = table.schema().columns.iter().map(|column| column.kind).collect();
    let coded: Vec<Option<Coded>> = (0..kinds.len())
        .map(|column| {
            let dated = (0..table.num_rows())
                .map(|row| table.value(row, column))
                .find(|value| *value != Value::Missing)
                .is_some_and(|value| date_part::date(value).is_some());
            Coded::new(table, column, if dated { MOST_DAYS } else { MOST_ENTRIES })
        })
        .collect();
    let keys: Vec<Key> = coded
        .iter()
        .enumerate()
        .filter_map(|(column, coded)| Some(Key::all(column, kinds[column], coded.as_ref()?)))
        .flatten()
        .collect();
    let bound = evidence::bound(keys.len() * kinds.len());
    let is_key = |column: usize| keys.iter().any(|key| key.column == column && key.part.is_none());
    for column in 0..kinds.len() {
        let (Some(derived), true) = (&coded[column], plan.allows(column, &[])) else {
            continue;
        };
        let candidate = |(at, key): (usize, &Key)| {
            let source = coded[key.column].as_ref()?;
            if !plan.allows(column, &[key.column]) {
                return None;
            }
            let map = key.determines(source, derived)?;
            let one_to_one = key.part.is_none() && key.entries() == derived.levels.len();
            (key.evidence(&map, derived) >= bound).then_some(Candidate {
                key: at,
                map,
                one_to_one,
            })
        };
        let best = keys
            .iter()
            .enumerate()
            .filter_map(candidate)
            // of two codes for one thing the left one stays, if the other can be derived
            .filter(|candidate| {
                let source = keys[candidate.key].column;
                !candidate.one_to_one || source < column || !plan.allows(source, &[]) || !is_key(column)
            })
            .min_by_key(|candidate| (keys[candidate.key].entries(), candidate.key));
        let Some(Candidate { key, map, .. }) = best else {
            continue;
        };
        let key = &keys[key];
        if let Some(source) = &coded[key.column] {
            let lookup: Lookup = key.lookup(plan.names[key.column], source, &map, derived);
            let (sources, missing) = (vec![key.column], derived.missing > 0);
            plan.derive(column, sources, derived.grid, missing, Rule::Lookup(lookup));
        }
    }
}
