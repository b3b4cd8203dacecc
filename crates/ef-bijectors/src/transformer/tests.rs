//! What must be true of every transformer that is computed in blocks.

use ef_tensor::simd::{Level, with_level};
use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Axis, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Everything a transformer computes, in `f64`: `z`, `x`, both log-determinants, and the gradients.
fn results<T: Real>(
    tr: &impl Transformer,
    h: ArrayView3<'_, T>,
    x: &Array2<T>,
    like: Order,
) -> [Array2<f64>; 6] {
    let (rows, columns) = x.dim();
    let (mut tape, mut ws) = (Tape::default(), Workspace::default());
    let (mut z, mut there) = (x.clone(), vec![0.0; rows]);
    tr.forward(h, z.view_mut(), &mut there, Some(&mut tape), &mut ws);
    let (mut back, mut away) = (x.clone(), vec![0.0; rows]);
    tr.inverse(h, back.view_mut(), &mut away, &mut ws);

    let mut g = x.mapv(|v| T::one() - v);
    let g_log_det: Vec<T> = (0..rows).map(|r| x[[r, 0]]).collect();
    let mut g_h = like.of(&Array3::from_elem(h.dim(), T::nan()));
    tr.backward(
        g.view_mut(),
        &g_log_det,
        like.view_mut(&mut g_h),
        &mut tape,
        &mut ws,
    );
    assert!(tape.is_empty());

    let g_h = like.view(&g_h).as_standard_layout().into_owned();
    let g_h = g_h.into_shape_with_order((rows, columns * h.dim().2)).unwrap();
    let column = |log_det| Array2::from_shape_vec((rows, 1), log_det).unwrap();
    let wide = |a: Array2<T>| a.mapv(Real::wide);
    [
        wide(z),
        wide(back),
        column(there),
        column(away),
        wide(g),
        wide(g_h),
    ]
}

/// Orders of `(rows, columns, width)` in memory: those that layers make, and two that none makes.
#[derive(Debug, Clone, Copy)]
enum Order {
    Standard,
    WidthMajorRows,
    FeatureMajor,
    Reversed,
    Gaps,
}

impl Order {
    const ALL: [Self; 5] = [
        Self::Standard,
        Self::WidthMajorRows,
        Self::FeatureMajor,
        Self::Reversed,
        Self::Gaps,
    ];

    /// An array whose [`view`](Self::view) is `h`.
    fn of<T: Real>(self, h: &Array3<T>) -> Array3<T> {
        let standard = |v: ArrayView3<'_, T>| v.as_standard_layout().into_owned();
        match self {
            Self::Standard => h.clone(),
            Self::WidthMajorRows => standard(h.view().permuted_axes([0, 2, 1])),
            Self::FeatureMajor => standard(h.view().permuted_axes([2, 0, 1])),
            Self::Reversed => standard(h.slice(s![..;-1, .., ..;-1])),
            Self::Gaps => {
                let (rows, columns, width) = h.dim();
                let mut wide = Array3::zeros((rows, 2 * columns, width));
                wide.slice_mut(s![.., ..;2, ..]).assign(h);
                wide
            }
        }
    }

    fn view<T>(self, a: &Array3<T>) -> ArrayView3<'_, T> {
        match self {
            Self::Standard => a.view(),
            Self::WidthMajorRows => a.view().permuted_axes([0, 2, 1]),
            Self::FeatureMajor => a.view().permuted_axes([1, 2, 0]),
            Self::Reversed => a.slice(s![..;-1, .., ..;-1]),
            Self::Gaps => a.slice(s![.., ..;2, ..]),
        }
    }

    fn view_mut<T>(self, a: &mut Array3<T>) -> ArrayViewMut3<'_, T> {
        match self {
            Self::Standard => a.view_mut(),
            Self::WidthMajorRows => a.view_mut().permuted_axes([0, 2, 1]),
            Self::FeatureMajor => a.view_mut().permuted_axes([1, 2, 0]),
            Self::Reversed => a.slice_mut(s![..;-1, .., ..;-1]),
            Self::Gaps => a.slice_mut(s![.., ..;2, ..]),
        }
    }
}

