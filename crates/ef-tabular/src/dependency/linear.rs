//! A number that is a sum of others: `divisor * y = sum_k factor_k * x_k + offset`, all in whole steps of the columns'
//! rounding grids.
//!
//! The arithmetic is on whole numbers, so that the derived number is the exact decimal. Where the right side is no
//! multiple of the divisor, which never happened at fit, `y` is the nearest step.

use serde::{Deserialize, Serialize};

use crate::condition::{NumberRange, ValueSet};
use crate::marginal::Grid;
use crate::schema::Kind;
use crate::value::Value;

/// Most steps of a source from 0: beyond them grid points are not exact.
const FARTHEST: i64 = (1 << 53) - 1;

/// One term: `factor` times the source, in steps of the source's grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Term {
    pub(super) source: String,
    pub(super) factor: i64,
    pub(super) grid: Grid,
}

/// A sum of sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub(super) struct Linear(Saved);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    terms: Vec<Term>,
    offset: i64,
    divisor: i64,
    grid: Grid,
}

impl TryFrom<Saved> for Linear {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let grids = saved.terms.iter().map(|term| term.grid).chain([saved.grid]);
        let whole = saved.divisor > 0
            && !saved.terms.is_empty()
            && grids
                .into_iter()
                .all(|grid| grid.decimals().is_some_and(|d| d <= 6));
        if whole {
            Ok(Self(saved))
        } else {
            Err("a sum of columns is damaged; its terms have no rounding step".to_owned())
        }
    }
}

impl From<Linear> for Saved {
    fn from(linear: Linear) -> Self {
        linear.0
    }
}

impl Linear {
    /// The relation in lowest terms; `None` if a number is beyond 64 bits. All grids must be there, `divisor` above 0.
    pub(super) fn new(
        terms: Vec<(String, i128, Grid)>,
        offset: i128,
        divisor: i128,
        grid: Grid,
    ) -> Option<Self> {
        debug_assert!(divisor > 0 && grid.decimals().is_some());
        let common = terms
            .iter()
            .fold(gcd(offset, divisor), |common, term| gcd(common, term.1));
        let short = |number: i128| i64::try_from(number / common).ok();
        let terms: Option<Vec<Term>> = terms
            .into_iter()
            .map(|(source, factor, grid)| {
                Some(Term {
                    source,
                    factor: short(factor)?,
                    grid,
                })
            })
            .collect();
        Some(Self(Saved {
            terms: terms?,
            offset: short(offset)?,
            divisor: short(divisor)?,
            grid,
        }))
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.terms.iter().map(|term| term.source.as_str())
    }

    /// Whether every sum of source steps is a step of the derived column.
    pub(super) fn is_exact(&self) -> bool {
        self.0.divisor == 1
    }

