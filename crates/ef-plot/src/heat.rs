//! A function of two numbers, as colour.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::colour::ColourScale;
use super::frame::{Extent, FINE, Frame};

/// A rectangle cut into equal cells.
///
/// ```
/// use ef_plot::Grid;
/// let grid = Grid::new([0.0, 2.0], [0.0, 1.0], 2, 1);
/// assert_eq!(grid.centres(), [[0.5, 0.5], [1.5, 0.5]]);
/// assert_eq!(grid.integral(&[3.0, 4.0]), 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    x: [f64; 2],
    y: [f64; 2],
    columns: usize,
    rows: usize,
}

impl Grid {
    /// `columns` by `rows` cells (at least one each) over `[x0, x1]` by `[y0, y1]`.
    pub fn new(x: [f64; 2], y: [f64; 2], columns: usize, rows: usize) -> Self {
        Self {
            x,
            y,
            columns: columns.max(1),
            rows: rows.max(1),
        }
    }

    /// The centre of every cell as `[x, y]`: row by row from the lowest y, in a row from the lowest x.
    pub fn centres(&self) -> Vec<[f64; 2]> {
        let at = |[low, high]: [f64; 2], k: usize, n: usize| low + (high - low) * (k as f64 + 0.5) / n as f64;
        (0..self.rows * self.columns)
            .map(|k| (k % self.columns, k / self.columns))
            .map(|(c, r)| [at(self.x, c, self.columns), at(self.y, r, self.rows)])
            .collect()
    }

    /// The integral of a function given at the centres, by the midpoint rule. Values that are not finite count as 0.
    pub fn integral(&self, values: &[f64]) -> f64 {
        let area =
            (self.x[1] - self.x[0]) * (self.y[1] - self.y[0]) / (self.columns as f64 * self.rows as f64);
        values.iter().filter(|v| v.is_finite()).sum::<f64>() * area
    }
}

/// The values of a function at the centres of a [`Grid`], by colour. A value that is not a number has the colour of
/// the least, and so has a cell without a value.
#[derive(Debug, Clone)]
pub struct HeatMap {
    grid: Grid,
    values: Vec<f64>,
    scale: ColourScale,
}

impl HeatMap {
    /// A heat map of values in the order of [`Grid::centres`].
    pub fn new(grid: Grid, values: Vec<f64>, scale: ColourScale) -> Self {
        Self { grid, values, scale }
    }

    pub(super) fn extent(&self) -> Option<Extent> {
        let Grid { x, y, .. } = self.grid;
        let valid = |[low, high]: [f64; 2]| low < high && (high - low).is_finite();
        (valid(x) && valid(y)).then_some(Extent { x, y, margin: false })
    }

    /// One path a level: the outline of all cells of that level or above, painted over the levels below. Outlines are
    /// shorter than cells, and leave no seams.
    pub(super) fn draw(&self, svg: &mut String, frame: &Frame) {
        let Grid { x, y, columns, rows } = self.grid;
        if self.extent().is_none() {
            return;
        }
        let levels: Vec<usize> = (0..columns * rows)
            .map(|k| self.values.get(k).map_or(0, |v| self.scale.level(*v)))
            .collect();
        // SVG rows run down, and units are cells
        let at = |column: usize, row: usize| levels[(rows - 1 - row) * columns + column];
        let ([left, bottom], [right, top]) = (frame.place([x[0], y[0]]), frame.place([x[1], y[1]]));
        let (width, height) = ((right - left) as f64, (bottom - top) as f64);
        let _ = writeln!(
            svg,
            "<rect width=\"{}\" height=\"{}\" fill=\"{}\"/>\n<g transform=\"translate({left} {top}) scale({:.4} {:.4})\">",
            frame.width * FINE,
            frame.height * FINE,
            self.scale.colour(0),
            width / columns as f64,
            height / rows as f64,
        );
        for level in 1..self.scale.steps() {
            let path = outline(columns, rows, |c, r| at(c, r) >= level);
            if !path.is_empty() {
                let _ = writeln!(svg, "<path fill=\"{}\" d=\"{path}\"/>", self.scale.colour(level));
            }
        }
        svg.push_str("</g>\n");
    }
}

