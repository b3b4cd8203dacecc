//! The same laws in `f32`, at every instruction set.

use ef_bijectors::Bijector;
use ef_tensor::simd::{Level, with_level};
use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::bijector::run;
use crate::case::{Case, forward, inverse};
use crate::config::CheckConfig;
use crate::laws::edges::Edges;
use crate::report::{Report, Violation};
use crate::strategy::{self, Draw};

/// Half a unit in the last place of an `f32`, relative.
const HALF_ULP: f64 = 0.5 * f32::EPSILON as f64;
/// How many times the effect of moving inputs and parameters once is allowed, since a pass rounds many times. A
/// network's raw outputs are rounded too, to which a spline of narrow beside broad bins is more sensitive than to its
/// inputs.
const ROUNDINGS: f64 = 256.0;
/// How often inputs and parameters are moved.
const MOVES: usize = 12;

/// Holds the `f32` bijector `b32` against its `f64` twin `b64` at every [`Level`]: `z`, `log_det` and the round trip;
/// and the edges of the domain, where the numbers next to an edge are other numbers in `f32`.
///
/// How far apart they may be is measured: parameters, data and context are moved by half a unit in the last place of an
/// `f32`, a few times at random, and the `f64` result may move by one part in 256 of the distance that is allowed. So
/// the tolerance grows with the steepness of the map.
///
/// # Panics
/// If they disagree, with level, place and both numbers.
pub fn assert_f32_agrees(b32: &dyn Bijector<f32>, b64: &dyn Bijector<f64>, config: &CheckConfig) {
    assert_eq!(
        b32.num_params(),
        b64.num_params(),
        "the twins have different numbers of parameters"
    );
    let outcome = run(config.cases, strategy::draws(config), |&draw| {
        Twins::new(b32, b64, config, draw).agree()
    });
    if let Err(message) = outcome {
        panic!("{message}\nof the bijector {:.300}", format!("{b64:?}"));
    }
}

struct Twins<'a> {
    b32: &'a dyn Bijector<f32>,
    case: Case<'a>,
    params: Vec<f32>,
    x: Array2<f32>,
    context: Array2<f32>,
}

impl<'a> Twins<'a> {
    fn new(
        b32: &'a dyn Bijector<f32>,
        b64: &'a dyn Bijector<f64>,
        config: &'a CheckConfig,
        draw: Draw,
    ) -> Self {
        let mut case = Case::new(b64, config, draw);
        let narrow = |v: &f64| *v as f32;
        let params: Vec<f32> = case.params.iter().map(narrow).collect();
        let (x, context) = (case.x.map(narrow), case.context.map(narrow));
        case.params = params.iter().copied().map(f64::from).collect();
        (case.x, case.context) = (x.mapv(f64::from), context.mapv(f64::from));
        Self {
            b32,
            case,
            params,
            x,
            context,
        }
    }

    fn agree(&self) -> Result<Report, Violation> {
        let case = &self.case;
        let exact = self.passes(None);
        let mut rng = case.rng(3);
        // Per number: how far the moved passes went.
        let mut moved = exact.clone().map(|a| Array2::<f64>::zeros(a.dim()));
        for _ in 0..MOVES {
            for ((moved, found), exact) in moved.iter_mut().zip(self.passes(Some(&mut rng))).zip(&exact) {
                ndarray::Zip::from(moved)
                    .and(&found)
                    .and(exact)
                    .for_each(|m, &f, &e| *m = m.max((f - e).abs()));
            }
        }
        for level in Level::ALL {
            with_level(level, || self.at_level(level, &exact, &moved))?;
        }
        Ok(Report {
            cases: 1,
            ..Report::default()
        })
    }

    /// `z`, `log_det` (a column) and the round trip in `f64`; moved at random, if there are random numbers.
    fn passes(&self, mut rng: Option<&mut ChaCha8Rng>) -> [Array2<f64>; 3] {
        let case = &self.case;
        let mut moved = |v: f64| match &mut rng {
            Some(rng) => v * (1.0 + if rng.random() { HALF_ULP } else { -HALF_ULP }),
            None => v,
        };
        let there: Vec<f64> = case.params.iter().map(|&v| moved(v)).collect();
        let back: Vec<f64> = case.params.iter().map(|&v| moved(v)).collect();
        let x = case.x.mapv(&mut moved);
        let context = case.context.mapv(&mut moved);
        let (z, log_det) = forward(case.b, &there, x.view(), context.view());
        let rows = log_det.len();
        let log_det = Array2::from_shape_vec((rows, 1), log_det).expect("one a row");
        let onward = z.mapv(&mut moved);
        let (round, _) = inverse(case.b, &back, onward.view(), context.view());
        [z, log_det, round]
    }

    fn at_level(
        &self,
        level: Level,
        exact: &[Array2<f64>; 3],
        moved: &[Array2<f64>; 3],
    ) -> Result<(), Violation> {
        let (z, log_det) = forward(self.b32, &self.params, self.x.view(), self.context.view());
        let (round, _) = inverse(self.b32, &self.params, z.view(), self.context.view());
        let log_det = Array2::from_shape_vec((log_det.len(), 1), log_det).expect("one a row");
        let found = [z.mapv(f64::from), log_det, round.mapv(f64::from)];
        // The round trip must give the data back, in `f32` and in `f64`.
        let goals = [&exact[0], &exact[1], &self.case.x];
        let laws = [
            "forward in f32 is that in f64",
            "log_det in f32 is that in f64",
            "inverse(forward(x)) = x in f32",
        ];
        for (((law, found), goal), moved) in laws.into_iter().zip(&found).zip(goals).zip(moved) {
            for (((r, j), &v), &goal) in found.indexed_iter().zip(goal) {
                let allowed = ROUNDINGS * (HALF_ULP * (1.0 + goal.abs()) + moved[[r, j]]);
                Violation::unless_close(law, v, goal, allowed, || {
                    format!("row {r}, column {j} with the kernels of {}", level.name())
                })?;
            }
        }
        self.edges()
    }

    fn edges(&self) -> Result<(), Violation> {
        let case = &self.case;
        let wild: Vec<f32> = strategy::extreme(case.b, case.config, &case.draw)
            .iter()
            .map(|&v| v as f32)
            .collect();
        for (params, extreme) in [(&self.params, false), (&wild, true)] {
            let wide: Vec<f64> = params.iter().copied().map(f64::from).collect();
            let domain = case.config.inverse_domain;
            let latent = strategy::inside(domain, 1, case.b.dim(), 1.0, &mut case.rng(2));
            let edges = Edges {
                b: self.b32,
                config: case.config,
                params,
                extreme,
                rows: [case.x.row(0).to_vec(), latent.row(0).to_vec()],
                context: case.context.row(0).to_vec(),
                wide: Some((case.b, &wide)),
            };
            edges.hold()?;
        }
        Ok(())
    }
}
