//! The model file: safetensors with one metadata key of sorted JSON.
//!
//! ```text
//! metadata["echoflow"] = {"checksum": {"xxh3_64": ".."}, "format": 1, "sections": {
//!     "columns":  {"kind": "columns/1" ("columns/2" with dates), ..schema and marginals; long lists moved to tensors..},
//!     "density":  {"kind": "density.maf/1", ..sizes..},
//!     "any-order": {"kind": "any-order/1", ..sizes, gap and history of the any-order network; left out if there is none..},
//!     "derived":  {"kind": "derived/1", ..relations and marginals of derived columns; left out if there are none..},
//!     "training": {"kind": "training/1", ..version, kernels, seed and history..}}}
//! tensors: the parameters by name (F32; those of the any-order network begin with "any_order."), and "columns/..", "derived/.." (F64 or U64)
//! ```
//!
//! No time, path, host or thread count is in it: the same fit gives the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use ef_tensor::params::ParamLayout;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use crate::architecture::Architecture;
use crate::columns::Columns;
use crate::error::Error;
use crate::kind::ModelKind;
use crate::model::EchoFlow;
use crate::proposal::{Proposal, ProposalSaved};
use crate::stage::Training;

const FORMAT: u64 = 1;
const KEY: &str = "echoflow";
/// Lists of at least this many numbers become tensors.
const LONG: usize = 32;
/// How a list that became a tensor stands in the JSON.
const MOVED: &str = "$tensor";

/// The section of the any-order network, its kind, and what its tensors' names begin with.
const ANY_ORDER: &str = "any-order";
const ANY_ORDER_KIND: &str = "any-order/1";
const ANY_ORDER_PREFIX: &str = "any_order.";

const COLUMNS: &str = "columns/1";
/// A program that knows no dates names a file that holds them as newer, not as damaged.
const COLUMNS_WITH_DATES: &str = "columns/2";

/// A tensor's bytes before they are in a file.
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl EchoFlow {
    /// Writes the model to a file: beside its final place, then renamed, so nothing is ever half-written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(self, path.as_ref())
    }

    /// Reads a model. Every tensor is checked both ways; nothing in a file is ever run.
    ///
    /// # Errors
    /// A file that is missing, damaged, no model, or made by a newer version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        load(path.as_ref())
    }
}

fn save(model: &EchoFlow, path: &Path) -> Result<(), Error> {
    let write = |out: &mut dyn Write| {
        let bytes = to_bytes(model).map_err(std::io::Error::other)?;
        out.write_all(&bytes)
    };
    ef_io::write_atomically(path, write).map_err(|error| Error::WriteModel {
        path: path.to_owned(),
        error,
    })
}

fn to_bytes(model: &EchoFlow) -> Result<Vec<u8>, String> {
    let said = |e: serde_json::Error| e.to_string();
    let mut tensors = BTreeMap::new();
    put(&mut tensors, "", &model.parameters(), &model.params);
    if let Some(proposal) = &model.proposal {
        put(
            &mut tensors,
            ANY_ORDER_PREFIX,
            &proposal.parameters(),
            &proposal.params,
        );
    }
    let mut columns = section(
        columns_kind(&model.columns),
        serde_json::to_value(&model.columns).map_err(said)?,
    );
    move_out(&mut columns, "columns", &mut tensors);
    let kind = format!("density.{}/1", model.architecture.model);
    let density = section(&kind, serde_json::to_value(&model.architecture).map_err(said)?);
    let training = section("training/1", serde_json::to_value(&model.training).map_err(said)?);
    let mut header = json!({
        "format": FORMAT,
        "sections": { "columns": columns, "density": density, "training": training },
    });
    if let Some(derived) = &model.columns.derived {
        let mut derived = section("derived/1", serde_json::to_value(derived).map_err(said)?);
        move_out(&mut derived, "derived", &mut tensors);
        header["sections"]["derived"] = derived;
    }
    if let Some(proposal) = &model.proposal {
        let story = serde_json::to_value(&proposal.story).map_err(said)?;
        header["sections"][ANY_ORDER] = section(ANY_ORDER_KIND, story);
    }
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, t)| {
            Ok((
                name.as_str(),
                TensorView::new(t.dtype, t.shape.clone(), &t.bytes)?,
            ))
        })
        .collect::<Result<_, safetensors::SafeTensorError>>()
        .map_err(|e| e.to_string())?;
    header["checksum"] = json!({ XXH3_64: xxh3_64(&header, &mut views.iter().map(|(n, t)| (*n, t))) });
    serialize(views, Some(HashMap::from([(KEY.to_owned(), header.to_string())]))).map_err(|e| e.to_string())
}