/// The outline of a set of cells as a path: closed loops with the set on the right hand, by horizontal and vertical
/// steps in turn.
fn outline(columns: usize, rows: usize, inside: impl Fn(usize, usize) -> bool) -> String {
    let (w, h) = (columns as i64, rows as i64);
    let filled =
        |c: i64, r: i64| (0..w).contains(&c) && (0..h).contains(&r) && inside(c as usize, r as usize);
    // edges by where they start (row first, so that loops begin at the top); two may start at one corner
    let mut edges: BTreeMap<(i64, i64), Vec<(i64, i64)>> = BTreeMap::new();
    for r in 0..h {
        for c in (0..w).filter(|&c| filled(c, r)) {
            for (beyond, from, to) in [
                ((c, r - 1), (r, c), (r, c + 1)),
                ((c + 1, r), (r, c + 1), (r + 1, c + 1)),
                ((c, r + 1), (r + 1, c + 1), (r + 1, c)),
                ((c - 1, r), (r + 1, c), (r, c)),
            ] {
                if !filled(beyond.0, beyond.1) {
                    edges.entry(from).or_default().push(to);
                }
            }
        }
    }
    let mut path = String::new();
    while let Some((&start, _)) = edges.first_key_value() {
        let mut corners = vec![start];
        let mut here = start;
        while let Some(ends) = edges.get_mut(&here) {
            let Some(next) = ends.pop() else { break };
            if ends.is_empty() {
                edges.remove(&here);
            }
            // a corner on a straight line is passed over
            if let [.., before, last] = corners[..]
                && (before.0 == last.0) == (last.0 == next.0)
            {
                corners.pop();
            }
            corners.push(next);
            here = next;
            if here == start {
                break;
            }
        }
        let _ = write!(path, "M{} {}", start.1, start.0);
        // the last step is the closing of the path
        for pair in corners[..corners.len() - 1].windows(2) {
            let (dr, dc) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let _ = if dr == 0 {
                write!(path, "h{dc}")
            } else {
                write!(path, "v{dr}")
            };
        }
        path.push('z');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills a path of `M`, `h`, `v` and `z` again, by the even-odd rule at the centres of cells.
    fn filled(path: &str, columns: usize, rows: usize) -> Vec<bool> {
        let mut walls = Vec::new(); // vertical edges: (column, upper row, lower row)
        let mut tokens = Vec::new();
        for c in path.chars() {
            if c.is_ascii_alphabetic() {
                tokens.push((c, String::new()));
            } else {
                tokens.last_mut().expect("starts with a letter").1.push(c);
            }
        }
        let (mut x, mut y, mut start) = (0_i64, 0_i64, (0, 0));
        for (letter, numbers) in tokens {
            let numbers: Vec<i64> = numbers
                .split_whitespace()
                .map(|n| n.parse().expect("a number"))
                .collect();
            let before = y;
            match letter {
                'M' => {
                    (x, y) = (numbers[0], numbers[1]);
                    start = (x, y);
                    continue;
                }
                'h' => x += numbers[0],
                'v' => y += numbers[0],
                'z' => (x, y) = start,
                other => panic!("{other}"),
            }
            if before != y {
                walls.push((x, before.min(y), before.max(y)));
            }
        }
        (0..rows * columns)
            .map(|k| ((k % columns) as i64, (k / columns) as i64))
            .map(|(c, r)| {
                let left = walls
                    .iter()
                    .filter(|(x, low, high)| *x <= c && (*low..*high).contains(&r));
                left.count() % 2 == 1
            })
            .collect()
    }

    #[test]
    fn an_outline_filled_is_the_set() {
        let sets: [&[&str]; 5] = [
            &["#"],
            &["....", ".##.", "...."],
            &["###", "#.#", "###"],
            &["#.#.", ".#.#", "#.#."],
            &["##..#", "#####", "..#.#", "#...#"],
        ];
        for set in sets {
            let (columns, rows) = (set[0].len(), set.len());
            let inside = |c: usize, r: usize| set[r].as_bytes()[c] == b'#';
            let path = outline(columns, rows, inside);
            let expected: Vec<bool> = (0..rows * columns)
                .map(|k| inside(k % columns, k / columns))
                .collect();
            assert_eq!(filled(&path, columns, rows), expected, "{set:?}: {path}");
        }
        assert_eq!(outline(3, 3, |_, _| false), "");
        assert_eq!(outline(3, 2, |_, _| true), "M0 0h3v2h-3z");
    }
}
