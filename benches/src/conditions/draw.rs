//! Random conditions.

use ef_random::{Key, Philox, uniform};

use super::case::{Case, Clause, Test};
use super::pool::{Column, MISSING, Pool};

/// A number is asked for as it is from this share of rows on.
const HEAVY: f64 = 0.01;
/// Share of a column's rows that an interval takes, before it is widened.
const WIDTHS: (f64, f64) = (0.05, 0.6);
/// How much wider an interval is with every try.
const WIDER: f64 = 1.6;
/// Rows that quantiles and shares are read off.
const LOOKED_AT: usize = 50_000;

/// Makes conditions that a given row meets: each column is drawn without regard to what it holds, each clause around the
/// row's own cell, so that the condition is possible.
#[derive(Debug)]
pub struct Maker {
    /// Ascending, known numbers of a column; the labels of known cells.
    known: Vec<Known>,
}

#[derive(Debug)]
enum Known {
    Numbers(Vec<f64>),
    Labels(Vec<u16>),
}

impl Maker {
    /// Knows the marginals of a pool's first rows.
    pub fn new(pool: &Pool) -> Self {
        let known = (0..pool.names().len()).map(|j| match pool.column(j) {
            Column::Numbers(cells) => {
                let cells = cells.iter().take(LOOKED_AT).copied();
                let mut cells: Vec<f64> = cells.filter(|value| !value.is_nan()).collect();
                cells.sort_by(f64::total_cmp);
                Known::Numbers(cells)
            }
            Column::Labels(cells) => {
                let cells = cells.iter().take(LOOKED_AT).copied();
                let mut cells: Vec<u16> = cells.filter(|code| *code != MISSING).collect();
                cells.sort_unstable();
                cells.dedup();
                Known::Labels(cells)
            }
        });
        Self {
            known: known.collect(),
        }
    }

    /// Condition `number` of a key: one to `most` columns, around row `row` of the pool. With every try its clauses take
    /// more, on the same columns.
    pub fn case(&self, pool: &Pool, row: usize, most: usize, key: Key, number: u64, tries: u32) -> Case {
        let mut rng = key.purpose("condition").row(number);
        let columns = pool.names().len();
        let many = 1 + below(&mut rng, most.min(columns));
        let mut left: Vec<usize> = (0..columns).collect();
        let mut clauses: Vec<Clause> = (0..many)
            .map(|_| {
                let column = left.swap_remove(below(&mut rng, left.len()));
                Clause {
                    column,
                    test: self.test(pool, column, row, tries, &mut rng),
                }
            })
            .collect();
        clauses.sort_by_key(|clause| clause.column);
        Case { clauses }
    }

    fn test(&self, pool: &Pool, column: usize, row: usize, tries: u32, rng: &mut Philox) -> Test {
        // one number each, used or not, so that tries differ in nothing else
        let [how, width, place] = [uniform(rng), uniform(rng), uniform(rng)];
        match (pool.column(column), &self.known[column]) {
            (Column::Numbers(cells), Known::Numbers(known)) => match cells[row] {
                value if value.is_nan() => Test::Missing,
                value => interval(known, value, how, width, place, tries),
            },
            (Column::Labels(cells), Known::Labels(known)) => match cells[row] {
                MISSING => Test::Missing,
                code => labels(known, code, how, tries, rng),
            },
            _ => Test::Missing,
        }
    }
}

fn interval(known: &[f64], value: f64, how: f64, width: f64, place: f64, tries: u32) -> Test {
    let rows = known.len() as f64;
    let below = known.partition_point(|other| *other < value);
    let upto = known.partition_point(|other| *other <= value);
    if how < 0.25 && tries == 0 && (upto - below) as f64 >= HEAVY * rows {
        return Test::Exactly(value);
    }
    let (least, most) = WIDTHS;
    let width = (least * (most / least).powf(width) * WIDER.powi(tries as i32)).min(1.0);
    let rank = 0.5 * (below + upto) as f64 / rows;
    let at = |rank: f64| known[((rank * rows) as usize).min(known.len() - 1)];
    let (low, high) = (rank - place * width, rank + (1.0 - place) * width);
    match how {
        how if how < 0.7 => Test::Between(at(low.max(0.0)).min(value), at(high.min(1.0)).max(value)),
        how if how < 0.85 => Test::Between(f64::NEG_INFINITY, at(high.min(1.0)).max(value)),
        _ => Test::Between(at(low.max(0.0)).min(value), f64::INFINITY),
    }
}

fn labels(known: &[u16], code: u16, how: f64, tries: u32, rng: &mut Philox) -> Test {
    let others: Vec<u16> = known.iter().copied().filter(|other| *other != code).collect();
    let mut shuffled = others.clone();
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, below(rng, i + 1));
    }
    match how {
        how if how < 0.2 && others.len() > 1 => Test::NoneOf(vec![shuffled[0]]),
        how => {
            // one label in half the cases, and one more with every try
            let many = usize::from(how >= 0.6) * (1 + others.len() / 4) + tries as usize;
            let mut codes = vec![code];
            codes.extend(&shuffled[..many.min(others.len().saturating_sub(1))]);
            Test::OneOf(codes)
        }
    }
}

/// A number below `end`, each as likely.
fn below(rng: &mut Philox, end: usize) -> usize {
    ((uniform(rng) * end as f64) as usize).min(end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use echoflow::demo::Demo;
    use ef_tabular::Condition;

    use super::*;

    #[test]
    fn the_row_meets_its_condition_and_tries_only_add_rows() {
        let pool = Pool::of_demo(Demo::Loans, 0, 3_000, 5).expect("a pool");
        let maker = Maker::new(&pool);
        let mut sizes = [0; 3];
        for number in 0..200 {
            let case = |tries| maker.case(&pool, number, 3, Key::new(2), number as u64, tries);
            let (narrow, wide) = (case(0), case(4));
            sizes[narrow.clauses.len() - 1] += 1;
            let (few, many) = (narrow.hits(&pool), wide.hits(&pool));
            assert!(few.contains(&(number as u32)), "{}", narrow.text(&pool));
            assert!(
                many.len() >= few.len() && few.iter().all(|row| many.contains(row)),
                "{} and {}",
                narrow.text(&pool),
                wide.text(&pool)
            );
            assert_eq!(narrow, case(0));
        }
        assert!(sizes.iter().all(|count| *count > 40), "{sizes:?}");
    }

    #[test]
    fn the_language_means_by_a_condition_what_the_case_does() {
        let table = Demo::Loans.generate(2_000, 5).to_table().expect("a table");
        let pool = Pool::of(&table).expect("a pool");
        let maker = Maker::new(&pool);
        for number in 0..300 {
            let case = maker.case(&pool, number, 3, Key::new(4), number as u64, number as u32 % 3);
            let text = case.text(&pool);
            let condition: Condition = text.parse().expect("a condition");
            let met = condition.matches(&table).expect("columns of the table");
            let met = met.iter().enumerate().filter(|(_, met)| **met);
            let met: Vec<u32> = met.map(|(row, _)| row as u32).collect();
            assert_eq!(met, case.hits(&pool), "{text}");
        }
    }
}
