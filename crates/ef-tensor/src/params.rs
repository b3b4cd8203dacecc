//! Names and shapes inside one flat parameter vector.
//!
//! A layer is a pure function of a slice `&[T]`: it holds shapes and masks, its owner holds the numbers.
//! [`ParamVisitor`] describes the slice: names and shapes in the order of memory.

use std::ops::Range;

/// Receives the parameters of a layer in the order in which they lie in its slice.
pub trait ParamVisitor {
    /// One row-major array of weights. Names are made of path parts joined by `.`, such as `0.hidden.1.weight`.
    fn param(&mut self, name: &str, shape: &[usize]);

    /// One row-major array of offsets: biases, locations, log-scales, logits. Weight decay does not act on them: 0 is
    /// no better a value for them than another, and an offset pulled away from its fitted value shifts all
    /// probabilities. A visitor that treats weights and offsets alike need not implement it.
    fn offset(&mut self, name: &str, shape: &[usize]) {
        self.param(name, shape);
    }
}

/// A visitor that puts `prefix.` before every name: how a layer shows the parameters of its parts.
pub struct Scope<'a> {
    prefix: String,
    inner: &'a mut dyn ParamVisitor,
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<'a> Scope<'a> {
    /// Names under `prefix`.
    pub fn new(prefix: impl Into<String>, inner: &'a mut dyn ParamVisitor) -> Self {
        Self {
            prefix: prefix.into(),
            inner,
        }
    }
}

impl ParamVisitor for Scope<'_> {
    fn param(&mut self, name: &str, shape: &[usize]) {
        self.inner.param(&format!("{}.{name}", self.prefix), shape);
    }

    fn offset(&mut self, name: &str, shape: &[usize]) {
        self.inner.offset(&format!("{}.{name}", self.prefix), shape);
    }
}

/// One named array of a parameter vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamEntry {
    /// Path, such as `0.hidden.1.weight`.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// Where the array starts in the flat vector.
    pub offset: usize,
    /// Whether weight decay acts on it: it does on weights, and not on [offsets](ParamVisitor::offset).
    pub decays: bool,
}

impl ParamEntry {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the array is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Collects a layer's parameters: the table of contents of its flat vector.
///
/// ```
/// use ef_tensor::{Linear, params::ParamLayout};
/// let layer = Linear::new(3, 2);
/// let layout = ParamLayout::of(|v| layer.visit_params(v));
/// assert_eq!(layout.entries()[1].name, "bias");
/// assert_eq!(layout.len(), layer.num_params());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamLayout {
    entries: Vec<ParamEntry>,
    len: usize,
}

impl ParamLayout {
    /// The layout that `visit` describes.
    pub fn of(visit: impl FnOnce(&mut dyn ParamVisitor)) -> Self {
        let mut layout = Self::default();
        visit(&mut layout);
        layout
    }

    /// The arrays, in memory order.
    pub fn entries(&self) -> &[ParamEntry] {
        &self.entries
    }

    /// Number of values in all.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ranges of the flat vector on which weight decay acts: ascending, neighbours joined.
    ///
    /// ```
    /// use ef_tensor::{Linear, params::ParamLayout};
    /// let layout = ParamLayout::of(|v| Linear::new(3, 2).visit_params(v));
    /// assert_eq!(layout.decayed(), [0..6]); // six weights, and not the two biases
    /// ```
    pub fn decayed(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.decays && !e.is_empty()) {
            let range = entry.offset..entry.offset + entry.len();
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }

    fn push(&mut self, name: &str, shape: &[usize], decays: bool) {
        let entry = ParamEntry {
            name: name.to_owned(),
            shape: shape.to_vec(),
            offset: self.len,
            decays,
        };
        self.len += entry.len();
        self.entries.push(entry);
    }

    /// The name of the array that holds flat index `i`, with the index inside it: for messages.
    pub fn describe(&self, i: usize) -> String {
        self.entries
            .iter()
            .find(|e| (e.offset..e.offset + e.len()).contains(&i))
            .map_or_else(|| format!("#{i}"), |e| format!("{}[{}]", e.name, i - e.offset))
    }
}

impl ParamVisitor for ParamLayout {
    fn param(&mut self, name: &str, shape: &[usize]) {
        self.push(name, shape, true);
    }

    fn offset(&mut self, name: &str, shape: &[usize]) {
        self.push(name, shape, false);
    }
}