/// Adds parameters as tensors.
fn put(tensors: &mut BTreeMap<String, Tensor>, prefix: &str, layout: &ParamLayout, params: &[f32]) {
    for entry in layout.entries() {
        let values = &params[entry.offset..entry.offset + entry.len()];
        let tensor = Tensor {
            dtype: Dtype::F32,
            shape: entry.shape.clone(),
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        tensors.insert(format!("{prefix}{}", entry.name), tensor);
    }
}

/// Takes parameters out of the tensors that are left, or says what is wrong.
fn take_params(
    left: &mut BTreeMap<String, TensorView<'_>>,
    prefix: &str,
    layout: &ParamLayout,
    params: &mut [f32],
) -> Result<(), String> {
    for entry in layout.entries() {
        let name = format!("{prefix}{}", entry.name);
        let tensor = left
            .remove(&name)
            .ok_or_else(|| format!("the tensor \"{name}\" is missing"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != entry.shape {
            let (have, want) = (tensor.shape(), &entry.shape);
            return Err(format!("the tensor \"{name}\" has shape {have:?}, not {want:?}"));
        }
        let values = tensor
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        for (to, value) in params[entry.offset..].iter_mut().zip(values) {
            if !value.is_finite() {
                return Err(format!("the tensor \"{name}\" holds a number that is not finite"));
            }
            *to = value;
        }
    }
    Ok(())
}

/// How many parameters the tensors hold whose names begin with the any-order network's prefix, or do not.
fn count_params(left: &BTreeMap<String, TensorView<'_>>, order_agnostic: bool) -> usize {
    let floats = left
        .iter()
        .filter(|(name, t)| t.dtype() == Dtype::F32 && name.starts_with(ANY_ORDER_PREFIX) == order_agnostic);
    floats.map(|(_, t)| t.data().len() / 4).sum()
}

fn load(path: &Path) -> Result<EchoFlow, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::ReadModel {
        path: path.to_owned(),
        error,
    })?;
    from_bytes(&bytes, path)
}

/// Reads a model from the bytes of a file; `path` is for messages.
fn from_bytes(bytes: &[u8], path: &Path) -> Result<EchoFlow, Error> {
    let bad = |reason: String| Error::BadModel {
        path: path.to_owned(),
        reason,
    };
    let newer = |what: String| Error::NewerModel {
        path: path.to_owned(),
        what,
    };
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|_| bad("its header cannot be read".to_owned()))?;
    let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let header = header.ok_or_else(|| bad("it has no echoflow header".to_owned()))?;
    let mut header: Value =
        serde_json::from_str(header).map_err(|e| bad(format!("its header is damaged ({e})")))?;
    match header["format"].as_u64() {
        Some(FORMAT) => {}
        Some(f) if f > FORMAT => return Err(newer(format!("file format {f}"))),
        _ => return Err(bad("its format number is missing".to_owned())),
    }
    let signed = header.as_object_mut().and_then(|h| h.remove("checksum"));
    let sum: Checksum = match signed {
        Some(Value::String(sum)) => (first_sum, sum),
        Some(Value::Object(named)) => match named.into_iter().next() {
            Some((name, Value::String(sum))) if name == XXH3_64 => (xxh3_64, sum),
            Some((name, _)) => return Err(newer(format!("checksum \"{name}\""))),
            None => return Err(bad("its checksum is missing".to_owned())),
        },
        _ => return Err(bad("its checksum is missing".to_owned())),
    };
    let whole = header.clone();
    // The header is read first, so that a newer file is named as such even if its tensors are new too.
    let Value::Object(mut sections) = header["sections"].take() else {
        return Err(bad("it has no sections".to_owned()));
    };
    let has_derived = sections.contains_key("derived");
    let has_any_order = sections.contains_key(ANY_ORDER);
    let mut take = |name: &str| -> Result<(String, Value), Error> {
        let mut value = sections
            .remove(name)
            .ok_or_else(|| bad(format!("the section \"{name}\" is missing")))?;
        let kind = value.as_object_mut().and_then(|o| o.remove("kind"));
        let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
        Ok((kind.to_owned(), value))
    };
    let known = |(kind, value): (String, Value), known: &str| {
        (kind == known)
            .then_some(value)
            .ok_or_else(|| newer(format!("section \"{kind}\"")))
    };
    let (kind, mut columns) = take("columns")?;
    if ![COLUMNS, COLUMNS_WITH_DATES].contains(&kind.as_str()) {
        return Err(newer(format!("section \"{kind}\"")));
    }
    let (kind, density) = take("density")?;
    match flow_kind(&kind) {
        None => return Err(newer(format!("section \"{kind}\""))),
        Some(flow) if flow.parse::<ModelKind>().is_err() => {
            return Err(Error::UnknownFlow {
                path: path.to_owned(),
                kind: flow.to_owned(),
            });
        }
        Some(_) => {}
    }
    let training = known(take("training")?, "training/1")?;
    let mut derived = match has_derived {
        true => Some(known(take("derived")?, "derived/1")?),
        false => None,
    };
    let order_agnostic = match has_any_order {
        true => Some(known(take(ANY_ORDER)?, ANY_ORDER_KIND)?),
        false => None,
    };
    if let Some(name) = sections.keys().next() {
        return Err(newer(format!("section \"{name}\"")));
    }

    let tensors =
        SafeTensors::deserialize(bytes).map_err(|e| bad(format!("its tensors are damaged ({e})")))?;
    let mut left: BTreeMap<String, TensorView<'_>> = tensors.tensors().into_iter().collect();
    let (of, sum) = sum;
    if of(&whole, &mut left.iter().map(|(n, t)| (n.as_str(), t))) != sum {
        return Err(bad(
            "its checksum does not match, so some bytes have changed".to_owned()
        ));
    }
    move_in(&mut columns, &mut left).map_err(bad)?;
    if let Some(derived) = &mut derived {
        move_in(derived, &mut left).map_err(bad)?;
    }
    let mut columns: Columns = parse("columns", columns).map_err(bad)?;
    columns.derived = derived
        .map(|derived| parse("derived", derived))
        .transpose()
        .map_err(bad)?;
    if !columns.is_whole() {
        return Err(bad(
            "its columns and their marginals do not fit together".to_owned()
        ));
    }
    let architecture: Architecture = parse("density", density).map_err(bad)?;
    let training: Training = parse("training", training).map_err(bad)?;
    let count = count_params(&left, false);
    architecture.validate().map_err(|e| bad(e.to_string()))?;
    let sizes = "its sizes and its number of parameters do not fit together";
    let model = EchoFlow::rebuild(columns, architecture, training, count, |layout, params| {
        take_params(&mut left, "", layout, params).map_err(bad)
    })?;
    let mut model = model.ok_or_else(|| bad(sizes.to_owned()))?;
    if let Some(story) = order_agnostic {
        let story: ProposalSaved = parse(ANY_ORDER, story).map_err(bad)?;
        let count = count_params(&left, true);
        let proposal = Proposal::rebuild(&model.layout, story, count, |layout, params| {
            take_params(&mut left, ANY_ORDER_PREFIX, layout, params).map_err(bad)
        })?;
        model.proposal = Some(proposal.ok_or_else(|| bad(sizes.to_owned()))?);
    }
    match left.keys().next() {
        Some(name) => Err(bad(format!("it holds a tensor no part needs, \"{name}\""))),
        None => Ok(model),
    }
}

