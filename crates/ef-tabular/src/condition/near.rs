//! Names like a given one, for "did you mean".

/// Most names that are offered.
const MOST: usize = 3;
/// Characters that are compared.
const COMPARED: usize = 64;

/// The names nearest to a misspelt one, nearest first: those that differ from it by case alone, or by at most a third of
/// its characters, or that begin with it.
pub(crate) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = folded(name);
    let most = (wanted.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|other| {
            let letters = folded(other);
            let begins = wanted.len() >= 2 && letters.starts_with(&wanted);
            let distance = distance(&wanted, &letters);
            (distance <= most || begins).then_some((distance, other))
        })
        .collect();
    // a stable sort: of equally near names those that come first
    found.sort_by_key(|(distance, _)| *distance);
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn folded(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).take(COMPARED).collect()
}

/// The fewest insertions, deletions and replacements that turn one word into the other (Levenshtein 1966).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let near = |name| {
            near(
                name,
                ["Female", "Male", "hours-per-week", "age", "wage"].into_iter(),
            )
        };
        assert_eq!(near("Femal"), ["Female"]);
        assert_eq!(near("FEMALE"), ["Female", "Male"]);
        assert_eq!(near("hours"), ["hours-per-week"]);
        assert_eq!(near("ages"), ["age"]);
        assert!(near("zebra").is_empty());
        assert_eq!(near(""), Vec::<String>::new());
    }

    #[test]
    fn known_distances() {
        let of = |a: &str, b: &str| distance(&folded(a), &folded(b));
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("same", "same"), 0);
    }
}
