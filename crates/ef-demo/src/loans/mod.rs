//! A table of loans: every kind of column that a table at work has, with the exact probability of each row.
//!
//! # The columns, in the order in which a row is drawn
//!
//! | column | kind | law |
//! | --- | --- | --- |
//! | `town` | category, 30 levels | Zipf: `P(k) ~ 1/(k + 1)`; each town has a wealth `w` in [-1, 1] |
//! | `employment` | category, 5 | softmax in `w` |
//! | `purpose` | category, 6 | softmax in `employment`, `w` |
//! | `grade` | category, A to E | softmax in `employment`, `purpose`, `w` |
//! | `income` | two decimals, 5 % missing | missing with a probability by `employment`, else a rounded log-normal by `employment`, `grade`, `w` |
//! | `amount` | whole number | 10000 with a probability by `purpose`, else a rounded log-normal by `purpose`, `income` |
//! | `rate` | two decimals, per cent | rounded log-normal by `grade`, `income`, `amount` |
//! | `debt_ratio` | unrounded | log-normal by `income`, `amount`, `rate` |
//! | `defaulted` | boolean | logistic in `grade`, `rate`, `debt_ratio` |
//!
//! # The probability of a row
//!
//! ```text
//! ln p(row) = ln P(town) + ln P(employment | town) + ln P(purpose | employment, town)
//!           + ln P(grade | employment, purpose, town)
//!           + ln P(income | ..) + ln P(amount | ..) + ln P(rate | ..) + ln p(debt_ratio | ..)
//!           + ln P(defaulted | ..)
//! ```
//!
//! A number `v` rounded to the step `h`, whose log before rounding is `N(m, s^2)`, has the mass of its step:
//!
//! ```text
//! S(v; m, s, h) = Phi((ln(v + h/2) - m) / s) - Phi((ln(v - h/2) - m) / s)       ln(x) = -inf for x <= 0
//! ```
//!
//! so that
//!
//! - `P(income missing) = q(employment)` and `P(income = v) = (1 - q) S(v; .., 0.01)`;
//! - `P(amount = v) = f(purpose) [v = 10000] + (1 - f) S(v; .., 1)`: an amount of 10000 also arises by rounding;
//! - `P(rate = v) = S(v; .., 0.01)`;
//! - `p(debt_ratio = v) = N(ln v; m, s^2) / v`, the one density; the whole therefore is a density in `debt_ratio`
//!   and a probability in everything else.
//!
//! Later laws depend on earlier cells as the table holds them, after rounding. Where income is missing they use the
//! mean of its log given the categories.

use std::ops::Range;

use super::draws::{categorical, map_rows, nine_digits, normal};
use super::normal::{ln_mass, ln_normal};
use super::table::{DemoColumn, DemoTable};
use laws::{EMPLOYMENTS, FAVOURITE, GRADES, P_FAVOURITE, P_INCOME_MISSING, PURPOSES, TOWNS};

mod laws;

/// One row of the table. Numbers are as the table holds them, after rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loan<'a> {
    /// The town, one of 30.
    pub town: &'a str,
    /// `employed`, `self-employed`, `retired`, `student` or `unemployed`.
    pub employment: &'a str,
    /// `car`, `home`, `debt`, `education`, `medical` or `business`.
    pub purpose: &'a str,
    /// `A` (best) to `E`.
    pub grade: &'a str,
    /// Yearly income, two decimals; missing in about one row of twenty.
    pub income: Option<f64>,
    /// Amount of the loan, a whole number, 10000 more often than any other.
    pub amount: i64,
    /// Interest in per cent a year, two decimals.
    pub rate: f64,
    /// Yearly payments by income, unrounded.
    pub debt_ratio: f64,
    /// Whether the loan was not paid back.
    pub defaulted: bool,
}

const STREAM: u64 = 6;

/// The step of `income` and `rate`.
const CENT: f64 = 0.01;
/// The step of `amount`.
const UNIT: f64 = 1.0;

/// The log-probability of a row in nats, by the formula at the [top of this page](self); `-inf` for a row that
/// cannot occur: an unknown category, a number off its grid, an amount, rate or ratio that is not positive.
pub fn log_density(loan: &Loan<'_>) -> f64 {
    indexed_log_density(loan).unwrap_or(f64::NEG_INFINITY)
}

