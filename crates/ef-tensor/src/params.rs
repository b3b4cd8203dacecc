//! Names and shapes inside one flat parameter vector.
//!
//! A layer is a pure function of a slice `&[T]`: it holds shapes and masks, its owner holds the numbers. What the
//! slice means is told by [`ParamVisitor`]: ordered names and shapes, the same order as in memory.

/// Receives the parameters of a layer in the order in which they lie in its slice.
pub trait ParamVisitor {
    /// One row-major array. Names are made of path parts joined by `.`, such as `0.hidden.1.weight`.
    fn param(&mut self, name: &str, shape: &[usize]);
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
        let entry = ParamEntry {
            name: name.to_owned(),
            shape: shape.to_vec(),
            offset: self.len,
        };
        self.len += entry.len();
        self.entries.push(entry);
    }
}
