//! A fitted model.

use ef_density::Key;
use ef_density::rows::Layout;
use ef_tabular::{ColumnMarginal, Schema};
use ef_tensor::params::ParamLayout;

use crate::architecture::Architecture;
use crate::candidate::Tried;
use crate::columns::Columns;
use crate::derived::{Derived, DerivedColumn};
use crate::error::ModelError;
use crate::proposal::Proposal;
use crate::stage::{Part, TrainedPart, Training};
use crate::table_density::TableDensity;

/// A model of a table: the joint distribution of its columns (given the context columns, if it has any).
///
/// What is asked of it is a request, a value that is run on a shared model: [`Sample`](crate::Sample),
/// [`Score`](crate::Score), [`Complete`](crate::Complete), [`Impute`](crate::Impute),
/// [`Probability`](crate::Probability), [`Predict`](crate::Predict), [`Anomalies`](crate::Anomalies). The methods of the
/// same names are the common case of each.
///
/// ```
/// use ef_demo::Demo;
/// use ef_model::{EchoFlow, ModelKind};
///
/// let table = Demo::HighLow.generate(300, 1).to_table()?;
/// let model = EchoFlow::builder().model(ModelKind::Maf).seed(7).epochs(2).fit(&table)?;
/// let synthetic = model.sample(50, 1)?; // the seed 1: the same seed gives the same rows
/// assert_eq!(synthetic.column_names(), table.column_names());
/// let scores = model.score(&table)?; // nats per row, in the table's own units
/// assert_eq!(scores.log_prob.len(), 300);
/// # Ok::<(), ef_model::ModelError>(())
/// ```
#[derive(Debug)]
pub struct EchoFlow {
    pub(crate) columns: Columns,
    pub(crate) architecture: Architecture,
    pub(crate) training: Training,
    pub(crate) layout: Layout,
    pub(crate) density: Box<dyn TableDensity>,
    pub(crate) params: Vec<f32>,
    /// What proposes columns in any order, if there is such a network.
    pub(crate) proposal: Option<Proposal>,
}

impl EchoFlow {
    pub(crate) fn assemble(
        columns: Columns,
        layout: Layout,
        training: Training,
        architecture: Architecture,
        density: Box<dyn TableDensity>,
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
    ) -> Result<Option<Self>, ModelError> {
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
        }))
    }

    /// How far the order-agnostic network is from the model, if the model has one: an estimate of what a row's log-density
    /// loses on average under that network in a random order of the columns, nats.
    pub fn kl_to_model(&self) -> Option<f64> {
        self.proposal.as_ref().map(|proposal| proposal.story.kl_to_model)
    }

    /// The family of streams that [`score`](Self::score), [`predict`](Self::predict) and [`attribute`](Self::attribute)
    /// take: that of the seed of the fit.
    pub fn key(&self) -> Key {
        Key::new(self.training.seed)
    }

    /// The modelled columns; neither those of the context nor derived ones.
    pub fn schema(&self) -> &Schema {
        self.columns.modelled.schema()
    }

    /// The marginals of the modelled columns, in order.
    pub fn marginals(&self) -> &[ColumnMarginal] {
        self.columns.modelled.marginals()
    }

    /// The marginals of the context columns, in the order of [`context_schema`](Self::context_schema).
    pub fn context_marginals(&self) -> &[ColumnMarginal] {
        self.columns.context.as_ref().map_or(&[], |c| c.marginals())
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

    /// The derived columns, sources before what is derived from them.
    pub fn derived_columns(&self) -> impl Iterator<Item = DerivedColumn<'_>> {
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

    /// What of the model was trained by itself, in order.
    pub fn trained_parts(&self) -> impl Iterator<Item = TrainedPart<'_>> {
        let pieces = self.density.pieces().into_iter().zip(&self.training.stages);
        pieces.map(|(piece, stage)| TrainedPart {
            part: piece.part,
            member: piece.member,
            params: piece.params,
            shift: stage.shift,
            history: &stage.history,
        })
    }

    /// The order-agnostic network that was trained after the model, if there is one.
    pub fn order_agnostic(&self) -> Option<TrainedPart<'_>> {
        self.proposal.as_ref().map(|proposal| TrainedPart {
            part: Part::OrderAgnostic,
            member: 0,
            params: proposal.params.len(),
            shift: 0.0,
            history: &proposal.story.history,
        })
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
