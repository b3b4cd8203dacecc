//! Parameters as bytes, by name and shape: what saving and loading must be able to rely on.

use ef_tensor::params::ParamLayout;

/// Every array: name, shape and little-endian values, the last array first, so that only names can bring them back.
pub(crate) fn save(layout: &ParamLayout, params: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in layout.entries().iter().rev() {
        let mut number = |n: usize| bytes.extend((n as u64).to_le_bytes());
        number(entry.name.len());
        number(entry.shape.len());
        entry.shape.iter().for_each(|&n| number(n));
        bytes.extend(entry.name.as_bytes());
        for v in &params[entry.offset..entry.offset + entry.len()] {
            bytes.extend(v.to_le_bytes());
        }
    }
    bytes
}

/// Reads back into fresh parameters. `Err`: the name and shape that `layout` does not have. What no array of the file
/// covers stays NaN.
pub(crate) fn load(layout: &ParamLayout, mut bytes: &[u8]) -> Result<Vec<f64>, String> {
    let mut params = vec![f64::NAN; layout.len()];
    while !bytes.is_empty() {
        let mut number = || u64::from_le_bytes(*take(&mut bytes)) as usize;
        let (name_len, rank) = (number(), number());
        let shape: Vec<usize> = (0..rank).map(|_| number()).collect();
        let (name, rest) = bytes.split_at(name_len);
        bytes = rest;
        let name = String::from_utf8_lossy(name).into_owned();
        let entry = layout
            .entries()
            .iter()
            .find(|e| e.name == name && e.shape == shape)
            .ok_or_else(|| format!("{name}{shape:?}"))?;
        for v in &mut params[entry.offset..entry.offset + entry.len()] {
            *v = f64::from_le_bytes(*take(&mut bytes));
        }
    }
    Ok(params)
}

fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8; 8] {
    let (head, rest) = bytes.split_first_chunk().expect("written by `save`");
    *bytes = rest;
    head
}

#[cfg(test)]
mod tests {
    use ef_tensor::ParamVisitor;

    use super::*;

    #[test]
    fn arrays_come_back_by_name() {
        let layout = |a: &str| {
            ParamLayout::of(|v: &mut dyn ParamVisitor| {
                v.param(a, &[2, 1]);
                v.param("b", &[]);
            })
        };
        let params = [1.5, f64::MIN_POSITIVE, -0.0];
        let bytes = save(&layout("a"), &params);
        assert_eq!(load(&layout("a"), &bytes).unwrap(), params);
        assert_eq!(load(&layout("c"), &bytes).unwrap_err(), "a[2, 1]");
    }
}
