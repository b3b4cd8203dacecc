//! How close a model comes to a known truth: fits the `loans` demo and compares mean log-densities on rows held out.
//!
//! `cargo run --release --example loans`

use echoflow::demo::Demo;
use echoflow::{EchoFlow, Error, ModelKind};

fn main() -> Result<(), Error> {
    let train = Demo::Loans.generate(10_000, 1).to_table()?;
    let held_out = Demo::Loans.generate_range(10_000..20_000, 1);
    let truth = Demo::Loans.log_density(&held_out);
    let truth = truth.iter().sum::<f64>() / truth.len() as f64;
    println!(
        "truth    {truth:.4} nats a row over {} rows held out",
        held_out.rows()
    );
    for kind in [ModelKind::Maf, ModelKind::Rnvp] {
        let model = EchoFlow::builder().model(kind).seed(7).fit(&train)?;
        let (mean, error) = model.log_prob(&held_out.to_table()?)?.mean();
        println!(
            "{kind:<8} {mean:.4} (standard error of the estimate {error:.4}), {:.4} below",
            truth - mean
        );
    }
    Ok(())
}
