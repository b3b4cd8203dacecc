//! What the experiments share: toy sets with exact densities, fitting a flow, scores, and where pictures go.

// every experiment compiles this file and uses a part of it
#![allow(dead_code)]

pub(crate) mod compare;
pub(crate) mod gallery;
pub(crate) mod model;
pub(crate) mod toys;

use std::error::Error;
use std::path::PathBuf;

use echoflow::density::{Key, Philox, normal, uniform};

/// What an experiment returns: every error ends it with its own words.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Writes a picture to the directory named by the first argument, or to the current one, and says so on stderr: what
/// goes to stdout are figures.
pub(crate) fn write_picture(name: &str, svg: &str) -> Outcome {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(|| ".".into(), PathBuf::from);
    std::fs::create_dir_all(&dir)?;
    let path = dir.join(name);
    std::fs::write(&path, svg)?;
    eprintln!("wrote {} ({} KB)", path.display(), svg.len().div_ceil(1000));
    Ok(())
}

/// A stream of random numbers, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Draws(Philox);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Key::new(seed).purpose("experiment").row(0))
    }

    /// Uniform on (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        uniform(&mut self.0)
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        normal::ndtri(self.uniform())
    }

    /// A whole number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }
}

/// `ln N(x; mean, sd^2)`.
pub(crate) fn ln_normal(x: f64, mean: f64, sd: f64) -> f64 {
    normal::log_phi((x - mean) / sd) - sd.ln()
}

/// Nats for a picture, with a true minus.
pub(crate) fn nats(value: f64) -> String {
    format!("{value:.2} nats").replace('-', "\u{2212}")
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation, by `n - 1`.
pub(crate) fn sd(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

/// `ln sum exp`, safe from overflow.
pub(crate) fn log_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
}

/// The least of some values and where it stands.
pub(crate) fn least(values: &[f64]) -> (usize, f64) {
    values.iter().copied().enumerate().fold(
        (0, f64::INFINITY),
        |best, (i, v)| {
            if v < best.1 { (i, v) } else { best }
        },
    )
}
