//! The kinds of model, and the door for new flows.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, PoisonError, RwLock};

use ef_bijectors::{
    Bijector, BijectorError, FlowConfig, RationalQuadratic, maf, neural_spline_autoregressive,
    neural_spline_coupling, real_nvp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ModelError;

/// How the columns are modelled. Categories, atoms and missing cells have exact probabilities under each; under
/// `Autoregressive` numbers have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ModelKind {
    /// The autoregressive model; for tables of numbers with densities alone, whichever of it and the spline flows has the
    /// best log-density on rows held out. A fitted model has the kind that was chosen.
    #[default]
    Auto,
    /// One masked autoregressive network with an exact head a column (MADE, Germain et al. 2015, 1502.03509). On the command
    /// line and in older files also `chain`.
    Autoregressive,
    /// Masked autoregressive flow: a good density, and sampling at the price of one pass.
    Maf,
    /// RealNVP: affine coupling layers.
    Rnvp,
    /// Neural spline flow, autoregressive: for strongly curved or many-humped numbers. Options `bins` and `bound`.
    Nsf,
    /// Neural spline flow of coupling layers. Options `bins` and `bound`.
    NsfCoupling,
    /// A bijector of your own: what [`register`] returns.
    Registered(RegisteredName),
}

/// What the autoregressive model was called before.
const OLD_NAME: &str = "chain";

/// A name that is in the registry and not built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegisteredName(&'static str);

