//! Rows to train on.

use ef_bijectors::ndarray::{Array1, Array2, Axis};
use ef_random::{Key, uniform};
use ef_tensor::normal::ndtri;

/// Rows that the measuring programs train on.
pub const ROWS: usize = 50_000;

/// A mixture of five correlated normals in `dim` columns, each column with mean 0 and variance 1.
pub fn mixture(rows: usize, dim: usize, seed: u64) -> Array2<f32> {
    const COMPONENTS: usize = 5;
    let normal = |rng: &mut dyn FnMut() -> f64| ndtri(rng());
    let key = Key::new(seed);
    let parts: Vec<(Array2<f64>, Array1<f64>)> = (0..COMPONENTS)
        .map(|c| {
            let mut rng = key.purpose("component").row(c as u64);
            let mut next = || uniform(&mut rng);
            let scale = 1.0 / (dim as f64).sqrt();
            let mix = Array2::from_shape_simple_fn((dim, dim), || normal(&mut next) * scale);
            let mean = Array1::from_shape_simple_fn(dim, || 2.0 * normal(&mut next));
            (mix, mean)
        })
        .collect();
    let mut x = Array2::<f64>::zeros((rows, dim));
    for (r, mut row) in x.rows_mut().into_iter().enumerate() {
        let mut rng = key.purpose("rows").row(r as u64);
        let mut next = || uniform(&mut rng);
        let (mix, mean) = &parts[((next() * COMPONENTS as f64) as usize).min(COMPONENTS - 1)];
        let noise = Array1::from_shape_simple_fn(dim, || normal(&mut next));
        row.assign(&(mix.dot(&noise) + mean));
    }
    for mut column in x.axis_iter_mut(Axis(1)) {
        let (mean, sd) = (column.mean().unwrap_or(0.0), column.std(0.0));
        column.mapv_inplace(|v| (v - mean) / sd);
    }
    x.mapv(|v| v as f32)
}

/// A number that two sets of rows share only if they are the same, for all practical purposes: the sum of their bits.
/// Losses on rows with different sums cannot be compared.
pub fn fingerprint(x: &Array2<f32>) -> u64 {
    x.iter().map(|v| u64::from(v.to_bits())).sum()
}
