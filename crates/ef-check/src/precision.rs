//! The same laws in `f32`, at every instruction set.

use ef_bijectors::Bijector;
use ef_tensor::simd::{Level, with_level};
use ef_tensor::{Real, Workspace};
use ndarray::Array2;
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::CheckConfig;
use crate::jacobian::{jacobian, norm};

/// Holds the `f32` bijector `b32` against its `f64` twin `b64` at every [`Level`]: `z` and `log_det` within
/// `1e-5` times the map's condition, and the `f32` round trip likewise.
///
/// # Panics
/// If they disagree, with level, place and both numbers.
pub fn assert_f32_agrees(b32: &dyn Bijector<f32>, b64: &dyn Bijector<f64>, config: &CheckConfig) {
    assert_eq!(
        b32.num_params(),
        b64.num_params(),
        "the twins have different numbers of parameters"
    );
    for seed in 0..u64::from(config.cases) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut params = vec![0.0_f64; b64.num_params()];
        b64.init(&mut rng, &mut params);
        for p in &mut params {
            *p += 0.2 * config.param_scale * rng.sample::<f64, _>(StandardNormal);
        }
        b64.project(&mut params);
        let params32: Vec<f32> = params.iter().map(|&p| p as f32).collect();
        let params: Vec<f64> = params32.iter().map(|&p| f64::from(p)).collect();
        let x32 = Array2::<f32>::random_using((4, b64.dim()), StandardNormal, &mut rng);
        let c32 = Array2::<f32>::random_using((4, b64.context_dim()), StandardNormal, &mut rng);
        let (x, c) = (x32.mapv(f64::from), c32.mapv(f64::from));
        let (z, log_det) = forward(b64, &params, &x, &c);
        let condition = (0..x.nrows())
            .map(|r| row_condition(b64, &params, &x, &c, r))
            .fold(1.0, f64::max);
        for level in Level::ALL {
            with_level(level, || {
                let (z32, l32) = forward(b32, &params32, &x32, &c32);
                let mut back = z32.clone();
                let mut undo = vec![0.0; 4];
                b32.inverse(
                    &params32,
                    back.view_mut(),
                    c32.view(),
                    &mut undo,
                    &mut Workspace::default(),
                );
                let allowed = |v: f64| 1e-5 * condition * (1.0 + v.abs());
                for ((r, j), &v) in z.indexed_iter() {
                    let found = f64::from(z32[[r, j]]);
                    assert!(
                        (found - v).abs() <= allowed(v),
                        "z[{r}, {j}] at {level:?}, seed {seed}: {found} for {v}"
                    );
                    let (found, v) = (f64::from(back[[r, j]]), x[[r, j]]);
                    assert!(
                        (found - v).abs() <= allowed(v),
                        "round trip [{r}, {j}] at {level:?}, seed {seed}: {found} for {v}"
                    );
                }
                for (r, (&found, &v)) in l32.iter().zip(&log_det).enumerate() {
                    assert!(
                        (found - v).abs() <= allowed(v),
                        "log_det[{r}] at {level:?}, seed {seed}: {found} for {v}"
                    );
                }
            });
        }
    }
}

fn forward<T: Real>(
    b: &dyn Bijector<T>,
    params: &[T],
    x: &Array2<T>,
    c: &Array2<T>,
) -> (Array2<T>, Vec<f64>) {
    let mut z = x.clone();
    let mut log_det = vec![0.0; x.nrows()];
    b.forward(
        params,
        z.view_mut(),
        c.view(),
        &mut log_det,
        None,
        &mut Workspace::default(),
    );
    (z, log_det)
}

fn row_condition(b: &dyn Bijector<f64>, params: &[f64], x: &Array2<f64>, c: &Array2<f64>, r: usize) -> f64 {
    let c = c.row(r).to_owned().insert_axis(ndarray::Axis(0));
    let one = |v: &[f64]| Array2::from_shape_fn((1, v.len()), |(_, j)| v[j]);
    let z = |v: &[f64]| forward(b, params, &one(v), &c).0.row(0).to_vec();
    let back = |v: &[f64]| {
        let mut x = one(v);
        b.inverse(
            params,
            x.view_mut(),
            c.view(),
            &mut [0.0],
            &mut Workspace::default(),
        );
        x.row(0).to_vec()
    };
    let at = x.row(r).to_vec();
    norm(&jacobian(z, &at)).max(1.0) * norm(&jacobian(back, &z(&at))).max(1.0)
}