    /// The derived number of sources, one a term; `None` if one is no number of its grid, or a number beyond 2^53 steps.
    pub(super) fn derive<'a>(&self, sources: impl Iterator<Item = Value<'a>>) -> Option<f64> {
        let Saved {
            terms,
            offset,
            divisor,
            grid,
        } = &self.0;
        let mut sum = i128::from(*offset);
        for (term, value) in terms.iter().zip(sources) {
            let Value::Number(x) = value else { return None };
            sum += i128::from(term.factor) * i128::from(term.grid.point(x)?);
        }
        let value = grid.value(i64::try_from(nearest(sum, *divisor)).ok()?);
        grid.index(value).map(|_| value)
    }

    /// The number of one source, on its grid, that makes the derived number `derived` where the others are `known`:
    ///
    /// ```text
    /// x_i = (divisor * y - offset - sum_(k != i) factor_k * x_k) / factor_i
    /// ```
    ///
    /// `None` if no number of the grid does so exactly, or a number that has to be known is not.
    pub(super) fn solve<'a>(
        &self,
        unknown: &str,
        derived: Value<'_>,
        known: impl Fn(&str) -> Value<'a>,
    ) -> Option<f64> {
        let Saved {
            terms,
            offset,
            divisor,
            grid,
        } = &self.0;
        let Value::Number(y) = derived else { return None };
        let mut rest = i128::from(*divisor) * i128::from(grid.point(y)?) - i128::from(*offset);
        let mut asked = None;
        for term in terms {
            if term.source == unknown && asked.is_none() {
                asked = Some(term);
                continue;
            }
            let Value::Number(x) = known(&term.source) else {
                return None;
            };
            rest -= i128::from(term.factor) * i128::from(term.grid.point(x)?);
        }
        let term = asked?;
        let factor = i128::from(term.factor);
        if factor == 0 || rest % factor != 0 {
            return None;
        }
        let value = term.grid.value(i64::try_from(rest / factor).ok()?);
        term.grid.index(value).map(|_| value)
    }

    /// The numbers of the source, on its grid, whose derived numbers lie in a set; `None` if there are several sources.
    pub(super) fn preimage(&self, set: &ValueSet) -> Option<ValueSet> {
        let Saved {
            terms,
            offset,
            divisor,
            grid,
        } = &self.0;
        let [term] = &terms[..] else { return None };
        // ascending in `at`, whatever the sign of the factor
        let sign = if term.factor < 0 { -1 } else { 1 };
        let derived = |at: i64| {
            let sum = i128::from(*offset) + i128::from(term.factor) * i128::from(sign * at);
            nearest(sum, *divisor)
        };
        let first_from = |index: i128| {
            let (mut low, mut high) = (-FARTHEST - 1, FARTHEST + 1);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if derived(middle) < index {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            high
        };
        let ranges = set.number_ranges().filter_map(|range| {
            let (first, last) = range.grid_points(*grid)?;
            let (from, to) = (
                first_from(i128::from(first)),
                first_from(i128::from(last) + 1) - 1,
            );
            if from > to {
                return None;
            }
            let low = if range.low.is_finite() {
                term.grid.value(from)
            } else {
                f64::NEG_INFINITY
            };
            let high = if range.high.is_finite() {
                term.grid.value(to)
            } else {
                f64::INFINITY
            };
            Some(match sign {
                1 => NumberRange::closed(low, high),
                _ => NumberRange::closed(-high, -low),
            })
        });
        Some(ValueSet::ranges(Kind::Decimal, ranges))
    }
}

/// The whole number nearest to `sum / divisor`.
fn nearest(sum: i128, divisor: i64) -> i128 {
    let divisor = i128::from(divisor);
    (2 * sum + divisor).div_euclid(2 * divisor)
}

pub(super) fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl std::fmt::Display for Linear {
    /// `casual + registered`, `1.8 * celsius + 32`, `100 - a - b`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Saved {
            terms,
            offset,
            divisor,
            grid,
        } = &self.0;
        let power = |grid: &Grid| 10i128.pow(u32::from(grid.decimals().unwrap_or(0)));
        let bottom = i128::from(*divisor) * power(grid);
        let mut parts: Vec<(bool, String)> = terms
            .iter()
            .map(|term| {
                let top = i128::from(term.factor) * power(&term.grid);
                let text = match ratio(top, bottom).as_str() {
                    "1" => term.source.clone(),
                    ratio => format!("{ratio} * {}", term.source),
                };
                (top < 0, text)
            })
            .collect();
        let constant = i128::from(*offset);
        if constant != 0 {
            let text = ratio(constant, bottom);
            parts.push((constant < 0, text));
        }
        // what is added comes first, the constant before all: 100 - a rather than -a + 100
        let added = if constant > 0 {
            Some(parts.len() - 1)
        } else {
            parts.iter().position(|(minus, _)| !minus)
        };
        if parts[0].0
            && let Some(added) = added
        {
            let part = parts.remove(added);
            parts.insert(0, part);
        }
        for (k, (minus, text)) in parts.iter().enumerate() {
            f.write_str(match (k, minus) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            })?;
            f.write_str(text)?;
        }
        Ok(())
    }
}

