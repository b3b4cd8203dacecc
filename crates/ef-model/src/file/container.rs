//! The container of a model file: a header of sections, tensors by name, a checksum over both. It knows no model.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use ef_tensor::params::ParamLayout;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};
use xxhash_rust::xxh3::Xxh3Default;

/// The newest format there is.
pub(super) const FORMAT: u64 = 2;
/// The key of the header in the metadata.
pub(super) const KEY: &str = "echoflow";
/// The name of the checksum in a header.
pub(super) const XXH3_64: &str = "xxh3_64";
/// Lists of at least this many numbers become tensors.
const LONG: usize = 32;
/// How a list that became a tensor stands in the JSON.
const MOVED: &str = "$tensor";

/// Why a file cannot be read as a model.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is damaged, or no model: what is wrong with it.
    Bad(String),
    /// A newer version made it: what this one does not know.
    Newer(String),
}

/// `Refused::Bad`, from anything that is a sentence.
pub(super) fn bad(reason: impl Into<String>) -> Refused {
    Refused::Bad(reason.into())
}

/// A tensor, whose bytes lie in the file or were made.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Cow<'a, [u8]>,
}

impl Held<'_> {
    /// The numbers of a tensor of 32-bit floats.
    pub(super) fn floats(&self) -> impl Iterator<Item = f32> + '_ {
        self.bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A tensor of 32-bit floats.
    pub(super) fn of_floats(shape: Vec<usize>, values: impl Iterator<Item = f32>) -> Self {
        Self {
            dtype: Dtype::F32,
            shape,
            bytes: values.flat_map(f32::to_le_bytes).collect(),
        }
    }
}

/// Tensors by name.
pub(super) type Tensors<'a> = BTreeMap<String, Held<'a>>;

/// A section: what it is, with its version, and what it says.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) kind: String,
    pub(super) value: Value,
}

impl Section {
    /// Its value, if it is of this kind.
    pub(super) fn of_kind(self, kind: &str) -> Result<Value, Refused> {
        if self.kind == kind {
            Ok(self.value)
        } else {
            Err(self.newer())
        }
    }

    pub(super) fn newer(&self) -> Refused {
        Refused::Newer(format!("section \"{}\"", self.kind))
    }
}

/// A file to be written: sections and tensors.
#[derive(Debug, Default)]
pub(super) struct Writer {
    sections: Map<String, Value>,
    tensors: Tensors<'static>,
}

impl Writer {
    /// Adds a section. If `lists` says so, its long lists of numbers become tensors.
    pub(super) fn section(
        &mut self,
        name: &str,
        kind: &str,
        value: &impl Serialize,
        lists: bool,
    ) -> Result<(), String> {
        let mut value = match serde_json::to_value(value).map_err(|e| e.to_string())? {
            Value::Object(map) => map,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        value.insert("kind".to_owned(), kind.into());
        let mut value = Value::Object(value);
        if lists {
            move_out(&mut value, name, &mut self.tensors);
        }
        self.sections.insert(name.to_owned(), value);
        Ok(())
    }

    /// Adds parameters as tensors, their names behind a prefix.
    pub(super) fn params(&mut self, prefix: &str, layout: &ParamLayout, params: &[f32]) {
        for entry in layout.entries() {
            let values = params[entry.offset..entry.offset + entry.len()].iter().copied();
            let tensor = Held::of_floats(entry.shape.clone(), values);
            self.tensors.insert(format!("{prefix}{}", entry.name), tensor);
        }
    }

    /// The bytes of the file.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        let mut header = json!({ "format": FORMAT, "sections": self.sections });
        let views: Vec<(&str, TensorView<'_>)> = self
            .tensors
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
        serialize(views, Some(HashMap::from([(KEY.to_owned(), header.to_string())])))
            .map_err(|e| e.to_string())
    }
}

/// The header of a file to be read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) format: u64,
    sections: Map<String, Value>,
    /// What the checksum is over.
    whole: Value,
    checksum: Checksum,
}

impl Header {
    /// Reads the header alone, so that a newer file is named as one even if its tensors are new too.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|_| bad("its header cannot be read"))?;
        let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let header = header.ok_or_else(|| bad("it has no echoflow header"))?;
        let mut header: Value =
            serde_json::from_str(header).map_err(|e| bad(format!("its header is damaged ({e})")))?;
        let format = match header["format"].as_u64() {
            Some(format @ 1..=FORMAT) => format,
            Some(format) if format > FORMAT => return Err(Refused::Newer(format!("file format {format}"))),
            _ => return Err(bad("its format number is missing")),
        };
        let checksum: Checksum = match header.as_object_mut().and_then(|h| h.remove("checksum")) {
            Some(Value::String(sum)) => (first_sum, sum),
            Some(Value::Object(named)) => match named.into_iter().next() {
                Some((name, Value::String(sum))) if name == XXH3_64 => (xxh3_64, sum),
                Some((name, _)) => return Err(Refused::Newer(format!("checksum \"{name}\""))),
                None => return Err(bad("its checksum is missing")),
            },
            _ => return Err(bad("its checksum is missing")),
        };
        let whole = header.clone();
        let Value::Object(sections) = header["sections"].take() else {
            return Err(bad("it has no sections"));
        };
        Ok(Self {
            format,
            sections,
            whole,
            checksum,
        })
    }

    /// Takes a section out, if there is one of this name.
    pub(super) fn take_if_there(&mut self, name: &str) -> Option<Section> {
        let mut value = self.sections.remove(name)?;
        let kind = value.as_object_mut().and_then(|o| o.remove("kind"));
        let kind = kind
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Some(Section { kind, value })
    }

    /// Takes a section out.
    pub(super) fn take(&mut self, name: &str) -> Result<Section, Refused> {
        self.take_if_there(name)
            .ok_or_else(|| bad(format!("the section \"{name}\" is missing")))
    }

    /// The tensors, after all sections were taken; checks that nothing has changed since it was written.
    pub(super) fn tensors<'a>(&self, bytes: &'a [u8]) -> Result<Tensors<'a>, Refused> {
        if let Some(name) = self.sections.keys().next() {
            return Err(Refused::Newer(format!("section \"{name}\"")));
        }
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|e| bad(format!("its tensors are damaged ({e})")))?;
        let views: BTreeMap<String, TensorView<'a>> = tensors.tensors().into_iter().collect();
        let (of, sum) = &self.checksum;
        if of(&self.whole, &mut views.iter().map(|(n, t)| (n.as_str(), t))) != *sum {
            return Err(bad("its checksum does not match, so some bytes have changed"));
        }
        let held = |view: TensorView<'a>| Held {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: Cow::Borrowed(view.data()),
        };
        Ok(views.into_iter().map(|(name, view)| (name, held(view))).collect())
    }
}

