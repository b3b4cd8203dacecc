//! A fitted model.

use std::ops::Range;

use ef_density::Scores;
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::{Key, ScoreKey};
use ef_tabular::{ColumnMarginal, ColumnSchema, Dependency, Schema, Table};
use ef_tensor::params::ParamLayout;
use ef_train::History;
use ndarray::{Array2, s};
use rand::Rng;

use crate::architecture::Architecture;
use crate::candidate::Tried;
use crate::columns::Columns;
use crate::derived::Derived;
use crate::error::Error;
use crate::parallel::over_chunks;
use crate::proposal::Proposal;
use crate::stage::{Part, Training};
use crate::table_density::TableDensity;

/// A model of a table: the joint distribution of its columns (given the context columns, if it has any).
///
/// ```
/// use echoflow::{EchoFlow, ModelKind, demo::Demo};
/// use rand::SeedableRng;
///
/// let table = Demo::HighLow.generate(300, 1).to_table()?;
/// let model = EchoFlow::builder().model(ModelKind::Maf).seed(7).epochs(2).fit(&table)?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let synthetic = model.sample(50, &mut rng)?;
/// assert_eq!(synthetic.column_names(), table.column_names());
/// let scores = model.log_prob(&table)?; // nats per row, in the table's own units
/// assert_eq!(scores.log_prob.len(), 300);
/// # Ok::<(), echoflow::Error>(())
/// ```
#[derive(Debug)]
pub struct EchoFlow {
    pub(crate) columns: Columns,
    pub(crate) architecture: Architecture,
    pub(crate) training: Training,
    pub(crate) layout: Layout,
    pub(crate) density: TableDensity,
    pub(crate) params: Vec<f32>,
    /// What proposes columns in any order, if there is such a network.
    pub(crate) proposal: Option<Proposal>,
    /// Whether numbers are drawn beyond the range seen.
    tails: bool,
    /// Whether conditional draws of a small effective sample size are returned.
    pub(crate) allow_low_ess: bool,
}

impl EchoFlow {
    pub(crate) fn assemble(
        columns: Columns,
        layout: Layout,
        training: Training,
        architecture: Architecture,
        density: TableDensity,
        params: Vec<f32>,
        proposal: Option<Proposal>,
    ) -> Self {
        Self {
            columns,
            architecture,
            training,
            layout,
            density,
            params,
            proposal,
            tails: false,
            allow_low_ess: false,
        }
    }

    /// Rebuilds a model from what a file holds: `count` parameters, which `fill` writes by layout. `None` if the sizes
    /// ask for another number, before memory is taken for them; they must be valid.
    pub(crate) fn rebuild(
        columns: Columns,
        architecture: Architecture,
        training: Training,
        count: usize,
        fill: impl FnOnce(&ParamLayout, &mut [f32]),
    ) -> Result<Option<Self>, Error> {
        let layout = columns.layout();
        let density = architecture.density(&layout)?;
        if density.num_params() != count {
            return Ok(None);
        }
        let mut params = vec![0.0; count];
        fill(&ParamLayout::of(|v| density.visit_params(v)), &mut params);
        density.project(&mut params);
        Ok(Some(Self {
            columns,
            architecture,
            training,
            layout,
            density,
            params,
            proposal: None,
            tails: false,
            allow_low_ess: false,
        }))
    }

    /// Whether numbers beyond the range seen at fit are drawn as often as they are scored: up to about one value in a
    /// thousand of a column. By default they are not: what would lie beyond is reflected at the end of the range, since one
    /// absurd value spoils a synthetic column for whoever looks at its range. Scores are the same. Not saved.
    #[must_use]
    pub fn with_tails(mut self, tails: bool) -> Self {
        self.tails = tails;
        self
    }

    pub(crate) fn tails(&self) -> bool {
        self.tails
    }

    /// Whether conditional draws are returned even if their effective sample size is below 5 % of the draws or below 100
    /// (default: no, they are refused with the figure). Not saved.
    #[must_use]
    pub fn with_poor_draws(mut self, allowed: bool) -> Self {
        self.allow_low_ess = allowed;
        self
    }

    /// The gap of the any-order network, if the model has one: an estimate of what a row's log-density loses on average
    /// under that network in a random order of the columns, nats.
    pub fn kl_to_model(&self) -> Option<f64> {
        self.proposal.as_ref().map(|proposal| proposal.story.kl_to_model)
    }

    /// How the any-order network was trained, if the model has one, and its number of parameters.
    pub fn order_agnostic(&self) -> Option<(&History, usize)> {
        self.proposal
            .as_ref()
            .map(|proposal| (&proposal.story.history, proposal.params.len()))
    }

    /// Draws `rows` rows. The model must have no context columns.
    ///
    /// # Errors
    /// If the model has context columns: then rows of them are needed, see [`sample_given`](Self::sample_given).
    pub fn sample<R: Rng + ?Sized>(&self, rows: usize, rng: &mut R) -> Result<Table, Error> {
        if self.columns.context.is_some() {
            return Err(Error::ContextNeeded {
                columns: self.columns.context_names().join(", "),
            });
        }
        self.draw(Array2::zeros((rows, 0)), None, rng)
    }

