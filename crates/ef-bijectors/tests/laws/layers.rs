//! Coupling and masked layers of every transformer.

use ef_bijectors::{
    Activation, Additive, Affine, Autoregressive, Coupling, Degrees, Gated, MlpConfig, PiecewiseLinear,
    PiecewiseQuadratic, RationalQuadratic, Real, SplineFloors, Standardize, Transformer, half_mask,
};

use crate::table::{Entry, UNIT, entry, net};

/// A masked and a coupling layer of one transformer.
fn layers<T: Real, Tr: Transformer + Copy + 'static>(
    dim: usize,
    context: usize,
    tag: &str,
    config: MlpConfig,
    transformer: Tr,
) -> Vec<Entry<T>> {
    let mask: Vec<bool> = (0..dim).map(|j| j % 2 == 0).collect();
    let masked = Autoregressive::new(dim, context, config, transformer).unwrap();
    let coupling = Coupling::new(&mask, context, config, transformer).unwrap();
    vec![
        entry(format!("masked, {tag}{transformer:?}"), masked).masked(),
        entry(format!("coupling, {tag}{transformer:?}"), coupling),
    ]
}

/// Every transformer of the real line, in both kinds of layer; masks and degrees of every kind.
pub(crate) fn real_line<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let config = net(Activation::Silu, true);
    let mut all = Vec::new();
    for activation in [Activation::Relu, Activation::Tanh, Activation::Silu] {
        for residual in [false, true] {
            let config = net(activation, residual);
            let tag = format!("{activation:?}, residual {residual}, ");
            all.extend(layers(dim, context, &tag, config, Standardize::default()));
            all.extend(layers(dim, context, &tag, config, Affine::default()));
        }
    }
    all.extend(layers(dim, context, "", config, Additive));
    all.extend(layers(dim, context, "", config, Gated::default()));
    for (bins, bound) in [(1, 2.0), (2, 1.0), (8, 4.0)] {
        let spline = RationalQuadratic::new(bins, bound).unwrap();
        let entries = layers(dim, context, "", config, spline);
        // a spline of one bin, its slopes at both ends 1, is the identity whatever the network says
        all.extend(
            entries
                .into_iter()
                .map(|entry| if bins == 1 { entry.may_be_blind() } else { entry }),
        );
    }
    let floors = SplineFloors {
        width: 0.1,
        height: 0.05,
        slope: 0.3,
    };
    let spline = RationalQuadratic::new(4, 2.0).unwrap().with_floors(floors);
    all.extend(layers(dim, context, "high floors, ", config, spline.unwrap()));
    let random = Degrees::Random { seed: 3 };
    let layer = Autoregressive::with_degrees(dim, context, config, &random, Standardize::default()).unwrap();
    all.push(entry("masked, random degrees", layer).masked());
    for mask in [
        half_mask(dim, 0),
        half_mask(dim, 1),
        vec![true; dim],
        vec![false; dim],
    ] {
        let layer = Coupling::new(&mask, context, config, Affine::default()).unwrap();
        all.push(entry(format!("coupling of {mask:?}"), layer));
        let layer = Coupling::shared(&mask, context, config, Affine::default()).unwrap();
        all.push(entry(format!("shared coupling of {mask:?}"), layer));
    }
    all
}

/// Every transformer of the unit interval, in both kinds of layer.
pub(crate) fn on_the_unit_interval<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let config = net(Activation::Silu, true);
    let mut all = layers(
        dim,
        context,
        "",
        config,
        RationalQuadratic::on_box(4, 0.0, 1.0).unwrap(),
    );
    all.extend(layers(dim, context, "", config, PiecewiseLinear::new(4).unwrap()));
    all.extend(layers(
        dim,
        context,
        "",
        config,
        PiecewiseQuadratic::new(3).unwrap(),
    ));
    all.into_iter().map(|entry| entry.domains(UNIT, UNIT)).collect()
}

/// Masked layers that are asked for fewer units than columns. Every transformer reads all its parameters alike, so one will
/// do; activations and degrees decide what passes.
pub(crate) fn narrow<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let mut all = Vec::new();
    for hidden in [1, dim / 2, dim - 2] {
        for residual in [false, true] {
            for degrees in [Degrees::Equal, Degrees::Random { seed: 5 }] {
                let config = MlpConfig {
                    hidden,
                    ..net(Activation::Silu, residual)
                };
                let transformer = Standardize::default();
                let layer =
                    Autoregressive::with_degrees(dim, context, config, &degrees, transformer).unwrap();
                let name = format!("masked, {hidden} units asked for, residual {residual}, {degrees:?}");
                all.push(entry(name, layer).masked().mild());
            }
        }
    }
    all
}
