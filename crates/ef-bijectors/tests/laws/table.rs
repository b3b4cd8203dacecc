//! Every bijector of the crate, with what is claimed of it.

use ef_bijectors::{
    ActNorm, Activation, Autoregressive, Bijector, Chain, ElementwiseAffine, Ends, MlpConfig, Permute, Real,
    Standardize, UnitMap,
};
use ef_check::{CheckConfig, Domain};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::flows::flows;
use crate::layers::{on_the_unit_interval, real_line};
use crate::residual::residual;

/// The closed unit interval.
pub(crate) const UNIT: Domain = Domain::Interval(0.0, 1.0);

/// A bijector and what is claimed of it.
pub(crate) struct Entry<T: Real> {
    pub(crate) name: String,
    pub(crate) bijector: Box<dyn Bijector<T>>,
    autoregressive: bool,
    sees_all: bool,
    /// Of `forward` and of `inverse`.
    domains: [Domain; 2],
    /// Another scale of data and another reach than usual.
    near: Option<(f64, f64)>,
    /// Parameters nearer to where training begins.
    mild: bool,
}

/// An entry with no claims beyond the laws.
pub(crate) fn entry<T: Real>(name: impl Into<String>, bijector: impl Bijector<T> + 'static) -> Entry<T> {
    Entry {
        name: name.into(),
        bijector: Box::new(bijector),
        autoregressive: false,
        sees_all: false,
        domains: [Domain::Real; 2],
        near: None,
        mild: false,
    }
}

impl<T: Real> Entry<T> {
    /// Claims that `z_i` depends on `x_0 ..= x_i` only.
    pub(crate) fn autoregressive(self) -> Self {
        Self {
            autoregressive: true,
            ..self
        }
    }

    /// Claims that `z_i` depends on each of `x_0 ..= x_i`, and on nothing else.
    pub(crate) fn masked(self) -> Self {
        Self {
            sees_all: true,
            ..self.autoregressive()
        }
    }

    /// Takes back the claim that every column is seen.
    pub(crate) fn may_be_blind(self) -> Self {
        Self {
            sees_all: false,
            ..self
        }
    }

    pub(crate) fn domains(self, forward: Domain, inverse: Domain) -> Self {
        Self {
            domains: [forward, inverse],
            ..self
        }
    }

    /// Claims nothing for numbers beyond `reach`, where the unit interval has no room for the upper tail.
    pub(crate) fn through_the_unit_interval(self) -> Self {
        Self {
            near: Some((1.0, 4.0)),
            ..self
        }
    }

    /// Parameters nearer to where training begins: layers behind each other multiply their conditions, of which the
    /// condition of the whole tells little.
    pub(crate) fn mild(self) -> Self {
        Self { mild: true, ..self }
    }

    /// `config` with the claims of this entry.
    pub(crate) fn claims(&self, config: CheckConfig) -> CheckConfig {
        let mut config = config.domains(self.domains[0], self.domains[1]);
        if self.autoregressive {
            config = config.autoregressive();
        }
        if self.sees_all {
            config = config.seeing_all();
        }
        if let Some((data_scale, reach)) = self.near {
            (config.data_scale, config.reach, config.far) = (data_scale, reach, reach);
        }
        if self.mild {
            (config.param_scale, config.extreme_scale) = (0.2, 3.0);
        }
        config
    }
}

/// A small network.
pub(crate) fn net(activation: Activation, residual: bool) -> MlpConfig {
    MlpConfig {
        hidden: 7,
        blocks: 2,
        residual,
        activation,
    }
}

/// Every bijector of the crate, at a dimension and a context width.
pub(crate) fn table<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let mut rng = ChaCha8Rng::seed_from_u64(dim as u64);
    let mut all = vec![
        entry("reverse", Permute::reverse(dim).unwrap()),
        entry("random order", Permute::random(dim, &mut rng).unwrap()),
        entry("elementwise affine", ElementwiseAffine::new(dim).unwrap()).autoregressive(),
        entry("diagonal scaling", ElementwiseAffine::scaling(dim).unwrap()).autoregressive(),
        entry("actnorm", ActNorm::new(dim).unwrap()).autoregressive(),
    ];
    for ends in [Ends::Logistic, Ends::Normal] {
        let (there, back) = (UnitMap::to_unit(dim, ends), UnitMap::from_unit(dim, ends));
        all.push(
            entry(format!("to unit, {ends:?}"), there.unwrap())
                .autoregressive()
                .domains(Domain::Real, UNIT),
        );
        all.push(
            entry(format!("from unit, {ends:?}"), back.unwrap())
                .autoregressive()
                .domains(UNIT, Domain::Real),
        );
    }
    all.extend(real_line(dim, context));
    all.extend(on_the_unit_interval(dim, context));
    all.extend(flows(dim, context));
    all.extend(residual(dim, context));
    let mixed: Vec<Box<dyn Bijector<T>>> = vec![
        Box::new(ActNorm::new(dim).unwrap()),
        Box::new(
            Autoregressive::new(dim, context, net(Activation::Tanh, false), Standardize::default()).unwrap(),
        ),
        Box::new(Permute::random(dim, &mut rng).unwrap()),
        Box::new(ElementwiseAffine::new(dim).unwrap()),
    ];
    all.push(entry("mixed chain", Chain::new(mixed).unwrap()));
    all
}

/// What lives on the unit interval, between two ends: in `f64` only, because in between the upper tail has lost digits
/// that the condition of the whole does not show.
pub(crate) fn on_the_line(dim: usize, context: usize) -> Vec<Entry<f64>> {
    let mut all = Vec::new();
    for ends in [Ends::Logistic, Ends::Normal] {
        for inner in on_the_unit_interval(dim, context) {
            let parts: Vec<Box<dyn Bijector<f64>>> = vec![
                Box::new(UnitMap::to_unit(dim, ends).unwrap()),
                inner.bijector,
                Box::new(UnitMap::from_unit(dim, ends).unwrap()),
            ];
            let line = entry(
                format!("{} between {ends:?} ends", inner.name),
                Chain::new(parts).unwrap(),
            );
            // With large parameters `1 - u` between the maps has too few digits for differences.
            all.push(line.through_the_unit_interval().mild());
        }
    }
    all
}
