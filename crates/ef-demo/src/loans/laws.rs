//! The constants and conditional laws of the loans table, in the order in which a row is drawn.
//!
//! Each law is stated once here; the generator draws from it and the density evaluates it.

/// The towns, most frequent first, with the wealth that other laws depend on, in [-1, 1].
pub(super) const TOWNS: [(&str, f64); 30] = [
    ("Ashford", 0.2),
    ("Birchwood", -0.4),
    ("Carrow", 0.6),
    ("Dunmore", -0.1),
    ("Eastleigh", -0.8),
    ("Farnham", 0.9),
    ("Glenrock", 0.0),
    ("Hartwell", -0.6),
    ("Inverness", 0.4),
    ("Jarrow", -0.9),
    ("Kenmare", 0.3),
    ("Larkhall", -0.3),
    ("Midhurst", 0.8),
    ("Norwood", -0.5),
    ("Oakham", 0.1),
    ("Penrith", -0.2),
    ("Quorn", 0.7),
    ("Redcar", -1.0),
    ("Selby", 0.0),
    ("Thornbury", 0.5),
    ("Ulverston", -0.7),
    ("Ventnor", 0.3),
    ("Whitby", -0.1),
    ("Exford", 1.0),
    ("Yarm", -0.4),
    ("Zeal", 0.6),
    ("Alton", -0.6),
    ("Bude", 0.2),
    ("Corfe", 0.9),
    ("Dover", -0.8),
];
/// Where a row's borrower works.
pub(super) const EMPLOYMENTS: [&str; 5] = ["employed", "self-employed", "retired", "student", "unemployed"];
/// What the loan is for.
pub(super) const PURPOSES: [&str; 6] = ["car", "home", "debt", "education", "medical", "business"];
/// The lender's grade, best first.
pub(super) const GRADES: [&str; 5] = ["A", "B", "C", "D", "E"];

/// The favourite amount.
pub(super) const FAVOURITE: i64 = 10_000;

/// `P(town = k)`, Zipf's law: `1 / (k + 1)`, normalised.
pub(super) fn town() -> [f64; 30] {
    let total: f64 = (1..=30).map(|k| 1.0 / f64::from(k)).sum();
    std::array::from_fn(|k| 1.0 / ((k + 1) as f64 * total))
}

const EMPLOYMENT_BASE: [f64; 5] = [2.4, 0.9, 0.8, 0.2, -0.1];
const EMPLOYMENT_WEALTH: [f64; 5] = [0.3, 0.5, 0.2, -0.2, -0.8];

/// `P(employment | town)`: softmax of `base + slope * wealth`.
pub(super) fn employment(wealth: f64) -> [f64; 5] {
    softmax(|e| EMPLOYMENT_BASE[e] + EMPLOYMENT_WEALTH[e] * wealth)
}

const PURPOSE_BASE: [[f64; 6]; 5] = [
    [1.2, 0.9, 1.0, -0.4, -0.3, -0.9],
    [0.5, 0.6, 0.7, -0.9, -0.4, 1.4],
    [0.6, 0.5, 0.3, -2.0, 1.2, -1.0],
    [0.1, -1.6, 0.2, 2.2, -0.6, -1.0],
    [0.3, -1.0, 1.5, 0.3, 0.7, -0.4],
];
const PURPOSE_WEALTH: [f64; 6] = [0.1, 0.7, -0.5, 0.2, -0.2, 0.3];

/// `P(purpose | employment, town)`: softmax of `base[employment] + slope * wealth`.
pub(super) fn purpose(employment: usize, wealth: f64) -> [f64; 6] {
    softmax(|p| PURPOSE_BASE[employment][p] + PURPOSE_WEALTH[p] * wealth)
}

const GRADE_BASE: [f64; 5] = [-0.5, 0.4, 0.6, 0.1, -0.7];
const QUALITY_EMPLOYMENT: [f64; 5] = [0.5, 0.1, 0.6, -0.6, -1.3];
const QUALITY_PURPOSE: [f64; 6] = [0.2, 0.5, -0.5, 0.1, -0.2, -0.1];

/// `P(grade | employment, purpose, town)`: softmax of `base - quality * (grade - 2)`, so that a better borrower
/// moves the whole scale towards A.
pub(super) fn grade(employment: usize, purpose: usize, wealth: f64) -> [f64; 5] {
    let quality = QUALITY_EMPLOYMENT[employment] + QUALITY_PURPOSE[purpose] + 0.4 * wealth;
    softmax(|g| GRADE_BASE[g] - quality * steps_from_c(g))
}

