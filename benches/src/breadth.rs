//! Tables that stretch a model of tables: many columns, few rows, many rows, many levels, many missing cells.
//!
//! All but `levels` come from a latent factor model. Each row has `k` standard normal factors `f`; column `j` has a
//! latent number of mean 0 and variance 1,
//!
//! ```text
//! z_j = a w_j . f + b f_s f_t + c e_j,    a^2 + b^2 + c^2 = 1,  |w_j| = 1,  e_j ~ N(0, 1)
//! ```
//!
//! with `b = 0` for two columns in three (dependence that a Gaussian copula can represent) and a product of two factors
//! for the third (dependence that it does not). The column's cell is a function of `z_j`: a real number, a skewed
//! amount, a number of two decimals, a count, a category, a yes or no.
//!
//! Row `r` of a part of a table has a random stream of its own, so rows are independent draws of one law: the first
//! rows of a test table are as good a sample as any.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use ef_random::{Key, Philox, uniform};
use ef_tensor::normal::{ndtr, ndtri};

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Breadth {
    /// 100 columns of all kinds, 10,000 rows.
    Wide,
    /// 8 columns, 200 rows.
    Small,
    /// 20 columns, 1,000,000 rows.
    Long,
    /// A category of 5,000 levels that decides two numbers, 50,000 rows.
    Levels,
    /// 15 columns with 40 % of the cells missing, depending on another column's value; 20,000 rows.
    Missing,
}

impl Breadth {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wide, Self::Small, Self::Long, Self::Levels, Self::Missing];

    /// The name its files begin with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Small => "small",
            Self::Long => "long",
            Self::Levels => "levels",
            Self::Missing => "missing",
        }
    }

    /// Rows to learn from and rows to judge by.
    pub fn rows(self) -> (u64, u64) {
        match self {
            Self::Wide => (10_000, 2_500),
            Self::Small => (200, 2_000),
            Self::Long => (1_000_000, 5_000),
            Self::Levels => (50_000, 10_000),
            Self::Missing => (20_000, 5_000),
        }
    }

    /// Writes `NAME.train.csv` and `NAME.test.csv` into a folder. The same seed writes the same bytes.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(self, folder: &Path, seed: u64) -> Result<()> {
        let key = Key::new(seed).purpose(self.name());
        let rows: Box<dyn Rows> = match self {
            Self::Wide => Box::new(Factors::new(100, 8, false, key)),
            Self::Small => Box::new(Factors::new(8, 2, false, key)),
            Self::Long => Box::new(Factors::new(20, 4, false, key)),
            Self::Missing => Box::new(Factors::new(15, 3, true, key)),
            Self::Levels => Box::new(Levels::new(5_000, key)),
        };
        let (train, test) = self.rows();
        for (part, count) in [("train", train), ("test", test)] {
            let path = folder.join(format!("{}.{part}.csv", self.name()));
            let what = || format!("{} cannot be written", path.display());
            let mut out = BufWriter::new(File::create(&path).with_context(what)?);
            let mut line = rows.header();
            let streams = key.purpose(part);
            for row in 0..count {
                line.push('\n');
                out.write_all(line.as_bytes()).with_context(what)?;
                line.clear();
                rows.write(&mut streams.row(row), &mut line);
            }
            line.push('\n');
            out.write_all(line.as_bytes()).with_context(what)?;
            out.flush().with_context(what)?;
        }
        Ok(())
    }
}

/// A law of rows.
trait Rows {
    fn header(&self) -> String;

    /// Appends one row, without a line break.
    fn write(&self, rng: &mut Philox, out: &mut String);
}

/// What a column makes of its latent number.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Real,
    Amount,
    TwoDecimals,
    Count,
    /// So many levels of uneven shares, in the order of `z`, or around a circle from where `z` is at its rank 0.63.
    Category {
        levels: usize,
        around: bool,
    },
    YesNo,
}

impl Cell {
    /// The kinds in turn.
    fn of_column(j: usize) -> Self {
        match j % 8 {
            0 => Self::Real,
            1 => Self::Count,
            2 | 6 => Self::Category {
                levels: 3 + j % 11,
                around: j % 8 == 6,
            },
            3 => Self::Amount,
            4 => Self::TwoDecimals,
            5 => Self::YesNo,
            _ => Self::Real,
        }
    }

