//! The model file: safetensors with one metadata key of sorted JSON.
//!
//! ```text
//! metadata["echoflow"] = {"checksum": {"xxh3_64": ".."}, "format": 2, "sections": {
//!     "columns":  {"kind": "columns/1" ("columns/2" with dates), ..schema and marginals; long lists moved to tensors..},
//!     "density":  {"kind": "density.autoregressive/2", ..sizes..},
//!     "derived":  {"kind": "derived/1", ..relations and marginals of derived columns; left out if there are none..},
//!     "order-agnostic": {"kind": "order-agnostic/1", ..sizes, KL to the model and history; left out if there is none..},
//!     "training": {"kind": "training/1", ..version, kernels, seed and history..}}}
//! tensors: the parameters by name (F32; those of the order-agnostic network begin with "order_agnostic."),
//!          and "columns/..", "derived/.." (F64 or U64)
//! ```
//!
//! No time, path, host or thread count is in it: the same fit gives the same bytes. Files of format 1 are read, see
//! `format_1`.

mod container;
mod format_1;

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::architecture::{Architecture, AutoregressiveSizes, FlowSizes};
use crate::columns::Columns;
use crate::error::ModelError;
use crate::kind::ModelKind;
use crate::model::EchoFlow;
use crate::proposal::{Proposal, ProposalSaved};
use crate::stage::Training;
use container::{Header, Refused, Section, Tensors, Writer, bad, count_params, parse, take_params};

/// The section of the order-agnostic network, its kind, and what its tensors' names begin with.
const ORDER_AGNOSTIC: &str = "order-agnostic";
const ORDER_AGNOSTIC_KIND: &str = "order-agnostic/1";
const ORDER_AGNOSTIC_PREFIX: &str = "order_agnostic.";

const COLUMNS: &str = "columns/1";
/// A program that knows no dates names a file that holds them as newer, not as damaged.
const COLUMNS_WITH_DATES: &str = "columns/2";

impl EchoFlow {
    /// Writes the model to a file: beside its final place, then renamed, so nothing is ever half-written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        save(self, path.as_ref())
    }

    /// Reads a model. Every tensor is checked both ways; nothing in a file is ever run.
    ///
    /// # Errors
    /// A file that is missing, damaged, no model, or made by a newer version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        load(path.as_ref())
    }
}

fn save(model: &EchoFlow, path: &Path) -> Result<(), ModelError> {
    let write = |out: &mut dyn Write| {
        let bytes = to_bytes(model).map_err(std::io::Error::other)?;
        out.write_all(&bytes)
    };
    ef_files::write_atomically(path, write).map_err(|error| ModelError::WriteModel {
        path: path.to_owned(),
        error,
    })
}

fn to_bytes(model: &EchoFlow) -> Result<Vec<u8>, String> {
    let mut file = Writer::default();
    file.params("", &model.parameters(), &model.params);
    let columns = if model.columns.have_dates() {
        COLUMNS_WITH_DATES
    } else {
        COLUMNS
    };
    file.section("columns", columns, &model.columns, true)?;
    let kind = format!("density.{}/2", model.architecture.model());
    match &model.architecture {
        Architecture::Autoregressive(sizes) => file.section("density", &kind, sizes, false)?,
        Architecture::Flow(sizes) => file.section("density", &kind, sizes, false)?,
    }
    if let Some(derived) = &model.columns.derived {
        file.section("derived", "derived/1", derived, true)?;
    }
    if let Some(proposal) = &model.proposal {
        file.params(ORDER_AGNOSTIC_PREFIX, &proposal.parameters(), &proposal.params);
        file.section(ORDER_AGNOSTIC, ORDER_AGNOSTIC_KIND, &proposal.story, false)?;
    }
    file.section("training", "training/1", &model.training, false)?;
    file.finish()
}

fn load(path: &Path) -> Result<EchoFlow, ModelError> {
    let bytes = std::fs::read(path).map_err(|error| ModelError::ReadModel {
        path: path.to_owned(),
        error,
    })?;
    from_bytes(&bytes, path)
}

/// Reads a model from the bytes of a file; `path` is for messages.
fn from_bytes(bytes: &[u8], path: &Path) -> Result<EchoFlow, ModelError> {
    read(bytes).map_err(|unread| match unread {
        Unread::Refused(Refused::Bad(reason)) => ModelError::BadModel {
            path: path.to_owned(),
            reason,
        },
        Unread::Refused(Refused::Newer(what)) => ModelError::NewerModel {
            path: path.to_owned(),
            what,
        },
        Unread::UnknownFlow(kind) => ModelError::UnknownFlow {
            path: path.to_owned(),
            kind,
        },
        Unread::Model(error) => error,
    })
}

/// Why a model could not be read.
enum Unread {
    Refused(Refused),
    /// A kind of flow that nobody has registered.
    UnknownFlow(String),
    /// What the model says of what the file holds.
    Model(ModelError),
}

