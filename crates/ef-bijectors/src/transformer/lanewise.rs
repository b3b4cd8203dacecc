//! Transformers computed a block of elements at a time.

use ef_tensor::simd::{Kernel, dispatch};
use ef_tensor::{Real, Tape, Workspace};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3};

use super::Transformer;
use super::lanes::{LANES, Lanes};
use super::layout::{Layout, rows_of};

/// A transformer of [`LANES`] elements side by side, without branches on their values: an element's result depends
/// neither on its lane nor on its neighbours. `h` holds the parameters, a row each.
///
/// Mark the methods and what they call `#[inline(always)]`, see [`Kernel`].
pub(super) trait Lanewise: Transformer {
    /// How many numbers of an element `backward` needs.
    fn saved(&self) -> usize;

    /// `x <- tau(x; h)` and `log dz/dx`; leaves in `saved`, if given, what `backward` needs. `h` may be overwritten.
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: Option<&mut [Lanes<T>]>,
    ) -> Lanes<T>;

    /// `z <- tau^-1(z; h)` and `log dx/dz`. `h` may be overwritten.
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T>;

    /// From `g = dL/dz` and `gl = dL/dlog_det`: `g <- dL/dx`, and `g_h <- dL/dh`, every number written.
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    );
}

/// The passes of a [`Transformer`] that is [`Lanewise`].
macro_rules! lanewise_passes {
    () => {
        fn forward<T: ef_tensor::Real>(
            &self,
            h: ndarray::ArrayView3<'_, T>,
            x: ndarray::ArrayViewMut2<'_, T>,
            log_det: &mut [f64],
            tape: Option<&mut ef_tensor::Tape<T>>,
            ws: &mut ef_tensor::Workspace<T>,
        ) {
            super::lanewise::forward(self, h, x, log_det, tape, ws);
        }

        fn inverse<T: ef_tensor::Real>(
            &self,
            h: ndarray::ArrayView3<'_, T>,
            z: ndarray::ArrayViewMut2<'_, T>,
            log_det: &mut [f64],
            ws: &mut ef_tensor::Workspace<T>,
        ) {
            super::lanewise::inverse(self, h, z, log_det, ws);
        }

        fn backward<T: ef_tensor::Real>(
            &self,
            g: ndarray::ArrayViewMut2<'_, T>,
            g_log_det: &[T],
            g_h: ndarray::ArrayViewMut3<'_, T>,
            tape: &mut ef_tensor::Tape<T>,
            ws: &mut ef_tensor::Workspace<T>,
        ) {
            super::lanewise::backward(self, g, g_log_det, g_h, tape, ws);
        }
    };
}
pub(super) use lanewise_passes;

pub(super) fn forward<L: Lanewise, T: Real>(
    map: &L,
    h: ArrayView3<'_, T>,
    x: ArrayViewMut2<'_, T>,
    log_det: &mut [f64],
    tape: Option<&mut Tape<T>>,
    ws: &mut Workspace<T>,
) {
    let blocks = x.len().div_ceil(LANES);
    let mut saved = tape.is_some().then(|| ws.take(blocks, map.saved() * LANES));
    let mut scratch = ws.take(map.width(), LANES);
    let columns = x.ncols();
    let h = Parameters::of(h, ws);
    with_slice(x, ws, |x| {
        dispatch(Forward {
            map,
            columns,
            h: &h,
            x,
            log_det,
            saved: saved.as_mut().map(lanes_of),
            scratch: lanes_of(&mut scratch),
        });
    });
    h.give(ws);
    ws.give(scratch);
    if let (Some(tape), Some(saved)) = (tape, saved) {
        tape.push(saved);
    }
}

