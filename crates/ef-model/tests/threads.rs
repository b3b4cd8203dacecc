//! A fit runs on the threads that it was asked to, and opens no others. The only test of its binary, since it counts the
//! threads of the process.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};

use ef_demo::Demo;
use ef_model::{EchoFlow, Part, Progress, StageStart};
use ef_train::{EpochReport, StepReport, TrainConfig};

/// Threads of this process.
fn now() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Counts threads whenever it is told of something.
#[derive(Default)]
struct Most(usize);

impl Most {
    fn look(&mut self) {
        self.0 = self.0.max(now());
    }
}

impl Progress for Most {
    fn on_note(&mut self, _: &str) {
        self.look();
    }

    fn on_stage(&mut self, _: &StageStart) {
        self.look();
    }

    fn on_step(&mut self, _: &StepReport) {
        self.look();
    }

    fn on_epoch(&mut self, _: &EpochReport) {
        self.look();
    }
}

#[test]
fn a_fit_has_the_threads_it_was_given() {
    // three candidates, held against each other, and an order-agnostic network: every kind of work there is in a fit
    let table = Demo::Spiral.generate(2000, 3).to_table().unwrap();
    let before = now();
    for threads in [1, 3] {
        // what a part asks for does not count
        let builder = EchoFlow::builder()
            .train(Part::Columns, TrainConfig::default().threads(5))
            .threads(threads)
            .shards(4)
            .epochs(2);
        let mut most = Most::default();
        builder.fit_with(&table, &mut most).unwrap();
        // this one waits meanwhile
        assert!(most.0 <= before + threads, "{} threads, {before} before", most.0);
        // the pool ends with the fit, though not at once; rayon's global pool, if anything had woken it, would stay
        let patience = Instant::now() + Duration::from_secs(20);
        while now() > before && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(now(), before, "threads left over by a fit on {threads}");
    }
}
