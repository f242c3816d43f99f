//! Control: what change control holds back of a plan, and what it has to tell of an app.

use std::collections::BTreeMap;

use super::Inputs;
use crate::control::approval::Reach;
use crate::control::gate::{Asked, holds, needed};
use crate::control::leash::InForce;
use crate::control::pause::Pause;
use crate::control::policy::ChangePolicy;
use crate::control::state::{AppControl, PastChange};
use crate::model::change::Hold;
use crate::model::finding::Finding;
use crate::model::plan::{ObjectPlan, Status};

/// The rule of a finding that tells of a Policy which allows more than was approved.
pub const LEASH: &str = "leash";

/// The rule of a finding that tells of a pause.
pub const PAUSED: &str = "paused";

/// The policy in force for each app in scope.
pub type Policies = BTreeMap<String, InForce>;

/// Which policy is in force for each app in scope.
pub fn policies(inputs: &Inputs<'_>) -> Policies {
    let mut policies = Policies::new();
    for key in inputs
        .set
        .documents
        .keys()
        .filter(|key| inputs.scope.holds(key))
    {
        if !policies.contains_key(&key.app) {
            let force = inputs
                .memory
                .control
                .in_force(inputs.set, &key.app, inputs.now);
            policies.insert(key.app.clone(), force);
        }
    }
    policies
}

/// Takes the change away from every object that may not be written now, and says why and until
/// when. What goes first in key order has the budget.
pub fn hold_back(objects: &mut [ObjectPlan], inputs: &Inputs<'_>, policies: &Policies) {
    let nothing = AppControl::default();
    let mut ahead: BTreeMap<String, Vec<PastChange>> = BTreeMap::new();
    for object in objects.iter_mut() {
        let Some(force) = policies.get(&object.key.app) else {
            continue;
        };
        let Some(change) = &object.change else {
            continue;
        };
        let app = inputs
            .memory
            .control
            .apps
            .get(&object.key.app)
            .unwrap_or(&nothing);
        let asked = Asked {
            key: &object.key,
            change,
            pin: &object.pin,
            tasks: object.tasks,
        };
        let ahead = ahead.entry(object.key.app.clone()).or_default();
        let found = holds(&force.policy, app, &asked, ahead, inputs.now);
        if found.is_empty() {
            ahead.push(PastChange {
                key: object.key.clone(),
                change: object.pin.clone(),
                at: inputs.now,
                tasks: object.tasks,
            });
            continue;
        }
        if found
            .iter()
            .any(|hold| matches!(hold, Hold::Approval { .. }))
        {
            // Nobody approves what they cannot see.
            let steps: Vec<&str> = change
                .steps
                .iter()
                .map(|step| step.title.as_str())
                .collect();
            let would = format!("once approved it is written by: {}", steps.join("; "));
            object.notes.push(would);
        }
        object
            .notes
            .extend(approved(&force.policy, app, &asked, &found));
        if let [
            Hold::OverBudget {
                until: Some(at), ..
            },
        ] = found[..]
        {
            // It takes the room that it waits for.
            ahead.push(PastChange {
                key: object.key.clone(),
                change: object.pin.clone(),
                at,
                tasks: object.tasks,
            });
        }
        object.change = None;
        object.holds.extend(found);
        object.status = if object.holds.iter().all(Hold::is_passing) {
            Status::Deferred
        } else {
            Status::Blocked
        };
    }
}

/// That a change which is held is approved, until when, and whether that is long enough.
fn approved(
    policy: &ChangePolicy,
    app: &AppControl,
    asked: &Asked<'_>,
    held: &[Hold],
) -> Option<String> {
    let waits = |hold: &Hold| matches!(hold, Hold::Approval { .. });
    if held.iter().any(waits) {
        return None;
    }
    let people = needed(policy, asked.change.risk);
    let until = app
        .approvals
        .stands_until(asked.pin, Reach::InTime, people)?;
    let moment = until.strftime("%Y-%m-%dT%H:%M:%SZ");
    let late = held.iter().filter_map(Hold::due).any(|due| due > until);
    Some(match late {
        true => format!(
            "it is approved until {moment}, which ends before it may be written: approve it again for longer (--for)"
        ),
        false => format!("it is approved until {moment}"),
    })
}

/// The pauses of apps in scope that are on.
pub fn pauses(inputs: &Inputs<'_>) -> Vec<Pause> {
    let apps = inputs.memory.control.apps.values();
    let in_scope = |pause: &Pause| {
        let keys = inputs.set.documents.keys();
        keys.into_iter()
            .any(|key| pause.holds(key) && inputs.scope.holds(key))
    };
    apps.flat_map(|app| &app.pauses)
        .filter(|pause| pause.is_on(inputs.now) && in_scope(pause))
        .cloned()
        .collect()
}

/// What is to be told of the apps in scope: their pauses, and what their documents would loosen.
pub fn findings(inputs: &Inputs<'_>, policies: &Policies) -> Vec<Finding> {
    let mut findings: Vec<Finding> = pauses(inputs)
        .into_iter()
        .map(|pause| {
            let object = pause
                .object
                .as_ref()
                .map_or_else(String::new, |o| format!(" --object {o}"));
            Finding::warning(PAUSED, pause.to_string()).help(format!(
                "to end it now: evenkeel resume {}{object}",
                pause.app
            ))
        })
        .collect();
    for (app, force) in policies {
        let Some(pending) = &force.pending else {
            continue;
        };
        let ways: Vec<String> = pending.loosened.iter().map(ToString::to_string).collect();
        let document = inputs.set.policies.get(app).map(|policy| &policy.document);
        let what = match document {
            Some(document) => format!("{} allows", document.key),
            None => format!("{app} has no Policy any more, which allows"),
        };
        let message = format!(
            "{what} more than was approved ({}); until it is approved the stricter of both holds",
            ways.join(", ")
        );
        // No part of the message: that is the same before the last of them, and after the first.
        let people = match pending.need {
            0 | 1 => String::new(),
            need => format!(" ({} of {need} people approved it)", pending.have),
        };
        let mut finding = Finding::warning(LEASH, message).help(format!(
            "to approve it: evenkeel approve {:.12} --reason TEXT{people}",
            pending.digest
        ));
        if let Some(document) = document {
            finding = finding.at(document.at.clone());
        }
        findings.push(finding);
    }
    findings
}
