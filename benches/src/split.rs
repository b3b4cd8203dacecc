//! A table of training rows in two: to learn from, and to judge settings on.

use anyhow::{Context, Result, ensure};
use ef_random::{Key, uniform};

/// Splits the records of a CSV text with a header at random: about `share` of them, and the others, each part under the
/// header and in the order of the text. Records come out byte for byte. The same seed gives the same split.
///
/// # Errors
/// Text that is no CSV, fewer than two records, a share outside (0, 1).
pub fn split(text: &[u8], share: f64, seed: u64) -> Result<(Vec<u8>, Vec<u8>)> {
    ensure!(
        share > 0.0 && share < 1.0,
        "the share is {share}, not between 0 and 1"
    );
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    reader.byte_headers().context("the table has no header")?;
    let mut starts = vec![reader.position().byte() as usize];
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        starts.push(reader.position().byte() as usize);
    }
    let rows = starts.len() - 1;
    ensure!(rows >= 2, "the table has {rows} rows; two are needed to split it");
    let key = Key::new(seed).purpose("split");
    let mut order: Vec<usize> = (0..rows).collect();
    let mut places: Vec<f64> = (0..rows).map(|row| uniform(&mut key.row(row as u64))).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let first = ((share * rows as f64).round() as usize).clamp(1, rows - 1);
    order[..first].iter().for_each(|row| places[*row] = -1.0);

    let header = &text[..starts[0]];
    let (mut one, mut other) = (header.to_vec(), header.to_vec());
    for row in 0..rows {
        let part = if places[row] < 0.0 { &mut one } else { &mut other };
        part.extend_from_slice(&text[starts[row]..starts[row + 1]]);
        if part.last() != Some(&b'\n') {
            part.push(b'\n');
        }
    }
    Ok((one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_part_as_it_was() {
        let record = |i: usize| format!("{i},\"a \"\"{i}\"\",\nb\"");
        let all: Vec<String> = (0..50).map(record).collect();
        let text = format!("n,text\n{}", all.join("\n"));
        let (one, other) = split(text.as_bytes(), 0.8, 3).expect("a table");
        let rows = |part: &[u8]| -> Vec<String> {
            let text = std::str::from_utf8(part).expect("text").to_owned();
            let body = text.strip_prefix("n,text\n").expect("the header").to_owned();
            body.split_inclusive("b\"\n")
                .map(|row| row.trim_end().to_owned())
                .collect()
        };
        let (one, other) = (rows(&one), rows(&other));
        assert_eq!((one.len(), other.len()), (40, 10));
        let mut both: Vec<String> = one.iter().chain(&other).cloned().collect();
        both.sort_by_key(|row| all.iter().position(|known| known == row));
        assert_eq!(both, all);
        // a shuffle, not a cut
        assert_ne!(one, all[..40]);
        assert_ne!(
            split(text.as_bytes(), 0.8, 4).expect("a table").0,
            split(text.as_bytes(), 0.8, 3).expect("a table").0
        );
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        assert!(split(b"a,b\n1,2\n", 0.8, 0).is_err());
        assert!(split(b"a\n1\n2\n", 1.0, 0).is_err());
    }
}