impl ModelKind {
    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Autoregressive => "autoregressive",
            Self::Maf => "maf",
            Self::Rnvp => "rnvp",
            Self::Nsf => "nsf",
            Self::NsfCoupling => "nsf-coupling",
            Self::Registered(name) => name.0,
        }
    }

    /// The bijector over `dim` columns and a context of `context_dim`.
    pub(crate) fn bijector(
        self,
        dim: usize,
        context_dim: usize,
        config: &FlowConfig,
        options: &Options,
    ) -> Result<Box<dyn Bijector<f32>>, ModelError> {
        let constructor = REGISTRY
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(self.name())
            .copied()
            .ok_or_else(|| ModelError::NotAFlow(self.to_string()))?;
        let bijector = constructor(dim, context_dim, config, options)?;
        let width = bijector.context_dim();
        for (what, found, expected, fits) in [
            ("columns", bijector.dim(), dim, bijector.dim() == dim),
            (
                "columns of context",
                width,
                context_dim,
                width == 0 || width == context_dim,
            ),
        ] {
            if !fits {
                return Err(ModelError::Built {
                    kind: self.to_string(),
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(bijector)
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ModelKind {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let name = if name == OLD_NAME {
            Self::Autoregressive.name()
        } else {
            name
        };
        let kind = Self::BUILT_IN.into_iter().find(|kind| kind.name() == name);
        let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
        let registered = || registry.get_key_value(name).map(|(&name, _)| Self::of(name));
        kind.or_else(registered).ok_or_else(|| {
            let mut known: Vec<&str> = Self::BUILT_IN.map(Self::name).into();
            known.extend(
                registry
                    .keys()
                    .filter(|name| matches!(Self::of(name), Self::Registered(_))),
            );
            ModelError::UnknownModel {
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
    }
}

impl ModelKind {
    const BUILT_IN: [Self; 6] = [
        Self::Auto,
        Self::Autoregressive,
        Self::Maf,
        Self::Rnvp,
        Self::Nsf,
        Self::NsfCoupling,
    ];

    fn of(name: &'static str) -> Self {
        Self::BUILT_IN
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or(Self::Registered(RegisteredName(name)))
    }
}

impl Serialize for ModelKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ModelKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// What a kind of flow is told beyond its sizes, by name.
pub type Options = BTreeMap<String, f64>;

/// Builds the bijector of a model over `dim` normal scores, given a summary of `context_dim` numbers (0: none), from its
/// sizes and options. It must give the same bijector for the same arguments: a file holds only those, and
/// the parameters.
pub type FlowConstructor = fn(
    dim: usize,
    context_dim: usize,
    &FlowConfig,
    &Options,
) -> Result<Box<dyn Bijector<f32>>, BijectorError>;

/// Bins a column of a neural spline flow.
const BINS: f64 = 8.0;
/// The floors of more bins would fill the box.
const MOST_BINS: usize = 999;
/// The box of its splines, in normal scores: one row in 1.7 million lies outside.
const BOUND: f64 = 5.0;

/// The options a kind starts with.
pub(crate) fn default_options(kind: ModelKind) -> Options {
    match kind {
        ModelKind::Nsf | ModelKind::NsfCoupling => {
            Options::from([("bins".to_owned(), BINS), ("bound".to_owned(), BOUND)])
        }
        _ => Options::new(),
    }
}

/// The built-in kinds go through the same door.
static REGISTRY: LazyLock<RwLock<BTreeMap<&'static str, FlowConstructor>>> = LazyLock::new(|| {
    let maf: FlowConstructor = |dim, context, config, _| Ok(Box::new(maf::<f32>(dim, context, config)?));
    let rnvp: FlowConstructor =
        |dim, context, config, _| Ok(Box::new(real_nvp::<f32>(dim, context, config)?));
    let nsf: FlowConstructor = |dim, context, config, options| {
        Ok(Box::new(neural_spline_autoregressive::<f32>(
            dim,
            context,
            config,
            spline(options)?,
        )?))
    };
    let nsf_coupling: FlowConstructor = |dim, context, config, options| {
        Ok(Box::new(neural_spline_coupling::<f32>(
            dim,
            context,
            config,
            spline(options)?,
        )?))
    };
    RwLock::new(BTreeMap::from([
        ("maf", maf),
        ("nsf", nsf),
        ("nsf-coupling", nsf_coupling),
        ("rnvp", rnvp),
    ]))
});

fn option(options: &Options, name: &str, default: f64) -> f64 {
    options.get(name).copied().unwrap_or(default)
}

/// The spline of `nsf`, from options that [`check_options`] has let through.
fn spline(options: &Options) -> Result<RationalQuadratic, BijectorError> {
    RationalQuadratic::new(
        option(options, "bins", BINS) as usize,
        option(options, "bound", BOUND),
    )
}

/// Refuses options that a built-in kind does not have, or cannot use. A registered kind's own constructor judges its
/// options.
pub(crate) fn check_options(kind: ModelKind, options: &Options) -> Result<(), ModelError> {
    let refuse = |option: &str, value, expected| ModelError::Option {
        model: kind.to_string(),
        option: option.to_owned(),
        value,
        expected,
    };
    if let Some((name, &value)) = options.iter().find(|(_, value)| !value.is_finite()) {
        return Err(refuse(name, value, "a finite number"));
    }
    let (own, known): (&[&str], _) = match kind {
        ModelKind::Auto | ModelKind::Autoregressive | ModelKind::Maf | ModelKind::Rnvp => {
            (&[], "it has none")
        }
        ModelKind::Nsf | ModelKind::NsfCoupling => (&["bins", "bound"], "its options are bins and bound"),
        ModelKind::Registered(_) => return Ok(()),
    };
    if let Some(name) = options.keys().find(|name| !own.contains(&name.as_str())) {
        return Err(ModelError::UnknownOption {
            model: kind.to_string(),
            option: name.clone(),
            known,
        });
    }
    let whole = |name: &str, default, most: usize, expected| {
        let value = option(options, name, default);
        let fits = value.fract() == 0.0 && (1.0..=most as f64).contains(&value);
        if fits {
            Ok(())
        } else {
            Err(refuse(name, value, expected))
        }
    };
    match kind {
        ModelKind::Nsf | ModelKind::NsfCoupling => {
            whole("bins", BINS, MOST_BINS, "a whole number from 1 to 999")?;
            spline(options).map(drop).map_err(ModelError::from)
        }
        _ => Ok(()),
    }
}

/// Makes a bijector of your own a kind of model: fitted, saved, loaded, sampled, scored and inspected like the built-in
/// ones. A program that loads such a model registers the kind first; registering a name again replaces its
/// constructor.
///
/// # Errors
/// If `kind` is a built-in name, or not made of lower-case letters, digits and `-`.
///
/// ```
/// use ef_bijectors::{ActNorm, Bijector, Chain, maf};
/// use ef_demo::Demo;
/// use ef_model::{EchoFlow, register};
///
/// let kind = register("normed-maf", |dim, context_dim, config, _options| {
///     let mut parts: Vec<Box<dyn Bijector<f32>>> = vec![Box::new(ActNorm::new(dim)?)];
///     parts.extend(maf(dim, context_dim, config)?.into_parts());
///     Ok(Box::new(Chain::new(parts)?))
/// })?;
/// let table = Demo::Sine.generate(200, 1).to_table()?;
/// let model = EchoFlow::builder().model(kind).epochs(1).fit(&table)?;
/// assert_eq!(model.architecture().model().name(), "normed-maf");
/// # Ok::<(), ef_model::ModelError>(())
/// ```
pub fn register(kind: &str, constructor: FlowConstructor) -> Result<ModelKind, ModelError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if kind.is_empty() || kind == OLD_NAME || !kind.chars().all(plain) {
        return Err(ModelError::KindName(kind.to_owned()));
    }
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    // a name lives as long as the program; each is kept once
    let known = registry.keys().copied().find(|name| *name == kind);
    let name: &'static str = known.unwrap_or_else(|| Box::leak(kind.to_owned().into_boxed_str()));
    let kind = ModelKind::of(name);
    if !matches!(kind, ModelKind::Registered(_)) {
        return Err(ModelError::KindName(name.to_owned()));
    }
    registry.insert(name, constructor);
    Ok(kind)
}
