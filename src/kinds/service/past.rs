//! The past: what our own earlier writes to a service were, and what became of them.
//!
//! Pure: reads the facts that the engine keeps of applied steps, `applied:<operation>`, and of given-up
//! ones, `givenUp:<operation>`, each `{step, result, at}`.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::facts::{Deployment, Facts, History, Revision, family_revision, parts};
use super::size::Size;
use super::unmoved::REPLACES;
use crate::model::change::Step;
use crate::model::memory::{GIVEN_UP_FOR_GOOD, ObjectMemory};
use crate::model::tree::{Tree, to_tree};

/// How long a revision that we registered is taken for the same base and size again, instead of
/// registering another: long enough for a crash between the two writes, short enough that nobody
/// has cleaned it away.
const REVISION_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How far AWS's time of a deployment may be from our time of the write that made it.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(60);

/// How far apart the two times may be that ECS itself gives of one deployment: among the service's, and in its history.
const SAME_DEPLOYMENT: SignedDuration = SignedDuration::from_secs(15);

/// The newest revision that we pointed the service at.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its ARN.
    pub revision: String,
    /// The revision that it was patched from: an ARN.
    pub base: String,
    /// The size, as in [`size_tree`].
    pub size: Tree,
    /// The deployment that it was to replace, where it is known: an id.
    replaced: Option<String>,
    /// The deployment that it made, where the answer said so: an id.
    deployment: Option<String>,
    /// When.
    at: Option<Timestamp>,
}

/// A size as steps and memory hold it.
pub fn size_tree(size: &Size) -> Tree {
    json!({"cpu": size.cpu, "memory": size.memory, "containers": to_tree(&size.containers)})
}

/// Whether `step` belongs to the past that is read here: it makes a revision, or points the service
/// at one. A write of anything else must not take its place, or what the revision's deployment
/// overtook, and whether it was rolled back, would be forgotten with it.
pub(super) fn is_part(step: &Step) -> bool {
    step.detail.get("base").is_some()
}

fn applied<'m>(memory: &'m ObjectMemory, operation: &str, half: &str) -> Option<&'m Tree> {
    memory.facts.get(&format!("applied:{operation}"))?.get(half)
}

fn text(tree: Option<&Tree>, member: &str) -> Option<String> {
    tree?.get(member)?.as_str().map(str::to_owned)
}

fn instant(tree: Option<&Tree>) -> Option<Timestamp> {
    text(tree, "at")?.parse().ok()
}

/// Our newest UpdateService that changed the revision.
pub fn written(memory: &ObjectMemory) -> Option<Written> {
    let fact = memory.facts.get("applied:ecs.UpdateService");
    let step = applied(memory, "ecs.UpdateService", "step");
    let result = applied(memory, "ecs.UpdateService", "result");
    let registered = applied(memory, "ecs.RegisterTaskDefinition", "result");
    Some(Written {
        base: text(step, "base")?,
        size: step?.get("size")?.clone(),
        revision: text(result, "taskDefinition")
            .or_else(|| text(step, "taskDefinition"))
            .or_else(|| text(registered, "taskDefinitionArn"))?,
        replaced: text(step, REPLACES),
        deployment: text(result, "deployment"),
        at: instant(result).or_else(|| instant(fact)),
    })
}

/// The UpdateService whose outcome is not known, as it is if it had its effect.
fn perhaps_written(memory: &ObjectMemory) -> Option<Written> {
    let open = memory.open.as_ref()?;
    if open.operation != "ecs.UpdateService" {
        return None;
    }
    unanswered(memory, open.step.get("detail"), open.at)
}

/// The newest UpdateService that was given up, as it is if it had its effect after that.
fn perhaps_late(facts: &Facts, memory: &ObjectMemory) -> Option<Written> {
    let fact = memory.facts.get("givenUp:ecs.UpdateService");
    let at = instant(fact)?;
    // Whoever goes back to its revision long after it could come is somebody else.
    if facts.primary()?.created_at? > at + GIVEN_UP_FOR_GOOD {
        return None;
    }
    // What was registered since is another write's.
    let registered = memory.facts.get("applied:ecs.RegisterTaskDefinition");
    let step = fact?.get("step");
    if text(step, "taskDefinition").is_none() && instant(registered).is_none_or(|r| r > at) {
        return None;
    }
    unanswered(memory, step, at)
}

fn unanswered(memory: &ObjectMemory, step: Option<&Tree>, at: Timestamp) -> Option<Written> {
    let registered = applied(memory, "ecs.RegisterTaskDefinition", "result");
    Some(Written {
        base: text(step, "base")?,
        size: step?.get("size")?.clone(),
        revision: text(step, "taskDefinition").or_else(|| text(registered, "taskDefinitionArn"))?,
        replaced: text(step, REPLACES),
        deployment: None,
        at: Some(at),
    })
}

/// A revision that we registered a moment ago for exactly this base and size, and that no service was
/// pointed at yet: one that was may have been taken away since, with all else that was set back.
pub fn prepared(memory: &ObjectMemory, base: &str, size: &Size, now: Timestamp) -> Option<String> {
    let step = applied(memory, "ecs.RegisterTaskDefinition", "step")?;
    let result = applied(memory, "ecs.RegisterTaskDefinition", "result");
    let fresh = instant(result).is_some_and(|at| now < at + REVISION_KEPT);
    let same = text(Some(step), "base").as_deref() == Some(base)
        && step.get("size") == Some(&size_tree(size));
    let arn = text(result, "taskDefinitionArn")?;
    let used = applied(memory, "ecs.UpdateService", "result")
        .is_some_and(|update| text(Some(update), "taskDefinition").as_ref() == Some(&arn));
    (fresh && same && !used).then_some(arn)
}

