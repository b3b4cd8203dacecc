//! The default model: what is tried, what is chosen, and several chains averaged.

use approx::assert_relative_eq;
use ef_demo::Demo;
use ef_model::{EchoFlow, Key, ModelKind, Progress, Sample, StageStart, Table};
use ef_train::EpochReport;

fn spiral(rows: usize) -> Table {
    Demo::Spiral.generate(rows, 3).to_table().unwrap()
}

fn mean(model: &EchoFlow, table: &Table) -> f64 {
    let scores = model.score(table).unwrap();
    assert!(scores.standard_error.iter().all(|&e| e == 0.0));
    scores.mean().0
}

#[test]
fn numbers_with_densities_are_tried_by_flows_too_and_the_best_is_kept() {
    let table = spiral(600);
    let model = EchoFlow::builder()
        .order_agnostic(false)
        .epochs(3)
        .fit(&table)
        .unwrap();
    let kinds: Vec<ModelKind> = model.tried().iter().map(|t| t.kind).collect();
    assert_eq!(
        kinds,
        [ModelKind::Autoregressive, ModelKind::Nsf, ModelKind::NsfCoupling]
    );
    let best = model
        .tried()
        .iter()
        .min_by(|a, b| a.validation_nll.total_cmp(&b.validation_nll))
        .unwrap();
    assert_eq!(model.architecture().model(), best.kind);
    for tried in model.tried() {
        let alone = EchoFlow::builder()
            .order_agnostic(false)
            .model(tried.kind)
            .epochs(3)
            .fit(&table)
            .unwrap();
        let trained = alone.trained_parts().next().unwrap();
        assert!(alone.tried().is_empty());
        // the stage's shift is the mean over all rows, the comparison over those held out
        assert_relative_eq!(
            trained.history.best_nll + trained.shift,
            tried.validation_nll,
            epsilon = 0.2
        );
        if tried.kind == best.kind {
            assert_relative_eq!(mean(&alone, &table), mean(&model, &table));
        }
    }
}

#[test]
fn rounded_numbers_and_categories_are_the_chains() {
    let loans = Demo::Loans.generate(200, 1).to_table().unwrap();
    let rounded: String = (0..200)
        .map(|i| format!("{},{}\n", i * 37 % 101, i * 53 % 97))
        .collect();
    let rounded = ef_io::read_csv_from(format!("a,b\n{rounded}").as_bytes(), "rounded").unwrap();
    for table in [loans, rounded] {
        let model = EchoFlow::builder()
            .order_agnostic(false)
            .epochs(1)
            .fit(&table)
            .unwrap();
        assert_eq!(model.architecture().model(), ModelKind::Autoregressive);
        assert!(model.tried().is_empty());
    }
}

#[test]
fn members_are_averaged_and_drawn_from_by_turns() {
    let table = spiral(500);
    let fit = |members| {
        let builder = EchoFlow::builder()
            .model(ModelKind::Autoregressive)
            .ensemble(members);
        builder.epochs(2).seed(4).fit(&table).unwrap()
    };
    let (one, three) = (fit(1), fit(3));
    assert_eq!(three.parameters().len(), 3 * one.parameters().len());
    assert_eq!(three.trained_parts().count(), 3);
    // one of the three is the one alone, so the mean is at least a third of its density
    let (one_scores, three_scores) = (one.score(&table).unwrap(), three.score(&table).unwrap());
    for (one, three) in one_scores.log_prob.iter().zip(&three_scores.log_prob) {
        assert!(*three >= one - 3.0_f64.ln() - 1e-9, "{three} {one}");
    }
    // importance weights between a mixture and its member average 1
    let drawn = three.sample(4000, 1).unwrap();
    let (p, q) = (
        one.score(&drawn).unwrap().log_prob,
        three.score(&drawn).unwrap().log_prob,
    );
    let weights: f64 = p.iter().zip(&q).map(|(p, q)| (p - q).exp()).sum();
    assert_relative_eq!(weights / 4000.0, 1.0, epsilon = 0.05);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.echoflow");
    three.save(&path).unwrap();
    let loaded = EchoFlow::load(&path).unwrap();
    assert_eq!(loaded.score(&table).unwrap(), three_scores);
    assert!(
        EchoFlow::builder()
            .model(ModelKind::Maf)
            .ensemble(2)
            .fit(&table)
            .is_err()
    );
}

/// Whoever asks for what lies beyond the values seen gets it.
#[test]
fn tails_are_drawn_if_asked_for() {
    let table = spiral(300);
    let model = EchoFlow::builder()
        .model(ModelKind::Autoregressive)
        .epochs(1)
        .fit(&table)
        .unwrap();
    let range = |table: &Table| {
        let x = table.numbers("x").unwrap().unwrap();
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        x.iter().fold(ends, |(low, high), &x| (low.min(x), high.max(x)))
    };
    let (low, high) = range(&table);
    let draw = |tails| {
        range(
            &Sample::rows(20_000)
                .tails(tails)
                .run(&model, Key::new(2))
                .unwrap(),
        )
    };
    let inside = draw(false);
    assert!(inside.0 >= low && inside.1 <= high, "{inside:?}");
    let beyond = draw(true);
    assert!(beyond.0 < low && beyond.1 > high, "{beyond:?}");
}