/// `|top / bottom|` as a decimal if it has an end, else as a fraction in lowest terms.
fn ratio(top: i128, bottom: i128) -> String {
    let common = gcd(top, bottom);
    let (top, bottom) = (top.abs() / common, bottom / common);
    let mut rest = bottom;
    let mut times = |factor: i128| {
        let mut count = 0;
        while rest % factor == 0 {
            rest /= factor;
            count += 1;
        }
        count
    };
    let decimals = times(2).max(times(5));
    if rest == 1 && decimals <= 12 {
        let scale = 10i128.pow(decimals);
        let digits = top * (scale / bottom);
        return match decimals {
            0 => digits.to_string(),
            _ => format!(
                "{}.{:0width$}",
                digits / scale,
                digits % scale,
                width = decimals as usize
            ),
        };
    }
    format!("{top}/{bottom}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(decimals: u8) -> Grid {
        let value = 10f64.powi(-i32::from(decimals));
        Grid::find(&[value])
    }

    fn one(factor: i128, from: u8, offset: i128, divisor: i128, to: u8) -> Linear {
        Linear::new(
            vec![("x".to_owned(), factor, grid(from))],
            offset,
            divisor,
            grid(to),
        )
        .unwrap()
    }

    fn at(linear: &Linear, x: f64) -> Option<f64> {
        linear.derive(std::iter::once(Value::Number(x)))
    }

    #[test]
    fn derived_numbers_are_the_exact_decimals() {
        let fahrenheit = one(18, 1, 3200, 1, 2);
        assert_eq!(fahrenheit.to_string(), "1.8 * x + 32");
        assert_eq!(at(&fahrenheit, 36.6), Some(97.88));
        assert_eq!(at(&fahrenheit, -40.0), Some(-40.0));
        let celsius = one(1, 2, -3200, 18, 1);
        assert_eq!(celsius.to_string(), "5/9 * x - 160/9");
        assert_eq!(at(&celsius, 97.88), Some(36.6));
        // off the source's lattice: the nearest step
        assert_eq!(at(&celsius, 97.89), Some(36.6));
        assert_eq!(at(&celsius, 97.99), Some(36.7));
        let rest = one(-1, 2, 10_000, 1, 2);
        assert_eq!(rest.to_string(), "100 - x");
        assert_eq!(at(&rest, 0.1 + 0.2), Some(99.7));
    }

    /// Of a sum each term is told by the sum and the other terms, exactly or not at all.
    #[test]
    fn a_term_is_told_by_the_sum_and_the_others() {
        let terms = vec![("a".to_owned(), 10, grid(0)), ("b".to_owned(), -1, grid(1))];
        let linear = Linear::new(terms, 25, 1, grid(1)).unwrap();
        assert_eq!(linear.to_string(), "a - b + 2.5");
        let (a, b) = (12.0, 3.5);
        let y = linear.derive([a, b].map(Value::Number).into_iter()).unwrap();
        let solve = |unknown: &str, y: f64, known: f64| {
            linear.solve(unknown, Value::Number(y), |_| Value::Number(known))
        };
        assert_eq!(solve("a", y, b), Some(a));
        assert_eq!(solve("b", y, a), Some(b));
        // no whole number does it
        assert_eq!(solve("a", y + 0.1, b), None);
        assert_eq!(solve("c", y, b), None);
        assert_eq!(linear.solve("a", Value::Missing, |_| Value::Number(b)), None);
        assert_eq!(linear.solve("a", Value::Number(y), |_| Value::Missing), None);
    }

    #[test]
    fn nothing_is_derived_beyond_what_a_float_holds() {
        let large = one(1 << 40, 0, 0, 1, 0);
        assert_eq!(at(&large, 8191.0), Some(8191.0 * 2f64.powi(40)));
        assert_eq!(at(&large, 8192.0), None);
        assert_eq!(large.derive(std::iter::once(Value::Text("x"))), None);
        assert_eq!(
            Linear::new(vec![("x".to_owned(), 1 << 70, grid(0))], 1, 1, grid(0)),
            None
        );
    }
}
