//! Kinds: what can be declared, how each kind is decided (pure) and how it is read and written.
//!
//! A new kind is one folder here, one `mod` line and one row in [`KINDS`].

pub mod alarm;
#[cfg(test)]
mod claimed;
pub mod database;
#[cfg(test)]
mod driven;
pub mod service;
pub mod table;
#[cfg(test)]
pub mod trial;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::call::{AwsError, Permit};
use crate::aws::cell::Cell;
use crate::model::change::{Change, Drift, Hold, Risk, Step};
use crate::model::document::{DesiredSet, Document};
use crate::model::drift::Beside;
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;
use crate::model::memory::ObjectMemory;
use crate::model::plan::Rollout;
use crate::model::snapshot::{Live, Seen};
use crate::model::stake::{Stake, Stakes};
use crate::model::tree::{FieldPath, Tree};
use crate::model::written::Written;

/// Every kind, in the order of reports.
pub static KINDS: &[&dyn Kind] = &[
    &service::Service,
    &alarm::Alarm,
    &database::Database,
    &table::Table,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|k| k.name() == name)
}

/// How two values of one field compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal trees.
    Exact,
    /// Equal as sets of list items.
    Set,
    /// Equal as numbers: 70 is 70.0.
    Number,
    /// Desired is `{min, max}`; a live number inside is in order.
    Band,
}

/// The rule for one field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct FieldRule {
    /// Dotted, below `spec`, of the *desired tree*; `*` stands for any one segment.
    pub path: &'static str,
    /// How its values compare.
    pub compare: Compare,
    /// What is at risk while it is not as wanted.
    pub stakes: Stakes,
}

impl FieldRule {
    /// A field whose values compare in a way of their own.
    pub const fn new(path: &'static str, compare: Compare, stakes: Stakes) -> Self {
        Self {
            path,
            compare,
            stakes,
        }
    }

    /// A field that compares [`Compare::Exact`] and puts the same at risk whatever it is instead.
    pub const fn exact(path: &'static str, stake: Stake) -> Self {
        Self::new(path, Compare::Exact, Stakes::always(stake))
    }

    /// A number that compares exactly and puts `below` at risk while less is there, else `above`.
    pub const fn amount(path: &'static str, below: Stake, above: Stake) -> Self {
        Self::new(path, Compare::Exact, Stakes::either(below, above))
    }
}

/// What a kind is asked to decide on. All of it is values; nothing may be looked up.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The object.
    pub key: &'a ResourceKey,
    /// What is wanted now: [`Kind::desired`], then [`Kind::expected`].
    pub desired: &'a Tree,
    /// What is there; `None` when AWS says that it is not.
    pub live: Option<&'a Live>,
    /// What differs, by the one diff. Paths are from the root: `spec.cpu`.
    pub drift: &'a [Drift],
    /// What the store knows of it.
    pub memory: &'a ObjectMemory,
    /// What the caller allows.
    pub policy: &'a Policy,
    /// Wall time.
    pub now: Timestamp,
}

/// What the caller of the planner allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Destructive changes may be written.
    pub destructive: Allow,
    /// Sizes may be changed while a rollout is in progress.
    pub during_rollout: Allow,
    /// The document's `applyImmediately: true` is honoured; never in `run`.
    pub apply_immediately: Allow,
}

/// Whether something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// It may.
    Yes,
    /// It may not.
    No,
}

impl Policy {
    /// The controller's: nothing that a person has to ask for.
    pub const CONTROLLER: Policy = Policy {
        destructive: Allow::No,
        during_rollout: Allow::No,
        apply_immediately: Allow::No,
    };
}

/// What a kind decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The mutations, in order. Empty: nothing is written.
    pub steps: Vec<Step>,
    /// The worst that they can do, and why. `None` with no steps.
    pub risk: Option<(Risk, String)>,
    /// What is held back and why. Holds and steps can stand together: the steps then leave the
    /// held fields alone.
    pub holds: Vec<Hold>,
    /// Worth telling, though in order.
    pub notes: Vec<String>,
    /// Drift that the one diff cannot see; added to the object's drift.
    pub more_drift: Vec<Drift>,
    /// Drift paths (from the root) that are in order after all, such as a value that is pending.
    pub excused: Vec<FieldPath>,
    /// Facts to record in the object's memory.
    pub remember: BTreeMap<String, Tree>,
    /// A rollout that is under way or has failed.
    pub rollout: Option<Rollout>,
    /// What stands beside what the document names: unmanaged, or suspended by an operator.
    pub beside: Vec<Beside>,
    /// Whether something of it is on its way, by whomever: what that overtook only history tells.
    pub moving: bool,
}

