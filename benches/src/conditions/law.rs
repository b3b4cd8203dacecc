//! Rows drawn under random conditions against the law they should follow.

use anyhow::{Result, ensure};
use echoflow::EchoFlow;
use ef_random::Key;
use serde_json::{Value, json};

use super::answer::{probability, rows_where};
use super::case::{Case, Clause, Test};
use super::distance::Distance;
use super::draw::Maker;
use super::pool::{Column, Pool};
use super::quadrature::{across, is_plane};
use super::reference::{Reference, summary};

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Laws {
    /// Random conditions.
    pub conditions: usize,
    /// Rows drawn under each.
    pub rows: usize,
    /// Share of the reference that must meet a condition; it is widened until it does.
    pub least_share: f64,
    /// Rows of the reference that must meet it.
    pub least_hits: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// What the rows are held against.
#[derive(Debug)]
pub enum Against<'p> {
    /// The model's own law: rows of its own unconditional sample.
    Own(&'p Pool),
    /// The law of the training rows, and the model's unconditional sample, which separates the error of the model from
    /// that of conditional drawing.
    Truth(&'p Pool, &'p Pool),
}

impl Against<'_> {
    fn reference(&self) -> &Pool {
        match self {
            Self::Own(pool) | Self::Truth(pool, _) => pool,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Own(_) => "own",
            Self::Truth(..) => "truth",
        }
    }
}

/// Columns of a condition at most.
const MOST_COLUMNS: usize = 3;
/// How often a condition is widened before it is left out.
const MOST_TRIES: u32 = 8;
/// One condition in so many on a plane asks for an exact value.
const EXACT: u64 = 5;

/// Makes the conditions, asks the model, and records an object each.
///
/// # Errors
/// A model whose columns are not those of the reference, or what `record` reports.
pub fn laws(
    model: &EchoFlow,
    against: &Against<'_>,
    settings: Laws,
    record: &mut dyn FnMut(Value) -> Result<()>,
) -> Result<()> {
    let pool = against.reference();
    ensure!(
        model.column_names() == pool.names(),
        "the model has the columns {}, the reference {}",
        model.column_names().join(", "),
        pool.names().join(", ")
    );
    if let Against::Truth(_, own) = against {
        let everything = Case { clauses: Vec::new() };
        let reference = Reference::of_hits(&everything, pool, everything.hits(pool));
        let found = reference.distances(own, &everything.hits(own));
        record(json!({
            "part": "unconditional",
            "tv_mean": summary(&found, Distance::tv).0,
            "tv_worst": summary(&found, Distance::tv).1,
            "noise_mean": summary(&found, Distance::noise).0,
        }))?;
    }
    let key = Key::new(settings.seed).purpose(against.name());
    let maker = Maker::new(pool);
    let plane = matches!(against, Against::Own(_)) && is_plane(model, pool);
    for number in 0..settings.conditions as u64 {
        let exact = (plane && number % EXACT == 0)
            .then(|| exact_case(pool, number))
            .flatten();
        let found = match exact {
            Some((case, given, value)) => {
                let bins = across(model, pool, given, value)?;
                Ok((case, Reference::of_law(1 - given, bins), 0))
            }
            None => within_reach(&maker, pool, &settings, key, number),
        };
        let mut line = json!({"part": against.name(), "case": number});
        match found {
            Ok((case, reference, tries)) => {
                join(
                    &mut line,
                    json!({"condition": case.text(pool), "columns": case.clauses.len(), "tries": tries}),
                );
                join(
                    &mut line,
                    measure(model, against, &case, &reference, settings, key.index(number))?,
                );
            }
            Err((case, hits)) => join(
                &mut line,
                json!({"condition": case.text(pool), "skipped": true, "hits": hits}),
            ),
        }
        record(line)?;
    }
    Ok(())
}

/// Every fifth condition on a plane: an exact value, of each column in turn.
fn exact_case(pool: &Pool, number: u64) -> Option<(Case, usize, f64)> {
    let column = ((number / EXACT) % 2) as usize;
    let Column::Numbers(cells) = pool.column(column) else {
        return None;
    };
    let value = cells[number as usize];
    let test = Test::Exactly(value);
    let clauses = vec![Clause { column, test }];
    Some((Case { clauses }, column, value))
}

/// The condition, widened until enough rows of the reference meet it; what it was at last if they never do.
fn within_reach(
    maker: &Maker,
    pool: &Pool,
    settings: &Laws,
    key: Key,
    number: u64,
) -> Result<(Case, Reference, u32), (Case, usize)> {
    let least = settings
        .least_hits
        .max((settings.least_share * pool.rows() as f64) as usize);
    let mut tries = 0;
    loop {
        let case = maker.case(pool, number as usize, MOST_COLUMNS, key, number, tries);
        let hits = case.hits(pool);
        if hits.len() >= least {
            let reference = Reference::of_hits(&case, pool, hits);
            return Ok((case, reference, tries));
        }
        if tries == MOST_TRIES {
            return Err((case, hits.len()));
        }
        tries += 1;
    }
}

