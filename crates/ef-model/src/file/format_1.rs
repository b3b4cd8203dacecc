//! Files of format 1, read as if they were of today's.
//!
//! * The autoregressive model was called `chain`, its order-agnostic network `any-order`; all kinds had the sizes of all.
//! * Columns' log-shares were output biases, which training moved. They are constants now ([`HeadOffsets`]) that the
//!   network's outputs are added to: what is left of a bias is its distance from them, and every value but those of the
//!   first column scores as it did.
//! * The first column had biases too, where there is no context. It is its marginal now: what training had made of it, a
//!   pull towards uniform, is left out.
//! * Columns of numbers had no map of their ranks, and no start of it. Theirs is 0, which maps nothing.

use ef_density::HeadOffsets;
use serde_json::{Map, Value, json};

use super::container::{Held, Refused, Section, Tensors, bad};
use super::{ORDER_AGNOSTIC_KIND, ORDER_AGNOSTIC_PREFIX};

/// The section of the order-agnostic network.
pub(super) const ANY_ORDER: &str = "any-order";
/// What the names of its tensors began with.
const ANY_ORDER_PREFIX: &str = "any_order.";

/// The section of the density, under today's names.
pub(super) fn density(section: Section) -> Result<Section, Refused> {
    let name = section
        .kind
        .strip_prefix("density.")
        .and_then(|kind| kind.strip_suffix("/1"));
    let Some(name) = name else {
        return Err(section.newer());
    };
    let Value::Object(mut old) = section.value else {
        return Err(bad("the section \"density\" cannot be read (it is no object)"));
    };
    let value = if name == "chain" {
        let components = old
            .get("options")
            .and_then(|options| options["components"].as_f64());
        json!({
            "hidden": old.get("cells_hidden"),
            "blocks": old.get("cells_blocks"),
            "dropout": old.get("cells_dropout"),
            "components": components.unwrap_or(16.0) as u64,
            "ensemble": old.get("members").cloned().unwrap_or(json!(1)),
        })
    } else {
        old.remove("members");
        let rename = |(name, value): (String, Value)| (name.replace("cells_", "levels_"), value);
        Value::Object(old.into_iter().map(rename).collect::<Map<_, _>>())
    };
    let name = if name == "chain" { "autoregressive" } else { name };
    Ok(Section {
        kind: format!("density.{name}/2"),
        value,
    })
}

/// The section of the order-agnostic network, under today's names.
pub(super) fn order_agnostic(section: Option<Section>) -> Result<Option<Section>, Refused> {
    let Some(section) = section else {
        return Ok(None);
    };
    let mut value = section.of_kind("any-order/1")?;
    if let Some(saved) = value.as_object_mut()
        && let Some(gap) = saved.remove("gap")
    {
        saved.insert("kl_to_model".to_owned(), gap);
    }
    Ok(Some(Section {
        kind: ORDER_AGNOSTIC_KIND.to_owned(),
        value,
    }))
}

/// Gives the tensors of the order-agnostic network their names.
pub(super) fn rename_tensors(tensors: &mut Tensors<'_>) {
    let rename = |(name, tensor): (String, _)| match name.strip_prefix(ANY_ORDER_PREFIX) {
        Some(rest) => (format!("{ORDER_AGNOSTIC_PREFIX}{rest}"), tensor),
        None => (name, tensor),
    };
    *tensors = std::mem::take(tensors).into_iter().map(rename).collect();
}

/// Takes the constants out of the output biases of networks, by what their tensors' names begin with, and leaves out the
/// outputs of a first column that is its marginal now.
pub(super) fn move_shares(tensors: &mut Tensors<'_>, heads: &[(String, HeadOffsets)]) -> Result<(), Refused> {
    for (prefix, heads) in heads {
        let outputs = heads.offsets.len();
        let all = heads.of_marginal + outputs - heads.later.len();
        for (name, shape) in &heads.later_params {
            let zeros = std::iter::repeat_n(0.0, shape.iter().product());
            tensors.insert(format!("{prefix}{name}"), Held::of_floats(shape.clone(), zeros));
        }
        for (layer, is_bias) in [
            ("output.weight", false),
            ("output.bias", true),
            ("skip.weight", false),
        ] {
            let Some(tensor) = tensors.get_mut(&format!("{prefix}{layer}")) else {
                continue;
            };
            if tensor.shape.last() != Some(&all) {
                return Err(bad(format!(
                    "the tensor \"{prefix}{layer}\" has shape {:?}, not {all} outputs",
                    tensor.shape
                )));
            }
            let mut shape = tensor.shape.clone();
            if let Some(last) = shape.last_mut() {
                *last = outputs;
            }
            let values: Vec<f32> = tensor.floats().collect();
            let kept = values
                .chunks_exact(all.max(1))
                .map(|row| row[heads.of_marginal..].iter());
            let moved = kept.flat_map(|mut row| {
                heads.offsets.iter().enumerate().map(move |(output, &offset)| {
                    if heads.later.binary_search(&output).is_ok() {
                        return 0.0;
                    }
                    let value = row.next().copied().unwrap_or_default();
                    if is_bias {
                        (f64::from(value) - offset) as f32
                    } else {
                        value
                    }
                })
            });
            *tensor = Held::of_floats(shape, moved);
        }
    }
    Ok(())
}