    fn write(self, z: f64, out: &mut String) {
        let written = match self {
            Self::Real => write!(out, "{z:.12}"),
            Self::Amount => write!(out, "{:.2}", 100.0 * (0.8 * z).exp()),
            Self::TwoDecimals => write!(out, "{:.2}", 2.0 * z),
            Self::Count => write!(out, "{}", (6.0 * (0.5 * z).exp()) as u32),
            Self::Category { levels, around } => {
                let rank = (ndtr(z) + if around { 0.37 } else { 0.0 }).fract();
                let level = ((rank.powf(1.5) * levels as f64) as usize).min(levels - 1);
                write!(out, "level {}", (SHUFFLE * level + 2) % levels)
            }
            Self::YesNo => out.write_str(if z > 0.4 { "yes" } else { "no" }),
        };
        debug_assert!(written.is_ok(), "a string takes what is written");
    }
}

/// A prime above every number of levels, so that names do not show the order of levels.
const SHUFFLE: usize = 17;

fn normal(rng: &mut Philox) -> f64 {
    ndtri(uniform(rng))
}

/// Shares of a latent's variance: factors, a product of two, noise.
const LINEAR: [f64; 3] = [0.7, 0.0, 0.3];
const CURVED: [f64; 3] = [0.2, 0.6, 0.2];

/// The latent factor model.
struct Factors {
    columns: Vec<FactorColumn>,
    factors: usize,
    missing: bool,
}

struct FactorColumn {
    cell: Cell,
    weights: Vec<f64>,
    product: (usize, usize),
    shares: [f64; 3],
}

/// Share of missing cells, and how strongly another column's latent decides on them.
const MISSING: f64 = 0.4;
const PULL: f64 = 1.5;

impl Factors {
    fn new(columns: usize, factors: usize, missing: bool, key: Key) -> Self {
        let column = |j: usize| {
            let mut rng = key.purpose("column").row(j as u64);
            let mut weights: Vec<f64> = (0..factors).map(|_| normal(&mut rng)).collect();
            let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
            weights.iter_mut().for_each(|w| *w /= norm);
            let product = (j % factors, (j + 1 + j / factors % (factors - 1)) % factors);
            let shares = if j % 3 == 2 { CURVED } else { LINEAR };
            FactorColumn {
                cell: Cell::of_column(j),
                weights,
                product,
                shares: shares.map(f64::sqrt),
            }
        };
        Self {
            columns: (0..columns).map(column).collect(),
            factors,
            missing,
        }
    }
}

impl Rows for Factors {
    fn header(&self) -> String {
        let names: Vec<String> = (0..self.columns.len()).map(|j| format!("c{j}")).collect();
        names.join(",")
    }

    fn write(&self, rng: &mut Philox, out: &mut String) {
        let f: Vec<f64> = (0..self.factors).map(|_| normal(rng)).collect();
        let latent = |column: &FactorColumn, rng: &mut Philox| {
            let [a, b, c] = column.shares;
            let linear: f64 = column.weights.iter().zip(&f).map(|(w, f)| w * f).sum();
            a * linear + b * f[column.product.0] * f[column.product.1] + c * normal(rng)
        };
        let z: Vec<f64> = self.columns.iter().map(|column| latent(column, rng)).collect();
        for (j, column) in self.columns.iter().enumerate() {
            if j > 0 {
                out.push(',');
            }
            // P(missing) = Phi(PULL z' + c) has mean MISSING over a standard normal z'.
            let other = z[(j + 1) % z.len()];
            let edge = PULL * other + ndtri(MISSING) * f64::hypot(1.0, PULL);
            if !self.missing || uniform(rng) > ndtr(edge) {
                column.cell.write(z[j], out);
            }
        }
    }
}

/// A key-like column: each level has its own mean of two numbers, and its own chance to be drawn.
struct Levels {
    means: Vec<[f64; 2]>,
    /// Shares cumulated, level `l` in proportion to `1 / (l + 50)`.
    cumulated: Vec<f64>,
}

impl Levels {
    fn new(levels: usize, key: Key) -> Self {
        let mut total = 0.0;
        let mut cumulated = Vec::with_capacity(levels);
        let mut means = Vec::with_capacity(levels);
        for level in 0..levels {
            total += 1.0 / (level as f64 + 50.0);
            cumulated.push(total);
            let mut rng = key.purpose("level").row(level as u64);
            means.push([20.0 + 8.0 * normal(&mut rng), 3.0 * normal(&mut rng)]);
        }
        cumulated.iter_mut().for_each(|share| *share /= total);
        Self { means, cumulated }
    }
}

impl Rows for Levels {
    fn header(&self) -> String {
        "key,price,change".to_owned()
    }