fn columns_kind(columns: &Columns) -> &'static str {
    if columns.have_dates() {
        COLUMNS_WITH_DATES
    } else {
        COLUMNS
    }
}

/// The name of the flow in `density.NAME/1`.
fn flow_kind(section: &str) -> Option<&str> {
    section.strip_prefix("density.")?.strip_suffix("/1")
}

fn parse<T: for<'a> Deserialize<'a>>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| format!("the section \"{name}\" cannot be read ({e})"))
}

fn section(kind: &str, value: Value) -> Value {
    let mut map = match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    map.insert("kind".to_owned(), Value::String(kind.to_owned()));
    Value::Object(map)
}

/// Replaces long lists of numbers by the names of tensors.
fn move_out(value: &mut Value, path: &str, tensors: &mut BTreeMap<String, Tensor>) {
    match value {
        Value::Array(items) if items.len() >= LONG && items.iter().all(Value::is_number) => {
            let shape = vec![items.len()];
            let whole: Option<Vec<u64>> = items.iter().map(Value::as_u64).collect();
            let (dtype, bytes) = match whole {
                Some(whole) => (Dtype::U64, whole.iter().flat_map(|v| v.to_le_bytes()).collect()),
                None if items.iter().all(Value::is_f64) => {
                    let values = items.iter().filter_map(Value::as_f64);
                    (Dtype::F64, values.flat_map(f64::to_le_bytes).collect())
                }
                // Signed or mixed whole numbers stay in the JSON, which keeps their type.
                None => return,
            };
            tensors.insert(path.to_owned(), Tensor { dtype, shape, bytes });
            *value = json!({ MOVED: path });
        }
        Value::Array(items) => {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| move_out(v, &format!("{path}/{i}"), tensors));
        }
        Value::Object(map) => map
            .iter_mut()
            .for_each(|(k, v)| move_out(v, &format!("{path}/{k}"), tensors)),
        _ => {}
    }
}

