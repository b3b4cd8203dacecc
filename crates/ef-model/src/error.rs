//! What can go wrong, and what to do about it.

use std::path::PathBuf;

use ef_bijectors::BijectorError;
use ef_tabular::TableError;
use ef_tabular::condition::ConditionError;
use ef_train::TrainError;

/// Everything fitting, sampling, scoring, saving and loading can refuse. Each message is one sentence that names the
/// place and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The training loop.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A network that cannot be built.
    #[error(transparent)]
    Bijector(#[from] BijectorError),
    /// A size of a model outside its range.
    #[error("the model's `{setting}` is {value}, but must be {expected}")]
    Size {
        /// The field of [`Architecture`](crate::Architecture).
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// An option that a kind of model does not have.
    #[error("a {model} model has no option \"{option}\"; {known}")]
    UnknownOption {
        /// The kind.
        model: String,
        /// The option.
        option: String,
        /// Those that it has, as a sentence.
        known: &'static str,
    },
    /// An option of a kind of model outside its range.
    #[error("the option \"{option}\" of a {model} model is {value}, but must be {expected}")]
    Option {
        /// The kind.
        model: String,
        /// The option.
        option: String,
        /// What it was set to.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A kind of model that no flow can be built of.
    #[error("\"{0}\" is no flow, built in or registered, so none can be built by this name; name a flow")]
    NotAFlow(String),
    /// A registered constructor that does not build what it is asked for.
    #[error(
        "the constructor registered as \"{kind}\" built a bijector of {found} {what}, where it was asked for {expected}; it \
         must build one of the `dim` and `context_dim` that it is given"
    )]
    Built {
        /// The kind.
        kind: String,
        /// "columns" or "columns of context".
        what: &'static str,
        /// How many the bijector has.
        found: usize,
        /// How many were asked for.
        expected: usize,
    },
    /// Training lost its way.
    #[error(
        "training the {part} diverged in epoch {epoch}: its losses were no numbers; try another seed or model, or, from \
         the library, a lower learning rate"
    )]
    Diverged {
        /// Which part.
        part: &'static str,
        /// The epoch in which it was given up.
        epoch: usize,
    },
    /// All columns are context: nothing is left to model.
    #[error(
        "every column is a context column, so nothing is left to learn; leave at least one column out of the context"
    )]
    NothingToModel,
    /// A context column named twice.
    #[error("the context column \"{0}\" is named twice; name it once")]
    ContextTwice(String),
    /// A name that is no model.
    #[error("\"{name}\" is no model; choose one of: {known}")]
    UnknownModel {
        /// The name.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
    /// A name that cannot be given to a kind of flow.
    #[error(
        "\"{0}\" cannot be registered; take a name of lower-case letters, digits and -, other than those built in"
    )]
    KindName(String),
    /// Rows of context columns are needed to sample.
    #[error(
        "this model is conditioned on: {columns}; to sample it, give a table of these columns with one row for each row to \
         draw"
    )]
    ContextNeeded {
        /// The columns, comma-separated.
        columns: String,
    },
    /// A context was given to a model without one.
    #[error(
        "this model was fitted without context columns, so it takes no rows to condition on; ask for a number of rows instead"
    )]
    NoContext,
    /// A model file that cannot be read at all.
    #[error("cannot read the model {}: {error}; check the path", path.display())]
    ReadModel {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// A model file that cannot be written.
    #[error("cannot write the model {}: {error}; check that the folder exists, may be written and has room", path.display())]
    WriteModel {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// A file that is no model, or a damaged one.
    #[error("{} is not a whole echoflow model: {reason}; copy it again from where it was made, or fit it again", path.display())]
    BadModel {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model file whose flow is of a kind that is neither built in nor registered.
    #[error(
        "{} holds a flow of the kind \"{kind}\", which this program does not know; update it, or call \
         register(\"{kind}\", ..) before loading", path.display()
    )]
    UnknownFlow {
        /// The file.
        path: PathBuf,
        /// The kind.
        kind: String,
    },
    /// A model file from the future.
    #[error("{} was made by a newer echoflow ({what}); update this program to read it", path.display())]
    NewerModel {
        /// The file.
        path: PathBuf,
        /// What this version does not know.
        what: String,
    },
    /// Threads that cannot be started.
    #[error("cannot start {threads} threads: {reason}; ask for fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// A condition that cannot be read, or does not fit the columns.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A condition on a column that is given, not modelled.
    #[error(
        "\"{0}\" is a context column, which is given and not drawn; put its values into the rows of context columns instead"
    )]
    ConditionOnContext(String),
    /// A context cell that has to be known.
    #[error(
        "{location}: the context column \"{column}\" is missing there, and no row had it missing at fit; fill it in"
    )]
    MissingContext {
        /// Where.
        location: String,
        /// The column.
        column: String,
    },
    /// A condition that no row of the model meets.
    #[error("no row of the model meets {condition}: {because}")]
    Impossible {
        /// The condition.
        condition: String,
        /// Why not.
        because: String,
    },
    /// A condition so rare that its draws have a low effective sample size.
    #[error(
        "rows that meet {condition} are too rare under the model to draw well: its probability is about {probability:.2e}, \
         and {draws} weighted draws are worth only {ess:.0} independent ones, where at least 5 % of them and 100 are \
         needed; widen the condition, or allow a low effective sample size"
    )]
    LowEss {
        /// The condition.
        condition: String,
        /// Estimate of its probability.
        probability: f64,
        /// Draws made.
        draws: usize,
        /// Their effective sample size.
        ess: f64,
        /// Whether the model has an order-agnostic network, which draws rare rows better.
        order_agnostic: bool,
    },
    /// A request for rows under a condition that also names rows, by their number or by a context.
    #[error(
        "rows under a condition are chosen from one pool of draws, so {what} cannot be asked for with a condition; leave \
         one of the two out"
    )]
    NotUnderCondition {
        /// What was asked for too.
        what: &'static str,
    },
    /// More draws of each row than it has streams of random numbers.
    #[error(
        "{draws} draws of each row were asked for, and at most {most} can be made at once; ask several times"
    )]
    TooManyDraws {
        /// Those asked for.
        draws: usize,
        /// The most.
        most: usize,
    },
    /// A column that has no distribution of its own.
    #[error(
        "\"{column}\" is not a modelled column (a column that is given or derived has nothing to predict); choose one of: {known}"
    )]
    NotModelled {
        /// The column.
        column: String,
        /// The modelled columns, comma-separated.
        known: String,
    },
    /// A condition that none of many draws met.
    #[error(
        "none of {draws} weighted draws meets {condition}, so it is impossible or very rare under the model (below about \
         {:.1e}); widen the condition", 3.0 / *draws as f64
    )]
    NeverMet {
        /// The condition.
        condition: String,
        /// Draws made.
        draws: usize,
        /// Whether the model has an order-agnostic network, which draws rare rows better.
        order_agnostic: bool,
    },
    /// A question that a kind of model cannot answer.
    #[error("a {model} model cannot {what}; a model of the kind \"autoregressive\" can")]
    CannotAnswer {
        /// The kind.
        model: String,
        /// What was asked.
        what: &'static str,
    },
}