/// `P(income is missing | employment)`.
pub(super) const P_INCOME_MISSING: [f64; 5] = [0.03, 0.10, 0.06, 0.12, 0.09];

const INCOME_MEAN: [f64; 5] = [10.45, 10.55, 10.10, 9.55, 9.60];
const INCOME_SD: [f64; 5] = [0.35, 0.50, 0.40, 0.40, 0.45];

/// Mean and standard deviation of `ln income` before it is rounded.
pub(super) fn ln_income(employment: usize, grade: usize, wealth: f64) -> (f64, f64) {
    (
        INCOME_MEAN[employment] + 0.25 * wealth - 0.10 * steps_from_c(grade),
        INCOME_SD[employment],
    )
}

/// `P(amount is the favourite | purpose)`.
pub(super) const P_FAVOURITE: [f64; 6] = [0.18, 0.06, 0.14, 0.10, 0.07, 0.08];

const AMOUNT_MEAN: [f64; 6] = [9.4, 10.4, 9.1, 9.2, 8.5, 9.9];
const AMOUNT_SD: [f64; 6] = [0.35, 0.40, 0.45, 0.40, 0.50, 0.50];

/// Mean and standard deviation of `ln amount` before it is rounded, for an amount that is not the favourite by
/// choice.
pub(super) fn ln_amount(purpose: usize, ln_income: f64) -> (f64, f64) {
    (
        AMOUNT_MEAN[purpose] + 0.5 * (ln_income - 10.3),
        AMOUNT_SD[purpose],
    )
}

const RATE_MEAN: [f64; 5] = [1.58, 1.84, 2.10, 2.36, 2.62];

/// Mean and standard deviation of `ln rate` before it is rounded; the rate is in per cent a year.
pub(super) fn ln_rate(grade: usize, ln_income: f64, ln_amount: f64) -> (f64, f64) {
    (
        RATE_MEAN[grade] + 0.08 * (ln_amount - 9.4) - 0.10 * (ln_income - 10.3),
        0.15,
    )
}

/// Mean and standard deviation of `ln debt_ratio`, which is not rounded.
pub(super) fn ln_debt_ratio(ln_income: f64, ln_amount: f64, ln_rate: f64) -> (f64, f64) {
    (
        -1.2 + 0.6 * (ln_amount - 9.4) - 0.6 * (ln_income - 10.3) + 0.3 * (ln_rate - 2.1),
        0.30,
    )
}

/// `P(defaulted | grade, rate, debt_ratio)`: logistic.
pub(super) fn defaulted(grade: usize, ln_rate: f64, ln_debt_ratio: f64) -> f64 {
    let logit = -2.3 + 0.4 * steps_from_c(grade) + 0.8 * (ln_rate - 2.1) + 0.6 * (ln_debt_ratio + 1.2);
    1.0 / (1.0 + (-logit).exp())
}

/// Grades as a scale: A is -2, C is 0, E is +2.
fn steps_from_c(grade: usize) -> f64 {
    grade as f64 - 2.0
}

fn softmax<const N: usize>(score: impl Fn(usize) -> f64) -> [f64; N] {
    let weights: [f64; N] = std::array::from_fn(|k| score(k).exp());
    let total: f64 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_categories_sums_to_one() {
        let mut total = 0.0;
        for (p_town, (_, wealth)) in town().into_iter().zip(TOWNS) {
            for (e, p_employment) in employment(wealth).into_iter().enumerate() {
                for (p, p_purpose) in purpose(e, wealth).into_iter().enumerate() {
                    for p_grade in grade(e, p, wealth) {
                        total += p_town * p_employment * p_purpose * p_grade;
                    }
                }
            }
        }
        assert!((total - 1.0).abs() < 1e-12);
    }

    #[test]
    fn about_one_income_in_twenty_is_missing() {
        let share: f64 = town()
            .into_iter()
            .zip(TOWNS)
            .map(|(p, (_, wealth))| {
                p * employment(wealth)
                    .iter()
                    .zip(P_INCOME_MISSING)
                    .map(|(q, m)| q * m)
                    .sum::<f64>()
            })
            .sum();
        assert!((0.04..0.06).contains(&share), "{share}");
    }

    #[test]
    fn no_town_has_two_entries() {
        let mut names = TOWNS.map(|(name, _)| name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
