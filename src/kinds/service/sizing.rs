//! Sizing: whether a service's tasks get another size now, on which revision, and by which steps.
//!
//! Pure.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::json;

use super::decide::{Draft, FAILING_FOR, object};
use super::deploying::minimum_healthy;
use super::facts::{Revision, family_revision};
use super::past::{self, Fate, size_tree};
use super::size::{Size, conflicts, no_such_size, tags_full};
use super::spec::ContainerSpec;
use crate::model::change::{Drift, Hold, Risk};
use crate::model::plan::Rollout;
use crate::model::tree::{FieldPath, Tree};

/// Decides on the size.
pub fn decide(draft: &mut Draft<'_>) {
    let drifts = ["cpu", "memory", "containers"]
        .iter()
        .any(|field| !draft.drift_of(field).is_empty());
    let overtaken = past::overtaken(draft.facts, draft.question.memory);
    let Some(live) = draft.facts.revision.as_ref() else {
        if drifts {
            draft.hold(Hold::Unreadable {
                cause: "its task definition was not read".to_owned(),
            });
        }
        return;
    };
    match overtaken {
        Some(arn) => catch_up(draft, &arn, live),
        None if drifts => change(draft, live),
        None => {}
    }
}

/// What the document wants, on top of what `base` has.
fn wanted(draft: &Draft<'_>, base: &Revision) -> Size {
    let number = |field: &str| {
        let value = draft.question.desired.get(field)?.as_u64()?;
        u32::try_from(value).ok()
    };
    let containers = draft
        .question
        .desired
        .get("containers")
        .and_then(|c| BTreeMap::<String, ContainerSpec>::deserialize(c).ok())
        .unwrap_or_default();
    Size {
        cpu: number("cpu").or(base.cpu),
        memory: number("memory").or(base.memory),
        containers,
    }
}

fn change(draft: &mut Draft<'_>, base: &Revision) {
    let size = wanted(draft, base);
    if let Some(hold) = not_settable(base, &size) {
        draft.hold(hold);
        return;
    }
    if let Some(hold) = tried_before(draft, &size) {
        draft.hold(hold);
        return;
    }
    if draft.waits_for_rollout() {
        return;
    }
    let risk = risk(draft, &size);
    draft.risks.push(risk);
    steps(draft, base, &size);
}

/// What in the live revision forbids the size.
fn not_settable(base: &Revision, size: &Size) -> Option<Hold> {
    if !base.unknown.is_empty() {
        return Some(Hold::UnknownLiveField {
            members: base.unknown.clone(),
        });
    }
    if base.os.starts_with("WINDOWS") && !base.requires.iter().any(|r| r == "FARGATE") {
        return Some(Hold::OwnedElsewhere {
            why: "tasks of Windows containers on EC2 have no size of their own: ECS ignores cpu \
                  and memory of the task; take them out of the document"
                .to_owned(),
        });
    }
    if let Some(why) = tags_full(base) {
        return Some(Hold::Conflict { why });
    }
    if let Some(why) = no_such_size(base, size) {
        // The document has passed its check, so one of the two is the live one.
        return Some(Hold::Conflict {
            why: format!(
                "{} cannot take {}: {why}; write both `cpu` and `memory` in the document",
                family_revision(&base.arn),
                size.described()
            ),
        });
    }
    let found = conflicts(base, size);
    (!found.is_empty()).then(|| Hold::Conflict {
        why: format!(
            "{} cannot take {}: {}; change that in the task definition, or set \
             `containers.<name>` in the document",
            family_revision(&base.arn),
            size.described(),
            found.join("; ")
        ),
    })
}

/// The hold on a size that was rolled back on this very revision, remembered from then on.
fn tried_before(draft: &mut Draft<'_>, size: &Size) -> Option<Hold> {
    let fact = past::rolled_back(draft.facts, size);
    let held = |why: &str| Hold::RolledBack {
        why: format!(
            "{} on {} was tried and rolled back{}{why}; change the size, or deploy a revision \
             that runs with it, and it is tried again",
            size.described(),
            family_revision(&draft.facts.task_definition),
            if why.is_empty() { "" } else { ": " },
        ),
    };
    let hold = match past::fate(draft.facts, draft.question.memory, size) {
        Fate::RolledBack(why) => held(&why),
        _ if draft.question.memory.facts.get("rolledBack") == Some(&fact) => held(""),
        Fate::Unreadable(cause) => {
            return Some(Hold::Unreadable {
                cause: format!(
                    "this size was written before, and whether it was rolled back cannot be \
                     read: {cause}"
                ),
            });
        }
        Fate::Open => return None,
    };
    draft.out.remember.insert("rolledBack".into(), fact);
    draft.out.rollout = Some(Rollout::Failed {
        detail: hold.to_string(),
    });
    Some(hold)
}