/// The pure half of a kind.
pub trait Kind: Send + Sync {
    /// `Service`. Also the middle of a key.
    fn name(&self) -> &'static str;

    /// One sentence for the reference page and the schema.
    fn about(&self) -> &'static str;

    /// JSON Schema of `spec`, derived from the type that is read; doc comments are descriptions.
    fn schema(&self) -> schemars::Schema;

    /// One complete example document, for the reference page; tested to load.
    fn example(&self) -> &'static str;

    /// How the fields compare, and what each puts at risk. A field without a rule compares
    /// [`Compare::Exact`]; a test over the kinds sees to it that every field has one.
    fn rules(&self) -> &'static [FieldRule];

    /// What is at risk while the object, or something that stands beside its document, is not as it
    /// should be.
    fn stake(&self) -> Stake;

    /// The calls that can have changed the field at `path` (from the root; the root itself stands
    /// for the whole object), as CloudTrail names them: `ecs.UpdateService`. Also calls that
    /// Evenkeel never makes.
    fn changed_by(&self, path: &FieldPath) -> &'static [&'static str];

    /// Members of a call's parameters one of which a call has to set to change the field at `path`: some
    /// calls may leave all of them out. Default: any call of [`Kind::changed_by`] does.
    fn set_by(&self, path: &FieldPath) -> &'static [&'static str] {
        let _ = path;
        &[]
    }

    /// What such a call names beside the object itself, such as the one policy of many.
    fn named_in_call<'p>(&self, path: &'p FieldPath) -> Option<&'p str> {
        let _ = path;
        None
    }

    /// Rules over one document and the set around it: sizes that exist, min <= max, references.
    /// Its shape has been checked against the schema already.
    fn check(&self, document: &Document, set: &DesiredSet) -> Vec<Finding>;

    /// The live objects that the document speaks for, such as
    /// `ecs:service/my-cluster/my-service`. Two documents may not claim the same one.
    fn claims(&self, document: &Document, set: &DesiredSet) -> Vec<String>;

    /// Fields of the spec that name the live object, the more telling first; where a document has
    /// none of them, its own name does.
    fn named_by(&self) -> &'static [&'static str] {
        &[]
    }

    /// The desired tree: the document's fields normalised to the shape of [`Live::view`], names
    /// defaulted, presets and references resolved. Only what the document sets is in it, plus
    /// what is needed to find the live object. `set` has passed [`Kind::check`].
    fn desired(&self, document: &Document, set: &DesiredSet) -> Tree;

    /// The desired tree as of now, given what is there: a kind whose wishes depend on the clock
    /// or on live values (scheduled bounds) says so here.
    fn expected(&self, desired: Tree, live: &Live, now: Timestamp) -> Tree {
        let _ = (live, now);
        desired
    }

    /// Paths of the desired tree (dotted, `*` allowed) that only find the object or steer how it
    /// is written, and are never compared, such as `cluster`.
    fn identity(&self) -> &'static [&'static str];

    /// What to do. Never called for an object that could not be read.
    fn decide(&self, question: &Question<'_>) -> Decision;

    /// Which of the object's `drift` a step of its change mends. By default all of it, as where a
    /// change has one step.
    fn mends(&self, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        let _ = step;
        drift.to_vec()
    }

    /// What a document has to say for the live object to be in order as it is, without what AWS has
    /// where nobody said otherwise; for `import`.
    ///
    /// # Errors
    /// Why no document can speak for it: a sentence without its subject.
    fn written(&self, found: &Found<'_>) -> Result<Written, String>;

    /// AWS operations that finding objects without a document takes, beside those of looking.
    fn lists(&self) -> &'static [&'static str] {
        &[]
    }

    /// How many tasks a change replaces or starts, for change budgets; none but for services.
    fn tasks(&self, change: &Change, live: &Live) -> u64 {
        let _ = (change, live);
        0
    }

    /// Its I/O half, over one cell.
    fn driver(&self, cell: &Arc<Cell>) -> Box<dyn Driver>;

    /// AWS operations that looking takes.
    fn reads(&self) -> &'static [&'static str];

    /// AWS operations that converging takes.
    fn writes(&self) -> &'static [&'static str];

    /// IAM actions beside the operations' own, such as `iam:PassRole`.
    fn extra_iam(&self) -> &'static [ExtraIam] {
        &[]
    }
}

