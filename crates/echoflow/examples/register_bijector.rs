//! A bijector of your own inside a model of a table: fitted, saved, loaded, inspected and sampled like a built-in one.
//!
//! `cargo run --release --example register_bijector`

use echoflow::bijectors::ndarray::{ArrayView2, ArrayViewMut2};
use echoflow::bijectors::{Bijector, Chain, ParamVisitor, Tape, Workspace, maf};
use echoflow::demo::Demo;
use echoflow::{EchoFlow, Error, FlowSizes, register};
use rand::RngCore;

/// `z_0 = x_0`, `z_i = x_i + a_i tanh(x_{i-1})`: each column sheared by the one before it. Volume preserving.
#[derive(Debug)]
struct Shear {
    dim: usize,
}

impl Bijector<f32> for Shear {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        self.dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("shear", &[self.dim]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f32]) {
        params.fill(0.0);
    }

    fn forward(
        &self,
        a: &[f32],
        mut x: ArrayViewMut2<'_, f32>,
        _: ArrayView2<'_, f32>,
        _: &mut [f64],
        tape: Option<&mut Tape<f32>>,
        ws: &mut Workspace<f32>,
    ) {
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), self.dim);
            copy.assign(&x);
            tape.push(copy);
        }
        for mut row in x.rows_mut() {
            for i in (1..self.dim).rev() {
                row[i] += a[i] * row[i - 1].tanh();
            }
        }
    }

    fn inverse(
        &self,
        a: &[f32],
        mut z: ArrayViewMut2<'_, f32>,
        _: ArrayView2<'_, f32>,
        _: &mut [f64],
        _: &mut Workspace<f32>,
    ) {
        for mut row in z.rows_mut() {
            for i in 1..self.dim {
                row[i] -= a[i] * row[i - 1].tanh();
            }
        }
    }

    fn backward(
        &self,
        a: &[f32],
        mut g: ArrayViewMut2<'_, f32>,
        _: &[f32],
        _: ArrayView2<'_, f32>,
        _: Option<ArrayViewMut2<'_, f32>>,
        grads: &mut [f32],
        tape: &mut Tape<f32>,
        ws: &mut Workspace<f32>,
    ) {
        let x = tape.pop();
        for (mut g, x) in g.rows_mut().into_iter().zip(x.rows()) {
            for i in 1..self.dim {
                let t = x[i - 1].tanh();
                // dz_i/da_i = tanh(x_{i-1}); dz_i/dx_{i-1} = a_i (1 - tanh²)
                grads[i] += g[i] * t;
                g[i - 1] += g[i] * a[i] * (1.0 - t * t);
            }
        }
        ws.give(x);
    }
}

fn main() -> Result<(), Error> {
    let kind = register("sheared-maf", |dim, context_dim, config, _options| {
        let mut parts: Vec<Box<dyn Bijector<f32>>> = vec![Box::new(Shear { dim })];
        parts.extend(maf(dim, context_dim, config)?.into_parts());
        Ok(Box::new(Chain::new(parts)?))
    })?;
    let mut architecture = FlowSizes::new(kind);
    architecture.layers = 4;
    let table = Demo::Sine.generate(4000, 1).to_table()?;
    let model = EchoFlow::builder()
        .architecture(architecture)
        .epochs(20)
        .fit(&table)?;

    let file = std::env::temp_dir().join("sheared.echoflow");
    model.save(&file)?;
    let loaded = EchoFlow::load(&file)?;
    std::fs::remove_file(&file).ok();
    println!(
        "a {} model of {} parameters, saved and loaded",
        loaded.architecture().model(),
        loaded.parameters().len()
    );
    let held_out = Demo::Sine.generate_range(4000..6000, 1);
    let truth = Demo::Sine.log_density(&held_out);
    let (mean, _) = loaded.score(&held_out.to_table()?)?.mean();
    println!(
        "held-out mean log_prob {mean:.4} nats; the truth has {:.4}",
        truth.iter().sum::<f64>() / truth.len() as f64
    );
    let drawn = loaded.sample(3, 1)?;
    println!(
        "{} rows drawn of the columns {:?}",
        drawn.num_rows(),
        drawn.column_names()
    );
    Ok(())
}