fn indexed_log_density(loan: &Loan<'_>) -> Option<f64> {
    let town = TOWNS.iter().position(|(name, _)| *name == loan.town)?;
    let employment = EMPLOYMENTS.iter().position(|name| *name == loan.employment)?;
    let purpose = PURPOSES.iter().position(|name| *name == loan.purpose)?;
    let grade = GRADES.iter().position(|name| *name == loan.grade)?;
    let wealth = TOWNS[town].1;
    let ln_categories = (laws::town()[town]
        * laws::employment(wealth)[employment]
        * laws::purpose(employment, wealth)[purpose]
        * laws::grade(employment, purpose, wealth)[grade])
        .ln();

    let income_law = laws::ln_income(employment, grade, wealth);
    let p_missing = P_INCOME_MISSING[employment];
    let ln_income_mass = match loan.income {
        None => p_missing.ln(),
        Some(income) => (-p_missing).ln_1p() + ln_step_mass(cents(income)?, CENT, income_law),
    };
    let ln_income = loan
        .income
        .map_or(income_law.0, |income| ln_positive(income, CENT));

    let ln_amount_mass = ln_amount_mass(loan.amount, purpose, ln_income);
    let ln_amount = ln_positive(loan.amount as f64, UNIT);

    let rate_law = laws::ln_rate(grade, ln_income, ln_amount);
    let ln_rate_mass = ln_step_mass(cents(loan.rate)?, CENT, rate_law);
    let ln_rate = ln_positive(loan.rate, CENT);

    let ratio_law = laws::ln_debt_ratio(ln_income, ln_amount, ln_rate);
    if !(loan.debt_ratio > 0.0 && loan.debt_ratio.is_finite()) {
        return None;
    }
    let ln_ratio = loan.debt_ratio.ln();
    let ln_ratio_density = ln_normal(ln_ratio, ratio_law.0, ratio_law.1) - ln_ratio;

    let p_default = laws::defaulted(grade, ln_rate, ln_ratio);
    let ln_default = if loan.defaulted {
        p_default.ln()
    } else {
        (-p_default).ln_1p()
    };

    let total =
        ln_categories + ln_income_mass + ln_amount_mass + ln_rate_mass + ln_ratio_density + ln_default;
    // infinities of both signs cannot meet in numbers a table holds; what is left of them means "cannot occur"
    (!total.is_nan()).then_some(total)
}

/// `ln (f [amount = 10000] + (1 - f) S(amount; m, s, 1))`.
fn ln_amount_mass(amount: i64, purpose: usize, ln_income: f64) -> f64 {
    let p_favourite = P_FAVOURITE[purpose];
    let by_rounding =
        (-p_favourite).ln_1p() + ln_step_mass(amount as f64, UNIT, laws::ln_amount(purpose, ln_income));
    if amount == FAVOURITE {
        (p_favourite + by_rounding.exp()).ln()
    } else {
        by_rounding
    }
}

/// `ln S(value; m, s, step)` where `value` counts whole steps.
fn ln_step_mass(count: f64, step: f64, (mean, sd): (f64, f64)) -> f64 {
    if count < 0.0 || !count.is_finite() {
        return f64::NEG_INFINITY;
    }
    let edge = |at: f64| {
        (if at > 0.0 {
            (at * step).ln()
        } else {
            f64::NEG_INFINITY
        } - mean)
            / sd
    };
    ln_mass(edge(count - 0.5), edge(count + 0.5))
}

/// A value on the grid of cents as a count of cents; `None` off the grid.
fn cents(value: f64) -> Option<f64> {
    let count = (value * 100.0).round();
    ((value - count / 100.0).abs() <= 1e-8 + 4.0 * f64::EPSILON * value.abs()).then_some(count)
}