impl From<Refused> for Unread {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<ModelError> for Unread {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

fn read(bytes: &[u8]) -> Result<EchoFlow, Unread> {
    let mut header = Header::read(bytes)?;
    let is_first = header.format == 1;
    let columns = header.take("columns")?;
    if ![COLUMNS, COLUMNS_WITH_DATES].contains(&columns.kind.as_str()) {
        return Err(columns.newer().into());
    }
    let mut density = header.take("density")?;
    if is_first {
        density = format_1::density(density)?;
    }
    let kind = known_kind(&density)?;
    let training = header.take("training")?.of_kind("training/1")?;
    let derived = header.take_if_there("derived");
    let derived = derived.map(|section| section.of_kind("derived/1")).transpose()?;
    let proposal = if is_first {
        format_1::order_agnostic(header.take_if_there(format_1::ANY_ORDER))?
    } else {
        header.take_if_there(ORDER_AGNOSTIC)
    };
    let proposal = proposal
        .map(|section| section.of_kind(ORDER_AGNOSTIC_KIND))
        .transpose()?;

    let mut left = header.tensors(bytes)?;
    let mut columns: Columns = parse("columns", columns.value, &mut left)?;
    columns.derived = derived
        .map(|derived| parse("derived", derived, &mut left))
        .transpose()?;
    if !columns.is_whole() {
        return Err(bad("its columns and their marginals do not fit together").into());
    }
    let architecture = sizes(kind, density.value, &mut left)?;
    let training: Training = parse("training", training, &mut left)?;
    architecture.validate().map_err(|e| bad(e.to_string()))?;
    if is_first {
        format_1::rename_tensors(&mut left);
        let layout = columns.layout();
        format_1::move_shares(&mut left, &architecture.density(&layout)?.head_offsets())?;
    }
    let misfit = || bad("its sizes and its number of parameters do not fit together");
    let of_proposal = |name: &str| name.starts_with(ORDER_AGNOSTIC_PREFIX);
    let count = count_params(&left, |name| !of_proposal(name));
    let mut refused = None;
    let model = EchoFlow::rebuild(columns, architecture, training, count, |layout, params| {
        refused = take_params(&mut left, "", layout, params).err();
    })?;
    refused.map_or(Ok(()), Err)?;
    let mut model = model.ok_or_else(misfit)?;
    if let Some(saved) = proposal {
        let saved: ProposalSaved = parse(ORDER_AGNOSTIC, saved, &mut left)?;
        let count = count_params(&left, of_proposal);
        let mut refused = None;
        let proposal = Proposal::rebuild(&model.layout, saved, count, |network, layout, params| {
            let heads = [(ORDER_AGNOSTIC_PREFIX.to_owned(), network.head_offsets())];
            let moved = if is_first {
                format_1::move_shares(&mut left, &heads)
            } else {
                Ok(())
            };
            let taken = moved.and_then(|()| take_params(&mut left, ORDER_AGNOSTIC_PREFIX, layout, params));
            refused = taken.err();
        })?;
        refused.map_or(Ok(()), Err)?;
        model.proposal = Some(proposal.ok_or_else(misfit)?);
    }
    match left.keys().next() {
        Some(name) => Err(bad(format!("it holds a tensor no part needs, \"{name}\"")).into()),
        None => Ok(model),
    }
}

/// The kind of model in `density.NAME/2`.
fn known_kind(density: &Section) -> Result<ModelKind, Unread> {
    let name = density
        .kind
        .strip_prefix("density.")
        .and_then(|kind| kind.strip_suffix("/2"));
    let name = name.ok_or_else(|| density.newer())?;
    match name.parse() {
        Ok(ModelKind::Auto) | Err(_) => Err(Unread::UnknownFlow(name.to_owned())),
        Ok(kind) => Ok(kind),
    }
}

fn sizes(kind: ModelKind, value: Value, left: &mut Tensors<'_>) -> Result<Architecture, Refused> {
    Ok(match kind {
        ModelKind::Autoregressive => {
            let sizes: AutoregressiveSizes = parse("density", value, left)?;
            Architecture::Autoregressive(sizes)
        }
        _ => {
            let sizes: FlowSizes = parse("density", value, left)?;
            if sizes.model != kind {
                return Err(bad(format!(
                    "its sizes are those of \"{}\", its density is \"{kind}\"",
                    sizes.model
                )));
            }
            Architecture::Flow(sizes)
        }
    })
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::{Xxh3Default, xxh3_64 as hash};

    use std::collections::{BTreeMap, HashMap};

    use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
    use serde_json::json;

    use super::container::{KEY, Views, XXH3_64, first_sum, xxh3_64};
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
        let of = |bytes: &[u8], sum: fn(&Value, Views<'_, '_>) -> String| {
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
        let table = ef_io::read_csv_from(format!("x,k\n{text}").as_bytes(), "t").unwrap();
        let builder = EchoFlow::builder().order_agnostic(false).epochs(1);
        let architecture = Architecture::Autoregressive(AutoregressiveSizes {
            hidden: 8,
            blocks: 1,
            ..AutoregressiveSizes::default()
        });
        let model = builder.architecture(architecture).fit(&table).unwrap();
        to_bytes(&model).unwrap()
    }

    /// The same file with another checksum.
    fn signed(bytes: &[u8], sum: impl FnOnce(&Value, Views<'_, '_>) -> Value) -> Vec<u8> {
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
