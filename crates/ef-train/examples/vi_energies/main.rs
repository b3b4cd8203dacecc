//! Four densities on the plane, approximated by planar flows of growing length and by an inverse autoregressive flow.
//!
//! Rezende & Mohamed 2015 (1505.05770), sec. 6.1 and figure 3. Prints a Markdown table of estimated divergences from
//! the target, whose normaliser is found by quadrature.
//!
//! ```console
//! $ cargo run --release -p ef-train --example vi_energies
//! ```

mod energies;

use std::error::Error;
use std::io::Write;

use ef_bijectors::{
    Activation, Bijector, Chain, ElementwiseAffine, FlowConfig, MlpConfig, Tanh, maf, planar_chain,
};
use ef_random::Key;
use ef_train::{KlEstimate, Variational, VariationalConfig, fit_variational, kl_divergence};

use energies::Energy;

/// Fits from different seeds; the one with the lowest divergence on draws set aside for the choice is reported.
const SEEDS: u64 = 3;
/// Draws the choice is made on, and other draws the reported figure comes from.
const CHOICE_DRAWS: usize = 20_000;
const REPORT_DRAWS: usize = 200_000;

/// Optimizer steps a fit.
const STEPS: u64 = 4000;

const MODELS: [Model; 4] = [
    Model::Planar(2),
    Model::Planar(8),
    Model::Planar(32),
    Model::Iaf(4),
];

#[derive(Clone, Copy)]
enum Model {
    /// A diagonal normal with learned mean and scale, then this many planar layers.
    Planar(usize),
    /// Autoregressive layers with the base at their input: their fast direction draws.
    Iaf(usize),
}

impl Model {
    fn name(self) -> String {
        match self {
            Self::Planar(layers) => format!("planar, K = {layers}"),
            Self::Iaf(layers) => format!("IAF, {layers} layers"),
        }
    }

    fn build(self) -> Result<Variational<f64>, Box<dyn Error>> {
        let flow = match self {
            Self::Planar(layers) => planar_chain(2, 0, layers, Tanh)?,
            Self::Iaf(layers) => {
                let conditioner = MlpConfig {
                    hidden: 32,
                    blocks: 1,
                    residual: true,
                    activation: Activation::Silu,
                };
                let config = FlowConfig {
                    layers,
                    conditioner,
                    ..FlowConfig::default()
                };
                maf(2, 0, &config)?
            }
        };
        let parts: Vec<Box<dyn Bijector<f64>>> = vec![Box::new(ElementwiseAffine::new(2)?), Box::new(flow)];
        Ok(Variational::new(Chain::new(parts)?)?)
    }
}

/// The best of [`SEEDS`] fits, and how far apart they were.
struct Outcome {
    kl: KlEstimate,
    /// The largest divergence among the fits, on the draws of the choice.
    worst: f64,
    skipped_steps: u64,
}

fn approximate(model: Model, energy: Energy, log_z: f64) -> Result<Outcome, Box<dyn Error>> {
    let q = model.build()?;
    let mut best: Option<(f64, Vec<f64>)> = None;
    let (mut worst, mut skipped_steps) = (f64::NEG_INFINITY, 0);
    for seed in 0..SEEDS {
        let mut params = vec![0.0; q.num_params()];
        q.init(&mut Key::new(seed).purpose("init").row(0), &mut params);
        let config = VariationalConfig::default()
            .steps(STEPS)
            .lr(1e-2)
            .anneal_steps(STEPS / 2)
            .seed(seed);
        let history = fit_variational(&q, &mut params, &energy, &config, &mut ())?;
        skipped_steps += history.skipped_steps;
        let kl = kl_divergence(&q, &params, &energy, log_z, CHOICE_DRAWS, Key::new(1000))?.mean;
        worst = worst.max(kl);
        if best.as_ref().is_none_or(|(lowest, _)| kl < *lowest) {
            best = Some((kl, params));
        }
    }
    let (_, params) = best.ok_or("no fit has a finite divergence")?;
    let kl = kl_divergence(&q, &params, &energy, log_z, REPORT_DRAWS, Key::new(2000))?;
    Ok(Outcome {
        kl,
        worst,
        skipped_steps,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "Estimated KL(q || p), nats, with its standard error over {REPORT_DRAWS} draws: the best of {SEEDS} seeds by \
         {CHOICE_DRAWS} other draws, and in brackets the worst of them by those. {STEPS} steps each.\n"
    );
    print!("| energy | ln Z |");
    MODELS.iter().for_each(|model| print!(" {} |", model.name()));
    println!("\n|{}", " --- |".repeat(2 + MODELS.len()));
    let mut skipped_steps = 0;
    for energy in Energy::ALL {
        let log_z = energy.log_z();
        print!("| {energy:?} | {log_z:.4} |");
        for model in MODELS {
            let outcome = approximate(model, energy, log_z)?;
            let KlEstimate {
                mean, standard_error, ..
            } = outcome.kl;
            print!(" {mean:.4} ± {standard_error:.4} ({:.3}) |", outcome.worst);
            std::io::stdout().flush()?;
            skipped_steps += outcome.skipped_steps;
        }
        println!();
    }
    println!("\nSteps skipped because they were not finite: {skipped_steps}.");
    Ok(())
}
