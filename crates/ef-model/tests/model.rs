//! A model from outside: what it promises about files, scores, samples and stopping.

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use approx::assert_relative_eq;
use common::small;
use ef_bijectors::{ActNorm, Bijector, Chain, maf};
use ef_model::{
    Architecture, AutoregressiveSizes, EchoFlow, FlowSizes, ModelError, ModelKind, Progress, Scores,
    StopReason, Table, register,
};
use ef_tabular::{Transformer, Value, register_transformer};
use ef_train::StepReport;
use proptest::prelude::*;
use tempfile::TempDir;

fn read(text: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap()
}

/// A number that looks random, in `0..1`.
fn noise(i: usize) -> f64 {
    (i as f64 * 12.9898)
        .sin()
        .mul_add(43_758.545, 0.5)
        .rem_euclid(1.0)
}

/// Every kind of column: numbers with and without a grid, labels, booleans, gaps.
fn mixed(n: usize) -> Table {
    let mut text = "x,kind,cents,flag,count\n".to_owned();
    for i in 0..n {
        let kind = ["red", "green", "blue"][(7.0 * noise(i)) as usize % 3];
        let count = if i % 5 == 0 {
            String::new()
        } else {
            (i % 13).to_string()
        };
        let x = noise(i + 1);
        let cents = 20.0 * x * x + noise(i + 2);
        let _ = writeln!(text, "{x},{kind},{cents:.2},{},{count}", i % 3 == 0);
    }
    read(&text)
}

/// Two numbers with densities: scores are exact.
fn numbers(n: usize) -> Table {
    let mut text = "x,y\n".to_owned();
    for i in 0..n {
        let x = noise(i);
        let _ = writeln!(text, "{x},{}", (6.0 * x).sin() + 0.1 * noise(i + 5000));
    }
    read(&text)
}

fn fit(table: &Table, kind: ModelKind, context: &[&str]) -> EchoFlow {
    let builder = EchoFlow::builder().architecture(small(kind, 16));
    let builder = builder.context(context.iter().copied()).seed(3).epochs(5);
    builder.threads(1).fit(table).unwrap()
}

fn bits(scores: &Scores) -> Vec<(u64, u64)> {
    let pairs = scores.log_prob.iter().zip(&scores.standard_error);
    pairs.map(|(l, e)| (l.to_bits(), e.to_bits())).collect()
}