/// Bit for bit, but for the many NaNs.
fn assert_same(found: &[Array2<f64>; 6], expected: &[Array2<f64>; 6], what: &str) {
    let names = ["z", "x", "log_det", "log_det of inverse", "dL/dx", "dL/dh"];
    for ((found, expected), name) in found.iter().zip(expected).zip(names) {
        for ((at, a), b) in found.indexed_iter().zip(expected) {
            assert!(
                a == b || a.is_nan() && b.is_nan(),
                "{name} at {at:?}: {a} {what}, {b} else"
            );
        }
    }
}

/// Rows, columns and the numbers in them: parameters of ordinary size, `x` inside the domain or around the box.
fn drawn<T: Real>(
    tr: &impl Transformer,
    rows: usize,
    columns: usize,
    rng: &mut ChaCha8Rng,
) -> (Array3<T>, Array2<T>) {
    let (lo, hi) = tr.domain().unwrap_or((-6.0, 6.0));
    let h = Array3::from_shape_simple_fn((rows, columns, tr.width()), || T::of(rng.random_range(-3.0..3.0)));
    let x = Array2::from_shape_simple_fn((rows, columns), || T::of(rng.random_range(lo..hi)));
    (h, x)
}

fn blocks_do_not_matter<T: Real>(tr: &impl Transformer, rows: usize, columns: usize, seed: u64) {
    let (h, x) = drawn::<T>(tr, rows, columns, &mut ChaCha8Rng::seed_from_u64(seed));
    let whole = results(tr, h.view(), &x, Order::Standard);
    for order in Order::ALL {
        let copy = order.of(&h);
        assert_same(
            &results(tr, order.view(&copy), &x, order),
            &whole,
            &format!("in {order:?}"),
        );
    }
    for r in 0..rows {
        let row = r..r + 1;
        let alone = results(
            tr,
            h.slice(s![row.clone(), .., ..]),
            &x.slice(s![row, ..]).to_owned(),
            Order::Standard,
        );
        let expected = whole.each_ref().map(|a| a.select(Axis(0), &[r]));
        assert_same(&alone, &expected, "alone");
    }
}

fn at_every_level(f: impl Fn()) {
    for level in Level::ALL {
        with_level(level, &f);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn results_depend_neither_on_blocks_nor_on_the_order_in_memory(
        rows in 1..40_usize,
        columns in prop_oneof![1..6_usize, 1..40_usize],
        bins in 1..9_usize,
        seed in any::<u64>().no_shrink(),
    ) {
        at_every_level(|| {
            macro_rules! try_all {
                ($($tr:expr),*) => {$(
                    blocks_do_not_matter::<f32>(&$tr, rows, columns, seed);
                    blocks_do_not_matter::<f64>(&$tr, rows, columns, seed);
                )*};
            }
            try_all![
                Additive,
                Affine::default(),
                Standardize::default(),
                Gated::default(),
                RationalQuadratic::new(bins, 3.0).unwrap(),
                RationalQuadratic::on_box(bins, -1.0, 2.0).unwrap(),
                PiecewiseLinear::new(bins).unwrap(),
                PiecewiseQuadratic::new(bins).unwrap()
            ];
        });
    }
}

/// Whatever the network says: nothing moves, no parameter has a gradient, and no NaN comes out of a bin that is not
/// used.
#[test]
fn outside_its_box_a_spline_is_the_identity() {
    let spline = RationalQuadratic::new(5, 1.0).unwrap();
    let outside = [1.5, -1.5, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let odd = [0.0, 1.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let x = Array2::from_shape_fn((odd.len(), outside.len()), |(_, j)| outside[j]);
    let h = Array3::from_shape_fn((odd.len(), outside.len(), spline.width()), |(r, _, w)| {
        odd[(r + w % 3) % odd.len()]
    });
    at_every_level(|| {
        let [z, back, there, away, g, g_h] = results(&spline, h.view(), &x, Order::Standard);
        for ((at, &v), &x) in z.indexed_iter().zip(&x) {
            assert!(v == x.wide() || v.is_nan() && x.is_nan(), "{v} {x}");
            assert!(back[at] == x.wide() || back[at].is_nan() && x.is_nan());
            assert!(g[at] == (1.0 - x).wide() || g[at].is_nan() && x.is_nan());
        }
        for a in [there, away, g_h] {
            assert!(a.iter().all(|&v| v == 0.0), "{a}");
        }
    });
}
