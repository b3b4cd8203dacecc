//! Monotone maps of a number column, under which its smoothed marginal is estimated.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::TableError;

/// A strictly monotone, differentiable map `w = g(x)` of a column's numbers.
///
/// The kernel estimate of a column's marginal works in `w`, where one bandwidth should fit everywhere; the
/// log-density stays in the column's own units, `ln f(x) = ln f(w) + ln |dw/dx|`, exactly. A column without a
/// transformer of its own gets the likelier of [`Identity`] and [`Asinh`].
///
/// A transformer that is to be saved with a model says its `kind` and `config`, and is registered for loading:
///
/// ```
/// use std::sync::Arc;
/// use ef_tabular::{ColumnData, EncoderOptions, Table, TableEncoder, Transformer, register_transformer};
///
/// /// w = ln(1 + x), for x > -1.
/// #[derive(Debug)]
/// struct Log1p;
///
/// impl Transformer for Log1p {
///     fn kind(&self) -> &str { "log1p" }
///     fn forward(&self, x: f64) -> f64 { x.ln_1p() }
///     fn inverse(&self, w: f64) -> f64 { w.exp_m1() }
///     fn log_derivative(&self, x: f64) -> f64 { -x.ln_1p() }
///     fn domain(&self) -> (f64, f64) { (-1.0, f64::INFINITY) }
/// }
///
/// let incomes = (1..1000).map(|i| Some((f64::from(i) / 100.0).exp() + 0.123_456_789)).collect();
/// let table = Table::from_columns(vec![("income".into(), ColumnData::Decimal(incomes))])?;
/// let options = EncoderOptions::default().transformer("income", Log1p);
/// let encoder = TableEncoder::fit(&table, &options)?;
///
/// register_transformer("log1p", |_config| Ok(Arc::new(Log1p)))?;
/// let saved = serde_json::to_string(&encoder).unwrap();
/// let loaded: TableEncoder = serde_json::from_str(&saved).unwrap();
/// assert_eq!(loaded, encoder);
/// # Ok::<(), ef_tabular::TableError>(())
/// ```
pub trait Transformer: Debug + Send + Sync {
    /// The name under which it is saved and registered.
    fn kind(&self) -> &str;

    /// `w = g(x)`, finite for every finite x inside [`domain`](Self::domain).
    fn forward(&self, x: f64) -> f64;

    /// `x = g^-1(w)`.
    fn inverse(&self, w: f64) -> f64;

    /// `ln |dw/dx|` at x.
    fn log_derivative(&self, x: f64) -> f64;

    /// The open interval of x on which the map works; by default all numbers.
    fn domain(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// What the constructor given to [`register_transformer`] needs to build it again; by default nothing.
    fn config(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// `w = x`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Identity;

impl Transformer for Identity {
    fn kind(&self) -> &str {
        "identity"
    }
    fn forward(&self, x: f64) -> f64 {
        x
    }
    fn inverse(&self, w: f64) -> f64 {
        w
    }
    fn log_derivative(&self, _x: f64) -> f64 {
        0.0
    }
}

/// `w = asinh((x - center) / scale)`: linear near the centre, logarithmic far from it. For columns with heavy tails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Asinh {
    center: f64,
    scale: f64,
}

impl Asinh {
    /// `scale` must be positive and both numbers finite; else the map about 0 of scale 1 is given.
    pub fn new(center: f64, scale: f64) -> Self {
        let ok = center.is_finite() && scale.is_finite() && scale > 0.0;
        if ok {
            Self { center, scale }
        } else {
            Self {
                center: 0.0,
                scale: 1.0,
            }
        }
    }
}

impl Transformer for Asinh {
    fn kind(&self) -> &str {
        "asinh"
    }
    fn forward(&self, x: f64) -> f64 {
        let q = (x - self.center) / self.scale;
        // asinh overflows from about 1e154 on, where it is ln(2|q|) to the last bit
        if q.abs() < 1e150 {
            q.asinh()
        } else {
            (x.abs().ln() + std::f64::consts::LN_2 - self.scale.ln()).copysign(q)
        }
    }
    fn inverse(&self, w: f64) -> f64 {
        let x = if w.abs() < 300.0 {
            self.center + self.scale * w.sinh()
        } else {
            (w.abs() - std::f64::consts::LN_2 + self.scale.ln())
                .exp()
                .copysign(w)
        };
        x.clamp(f64::MIN, f64::MAX)
    }
    fn log_derivative(&self, x: f64) -> f64 {
        let q = ((x - self.center) / self.scale).abs();
        let ln_root = if q < 1e150 {
            0.5 * (q * q).ln_1p()
        } else {
            x.abs().ln() - self.scale.ln()
        };
        -ln_root - self.scale.ln()
    }
    fn config(&self) -> serde_json::Value {
        serde_json::json!({ "center": self.center, "scale": self.scale })
    }
}

/// Builds a transformer from its saved config, or says why it cannot.
pub type TransformerConstructor = fn(&serde_json::Value) -> Result<Arc<dyn Transformer>, String>;

/// The kinds that are built in, which nobody else's take the name of.
const BUILT_IN: [&str; 2] = ["identity", "asinh"];

static REGISTRY: LazyLock<RwLock<HashMap<String, TransformerConstructor>>> = LazyLock::new(|| {
    let identity: TransformerConstructor = |_| Ok(Arc::new(Identity));
    let asinh: TransformerConstructor = |config| {
        let saved: Asinh = serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
        Ok(Arc::new(Asinh::new(saved.center, saved.scale)))
    };
    let constructors = BUILT_IN.map(str::to_owned).into_iter().zip([identity, asinh]);
    RwLock::new(constructors.collect())
});

/// Makes a kind of transformer known, so that marginals that use it can be loaded. Registering a name again replaces
/// its constructor, also by one of another type, for whatever is loaded from then on; marginals that are loaded already
/// keep the transformer they have.
///
/// # Errors
/// If `kind` is a built-in name, or empty.
pub fn register_transformer(kind: &str, constructor: TransformerConstructor) -> Result<(), TableError> {
    if kind.is_empty() || BUILT_IN.contains(&kind) {
        return Err(TableError::TransformerName(kind.to_owned()));
    }
    // the map is whole after every insert, so a poisoned lock is safe to go on with
    REGISTRY
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .insert(kind.to_owned(), constructor);
    Ok(())
}

/// A transformer made strictly increasing, as the marginals use it.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    transformer: Arc<dyn Transformer>,
    decreasing: bool,
}

impl Map {
    pub(crate) fn new(transformer: Arc<dyn Transformer>, decreasing: bool) -> Self {
        Self {
            transformer,
            decreasing,
        }
    }