fn csv(table: &Table) -> String {
    let mut out = Vec::new();
    ef_io::write_csv_to(table, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_loaded_model_is_the_model_that_was_saved() {
    let table = mixed(150);
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.echoflow"), folder.path().join("2.echoflow"));
    for (kind, context) in [
        (ModelKind::Maf, vec![]),
        (ModelKind::Rnvp, vec![]),
        (ModelKind::Nsf, vec![]),
        (registered(), vec![]),
        (ModelKind::Maf, vec!["kind", "cents"]),
    ] {
        let model = fit(&table, kind, &context);
        model.save(&first).unwrap();
        let loaded = EchoFlow::load(&first).unwrap();
        let (ours, theirs) = (model.score(&table).unwrap(), loaded.score(&table).unwrap());
        assert_eq!(bits(&ours), bits(&theirs));
        let draw = |model: &EchoFlow| match context.len() {
            0 => model.sample(600, 1).unwrap(),
            _ => model.sample_given(&table, 1).unwrap(),
        };
        assert_eq!(csv(&draw(&model)), csv(&draw(&loaded)));
        assert_eq!(draw(&model), draw(&loaded));
        loaded.save(&second).unwrap();
        assert!(
            std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap(),
            "{kind} changed in a file"
        );
        assert_eq!(loaded.column_names(), table.column_names());
        assert_eq!((loaded.seed(), loaded.version()), (3, env!("CARGO_PKG_VERSION")));
        let sizes = |model: &EchoFlow| {
            model
                .trained_parts()
                .map(|t| (t.part, t.params))
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&loaded), sizes(&model));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "something was left behind");
}

/// A model file, and a folder to write damaged ones in.
static FILE: LazyLock<(TempDir, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.echoflow");
    fit(&mixed(80), ModelKind::Maf, &["flag"]).save(&path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    (folder, bytes)
});

/// Loads these bytes as a file `name`; what is refused must be refused with a sentence about that file.
fn load(name: &str, bytes: &[u8]) -> Result<EchoFlow, ModelError> {
    let path: PathBuf = FILE.0.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let loaded = EchoFlow::load(&path);
    if let Err(error) = &loaded {
        assert!(
            matches!(error, ModelError::BadModel { .. } | ModelError::NewerModel { .. }),
            "{error}"
        );
        let start = path.display().to_string();
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    loaded
}

proptest! {
    #[test]
    fn random_bytes_are_no_model(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(load("noise", &bytes).is_err());
    }

    #[test]
    fn a_piece_of_a_model_is_no_model(at in any::<prop::sample::Index>()) {
        let whole = &FILE.1;
        prop_assert!(load("piece", &whole[..at.index(whole.len())]).is_err());
    }

    /// Half of the edits hit the header.
    #[test]
    fn an_edited_byte_is_refused_or_means_the_same(
        at in any::<prop::sample::Index>(),
        header in any::<bool>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = FILE.1.clone();
        let length = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let at = at.index(if header { length } else { bytes.len() });
        bytes[at] = byte;
        if let Ok(model) = load("edited", &bytes) {
            let path = FILE.0.path().join("again");
            model.save(&path).unwrap();
            prop_assert!(std::fs::read(path).unwrap() == FILE.1, "byte {} became {} unseen", at, byte);
        }
    }
}

#[test]
fn scores_do_not_depend_on_the_cut_or_the_order_of_columns() {
    let table = numbers(1300);
    let model = fit(&table, ModelKind::Maf, &[]);
    let whole = model.score(&table).unwrap();
    assert!(whole.standard_error.iter().all(|e| *e == 0.0), "not exact");
    for (start, len) in [(0, 1), (5, 40), (511, 2), (700, 600)] {
        let part = model.score(&table.slice(start, len)).unwrap();
        for (ours, theirs) in part.log_prob.iter().zip(&whole.log_prob[start..start + len]) {
            assert_relative_eq!(ours, theirs, epsilon = 1e-4, max_relative = 1e-4);
        }
    }
    let turned = model.score(&table.select(&["y", "x"]).unwrap()).unwrap();
    assert_eq!(bits(&turned), bits(&whole));

    // with estimates: rows keep their own draws, whatever rows follow them
    let table = mixed(700);
    let model = fit(&table, ModelKind::Maf, &[]);
    let whole = model.score(&table).unwrap();
    assert!(whole.standard_error.iter().any(|e| *e > 0.0), "no estimate");
    let first = model.score(&table.slice(0, 512)).unwrap();
    assert_eq!(bits(&first), bits(&whole)[..512]);
    let turned = table.select(&["count", "flag", "cents", "kind", "x"]).unwrap();
    assert_eq!(bits(&model.score(&turned).unwrap()), bits(&whole));
}

#[test]
fn what_was_never_seen_has_a_finite_score() {
    let model = fit(&mixed(150), ModelKind::Maf, &[]);
    let rows = [
        "0.5,red,1.25,true,3",
        "0.5,never seen,1.25,true,3",
        ",,,,",
        "0.5,,1.25,,3",
        "1000,red,-5e9,true,123456",
        "-1e300,red,1.255,true,0.5",
        "1e300,new,1e300,false,1e15",
    ];
    let table = read(&format!("x,kind,cents,flag,count\n{}\n", rows.join("\n")));
    let scores = model.score(&table).unwrap();
    for (row, log_prob) in rows.iter().zip(&scores.log_prob) {
        assert!(log_prob.is_finite(), "{row}: {log_prob}");
    }
    for far in [1, 4, 5, 6] {
        assert!(scores.log_prob[far] < scores.log_prob[0], "{}", rows[far]);
    }
}

#[test]
fn probabilities_of_all_rows_add_up_to_one() {
    // `kind` has gaps, so a gap is a value of it; where there was none, a gap and a new label are one event
    let (kinds, sizes, flags) = (
        ["a", "b", "c", "", "new"],
        ["s", "m", "new"],
        ["true", "false", ""],
    );
    let mut text = "kind,size,flag,grade\n".to_owned();
    for i in 0..120 {
        let kind = kinds[(4.0 * noise(i)) as usize];
        let (size, flag) = (sizes[i % 2], flags[usize::from(noise(i + 9) < 0.3)]);
        let _ = writeln!(text, "{kind},{size},{flag},{}", ["x", "y"][(i / 2) % 2]);
    }
    let table = read(&text);
    let mut all = "kind,size,flag,grade\n".to_owned();
    for (kind, size) in kinds.iter().flat_map(|k| sizes.map(|s| (*k, s))) {
        for (flag, grade) in flags.iter().flat_map(|f| ["x", "y", "new"].map(|g| (*f, g))) {
            let _ = writeln!(all, "{kind},{size},{flag},{grade}");
        }
    }
    let all = read(&all);
    assert_eq!(all.num_rows(), 5 * 3 * 3 * 3);
    let mass = |model: &EchoFlow| {
        let scores = model.score(&all).unwrap();
        assert!(scores.standard_error.iter().all(|e| *e == 0.0), "not exact");
        scores.log_prob.iter().map(|l| l.exp()).sum::<f64>()
    };
    assert_relative_eq!(mass(&fit(&table, ModelKind::Maf, &[])), 1.0, epsilon = 1e-5);
    // given a context, the mass is one for each of its 3 x 3 values
    let given = fit(&table, ModelKind::Maf, &["size", "grade"]);
    assert_relative_eq!(mass(&given), 9.0, epsilon = 1e-4);
}

#[test]
fn given_rows_stand_in_the_sample_as_they_are() {
    let table = mixed(200);
    let model = fit(&table, ModelKind::Maf, &["kind", "cents"]);
    let given = read("cents,kind,more\n1.23456,red,1\n7.5,blue,2\n1e1,never seen,3\n,red,4\n");
    let drawn = model.sample_given(&given, 2).unwrap();
    assert_eq!(drawn.column_names(), table.column_names());
    assert_eq!(
        csv(&drawn.select(&["cents", "kind"]).unwrap()),
        csv(&given.select(&["cents", "kind"]).unwrap())
    );
    assert!(matches!(drawn.value(0, 0), Value::Number(_)));
    let scores = model.score(&drawn).unwrap();
    assert!(scores.log_prob.iter().all(|l| l.is_finite()));

    assert!(matches!(
        model.sample(3, 2),
        Err(ModelError::ContextNeeded { columns }) if columns == "kind, cents"
    ));
    let free = fit(&table, ModelKind::Maf, &[]);
    assert!(matches!(free.sample_given(&given, 2), Err(ModelError::NoContext)));
    assert_eq!(free.sample(0, 2).unwrap().num_rows(), 0);
}

/// One column repeats the other: drawn under a condition, it has to repeat what was given.
#[test]
fn a_context_steers_what_is_drawn() {
    let mut text = "given,drawn\n".to_owned();
    for i in 0..600 {
        let label = ["a", "b", "c"][(3.0 * noise(i)) as usize];
        let _ = writeln!(text, "{label},{label}");
    }
    let table = read(&text);
    let builder = EchoFlow::builder().architecture(small(ModelKind::Maf, 16));
    let builder = builder.context(["given"]).epochs(40).threads(1);
    let model = builder.fit(&table).unwrap();
    let drawn = model.sample_given(&table, 4).unwrap();
    let hits = (0..600)
        .filter(|&r| drawn.value(r, 0) == drawn.value(r, 1))
        .count();
    assert!(hits > 480, "{hits} of 600, where chance gives 200");
}

/// w = ln(1 + x), for x > -1.
#[derive(Debug)]
struct Log1p(&'static str);

impl Transformer for Log1p {
    fn kind(&self) -> &str {
        self.0
    }
    fn forward(&self, x: f64) -> f64 {
        x.ln_1p()
    }
    fn inverse(&self, w: f64) -> f64 {
        w.exp_m1()
    }
    fn log_derivative(&self, x: f64) -> f64 {
        -x.ln_1p()
    }
    fn domain(&self) -> (f64, f64) {
        (-1.0, f64::INFINITY)
    }
}

#[test]
fn a_transformer_of_a_user_goes_into_a_file_and_out() {
    let mut text = "income,kind\n".to_owned();
    for i in 0..150 {
        let _ = writeln!(text, "{},k{}", (8.0 * noise(i)).exp_m1(), i % 2);
    }
    let table = read(&text);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.echoflow");
    let with = |column: &str| {
        let builder = EchoFlow::builder().architecture(small(ModelKind::Maf, 16));
        let builder = builder.seed(3).epochs(5).threads(1);
        builder.transformer(column, Log1p("test.log1p")).fit(&table)
    };
    let model = with("income").unwrap();
    let scores = bits(&model.score(&table).unwrap());
    let plain = fit(&table, ModelKind::Maf, &[]);
    assert_ne!(scores, bits(&plain.score(&table).unwrap()));
    model.save(&path).unwrap();
    let refused = EchoFlow::load(&path).unwrap_err().to_string();
    assert!(
        refused.contains("call register_transformer(\"test.log1p\", ..) first"),
        "{refused}"
    );
    register_transformer("test.log1p", |_| Ok(Arc::new(Log1p("test.log1p")))).unwrap();
    let loaded = EchoFlow::load(&path).unwrap();
    assert_eq!(bits(&loaded.score(&table).unwrap()), scores);
    assert_eq!(
        csv(&loaded.sample(50, 1).unwrap()),
        csv(&model.sample(50, 1).unwrap())
    );

    let refused = |column: &str| with(column).unwrap_err().to_string();
    assert_eq!(
        refused("outcome"),
        "t.csv has no column \"outcome\"; its columns are: income, kind"
    );
    assert_eq!(
        refused("kind"),
        "the transformer \"test.log1p\" of column \"kind\" does not fit: the column does not hold numbers; attach it to \
         one that does"
    );
}

#[test]
fn settings_that_cannot_be_are_refused_in_a_sentence() {
    let table = mixed(40);
    let builder = || {
        EchoFlow::builder()
            .architecture(small(ModelKind::Maf, 16))
            .epochs(1)
    };
    let refused = |builder: ef_model::Builder| builder.fit(&table).unwrap_err().to_string();
    assert_eq!(
        refused(builder().epochs(0)),
        "training setting `epochs` is 0, but must be at least 1"
    );
    assert_eq!(
        refused(builder().context(["color"])),
        "t.csv has no column \"color\"; its columns are: x, kind, cents, flag, count"
    );
    assert_eq!(
        refused(builder().context(["x", "kind", "x"])),
        "the context column \"x\" is named twice; name it once"
    );
    assert_eq!(
        refused(builder().context(table.column_names())),
        "every column is a context column, so nothing is left to learn; leave at least one column out of the context"
    );
    assert!(refused(builder().threads(1_000_000)).contains("at most 1024"));
    let changes: [(fn(&mut FlowSizes), &str); 5] = [
        (
            |sizes| sizes.hidden = 0,
            "`hidden` is 0, but must be a number from 1 to 65,536",
        ),
        (
            |sizes| sizes.levels_hidden = 0,
            "`levels_hidden` is 0, but must be a number from 1 to 65,536",
        ),
        (
            |sizes| sizes.layers = 0,
            "`layers` is 0, but must be a number from 1 to 1,000",
        ),
        (
            |sizes| sizes.log_scale_bound = f64::NAN,
            "`log_scale_bound` is NaN, but must be above 0 and at most 80",
        ),
        (
            |sizes| sizes.levels_dropout = 1.5,
            "`levels_dropout` is 1.5, but must be at least 0 and below 1",
        ),
    ];
    for (change, sentence) in changes {
        let mut sizes = FlowSizes::new(ModelKind::Maf);
        change(&mut sizes);
        assert_eq!(
            refused(builder().architecture(sizes)),
            format!("the model's {sentence}")
        );
    }
    assert_eq!(
        builder().fit(&table.slice(0, 1)).unwrap_err().to_string(),
        "t.csv has 1 row; a fit needs at least 2, and hundreds to learn much"
    );
    let unknown = "glow".parse::<ModelKind>().unwrap_err().to_string();
    assert!(
        unknown.starts_with("\"glow\" is no model; choose one of: auto, autoregressive, maf, rnvp, n"),
        "{unknown}"
    );
}

/// A kind of flow from outside.
fn registered() -> ModelKind {
    register("normed-maf", |dim, context_dim, config, _| {
        let mut parts: Vec<Box<dyn Bijector<f32>>> = vec![Box::new(ActNorm::new(dim)?)];
        parts.extend(maf(dim, context_dim, config)?.into_parts());
        Ok(Box::new(Chain::new(parts)?))
    })
    .unwrap()
}

#[test]
fn a_registered_kind_is_a_kind_like_any_other() {
    let kind = registered();
    assert_eq!(kind, registered());
    assert_eq!("normed-maf".parse::<ModelKind>().unwrap(), kind);
    assert!(small(kind, 16).validate().is_ok());
    for taken in ["maf", "nsf", "rnvp", "", "Glow", "a b", "../x"] {
        let error = register(taken, |_, _, _, _| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("cannot be registered"), "{error}");
    }
}

/// A constructor that builds for other columns, or another context, than it was asked to is refused before training.
#[test]
fn a_constructor_must_build_what_it_was_asked_for() {
    let wide = register("too-wide", |dim, _, _, _| Ok(Box::new(ActNorm::new(dim + 1)?))).unwrap();
    let other = register("other-context", |dim, context_dim, config, _| {
        Ok(Box::new(maf(dim, context_dim + 3, config)?))
    })
    .unwrap();
    for (kind, sentence) in [
        (
            wide,
            "the constructor registered as \"too-wide\" built a bijector of 4 columns, where it was asked for 3; it must \
             build one of the `dim` and `context_dim` that it is given",
        ),
        (
            other,
            "the constructor registered as \"other-context\" built a bijector of 7 columns of context, where it was asked \
             for 4; it must build one of the `dim` and `context_dim` that it is given",
        ),
    ] {
        let builder = EchoFlow::builder().architecture(small(kind, 16)).epochs(1);
        let error = builder.fit(&mixed(60)).unwrap_err().to_string();
        assert_eq!(error, sentence);
    }
}

/// What a kind of flow is told beyond its sizes is checked before anything is fitted.
#[test]
fn options_are_known_and_in_range() {
    for (kind, option, value, sentence) in [
        (
            ModelKind::Maf,
            "bins",
            8.0,
            "a maf model has no option \"bins\"; it has none",
        ),
        (
            ModelKind::Nsf,
            "bin",
            8.0,
            "a nsf model has no option \"bin\"; its options are bins and bound",
        ),
        (
            ModelKind::Nsf,
            "bins",
            0.0,
            "the option \"bins\" of a nsf model is 0, but must be a whole number from 1 to 999",
        ),
        (
            ModelKind::NsfCoupling,
            "bins",
            2.5,
            "the option \"bins\" of a nsf-coupling model is 2.5, but must be a whole number from 1 to 999",
        ),
        (
            ModelKind::Nsf,
            "bins",
            1000.0,
            "the option \"bins\" of a nsf model is 1000, but must be a whole number from 1 to 999",
        ),
        (
            ModelKind::Nsf,
            "bound",
            f64::NAN,
            "the option \"bound\" of a nsf model is NaN, but must be a finite number",
        ),
        (
            ModelKind::Nsf,
            "bound",
            1e31,
            "a spline's box is -10000000000000000000000000000000..10000000000000000000000000000000, but must be within 1e30 \
             of 0, with its lower end first",
        ),
        (
            registered(),
            "any",
            f64::INFINITY,
            "the option \"any\" of a normed-maf model is inf, but must be a finite number",
        ),
    ] {
        let mut sizes = FlowSizes::new(kind);
        sizes.options.insert(option.to_owned(), value);
        let error = Architecture::from(sizes.clone())
            .validate()
            .unwrap_err()
            .to_string();
        assert_eq!(error, sentence);
        // and refused as such by a fit
        let fit = EchoFlow::builder().architecture(sizes).fit(&mixed(60));
        assert_eq!(fit.unwrap_err().to_string(), sentence);
    }
    for components in [0, 1, 64, 65] {
        let mut sizes = AutoregressiveSizes::default();
        sizes.components = components;
        let fit = EchoFlow::builder()
            .architecture(sizes)
            .epochs(1)
            .order_agnostic(false);
        let fitted = fit.fit(&mixed(60)).map(drop).map_err(|error| error.to_string());
        let refused = format!("the model's `components` is {components}, but must be a number from 1 to 64");
        assert_eq!(
            fitted,
            if (1..=64).contains(&components) {
                Ok(())
            } else {
                Err(refused)
            }
        );
    }
}

/// Stops after so many steps in all.
struct StopAfter(usize);

impl Progress for StopAfter {
    fn on_step(&mut self, _: &StepReport) {
        self.0 -= 1;
    }
    fn should_stop(&mut self) -> bool {
        self.0 == 0
    }
}

#[test]
fn a_stopped_fit_is_a_model() {
    let table = mixed(160);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.echoflow");
    let builder = EchoFlow::builder()
        .architecture(small(ModelKind::Maf, 16))
        .epochs(3)
        .threads(1);
    let whole = builder.fit(&table).unwrap();
    let steps: Vec<usize> = whole.trained_parts().map(|t| t.history.steps_per_epoch).collect();
    let (completed, cancelled) = (StopReason::Completed, StopReason::Cancelled);
    // steps until the stop; of each part: epochs written down, whether its weights were validated, and how it ended
    let untouched = (0, true, cancelled);
    let cases = [
        (0, [untouched, untouched]),
        (2, [(0, false, cancelled), untouched]),
        (steps[0] + 1, [(1, true, cancelled), untouched]),
        (3 * steps[0] + 2, [(3, true, completed), (0, false, cancelled)]),
    ];
    for (after, parts) in cases {
        let model = builder.fit_with(&table, &mut StopAfter(after)).unwrap();
        let found: Vec<_> = model
            .trained_parts()
            .map(|t| t.history)
            .map(|h| (h.epochs.len(), h.best_epoch.is_some(), h.stopped_by))
            .collect();
        assert_eq!(found, parts, "after {after} steps");
        let scores = model.score(&table).unwrap();
        assert!(scores.log_prob.iter().all(|l| l.is_finite()));
        model.save(&path).unwrap();
        let loaded = EchoFlow::load(&path).unwrap();
        assert_eq!(bits(&loaded.score(&table).unwrap()), bits(&scores));
    }
}

/// Labels too rare for a cell of their own come back by their counts, not as one of them.
#[test]
fn pooled_labels_are_drawn_by_their_counts() {
    let mut text = "label,x\n".to_owned();
    for i in 0..3000 {
        let _ = writeln!(text, "name {i},{}", i % 7);
    }
    let model = fit(&read(&text), ModelKind::Maf, &[]);
    let drawn = model.sample(2000, 1).unwrap();
    let labels: std::collections::HashSet<String> = (0..2000)
        .map(|row| format!("{:?}", drawn.value(row, 0)))
        .collect();
    // 2,000 draws from 3,000 equal labels hit about 1,460 different ones.
    assert!(labels.len() > 1200, "{} labels", labels.len());
}

/// A context column of very many labels still tells a missing cell from the others.
#[test]
fn a_wide_context_keeps_missing_cells_apart() {
    let mut text = "city,x\n".to_owned();
    for i in 0..3000 {
        let (city, x) = if i % 3 == 0 {
            (String::new(), 100.0)
        } else {
            (format!("c{}", i % 400), 0.0)
        };
        let _ = writeln!(text, "{city},{:.3}", x + noise(i));
    }
    let builder = EchoFlow::builder()
        .architecture(small(ModelKind::Maf, 16))
        .context(["city"])
        .seed(3)
        .epochs(30);
    let model = builder.threads(1).fit(&read(&text)).unwrap();
    let mean = |city: &str| {
        let rows: String = (0..200).map(|_| format!("{city},\n")).collect();
        let drawn = model
            .sample_given(&read(&format!("city,k\n{rows}")).select(&["city"]).unwrap(), 1)
            .unwrap();
        drawn.numbers("x").unwrap().unwrap().iter().sum::<f64>() / 200.0
    };
    let (missing, rare) = (mean(""), mean("c399"));
    assert!(missing > 70.0 && rare < 30.0, "missing {missing}, rare {rare}");
}

/// A model of a column of 45 halves, written before checksums had names.
#[test]
fn a_file_of_the_first_checksum_still_loads() {
    let old = include_bytes!("files/first-checksum.echoflow");
    let folder = tempfile::tempdir().unwrap();
    let (path, again) = (
        folder.path().join("old.echoflow"),
        folder.path().join("new.echoflow"),
    );
    std::fs::write(&path, old).unwrap();
    let model = EchoFlow::load(&path).unwrap();
    assert_eq!(model.column_names(), ["x"]);
    model.save(&again).unwrap();
    let resaved = EchoFlow::load(&again).unwrap();
    let table = model.sample(20, 1).unwrap();
    assert_eq!(
        bits(&model.score(&table).unwrap()),
        bits(&resaved.score(&table).unwrap())
    );
    // the last byte is one of a tensor
    let mut damaged = old.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let refused = EchoFlow::load(&path).unwrap_err().to_string();
    assert!(refused.contains("its checksum does not match"), "{refused}");
}