/// A live object that no document speaks for yet.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// What its document is to be called.
    pub key: &'a ResourceKey,
    /// What it was found by: the names in a desired tree.
    pub by: &'a Tree,
    /// How it is.
    pub live: &'a Live,
    /// The Service documents beside it: their names by cluster and service.
    pub services: &'a BTreeMap<(String, String), String>,
}

/// An IAM statement that no operation's name implies.
#[derive(Clone, Copy, Debug)]
pub struct ExtraIam {
    /// `iam:PassRole`.
    pub action: &'static str,
    /// Resource patterns.
    pub resources: &'static [&'static str],
    /// What it is needed for.
    pub purpose: Purpose,
    /// Condition block as JSON.
    pub condition: Option<&'static str>,
    /// Why, for the policy's reader.
    pub why: &'static str,
}

/// What a right is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking, which a read-only policy allows, too.
    Look,
    /// Writing.
    Converge,
}

/// A future that a driver returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One object that a look is to find.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its key.
    pub key: ResourceKey,
    /// Its desired tree.
    pub desired: Tree,
}

/// What a write that AWS accepted gave back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Facts for the ledger's outcome and for later steps, such as a new revision's ARN.
    /// Never a secret.
    pub detail: Tree,
}

/// What becomes of an effect that sets in long after its request was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateEffect {
    /// It is drift, and corrected as such.
    Shows,
    /// It leaves something that only [`Driver::resolve`] finds.
    Hides,
}

/// How a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Another writer changed the object between plan and write; nothing was sent.
    #[error("superseded: {0}")]
    Superseded(String),
    /// The call itself.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The I/O half of a kind, over one cell.
pub trait Driver: Send + Sync {
    /// How many objects it is asked for at a time at the most. A driver whose calls name each object
    /// loses nothing by a bound, and the wishes of a large estate are not all held at once.
    fn at_a_time(&self) -> usize {
        usize::MAX
    }

    /// Looks at many objects at once, batched as widely as the calls allow; what is immutable at
    /// AWS may come from a cache, nothing else. Every wanted key has an answer in the result; a
    /// partial or failed answer from AWS is [`Seen::Unreadable`] for the objects it concerns,
    /// and only for those. Takes rate tokens itself, through [`crate::aws::call::read`].
    fn observe<'a>(&'a self, wanted: &'a [Wanted]) -> BoxFuture<'a, BTreeMap<ResourceKey, Seen>>;

    /// The last reading before the intent of `step`: whether the object is still what the step
    /// was planned from. `earlier` holds the details of this change's earlier steps, by index.
    /// Default: nothing to read.
    ///
    /// # Errors
    /// [`StepError::Superseded`] when it is not.
    fn prepare<'a>(
        &'a self,
        step: &'a Step,
        earlier: &'a BTreeMap<usize, Tree>,
    ) -> BoxFuture<'a, Result<(), StepError>> {
        let _ = (step, earlier);
        Box::pin(async { Ok(()) })
    }

    /// Sends exactly one request for `step`, with `permit` on it, and nothing else. What has to
    /// be read first is read in [`Driver::prepare`], before the intent.
    fn apply<'a>(
        &'a self,
        step: &'a Step,
        earlier: &'a BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> BoxFuture<'a, Result<Applied, StepError>>;

    /// Whether something is built upon `step` later, so that what it left has to outlive the controller:
    /// a later step of its change needs it after a crash between the two, or a later decision does.
    /// The newest such step of an operation is remembered. Default: none is.
    fn is_built_upon(&self, step: &Step) -> bool {
        let _ = step;
        false
    }

    /// Whether an effect of `step` that comes late shows when the object is looked at.
    fn late_effect(&self, step: &Step) -> LateEffect {
        let _ = step;
        LateEffect::Shows
    }

    /// After a write of unknown outcome: whether its effect is there, for a step whose effect no look
    /// at the object shows. Called no sooner than a call timeout and the settling bound after it
    /// was sent. `Some` is the effect, found. `None` leaves the answer to the drift that the step
    /// was to mend.
    fn resolve<'a>(
        &'a self,
        intent: &'a str,
        step: &'a Step,
    ) -> BoxFuture<'a, Result<Option<Applied>, AwsError>> {
        let _ = (intent, step);
        Box::pin(async { Ok(None) })
    }
}