/// What a section says. The lists that became tensors are taken out of `tensors`.
pub(super) fn parse<T: DeserializeOwned>(
    name: &str,
    mut value: Value,
    tensors: &mut Tensors<'_>,
) -> Result<T, Refused> {
    move_in(&mut value, tensors).map_err(bad)?;
    let parsed: Result<T, serde_json::Error> = serde_json::from_value(value);
    parsed.map_err(|e: serde_json::Error| bad(format!("the section \"{name}\" cannot be read ({e})")))
}

/// Takes parameters out of the tensors that are left.
pub(super) fn take_params(
    left: &mut Tensors<'_>,
    prefix: &str,
    layout: &ParamLayout,
    params: &mut [f32],
) -> Result<(), Refused> {
    for entry in layout.entries() {
        let name = format!("{prefix}{}", entry.name);
        let tensor = left
            .remove(&name)
            .ok_or_else(|| bad(format!("the tensor \"{name}\" is missing")))?;
        if tensor.dtype != Dtype::F32 || tensor.shape != entry.shape {
            let (have, want) = (&tensor.shape, &entry.shape);
            return Err(bad(format!(
                "the tensor \"{name}\" has shape {have:?}, not {want:?}"
            )));
        }
        for (to, value) in params[entry.offset..].iter_mut().zip(tensor.floats()) {
            if !value.is_finite() {
                return Err(bad(format!(
                    "the tensor \"{name}\" holds a number that is not finite"
                )));
            }
            *to = value;
        }
    }
    Ok(())
}

/// How many numbers the tensors of 32-bit floats hold whose names `counts`.
pub(super) fn count_params(left: &Tensors<'_>, counts: impl Fn(&str) -> bool) -> usize {
    let floats = left
        .iter()
        .filter(|(name, t)| t.dtype == Dtype::F32 && counts(name));
    floats.map(|(_, t)| t.bytes.len() / 4).sum()
}

/// Replaces long lists of numbers by the names of tensors.
fn move_out(value: &mut Value, path: &str, tensors: &mut Tensors<'static>) {
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
            let bytes: Vec<u8> = bytes;
            let bytes = Cow::Owned(bytes);
            tensors.insert(path.to_owned(), Held { dtype, shape, bytes });
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

/// The reverse; takes each tensor that it uses.
fn move_in(value: &mut Value, tensors: &mut Tensors<'_>) -> Result<(), String> {
    if let Some(name) = value.get(MOVED).and_then(Value::as_str) {
        let tensor = tensors
            .remove(name)
            .ok_or_else(|| format!("the tensor \"{name}\" is missing"))?;
        let words = tensor.bytes.chunks_exact(8).map(|b| {
            let mut word = [0; 8];
            word.copy_from_slice(b);
            word
        });
        let items: Option<Vec<Value>> = match tensor.dtype {
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
type Checksum = (fn(&Value, Views<'_, '_>) -> String, String);

/// Names and tensors, in the order of names.
pub(super) type Views<'a, 'b> = &'a mut dyn Iterator<Item = (&'b str, &'b TensorView<'b>)>;

/// Hands on what a checksum is made of: the header (without the checksum), then of every tensor its name, type and shape,
/// and its bytes.
fn each_piece(header: &Value, tensors: Views<'_, '_>, mut eat: impl FnMut(&[u8])) {
    eat(header.to_string().as_bytes());
    for (name, tensor) in tensors {
        eat(format!("{name} {:?} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        eat(tensor.data());
    }
}

/// XXH3 of 64 bits, without a seed, over the pieces of a file, each after its length in eight bytes, the least first: finds
/// damage anywhere in the file, proves nothing about who made it.
pub(super) fn xxh3_64(header: &Value, tensors: Views<'_, '_>) -> String {
    let mut hash = Xxh3Default::new();
    each_piece(header, tensors, |piece| {
        hash.update(&(piece.len() as u64).to_le_bytes());
        hash.update(piece);
    });
    format!("{:016x}", hash.digest())
}

/// The sum of the first files, which is no published hash: words of eight bytes are taken in by exclusive or, a product
/// with FNV's prime and a rotation; the last word of a piece is filled up with zeros, and no length counts. Only read.
pub(super) fn first_sum(header: &Value, tensors: Views<'_, '_>) -> String {
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