    pub(crate) fn transformer(&self) -> &dyn Transformer {
        self.transformer.as_ref()
    }

    pub(crate) fn shared_transformer(&self) -> Arc<dyn Transformer> {
        Arc::clone(&self.transformer)
    }

    pub(crate) fn forward(&self, x: f64) -> f64 {
        let w = self.transformer.forward(x);
        if self.decreasing { -w } else { w }
    }

    pub(crate) fn inverse(&self, w: f64) -> f64 {
        self.transformer.inverse(if self.decreasing { -w } else { w })
    }

    pub(crate) fn log_derivative(&self, x: f64) -> f64 {
        self.transformer.log_derivative(x)
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.transformer(), other.transformer());
        self.decreasing == other.decreasing
            && ours.kind() == theirs.kind()
            && ours.config() == theirs.config()
    }
}

#[derive(Serialize, Deserialize)]
struct SavedMap {
    kind: String,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    config: serde_json::Value,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    decreasing: bool,
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, config) = (self.transformer.kind().to_owned(), self.transformer.config());
        SavedMap {
            kind,
            config,
            decreasing: self.decreasing,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let saved = SavedMap::deserialize(deserializer)?;
        let registry = REGISTRY.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let constructor = registry.get(&saved.kind).copied().ok_or_else(|| {
            let kind = &saved.kind;
            D::Error::custom(format!(
                "the transformer \"{kind}\" is not known; call register_transformer(\"{kind}\", ..) first"
            ))
        })?;
        drop(registry);
        let transformer = constructor(&saved.config).map_err(D::Error::custom)?;
        Ok(Self {
            transformer,
            decreasing: saved.decreasing,
        })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn asinh_inverts_and_differentiates() {
        let map = Asinh::new(3.0, 0.5);
        for x in [-1e200, -5.0, 0.0, 3.0, 3.25, 1e3, 1e250] {
            assert_relative_eq!(
                map.inverse(map.forward(x)),
                x,
                max_relative = 1e-12,
                epsilon = 1e-12
            );
            let step = 1e-6 * f64::max(1.0, f64::abs(x));
            let slope = (map.forward(x + step) - map.forward(x - step)) / (2.0 * step);
            assert_relative_eq!(map.log_derivative(x), slope.ln(), epsilon = 1e-4);
        }
        assert!(Asinh::new(0.0, 1e-300).forward(f64::MAX).is_finite());
    }

    #[test]
    fn an_unknown_kind_says_how_to_go_on() {
        let error = serde_json::from_str::<Map>(r#"{"kind":"mine"}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("register_transformer(\"mine\""), "{error}");
    }

    #[test]
    fn a_built_in_kind_is_not_replaced() {
        for kind in ["asinh", "identity", ""] {
            let refused = register_transformer(kind, |_| Ok(Arc::new(Identity)));
            assert_eq!(
                refused.unwrap_err().to_string(),
                format!(
                    "\"{kind}\" cannot be registered as a transformer; take a name that is not empty, and neither \
                     identity nor asinh, which are built in"
                )
            );
        }
        let map = Map::new(Arc::new(Asinh::new(3.0, 0.5)), false);
        let saved = serde_json::to_string(&map).unwrap();
        let loaded: Map = serde_json::from_str(&saved).unwrap();
        assert_relative_eq!(loaded.forward(10.0), map.forward(10.0));
        for kind in BUILT_IN {
            assert!(REGISTRY.read().unwrap().contains_key(kind), "{kind}");
        }
    }

    #[test]
    fn a_name_registered_again_is_what_it_was_last() {
        let load =
            || serde_json::from_str::<Map>(r#"{"kind":"test.twice","config":{"center":0.0,"scale":1.0}}"#);
        register_transformer("test.twice", |_| Ok(Arc::new(Identity))).unwrap();
        let first = load().unwrap();
        register_transformer("test.twice", |_| Ok(Arc::new(Asinh::new(0.0, 1.0)))).unwrap();
        assert_relative_eq!(load().unwrap().forward(3.0), 3.0_f64.asinh());
        assert_relative_eq!(first.forward(3.0), 3.0);
    }
}