fn risk(draft: &Draft<'_>, size: &Size) -> (Risk, String) {
    let least = minimum_healthy(draft);
    if draft.is_failing() {
        return (
            Risk::Disruptive,
            format!(
                "the deployment under way, whose tasks have failed for more than {} minutes, is \
                 overtaken",
                FAILING_FOR.as_mins()
            ),
        );
    }
    if draft
        .facts
        .primary()
        .is_some_and(|d| d.rollout_state == "FAILED")
    {
        let why = "the deployment that is there has failed, and is replaced";
        return (Risk::Disruptive, why.to_owned());
    }
    if draft.facts.rollout().is_some() {
        let why = "the deployment under way is overtaken, as asked by --during-rollout";
        return (Risk::Disruptive, why.to_owned());
    }
    if least < 100 {
        return (
            Risk::Disruptive,
            format!(
                "tasks are replaced by ones of {} with as few as {least} percent of them healthy",
                size.described()
            ),
        );
    }
    (
        Risk::Routine,
        format!(
            "tasks are replaced by ones of {}, under the service's own deployment rules",
            size.described()
        ),
    )
}

/// RegisterTaskDefinition, unless that was done a moment ago, and the revision for UpdateService.
fn steps(draft: &mut Draft<'_>, base: &Revision, size: &Size) {
    draft.update.insert("base".into(), json!(base.arn));
    draft.update.insert("size".into(), size_tree(size));
    let question = draft.question;
    if let Some(arn) = past::prepared(question.memory, &base.arn, size, question.now) {
        draft.update.insert("taskDefinition".into(), json!(arn));
        return;
    }
    let at = draft.out.steps.len();
    draft
        .update
        .insert("taskDefinitionOfStep".into(), json!(at));
    let title = format!(
        "register {} again with {}",
        family_revision(&base.arn),
        size.described()
    );
    let detail = json!({"base": base.arn, "size": size_tree(size)});
    draft.step(
        "ecs.RegisterTaskDefinition",
        object(question.desired),
        title,
        detail,
    );
}

/// Our write replaced a revision that somebody deployed between our last reading and it: the
/// size goes onto that one at once, whatever rolls out, since what rolls out is ours.
fn catch_up(draft: &mut Draft<'_>, arn: &str, live: &Revision) {
    let base = draft.facts.others.get(arn).cloned().unwrap_or(Revision {
        arn: arn.to_owned(),
        ..live.clone()
    });
    let ours = draft.facts.task_definition.clone();
    let why = format!(
        "{} was deployed by somebody else at the very moment of our write and was replaced by {}",
        family_revision(arn),
        family_revision(&ours)
    );
    draft
        .out
        .remember
        .insert("overtaken".into(), json!({"revision": arn, "by": ours}));
    draft.out.more_drift.push(Drift {
        path: FieldPath::of(["spec", "taskDefinition"]),
        desired: json!(family_revision(arn)),
        live: json!(family_revision(&ours)),
    });
    draft
        .out
        .notes
        .push(format!("{why}; it is based anew on that one"));
    let size = wanted(draft, &base);
    if let Some(hold) = not_settable(&base, &size) {
        draft.hold(hold);
        return;
    }
    draft.risks.push((Risk::Disruptive, why));
    let has_it = base.cpu == size.cpu
        && base.memory == size.memory
        && size.containers.is_empty()
        && draft.facts.others.contains_key(arn);
    if has_it {
        draft.update.insert("base".into(), json!(base.arn));
        draft.update.insert("size".into(), size_tree(&size));
        draft
            .update
            .insert("taskDefinition".into(), Tree::String(base.arn));
    } else {
        steps(draft, &base, &size);
    }
}
