//! A fit, and other long work, on the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use echoflow::train::{EpochReport, StepReport};
use echoflow::{Part, Progress, StageStart};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// A bar a stage, where a person watches; notes always, unless quiet. Asks for a stop after Ctrl-C.
#[derive(Debug)]
pub(crate) struct Bars {
    quiet: bool,
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
    training: Option<Part>,
    last: String,
    steps_per_epoch: u64,
    /// The most epochs there can be, while how many there will be is open.
    open_ended: Option<usize>,
    /// When the model itself was last trained.
    model_trained: Option<Instant>,
}

impl Bars {
    pub(crate) fn new(quiet: bool, stop: Arc<AtomicBool>) -> Self {
        Self {
            quiet,
            stop,
            bar: ProgressBar::hidden(),
            training: None,
            last: String::new(),
            steps_per_epoch: 0,
            open_ended: None,
            model_trained: None,
        }
    }

    /// The time since the model itself was trained: about what the order-agnostic network took.
    pub(crate) fn any_order_time(&self) -> Duration {
        self.model_trained
            .map_or(Duration::ZERO, |trained| trained.elapsed())
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
        self.training = Some(start.part);
        if self.quiet {
            return;
        }
        self.steps_per_epoch = start.fit.steps_per_epoch as u64;
        self.open_ended = start.fit.open_ended.then_some(start.fit.epochs);
        let steps = start.fit.epochs as u64 * self.steps_per_epoch;
        self.bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(8))
            .with_style(style(self.open_ended.is_some()));
        self.bar
            .set_prefix(format!("{} {}/{}", start.part.name(), start.stage, start.stages));
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
        if self.training != Some(Part::OrderAgnostic) {
            self.model_trained = Some(Instant::now());
        }
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
    template(if open_ended {
        "{prefix:<8} {spinner} {msg}  {elapsed}"
    } else {
        "{prefix:<8} [{bar:24}] {msg}  at most {eta} left"
    })
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text)
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

/// Something that takes a while, shown where a person watches; gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Working(ProgressBar);

impl Working {
    /// Work of which nobody knows how long it takes.
    pub(crate) fn on(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8))
            .with_style(template("{spinner} {msg}  {elapsed}"))
            .with_message(what);
        bar.enable_steady_tick(Duration::from_millis(125));
        Self(bar)
    }

    /// Work on a number of rows.
    pub(crate) fn on_rows(what: &'static str, rows: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(rows as u64), ProgressDrawTarget::stderr_with_hz(8));
        Self(
            bar.with_style(template("{msg} [{bar:24}] {pos}/{len} rows  {eta} left"))
                .with_message(what),
        )
    }

    /// So many rows more are done.
    pub(crate) fn done(&self, rows: usize) {
        self.0.inc(rows as u64);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