/// `ln value`, with the half step in place of a value that was rounded to zero.
fn ln_positive(value: f64, step: f64) -> f64 {
    value.max(0.5 * step).ln()
}

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    let loans = map_rows(rows, seed, STREAM, draw);
    let text = |word: fn(&Loan<'static>) -> &'static str| {
        DemoColumn::Text(loans.iter().map(|loan| Some(word(loan).to_owned())).collect())
    };
    let decimal = |cell: fn(&Loan<'static>) -> Option<f64>, decimals| DemoColumn::Decimal {
        values: loans.iter().map(cell).collect(),
        decimals,
    };
    DemoTable::from_generated([
        ("town", text(|loan| loan.town)),
        ("employment", text(|loan| loan.employment)),
        ("purpose", text(|loan| loan.purpose)),
        ("grade", text(|loan| loan.grade)),
        ("income", decimal(|loan| loan.income, Some(2))),
        (
            "amount",
            DemoColumn::Integer(loans.iter().map(|loan| Some(loan.amount)).collect()),
        ),
        ("rate", decimal(|loan| Some(loan.rate), Some(2))),
        ("debt_ratio", decimal(|loan| Some(loan.debt_ratio), None)),
        (
            "defaulted",
            DemoColumn::Boolean(loans.iter().map(|loan| Some(loan.defaulted)).collect()),
        ),
    ])
}

/// One row from eleven uniform numbers, one a choice.
fn draw(u: &[f64; 11]) -> Loan<'static> {
    let (town, wealth) = TOWNS[categorical(u[0], &laws::town())];
    let employment = categorical(u[1], &laws::employment(wealth));
    let purpose = categorical(u[2], &laws::purpose(employment, wealth));
    let grade = categorical(u[3], &laws::grade(employment, purpose, wealth));

    let income_law = laws::ln_income(employment, grade, wealth);
    let income = (u[4] >= P_INCOME_MISSING[employment]).then(|| to_cents(log_normal(u[5], income_law)));
    let ln_income = income.map_or(income_law.0, |income| ln_positive(income, CENT));

    let amount = if u[6] < P_FAVOURITE[purpose] {
        FAVOURITE
    } else {
        log_normal(u[7], laws::ln_amount(purpose, ln_income)).round() as i64
    };
    let ln_amount = ln_positive(amount as f64, UNIT);

    let rate = to_cents(log_normal(u[8], laws::ln_rate(grade, ln_income, ln_amount)));
    let ln_rate = ln_positive(rate, CENT);
    let debt_ratio = nine_digits(log_normal(
        u[9],
        laws::ln_debt_ratio(ln_income, ln_amount, ln_rate),
    ));
    let defaulted = u[10] < laws::defaulted(grade, ln_rate, debt_ratio.ln());
    Loan {
        town,
        employment: EMPLOYMENTS[employment],
        purpose: PURPOSES[purpose],
        grade: GRADES[grade],
        income,
        amount,
        rate,
        debt_ratio,
        defaulted,
    }
}

fn log_normal(uniform: f64, (mean, sd): (f64, f64)) -> f64 {
    normal(uniform, mean, sd).exp()
}

fn to_cents(value: f64) -> f64 {
    // divided, not multiplied by 0.01: the nearest number to the decimal that the file will hold
    (value * 100.0).round() / 100.0
}

/// Scores every row; `None` when a column is not there in its type.
pub(super) fn log_density_table(table: &DemoTable) -> Option<Vec<f64>> {
    let town = table.column("town")?.as_text()?;
    let employment = table.column("employment")?.as_text()?;
    let purpose = table.column("purpose")?.as_text()?;
    let grade = table.column("grade")?.as_text()?;
    let income = table.column("income")?.as_decimal()?;
    let amount = table.column("amount")?.as_integer()?;
    let rate = table.column("rate")?.as_decimal()?;
    let debt_ratio = table.column("debt_ratio")?.as_decimal()?;
    let defaulted = table.column("defaulted")?.as_boolean()?;
    let score = |row: usize| {
        indexed_log_density(&Loan {
            town: town[row].as_deref()?,
            employment: employment[row].as_deref()?,
            purpose: purpose[row].as_deref()?,
            grade: grade[row].as_deref()?,
            income: income[row],
            amount: amount[row]?,
            rate: rate[row]?,
            debt_ratio: debt_ratio[row]?,
            defaulted: defaulted[row]?,
        })
    };
    Some(
        (0..table.rows())
            .map(|row| score(row).unwrap_or(f64::NEG_INFINITY))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
