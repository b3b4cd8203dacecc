//! A condition with its own test of which rows meet it.

use ef_tabular::{Date, Kind};

use super::pool::{Column, MISSING, Pool};

/// What one column must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A number of the closed interval; an end may be infinite.
    Between(f64, f64),
    /// This number.
    Exactly(f64),
    /// One of these labels.
    OneOf(Vec<u16>),
    /// A label that is none of these.
    NoneOf(Vec<u16>),
    /// No value.
    Missing,
}

impl Test {
    fn holds(&self, column: &Column, row: usize) -> bool {
        match (self, column) {
            (Self::Between(low, high), Column::Numbers(cells)) => *low <= cells[row] && cells[row] <= *high,
            (Self::Exactly(value), Column::Numbers(cells)) => cells[row] == *value,
            (Self::OneOf(codes), Column::Labels(cells)) => codes.contains(&cells[row]),
            (Self::NoneOf(codes), Column::Labels(cells)) => {
                cells[row] != MISSING && !codes.contains(&cells[row])
            }
            (Self::Missing, Column::Numbers(cells)) => cells[row].is_nan(),
            (Self::Missing, Column::Labels(cells)) => cells[row] == MISSING,
            _ => false,
        }
    }
}

/// A column and what it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Position of the column.
    pub column: usize,
    /// What it must be.
    pub test: Test,
}

/// Clauses on different columns that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The clauses.
    pub clauses: Vec<Clause>,
}

impl Case {
    /// The rows that meet the condition, ascending.
    pub fn hits(&self, pool: &Pool) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..pool.rows() as u32).collect();
        for clause in &self.clauses {
            let column = pool.column(clause.column);
            rows.retain(|row| clause.test.holds(column, *row as usize));
        }
        rows
    }

    /// The condition in the language that `--where` reads.
    pub fn text(&self, pool: &Pool) -> String {
        let clauses = self.clauses.iter().map(|clause| {
            let j = clause.column;
            let name = format!("\"{}\"", pool.names()[j].replace('"', "\"\""));
            let label = |code: &u16| format!("'{}'", pool.label(j, *code).replace('\'', "''"));
            let list = |codes: &[u16]| codes.iter().map(label).collect::<Vec<_>>().join(", ");
            let number = |value: f64| written(value, pool.kind(j));
            match &clause.test {
                Test::Between(low, high) if *low == f64::NEG_INFINITY => {
                    format!("{name} <= {}", number(*high))
                }
                Test::Between(low, high) if *high == f64::INFINITY => format!("{name} >= {}", number(*low)),
                Test::Between(low, high) => format!("{name} between {} and {}", number(*low), number(*high)),
                Test::Exactly(value) => format!("{name} = {}", number(*value)),
                Test::OneOf(codes) => match codes.as_slice() {
                    [one] => format!("{name} = {}", label(one)),
                    codes => format!("{name} in ({})", list(codes)),
                },
                Test::NoneOf(codes) => match codes.as_slice() {
                    [one] => format!("{name} != {}", label(one)),
                    codes => format!("{name} not in ({})", list(codes)),
                },
                Test::Missing => format!("{name} is missing"),
            }
        });
        clauses.collect::<Vec<_>>().join(" and ")
    }

    /// Whether a clause leaves one value only.
    pub fn fixes(&self, column: usize) -> bool {
        let fixed = |test: &Test| match test {
            Test::Exactly(_) | Test::Missing => true,
            Test::OneOf(codes) => codes.len() == 1,
            _ => false,
        };
        self.clauses
            .iter()
            .any(|clause| clause.column == column && fixed(&clause.test))
    }
}

/// A number, or the date of a day number, as a literal.
fn written(value: f64, kind: Kind) -> String {
    match Date::from_day_number(value as i32).filter(|_| kind == Kind::Date) {
        Some(date) => format!("'{:04}-{:02}-{:02}'", date.year(), date.month(), date.day()),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let text = "who,n,\"a \"\"b\"\"\",day\nAnn,1,1.5,2024-01-30\nO'Neil,2,,2024-01-31\nAnn,,2.5,2024-02-01\nBo,3,2.5,\n";
        Pool::of(&echoflow::read_csv_from(text.as_bytes(), "t").expect("a table")).expect("a pool")
    }

    fn case(clauses: &[(usize, Test)]) -> Case {
        let clauses = clauses.iter().cloned();
        Case {
            clauses: clauses.map(|(column, test)| Clause { column, test }).collect(),
        }
    }

    #[test]
    fn a_missing_cell_meets_only_that_it_is_missing() {
        let pool = pool();
        let everything = Test::Between(f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(case(&[(1, everything)]).hits(&pool), [0, 1, 3]);
        assert_eq!(case(&[(1, Test::Missing)]).hits(&pool), [2]);
        assert_eq!(
            case(&[(0, Test::NoneOf(vec![1])), (2, Test::Exactly(2.5))]).hits(&pool),
            [2, 3]
        );
        assert_eq!(
            case(&[(0, Test::OneOf(vec![0, 2])), (1, Test::Between(1.0, 2.0))]).hits(&pool),
            [0]
        );
        assert!(case(&[(1, Test::Exactly(7.0))]).hits(&pool).is_empty());
    }

    #[test]
    fn names_and_labels_are_quoted() {
        let pool = pool();
        let text = |test: (usize, Test)| case(&[test]).text(&pool);
        assert_eq!(text((0, Test::OneOf(vec![1]))), "\"who\" = 'O''Neil'");
        assert_eq!(
            text((0, Test::NoneOf(vec![0, 2]))),
            "\"who\" not in ('Ann', 'Bo')"
        );
        assert_eq!(
            text((2, Test::Between(0.1, f64::INFINITY))),
            "\"a \"\"b\"\"\" >= 0.1"
        );
        let days = Test::Between(19_753.0, 19_754.0);
        assert_eq!(text((3, days)), "\"day\" between '2024-01-31' and '2024-02-01'");
    }

    #[test]
    fn one_value_is_fixed() {
        let case = case(&[(0, Test::OneOf(vec![0])), (1, Test::Between(1.0, 1.0))]);
        assert!(case.fixes(0) && !case.fixes(1) && !case.fixes(2));
    }
}