    fn write(&self, rng: &mut Philox, out: &mut String) {
        let u = uniform(rng);
        let level = self
            .cumulated
            .partition_point(|share| *share < u)
            .min(self.means.len() - 1);
        let [price, change] = self.means[level];
        let price_noise = normal(rng);
        let price = price + price_noise;
        let change = change + 0.5 * price_noise + 0.5 * normal(rng);
        // names that do not show the level's rank
        let name = level * 7_919 % 10_007;
        let written = write!(out, "k{name:05},{price:.2},{change:.12}");
        debug_assert!(written.is_ok(), "a string takes what is written");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rows(law: &dyn Rows, count: u64) -> Vec<Vec<String>> {
        let key = Key::new(1);
        let row = |r| {
            let mut line = String::new();
            law.write(&mut key.row(r), &mut line);
            line.split(',').map(str::to_owned).collect()
        };
        (0..count).map(row).collect()
    }

    fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
        let n = pairs.clone().count() as f64;
        let (x, y) = pairs
            .clone()
            .fold((0.0, 0.0), |(x, y), (a, b)| (x + a / n, y + b / n));
        let sums = pairs.fold([0.0; 3], |[xx, yy, xy], (a, b)| {
            [xx + (a - x).powi(2), yy + (b - y).powi(2), xy + (a - x) * (b - y)]
        });
        sums[2] / (sums[0] * sums[1]).sqrt()
    }

    #[test]
    fn rows_have_a_cell_for_every_column() {
        let law = Factors::new(100, 8, false, Key::new(2));
        assert_eq!(law.header().split(',').count(), 100);
        for row in rows(&law, 50) {
            assert_eq!(row.len(), 100);
            assert!(row.iter().all(|cell| !cell.is_empty()));
        }
    }

    #[test]
    fn categories_have_their_number_of_levels() {
        let drawn = rows(&Factors::new(100, 8, false, Key::new(2)), 2_000);
        for j in 0..100 {
            if let Cell::Category { levels, .. } = Cell::of_column(j) {
                let found: BTreeSet<&str> = drawn.iter().map(|row| row[j].as_str()).collect();
                assert_eq!(found.len(), levels, "c{j}");
            }
        }
    }

    #[test]
    fn two_cells_in_five_are_missing_where_they_should() {
        let drawn = rows(&Factors::new(15, 3, true, Key::new(2)), 4_000);
        let missing = drawn.iter().flatten().filter(|cell| cell.is_empty()).count();
        let share = missing as f64 / (15.0 * 4_000.0);
        assert!((share - MISSING).abs() < 0.03, "{share}");
        // c7 is missing where c8, a real number, is high
        let pairs = drawn.iter().filter(|row| !row[8].is_empty()).map(|row| {
            (
                f64::from(u8::from(row[7].is_empty())),
                row[8].parse().expect("a number"),
            )
        });
        assert!(correlation(pairs) > 0.5);
    }

    #[test]
    fn latents_have_mean_zero_and_variance_one() {
        let law = Factors::new(17, 4, false, Key::new(3));
        let drawn = rows(&law, 20_000);
        // c8 is linear; c0 too; c16 is not linear
        for column in [0, 8, 16] {
            let values = drawn
                .iter()
                .map(|row| row[column].parse::<f64>().expect("a number"));
            let mean = values.clone().sum::<f64>() / 20_000.0;
            let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!(
                mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1,
                "c{column}: {mean}, {variance}"
            );
        }
    }

    #[test]
    fn a_level_decides_its_numbers() {
        let law = Levels::new(5_000, Key::new(2));
        let drawn = rows(&law, 20_000);
        let mut names: Vec<&str> = drawn.iter().map(|row| row[0].as_str()).collect();
        names.sort_unstable();
        let pairs = |column: usize| {
            let mut sorted: Vec<&Vec<String>> = drawn.iter().collect();
            sorted.sort_by(|a, b| a[0].cmp(&b[0]));
            let number = move |row: &Vec<String>| row[column].parse::<f64>().expect("a number");
            let same: Vec<(f64, f64)> = sorted
                .windows(2)
                .filter(|pair| pair[0][0] == pair[1][0])
                .map(|pair| (number(pair[0]), number(pair[1])))
                .collect();
            same
        };
        for column in [1, 2] {
            assert!(correlation(pairs(column).into_iter()) > 0.9);
        }
        names.dedup();
        assert!(names.len() > 3_000, "{} levels drawn", names.len());
    }
}