/// The reverse; takes each tensor it uses.
fn move_in(value: &mut Value, tensors: &mut BTreeMap<String, TensorView<'_>>) -> Result<(), String> {
    if let Some(name) = value.get(MOVED).and_then(Value::as_str) {
        let tensor = tensors
            .remove(name)
            .ok_or_else(|| format!("the tensor \"{name}\" is missing"))?;
        let words = tensor.data().chunks_exact(8).map(|b| {
            let mut word = [0; 8];
            word.copy_from_slice(b);
            word
        });
        let items: Option<Vec<Value>> = match tensor.dtype() {
            Dtype::U64 => Some(words.map(|w| Value::from(u64::from_le_bytes(w))).collect()),
            Dtype::F64 => words
                .map(|w| Number::from_f64(f64::from_le_bytes(w)).map(Value::Number))
                .collect(),
            _ => None,
        };
        *value = items
            .map(Value::Array)
            .ok_or_else(|| format!("the tensor \"{name}\" is no list of numbers"))?;
        return Ok(());
    }
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|v| move_in(v, tensors)),
        Value::Object(map) => map.values_mut().try_for_each(|v| move_in(v, tensors)),
        _ => Ok(()),
    }
}

/// A sum over a file's header and tensors, and what it should be.
type Checksum = (fn(&Value, Tensors<'_, '_>) -> String, String);

/// Names and tensors, in the order of names.
type Tensors<'a, 'b> = &'a mut dyn Iterator<Item = (&'b str, &'b TensorView<'b>)>;

/// The name of the checksum in a header.
const XXH3_64: &str = "xxh3_64";