    /// Draws one row for each row of `given`, a table with (at least) the context columns, which come back as they are.
    ///
    /// # Errors
    /// If the model has no context columns, or `given` lacks some.
    pub fn sample_given<R: Rng + ?Sized>(&self, given: &Table, rng: &mut R) -> Result<Table, Error> {
        if self.columns.context.is_none() {
            return Err(Error::NoContext);
        }
        self.draw(self.columns.context_features(given)?, Some(given), rng)
    }

    fn draw<R: Rng + ?Sized>(
        &self,
        context: Array2<f32>,
        given: Option<&Table>,
        rng: &mut R,
    ) -> Result<Table, Error> {
        // One word is taken from the caller's generator; every row then has streams of its own.
        let key = Key::new(rng.next_u64()).purpose("sample");
        let rows = context.nrows();
        let draw = |range: Range<usize>, scratch: &mut RowScratch<f32>| {
            let given = Rows::of_context(context.slice(s![range.clone(), ..]).to_owned());
            self.density.sample(
                &self.params,
                &given,
                range.start as u64..range.end as u64,
                key,
                scratch,
            )
        };
        let drawn = over_chunks(rows, draw);
        self.columns.table(&drawn, &self.layout, self.tails, given, key)
    }

    /// The log-density of every row, nats, in the table's own units: a probability for categories, atoms, missing cells
    /// and values on a rounding grid, a density for other numbers. Columns are found by name, in any order.
    ///
    /// Exact under the chain. Under a flow, exact for rows whose numbers have densities; where a number lies on a
    /// rounding grid, is an atom or is missing, an estimate over [`ScoreKey::DRAWS`] draws keyed by the row's
    /// number, with its standard error.
    ///
    /// # Errors
    /// A missing column; text in a column of numbers.
    pub fn log_prob(&self, table: &Table) -> Result<Scores, Error> {
        let rows = self.columns.rows(table, &self.layout)?;
        let key = ScoreKey::new(self.training.seed);
        let parts = over_chunks(table.num_rows(), |range, scratch| {
            let mut scores = Scores::default();
            let index: Vec<usize> = range.collect();
            self.density
                .score(&self.params, &rows, &index, key, scratch, &mut scores);
            scores
        });
        let mut all = Scores::default();
        for part in parts {
            all.log_prob.extend(part.log_prob);
            all.standard_error.extend(part.standard_error);
        }
        Ok(all)
    }

    /// The modelled columns; neither those of the context nor derived ones.
    pub fn schema(&self) -> &Schema {
        self.columns.modelled.schema()
    }

    /// The marginals of the modelled columns, in order.
    pub fn marginals(&self) -> &[ColumnMarginal] {
        self.columns.modelled.marginals()
    }

    /// The context columns with their marginals.
    pub fn context_columns(&self) -> (Vec<&str>, &[ColumnMarginal]) {
        (
            self.columns.context_names(),
            self.columns.context.as_ref().map_or(&[], |c| c.marginals()),
        )
    }

    /// All columns, in the table's order.
    pub fn column_names(&self) -> &[String] {
        &self.columns.names
    }

    /// The schema a table of context rows has to meet, if there is a context.
    pub fn context_schema(&self) -> Option<&Schema> {
        self.columns
            .context
            .as_ref()
            .map(ef_tabular::TableEncoder::schema)
    }

    /// All columns, modelled, derived and context, in the table's order: what a table to score looks like.
    pub fn full_schema(&self) -> Schema {
        self.columns.schema()
    }

    /// The derived columns, sources before what is derived from them: what each is derived from, its schema, and its
    /// own marginal, which scores values that break the relation.
    pub fn derived_columns(&self) -> impl Iterator<Item = (&Dependency, &ColumnSchema, &ColumnMarginal)> {
        self.columns.derived.iter().flat_map(Derived::columns)
    }

    /// Sizes.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The version of echoflow that fitted it.
    pub fn version(&self) -> &str {
        &self.training.version
    }

    /// The instruction set its kernels ran on when it was fitted, such as `avx512`.
    pub fn kernels(&self) -> &str {
        &self.training.kernels
    }

    /// The seed of the fit.
    pub fn seed(&self) -> u64 {
        self.training.seed
    }

    /// How each part was trained: the part, what to add to its losses to have nats in the table's units, and the
    /// history. The losses of a flow's parts then add up to the whole row's; each member of a chain has the row's own.
    pub fn histories(&self) -> impl Iterator<Item = (Part, f64, &History)> {
        self.training.stages.iter().map(|s| (s.part, s.shift, &s.history))
    }

    /// What was trained by itself, part by part (and member by member), with its number of parameters.
    pub fn num_params(&self) -> Vec<(Part, usize)> {
        let pieces = self.density.parts().into_iter();
        pieces.map(|piece| (piece.part, piece.params)).collect()
    }

    /// The kinds that [`ModelKind::Auto`](crate::ModelKind::Auto) compared before it chose; empty if one alone was fitted.
    pub fn tried(&self) -> &[Tried] {
        &self.training.tried
    }

    /// Names and shapes of all parameters.
    pub fn parameters(&self) -> ParamLayout {
        ParamLayout::of(|v| self.density.visit_params(v))
    }
}
