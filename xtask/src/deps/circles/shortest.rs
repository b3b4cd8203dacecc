//! The circles among files that name each other.

use std::collections::{BTreeMap, VecDeque};

/// From a file to a file that it names, with the line that does.
pub(super) type Arrows = BTreeMap<(String, String), Reference>;

/// A line of a file that names something of another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) line: usize,
    /// The `use` or the path.
    pub(super) text: String,
}

/// A file of a circle.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) file: String,
    /// Where it names the next file of the circle; the last one names the first.
    pub(super) names_next: Reference,
}

/// Circles that hold files of two folders, the shortest first; no arrow is part of two.
///
/// Together they are enough: without their arrows there is no further circle.
pub(super) fn circles(mut arrows: Arrows, folder: impl Fn(&str) -> String) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    while let Some(files) = shortest(&arrows, &folder) {
        let next = files.iter().skip(1).chain(files.first());
        let steps: Vec<Step> = files
            .iter()
            .zip(next)
            .filter_map(|(file, next)| {
                let names_next = arrows.remove(&(file.clone(), next.clone()))?;
                Some(Step {
                    file: file.clone(),
                    names_next,
                })
            })
            .collect();
        found.push(steps);
    }
    found
}

/// The files of the shortest circle of two folders, each naming the next.
fn shortest(arrows: &Arrows, folder: impl Fn(&str) -> String) -> Option<Vec<String>> {
    let crossing = arrows.keys().filter(|(from, to)| folder(from) != folder(to));
    let circles = crossing.filter_map(|(from, to)| {
        let mut files = way(arrows, to, from)?;
        files.rotate_right(1);
        Some(files)
    });
    // `min_by_key` keeps the first of several: the same tree always gives the same sentences
    circles.min_by_key(Vec::len)
}

/// The files on the shortest way along arrows, both ends included.
fn way(arrows: &Arrows, start: &str, end: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        if file == end {
            let mut back = vec![file.to_owned()];
            let mut at = file;
            while at != start {
                at = came_from.get(at)?;
                back.push(at.to_owned());
            }
            back.reverse();
            return Some(back);
        }
        for (_, to) in arrows.keys().filter(|(from, _)| from == file) {
            if to != start && !came_from.contains_key(to.as_str()) {
                came_from.insert(to, file);
                waiting.push_back(to);
            }
        }
    }
    None
}
