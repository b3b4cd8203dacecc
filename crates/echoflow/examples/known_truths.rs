//! How close models come to known truths: fits each demo table and compares mean log-densities on rows held out.
//!
//! `cargo run --release --example known_truths`

use std::time::Instant;

use echoflow::demo::Demo;
use echoflow::{EchoFlow, Error, ModelKind};

fn main() -> Result<(), Error> {
    println!("| demo | truth | autoregressive | seconds | maf | seconds | rnvp | seconds | nsf | seconds |");
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    for demo in Demo::ALL {
        let train = demo.generate(10_000, 1).to_table()?;
        let held_out = demo.generate_range(10_000..20_000, 1);
        let truth = demo.log_density(&held_out);
        print!(
            "| {} | {:.4} |",
            demo.name(),
            truth.iter().sum::<f64>() / truth.len() as f64
        );
        for kind in [
            ModelKind::Autoregressive,
            ModelKind::Maf,
            ModelKind::Rnvp,
            ModelKind::Nsf,
        ] {
            let started = Instant::now();
            let model = EchoFlow::builder()
                .model(kind)
                .order_agnostic(false)
                .seed(7)
                .fit(&train)?;
            let seconds = started.elapsed().as_secs_f64();
            let (mean, _) = model.score(&held_out.to_table()?)?.mean();
            print!(" {mean:.4} | {seconds:.0} |");
        }
        println!();
    }
    Ok(())
}