/// What the model answers, and how far it is off.
fn measure(
    model: &EchoFlow,
    against: &Against<'_>,
    case: &Case,
    reference: &Reference,
    settings: Laws,
    key: Key,
) -> Result<Value> {
    let pool = against.reference();
    let mut line =
        json!({"free": reference.columns(), "hits": reference.hits(), "share": reference.share(pool)});
    if let Against::Truth(_, own) = against {
        let mut rows = case.hits(own);
        rows.truncate(settings.rows);
        let found = reference.distances(own, &rows);
        join(
            &mut line,
            json!({
                "rejection_rows": rows.len(),
                "rejection_tv_mean": summary(&found, Distance::tv).0,
                "rejection_noise_mean": summary(&found, Distance::noise).0,
            }),
        );
        match probability(model, case, pool, key)? {
            Ok(found) => join(
                &mut line,
                off(found.value, found.standard_error, reference.share(pool)),
            ),
            Err(refusal) => join(&mut line, json!({"probability_refused": refusal})),
        }
    }
    let (answer, took) = match rows_where(model, case, pool, settings.rows, key)? {
        Ok(answer) => answer,
        Err(refusal) => {
            join(&mut line, json!({"refused": refusal}));
            return Ok(line);
        }
    };
    let drawn = pool.like(&answer.table)?;
    let rows: Vec<u32> = (0..drawn.rows() as u32).collect();
    let found = reference.distances(&drawn, &rows);
    let nulls = reference.nulls(pool, rows.len());
    let worst = found.iter().zip(reference.names(pool));
    let worst = worst.max_by(|(a, _), (b, _)| a.excess().total_cmp(&b.excess()));
    let diagnostics = answer.diagnostics;
    if let Against::Own(_) = against {
        join(
            &mut line,
            off(
                diagnostics.probability,
                diagnostics.standard_error,
                reference.share(pool),
            ),
        );
    }
    join(
        &mut line,
        json!({
            "rows": rows.len(),
            "violations": rows.len() - case.hits(&drawn).len(),
            "proposal": diagnostics.proposal,
            "draws": diagnostics.draws,
            "effective": diagnostics.ess,
            "cpu_s": took,
            "tv_mean": summary(&found, Distance::tv).0,
            "tv_worst": summary(&found, Distance::tv).1,
            "noise_mean": summary(&found, Distance::noise).0,
            "excess_mean": summary(&found, Distance::excess).0,
            "excess_worst": summary(&found, Distance::excess).1,
            "null_worst": summary(&nulls, Distance::excess).1,
            "worst_column": worst.map(|(_, name)| name),
        }),
    );
    Ok(line)
}

/// A probability beside the reference's, where it has one.
fn off(probability: f64, standard_error: f64, share: Option<f64>) -> Value {
    json!({
        "probability": probability,
        "probability_error": standard_error,
        "probability_off": share.map(|share| (probability - share).abs() / share),
    })
}

/// Adds the keys of one object to another.
fn join(line: &mut Value, more: Value) {
    if let (Value::Object(line), Value::Object(more)) = (line, more) {
        line.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use echoflow::ModelKind;
    use echoflow::demo::Demo;

    use super::*;

    /// Few epochs and no second network: the laws hold for a bad model as for a good one.
    fn model(demo: Demo) -> EchoFlow {
        let table = demo.generate(400, 1).to_table().expect("a table");
        let settings = EchoFlow::builder()
            .model(ModelKind::Autoregressive)
            .epochs(1)
            .order_agnostic(false);
        settings.fit(&table).expect("a model")
    }

    fn lines(model: &EchoFlow, against: &Against<'_>) -> Vec<Value> {
        let settings = Laws {
            conditions: 4,
            rows: 2_000,
            least_share: 0.05,
            least_hits: 1_000,
            seed: 3,
        };
        let mut lines = Vec::new();
        laws(model, against, settings, &mut |line| {
            lines.push(line);
            Ok(())
        })
        .expect("conditions");
        lines
    }

    #[test]
    fn a_model_follows_its_own_law_and_another_law_is_told_from_it() {
        for demo in [Demo::Loans, Demo::Ring] {
            let model = model(demo);
            let own = Pool::of_model(&model, None, 20_000, Key::new(8)).expect("rows");
            let mut answered = 0;
            for line in lines(&model, &Against::Own(&own)) {
                assert_eq!(line["violations"].as_u64().unwrap_or(0), 0, "{line}");
                if let Some(excess) = line["excess_worst"].as_f64() {
                    assert!(excess < 0.05, "{line}");
                    answered += 1;
                }
            }
            assert!(answered >= 3, "{answered} of 4 conditions were answered");
        }
        // a model that has not learned the dependence of the two numbers
        let model = model(Demo::Ring);
        let truth = Pool::of_demo(Demo::Ring, 1_000, 20_000, 1).expect("rows");
        let own = Pool::of_model(&model, Some(&truth), 20_000, Key::new(8)).expect("rows");
        let lines = lines(&model, &Against::Truth(&truth, &own));
        assert_eq!(lines[0]["part"], "unconditional");
        let far = lines.iter().filter_map(|line| line["tv_mean"].as_f64());
        assert!(far.fold(0.0, f64::max) > 0.05, "{lines:?}");
    }
}