/// Hands on what a checksum is made of: the header (without the checksum), then of every tensor its name, type and shape,
/// and its bytes.
fn each_piece(header: &Value, tensors: Tensors<'_, '_>, mut eat: impl FnMut(&[u8])) {
    eat(header.to_string().as_bytes());
    for (name, tensor) in tensors {
        eat(format!("{name} {:?} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        eat(tensor.data());
    }
}

/// XXH3 of 64 bits, without a seed, over the pieces of a file, each after its length in eight bytes, the least first: finds
/// damage anywhere in the file, proves nothing about who made it.
fn xxh3_64(header: &Value, tensors: Tensors<'_, '_>) -> String {
    let mut hash = Xxh3Default::new();
    each_piece(header, tensors, |piece| {
        hash.update(&(piece.len() as u64).to_le_bytes());
        hash.update(piece);
    });
    format!("{:016x}", hash.digest())
}

/// The sum of the first files, which is no published hash: words of eight bytes are taken in by exclusive or, a product
/// with FNV's prime and a rotation; the last word of a piece is filled up with zeros, and no length counts. Only read.
fn first_sum(header: &Value, tensors: Tensors<'_, '_>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    each_piece(header, tensors, |piece| {
        for chunk in piece.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from_le_bytes(word))
                .wrapping_mul(0x100_0000_01b3)
                .rotate_left(17);
        }
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64 as hash;

    use super::*;

    /// The test values of the reference implementation (xxHash 0.8, `tests/sanity_test.c`): of so many bytes of its buffer.
    #[test]
    fn the_hash_is_xxh3() {
        let mut state = 2_654_435_761_u64;
        let buffer: Vec<u8> = (0..2400)
            .map(|_| {
                let byte = (state >> 56) as u8;
                state = state.wrapping_mul(11_400_714_785_074_694_797);
                byte
            })
            .collect();
        for (length, value) in [
            (0, 0x2d06_8005_38d3_94c2_u64),
            (1, 0xc44b_dff4_074e_ecdb),
            (6, 0x27b5_6a84_cd2d_7325),
            (12, 0xa713_daf0_dfbb_77e7),
            (24, 0xa3fe_70bf_9d35_10eb),
            (48, 0x397d_a259_ecba_1f11),
            (80, 0xbcde_fbbb_2c47_c90a),
            (195, 0xcd94_217e_e362_ec3a),
            (403, 0xcdeb_804d_65c6_dea4),
            (512, 0x617e_4959_9013_cb6b),
            (2048, 0xdd59_e2c3_a5f0_38e0),
            (2240, 0x6e73_a905_39cf_2948),
        ] {
            assert_eq!(hash(&buffer[..length]), value, "{length} bytes at once");
            let mut in_pieces = Xxh3Default::new();
            buffer[..length]
                .chunks(7)
                .for_each(|piece| in_pieces.update(piece));
            assert_eq!(in_pieces.digest(), value, "{length} bytes in pieces");
        }
    }

    #[test]
    fn every_length_counts() {
        let of = |bytes: &[u8], sum: fn(&Value, Tensors<'_, '_>) -> String| {
            let tensor = TensorView::new(Dtype::U8, vec![4], bytes).unwrap();
            let header = json!({ "n": 1 });
            sum(&header, &mut [("a", &tensor)].into_iter())
        };
        // pieces end to end are these bytes; the name and the type come after the header
        let mut bytes = Vec::new();
        for piece in [&b"{\"n\":1}"[..], b"a U8 [4]", &[1, 2, 3, 0]] {
            bytes.extend((piece.len() as u64).to_le_bytes());
            bytes.extend(piece);
        }
        assert_eq!(of(&[1, 2, 3, 0], xxh3_64), format!("{:016x}", hash(&bytes)));
    }

    fn model() -> Vec<u8> {
        let text: String = (0..60).map(|i| format!("{}.5,{}\n", i * i % 37, i % 3)).collect();
        let table = crate::read_csv_from(format!("x,k\n{text}").as_bytes(), "t").unwrap();
        let builder = EchoFlow::builder().order_agnostic(false).epochs(1);
        let mut architecture = Architecture::new(ModelKind::Chain);
        (architecture.cells_hidden, architecture.cells_blocks) = (8, 1);
        let model = builder.architecture(architecture).fit(&table).unwrap();
        to_bytes(&model).unwrap()
    }

    /// The same file with another checksum.
    fn signed(bytes: &[u8], sum: impl FnOnce(&Value, Tensors<'_, '_>) -> Value) -> Vec<u8> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
        let mut header: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()[KEY]).unwrap();
        header.as_object_mut().unwrap().remove("checksum");
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensors: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        let sum = sum(&header, &mut tensors.iter().map(|(name, t)| (name.as_str(), t)));
        header["checksum"] = sum;
        let metadata = HashMap::from([(KEY.to_owned(), header.to_string())]);
        serialize(tensors, Some(metadata)).unwrap()
    }

    #[test]
    fn files_of_either_checksum_load_and_damage_to_them_is_found() {
        let now = model();
        let path = Path::new("m.echoflow");
        let before = signed(&now, |header, tensors| first_sum(header, tensors).into());
        assert_ne!(before, now);
        let again = signed(
            &now,
            |header, tensors| json!({ XXH3_64: xxh3_64(header, tensors) }),
        );
        assert_eq!(again, now);
        for file in [&now, &before] {
            let model = from_bytes(file, path).unwrap();
            // whatever is read, the present sum is written
            assert_eq!(to_bytes(&model).unwrap(), now);
            let data = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            for at in (data..file.len()).step_by(97) {
                let mut damaged = file.clone();
                damaged[at] ^= 4;
                let refused = from_bytes(&damaged, path).unwrap_err().to_string();
                assert!(
                    refused.contains("its checksum does not match"),
                    "byte {at}: {refused}"
                );
            }
        }
        let unknown = signed(&now, |_, _| json!({ "xxh9": "0" }));
        assert_eq!(
            from_bytes(&unknown, path).unwrap_err().to_string(),
            "m.echoflow was made by a newer echoflow (checksum \"xxh9\"); update this program to read it"
        );
        for missing in [Value::Null, json!({}), json!(7)] {
            let refused = from_bytes(&signed(&now, |_, _| missing), path).unwrap_err();
            assert!(
                refused.to_string().contains("its checksum is missing"),
                "{refused}"
            );
        }
    }
}