pub(super) fn inverse<L: Lanewise, T: Real>(
    map: &L,
    h: ArrayView3<'_, T>,
    z: ArrayViewMut2<'_, T>,
    log_det: &mut [f64],
    ws: &mut Workspace<T>,
) {
    let mut scratch = ws.take(map.width(), LANES);
    let columns = z.ncols();
    let h = Parameters::of(h, ws);
    with_slice(z, ws, |z| {
        dispatch(Inverse {
            map,
            columns,
            h: &h,
            z,
            log_det,
            scratch: lanes_of(&mut scratch),
        });
    });
    h.give(ws);
    ws.give(scratch);
}

pub(super) fn backward<L: Lanewise, T: Real>(
    map: &L,
    g: ArrayViewMut2<'_, T>,
    g_log_det: &[T],
    mut g_h: ArrayViewMut3<'_, T>,
    tape: &mut Tape<T>,
    ws: &mut Workspace<T>,
) {
    let mut saved = tape.pop();
    let mut scratch = ws.take(map.width(), LANES);
    let columns = g.ncols();
    let layout = Layout::of(&g_h.view());
    let pass = |layout, g_h: &mut [T], ws: &mut Workspace<T>| {
        with_slice(g, ws, |g| {
            dispatch(Backward {
                map,
                columns,
                layout,
                g,
                g_log_det,
                g_h,
                saved: lanes_of(&mut saved),
                scratch: lanes_of(&mut scratch),
            });
        });
    };
    match layout {
        Some(layout) => pass(
            layout,
            g_h.as_slice_memory_order_mut().expect("it has a layout"),
            ws,
        ),
        None => {
            let mut copy = ws.take(1, g_h.len());
            let slice = copy.as_slice_mut().expect("standard layout");
            pass(Layout::standard(columns, map.width()), slice, ws);
            g_h.iter_mut().zip(&copy).for_each(|(to, &v)| *to = v);
            ws.give(copy);
        }
    }
    ws.give(saved);
    ws.give(scratch);
}

/// The parameters of all elements, in one slice.
#[derive(Debug)]
struct Parameters<'a, T> {
    layout: Layout,
    data: Data<'a, T>,
}

#[derive(Debug)]
enum Data<'a, T> {
    View(&'a [T]),
    /// For a view in a memory order that no layer makes.
    Copy(Array2<T>),
}

impl<'a, T: Real> Parameters<'a, T> {
    fn of(h: ArrayView3<'a, T>, ws: &mut Workspace<T>) -> Self {
        if let (Some(layout), Some(data)) = (Layout::of(&h), h.to_slice_memory_order()) {
            let data = Data::View(data);
            return Self { layout, data };
        }
        let mut copy = ws.take(1, h.len());
        copy.iter_mut().zip(&h).for_each(|(to, &v)| *to = v);
        let (_, columns, width) = h.dim();
        Self {
            layout: Layout::standard(columns, width),
            data: Data::Copy(copy),
        }
    }

    fn slice(&self) -> &[T] {
        match &self.data {
            Data::View(data) => data,
            Data::Copy(copy) => copy.as_slice().expect("standard layout"),
        }
    }

    fn give(self, ws: &mut Workspace<T>) {
        if let Data::Copy(copy) = self.data {
            ws.give(copy);
        }
    }
}

/// Runs `f` on the elements of `x`, row by row in one slice.
fn with_slice<T: Real>(mut x: ArrayViewMut2<'_, T>, ws: &mut Workspace<T>, f: impl FnOnce(&mut [T])) {
    if let Some(x) = x.as_slice_mut() {
        return f(x);
    }
    let mut copy = ws.take(x.nrows(), x.ncols());
    copy.assign(&x);
    f(copy.as_slice_mut().expect("standard layout"));
    x.assign(&copy);
    ws.give(copy);
}

fn lanes_of<T: Real>(array: &mut Array2<T>) -> &mut [Lanes<T>] {
    array.as_slice_mut().expect("standard layout").as_chunks_mut().0
}

struct Forward<'a, L, T> {
    map: &'a L,
    columns: usize,
    h: &'a Parameters<'a, T>,
    x: &'a mut [T],
    log_det: &'a mut [f64],
    saved: Option<&'a mut [Lanes<T>]>,
    scratch: &'a mut [Lanes<T>],
}

