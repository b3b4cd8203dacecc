//! A fit on the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use echoflow::train::{EpochReport, StepReport};
use echoflow::{Progress, StageStart};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// A bar a stage, where a person watches; notes always, unless quiet. Asks for a stop after Ctrl-C.
#[derive(Debug)]
pub(crate) struct Bars {
    quiet: bool,
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
    part: &'static str,
    last: String,
    steps_per_epoch: u64,
    /// The most epochs there can be, while how many there will be is open.
    open_ended: Option<usize>,
}

impl Bars {
    pub(crate) fn new(quiet: bool, stop: Arc<AtomicBool>) -> Self {
        Self {
            quiet,
            stop,
            bar: ProgressBar::hidden(),
            part: "",
            last: String::new(),
            steps_per_epoch: 0,
            open_ended: None,
        }
    }

    /// How many epochs there are, where that is known.
    fn of(&self, epochs: usize) -> String {
        match self.open_ended {
            Some(_) => String::new(),
            None => format!("/{epochs}"),
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bars {
    fn on_note(&mut self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    fn on_stage(&mut self, start: &StageStart) {
        self.bar.finish_and_clear();
        if self.quiet {
            return;
        }
        self.part = start.part.name();
        self.steps_per_epoch = start.fit.steps_per_epoch as u64;
        self.open_ended = start.fit.open_ended.then_some(start.fit.epochs);
        let steps = start.fit.epochs as u64 * self.steps_per_epoch;
        self.bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(8))
            .with_style(style(self.open_ended.is_some()));
        self.bar
            .set_prefix(format!("{} {}/{}", self.part, start.stage, start.stages));
        self.last = format!("validation {:.4} nats", start.fit.start_nll);
        self.bar
            .set_message(format!("epoch 1{}  {}", self.of(start.fit.epochs), self.last));
    }

    fn on_step(&mut self, _: &StepReport) {
        self.bar.inc(1);
    }

    fn on_epoch(&mut self, report: &EpochReport) {
        self.last = format!(
            "NLL train {:.4}, validation {:.4} nats",
            report.train_nll, report.validation_nll
        );
        if self.open_ended.is_some_and(|most| report.planned < most) {
            self.open_ended = None;
            self.bar.set_style(style(false));
            self.bar.set_length(report.planned as u64 * self.steps_per_epoch);
        }
        let epoch = report.epoch;
        self.bar
            .set_message(format!("epoch {epoch}{}  {}", self.of(report.planned), self.last));
    }

    fn should_stop(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A bar with the time left, or, while nobody knows it, the time gone.
fn style(open_ended: bool) -> ProgressStyle {
    let template = if open_ended {
        "{prefix:<8} {spinner} {msg}  {elapsed}"
    } else {
        "{prefix:<8} [{bar:24}] {msg}  at most {eta} left"
    };
    ProgressStyle::with_template(template)
        .map(|s| s.progress_chars("=> "))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A flag that Ctrl-C raises. A second Ctrl-C ends the program at once.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Where no handler can be set, Ctrl-C ends the program as it always does.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note("\nstopping after this step; press Ctrl-C again to end at once");
    });
    stop
}