/// Stops a fit in one of its stages.
struct StopIn {
    stage: usize,
    epochs: usize,
    now: usize,
    done: usize,
}

impl Progress for StopIn {
    fn on_stage(&mut self, start: &StageStart) {
        (self.now, self.done) = (start.stage, 0);
    }

    fn on_epoch(&mut self, _: &EpochReport) {
        self.done += 1;
    }

    fn should_stop(&mut self) -> bool {
        self.now > self.stage || (self.now == self.stage && self.done >= self.epochs)
    }
}

/// A member that was stopped half-way does not count as much as one that was trained.
#[test]
fn a_stopped_member_is_replaced() {
    let table = spiral(500);
    let builder = || {
        EchoFlow::builder()
            .model(ModelKind::Autoregressive)
            .epochs(6)
            .seed(4)
    };
    let whole = builder().ensemble(1).fit(&table).unwrap();
    let mut stop = StopIn {
        stage: 2,
        epochs: 1,
        now: 0,
        done: 0,
    };
    let stopped = builder().ensemble(3).fit_with(&table, &mut stop).unwrap();
    let (ours, theirs) = (stopped.score(&table).unwrap(), whole.score(&table).unwrap());
    for (a, b) in ours.log_prob.iter().zip(&theirs.log_prob) {
        assert_relative_eq!(*a, *b, epsilon = 1e-9);
    }
    // stopped in the first: all are what it has learned by then
    let mut stop = StopIn { stage: 1, ..stop };
    let early = builder().ensemble(3).fit_with(&table, &mut stop).unwrap();
    let mut stop = StopIn { now: 0, ..stop };
    let alone = builder().ensemble(1).fit_with(&table, &mut stop).unwrap();
    assert_relative_eq!(mean(&early, &table), mean(&alone, &table), epsilon = 1e-9);
}

/// Notes the stages that a fit goes through.
#[derive(Default)]
struct Counted(Vec<(usize, usize)>);

impl Progress for Counted {
    fn on_stage(&mut self, start: &StageStart) {
        self.0.push((start.stage, start.stages));
    }
}

#[test]
fn the_stages_of_a_fit_are_counted_together() {
    let loans = Demo::Loans.generate(200, 1).to_table().unwrap();
    let constant = ef_io::read_csv_from("x\n5\n5\n5\n5\n".as_bytes(), "constant").unwrap();
    let spiral = spiral(300);
    let cases = [
        // the chain, then any order
        (&loans, ModelKind::Auto, 1, 2),
        (&loans, ModelKind::Autoregressive, 3, 4),
        // cells and numbers; its densities are estimates, so there is no order-agnostic network
        (&loans, ModelKind::Maf, 1, 2),
        // the flow over numbers, then any order
        (&spiral, ModelKind::Maf, 1, 2),
        // the chain, two flows over numbers, any order
        (&spiral, ModelKind::Auto, 1, 4),
        (&spiral, ModelKind::Auto, 2, 5),
        // nothing to train
        (&constant, ModelKind::Auto, 1, 0),
    ];
    for (table, kind, members, stages) in cases {
        let builder = EchoFlow::builder().model(kind).ensemble(members).epochs(1);
        let mut counted = Counted::default();
        builder.fit_with(table, &mut counted).unwrap();
        let all: Vec<(usize, usize)> = (1..=stages).map(|stage| (stage, stages)).collect();
        assert_eq!(counted.0, all, "{kind}, {members} members");
        let mut counted = Counted::default();
        builder
            .order_agnostic(false)
            .fit_with(table, &mut counted)
            .unwrap();
        assert!(
            counted.0.iter().all(|(_, of)| *of == counted.0.len()),
            "{kind}: {:?}",
            counted.0
        );
    }
}

/// A table with nothing to learn is fitted, drawn and scored by every kind.
#[test]
fn a_column_of_one_cell_needs_no_network() {
    for text in ["x\n5\n5\n5\n5\n", "x\nno\nno\nno\n"] {
        let table = ef_io::read_csv_from(text.as_bytes(), "constant").unwrap();
        for kind in [ModelKind::Auto, ModelKind::Maf] {
            let model = EchoFlow::builder().model(kind).fit(&table).unwrap();
            assert_eq!(model.sample(3, 0).unwrap(), table.slice(0, 3));
            assert!(mean(&model, &table) < 0.0);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("m.echoflow");
            model.save(&path).unwrap();
            EchoFlow::load(&path).unwrap();
        }
    }
}

/// Of a single column the model says all: no network is trained beside it, and none is waited for.
#[test]
fn a_single_column_has_no_order_agnostic_network() {
    let rows: String = (0..200).map(|i| format!("{}\n", i * i % 7)).collect();
    let table = ef_io::read_csv_from(format!("x\n{rows}").as_bytes(), "one").unwrap();
    let model = EchoFlow::builder().epochs(1).fit(&table).unwrap();
    assert!(model.order_agnostic().is_none());
}
