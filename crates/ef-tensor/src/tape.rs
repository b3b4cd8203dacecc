//! Where a forward pass leaves what its backward pass needs, and recycled scratch memory.

use ndarray::Array2;

use crate::real::Real;

/// Recycled scratch arrays: after the first pass over a given sequence of layers, nothing is allocated.
///
/// Buffers come in capacities of powers of two, so the same sequence of requests always finds what it found before.
///
/// ```
/// let mut ws = ef_tensor::Workspace::<f32>::default();
/// let scratch = ws.take(128, 64);  // contents are arbitrary
/// ws.give(scratch);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Workspace<T> {
    /// Slot `k` holds free buffers of capacity `2^k`.
    free: Vec<Vec<Vec<T>>>,
    wide: Vec<Vec<f64>>,
}

impl<T: Real> Workspace<T> {
    /// A `(rows, columns)` array with arbitrary contents.
    pub fn take(&mut self, rows: usize, columns: usize) -> Array2<T> {
        let len = rows * columns;
        let class = len.max(1).next_power_of_two().trailing_zeros() as usize;
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        let free = &mut self.free[class];
        // A buffer of the same length is best: another would have to be partly filled.
        let same = free.iter().rposition(|buffer| buffer.len() == len);
        let mut buffer = match same.or(free.len().checked_sub(1)) {
            Some(i) => free.remove(i),
            None => Vec::with_capacity(1 << class),
        };
        buffer.resize(len, T::zero());
        Array2::from_shape_vec((rows, columns), buffer).expect("the buffer was resized to rows x columns")
    }

    /// A `(rows, columns)` array of zeros.
    pub fn zeros(&mut self, rows: usize, columns: usize) -> Array2<T> {
        let mut a = self.take(rows, columns);
        a.fill(T::zero());
        a
    }

    /// Hands an array back for reuse. Arrays that did not come from [`take`](Self::take) are welcome too.
    pub fn give(&mut self, array: Array2<T>) {
        let buffer = array.into_raw_vec_and_offset().0;
        let capacity = buffer.capacity();
        if capacity == 0 {
            return;
        }
        // The largest class whose requests this capacity meets.
        let class = capacity.ilog2() as usize;
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.free[class].push(buffer);
    }

    /// One `f64` a row, with arbitrary contents: log-determinants are `f64` whatever `T` is.
    pub fn take_wide(&mut self, rows: usize) -> Vec<f64> {
        let mut buffer = self.wide.pop().unwrap_or_default();
        buffer.resize(rows, 0.0);
        buffer
    }

    /// Hands such a buffer back for reuse.
    pub fn give_wide(&mut self, buffer: Vec<f64>) {
        self.wide.push(buffer);
    }
}

/// A last-in-first-out record: `forward` pushes arrays, `backward` pops them in reverse. The caller owns it; layers
/// keep nothing. Arrays come from a [`Workspace`] and go back to one, so a recorded pass allocates nothing after
/// the first.
#[derive(Debug, Clone, Default)]
pub struct Tape<T> {
    stack: Vec<Array2<T>>,
}

impl<T: Real> Tape<T> {
    /// Records an array.
    pub fn push(&mut self, array: Array2<T>) {
        self.stack.push(array);
    }

    /// Takes back the array recorded last.
    ///
    /// # Panics
    /// On an empty tape: a `backward` without its `forward`, or one that pops more than was pushed.
    pub fn pop(&mut self) -> Array2<T> {
        self.stack
            .pop()
            .expect("backward popped a tape its forward did not fill: call forward with a tape first")
    }

    /// How many arrays are recorded; 0 after a complete backward pass.
    pub fn len(&self) -> usize {
        self.stack.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }
}

/// Records `array` if there is a tape, else hands it back to the workspace.
pub(crate) fn keep<T: Real>(tape: &mut Option<&mut Tape<T>>, ws: &mut Workspace<T>, array: Array2<T>) {
    match tape {
        Some(tape) => tape.push(array),
        None => ws.give(array),
    }
}