/// What became of the size `size` that we wrote, when the service does not run it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Nothing tells that it was rolled back.
    Open,
    /// ECS gave it up: why.
    RolledBack(String),
    /// It cannot be told: why.
    Unreadable(String),
}

/// Whether the size that is wanted again was rolled back when we wrote it.
pub fn fate(facts: &Facts, memory: &ObjectMemory, size: &Size) -> Fate {
    let Some(written) = written(memory) else {
        return Fate::Open;
    };
    if written.size != size_tree(size) || written.revision == facts.task_definition {
        return Fate::Open;
    }
    // Another base than the one that it failed on: that may run with it.
    if written.base != facts.task_definition {
        return Fate::Open;
    }
    let failed = facts
        .deployments
        .iter()
        .find(|d| d.task_definition == written.revision && d.rollout_state == "FAILED");
    if let Some(deployment) = failed {
        return Fate::RolledBack(deployment.reason.clone());
    }
    match &facts.history {
        History::NotRead => Fate::Open,
        History::Unreadable(cause) => Fate::Unreadable(cause.clone()),
        // The nearest in time is ours. Another may have been made within the minute, such as that of an
        // earlier write which landed late.
        History::Read(past) => past
            .iter()
            .filter(|d| is_newer_than_what_it_replaced(facts, &written, d.created_at))
            .filter_map(|d| {
                let apart = d.created_at?.duration_since(written.at?).abs();
                let most = match written.deployment {
                    Some(_) => SAME_DEPLOYMENT,
                    None => SAME_MOMENT,
                };
                (apart <= most).then_some((apart, d))
            })
            .min_by_key(|(apart, _)| *apart)
            // STOPPED is one that a newer deployment took the place of: no word about its size.
            .filter(|(_, d)| d.status.starts_with("ROLLBACK"))
            .map_or(Fate::Open, |(_, d)| Fate::RolledBack(d.reason.clone())),
    }
}

/// Whether a deployment of that time can be the one that `written` made. A reading that lags shows what it replaced,
/// and in the history only those before it.
fn is_newer_than_what_it_replaced(
    facts: &Facts,
    written: &Written,
    created_at: Option<Timestamp>,
) -> bool {
    let replaced = facts
        .deployments
        .iter()
        .find(|d| Some(&d.id) == written.replaced.as_ref());
    replaced.is_none_or(|replaced| created_at > replaced.created_at)
}

/// The fact that `size` on the live revision was rolled back.
pub fn rolled_back(facts: &Facts, size: &Size) -> Tree {
    json!({"base": family_revision(&facts.task_definition), "size": size_tree(size)})
}

/// Whether the PRIMARY deployment is the one that our newest write made.
pub fn is_ours(written: &Written, primary: &Deployment) -> bool {
    primary.task_definition == written.revision
        && written
            .deployment
            .as_ref()
            .is_none_or(|id| *id == primary.id)
}

/// The ARN of a revision of somebody else's that our newest write replaced without knowing it:
/// it was deployed between our last reading and our write.
pub fn overtaken(facts: &Facts, memory: &ObjectMemory) -> Option<String> {
    let primary = facts.primary()?;
    let written = [
        perhaps_written(memory),
        written(memory),
        perhaps_late(facts, memory),
    ]
    .into_iter()
    .flatten()
    .find(|written| is_ours(written, primary))?;
    // Remembered from a look at which its deployment still showed.
    if let Some(known) = memory.facts.get("overtaken")
        && text(Some(known), "by").as_deref() == Some(primary.task_definition.as_str())
    {
        return text(Some(known), "revision");
    }
    // The deployment that ours was to replace. Where it has left the list, that of our base is as good,
    // unless ours goes back to its base: that one is older than what it was to replace.
    let goes_back = written.base == written.revision;
    let replaced = facts
        .deployments
        .iter()
        .find(|d| Some(&d.id) == written.replaced.as_ref())
        .or_else(|| {
            let mut others = facts.deployments.iter();
            others.find(|d| !goes_back && d.task_definition == written.base)
        });
    facts
        .deployments
        .iter()
        .filter(|d| d.status != "PRIMARY" && d.task_definition != written.base)
        .filter(|d| d.task_definition != written.revision)
        .filter(|d| {
            let foreign = facts.others.get(&d.task_definition);
            foreign.is_some_and(|r: &Revision| r.intent.is_none())
        })
        // Older than ours, newer than what ours was to replace.
        .filter(|d| d.created_at <= primary.created_at)
        .filter(|d| match replaced {
            Some(replaced) => d.created_at > replaced.created_at,
            None if goes_back => false,
            None => parts(&d.task_definition)
                .zip(parts(&written.base))
                .is_some_and(|((family, revision), (base_family, base))| {
                    family == base_family && revision > base
                }),
        })
        // Of two within one millisecond the higher revision.
        .max_by_key(|d| (d.created_at, parts(&d.task_definition).map(|(_, n)| n)))
        .map(|d| d.task_definition.clone())
}