impl<L: Lanewise, T: Real> Kernel for Forward<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let (layout, h, size) = (self.h.layout, self.h.slice(), self.map.saved());
        for (block, x) in self.x.chunks_mut(LANES).enumerate() {
            let first = block * LANES;
            layout.gather(h, first, x.len(), self.scratch);
            let saved = self.saved.as_mut().map(|s| &mut s[block * size..][..size]);
            let mut lanes = load(x);
            let log = self.map.forward_lanes::<FMA, T>(self.scratch, &mut lanes, saved);
            store(&lanes, x);
            add_logs(&log, first, x.len(), self.columns, self.log_det);
        }
    }
}

struct Inverse<'a, L, T> {
    map: &'a L,
    columns: usize,
    h: &'a Parameters<'a, T>,
    z: &'a mut [T],
    log_det: &'a mut [f64],
    scratch: &'a mut [Lanes<T>],
}

impl<L: Lanewise, T: Real> Kernel for Inverse<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (layout, h) = (self.h.layout, self.h.slice());
        for (block, z) in self.z.chunks_mut(LANES).enumerate() {
            let first = block * LANES;
            layout.gather(h, first, z.len(), self.scratch);
            let mut lanes = load(z);
            let log = self.map.inverse_lanes::<FMA, T>(self.scratch, &mut lanes);
            store(&lanes, z);
            add_logs(&log, first, z.len(), self.columns, self.log_det);
        }
    }
}

struct Backward<'a, L, T> {
    map: &'a L,
    columns: usize,
    layout: Layout,
    g: &'a mut [T],
    g_log_det: &'a [T],
    g_h: &'a mut [T],
    saved: &'a [Lanes<T>],
    scratch: &'a mut [Lanes<T>],
}

impl<L: Lanewise, T: Real> Kernel for Backward<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let size = self.map.saved();
        for (block, g) in self.g.chunks_mut(LANES).enumerate() {
            let first = block * LANES;
            let saved = &self.saved[block * size..][..size];
            let mut gl = [T::zero(); LANES];
            for (lanes, row, _) in rows_of(first, g.len(), self.columns) {
                gl[lanes].fill(self.g_log_det[row]);
            }
            let mut lanes = load(g);
            self.map
                .backward_lanes::<FMA, T>(saved, &mut lanes, &gl, self.scratch);
            store(&lanes, g);
            self.layout.scatter(self.scratch, first, g.len(), self.g_h);
        }
    }
}

/// Rows of a block by name; their number is that of the caller's names.
#[inline(always)]
pub(super) fn rows<T, const N: usize>(rows: &[Lanes<T>]) -> &[Lanes<T>; N] {
    rows.try_into()
        .expect("the number of rows the transformer asked for")
}

/// A block, filled up with zeros.
#[inline(always)]
fn load<T: Real>(x: &[T]) -> Lanes<T> {
    if let Ok(lanes) = x.try_into() {
        return lanes;
    }
    let mut lanes = [T::zero(); LANES];
    lanes[..x.len()].copy_from_slice(x);
    lanes
}

#[inline(always)]
fn store<T: Real>(lanes: &Lanes<T>, x: &mut [T]) {
    if x.len() == LANES {
        return x.copy_from_slice(lanes);
    }
    x.copy_from_slice(&lanes[..x.len()]);
}

/// Adds each element's number to its row, in the order of elements, however they are cut into blocks.
#[inline(always)]
fn add_logs<T: Real>(log: &Lanes<T>, first: usize, count: usize, columns: usize, log_det: &mut [f64]) {
    if columns == 1 {
        for (to, log) in log_det[first..][..count].iter_mut().zip(log) {
            *to += log.wide();
        }
        return;
    }
    for (lanes, row, _) in rows_of(first, count, columns) {
        let mut sum = log_det[row];
        for log in &log[lanes] {
            sum += log.wide();
        }
        log_det[row] = sum;
    }
}
