//! Approvable: what somebody could approve now, by its digest.

use std::collections::BTreeMap;

use super::Engine;
use crate::control::approval::{Approved, Of, Reach};
use crate::control::gate::needed;
use crate::kinds::{Allow, Policy};
use crate::model::change::{Hold, Risk};
use crate::model::document::DesiredSet;
use crate::model::plan::Plan;
use crate::model::scope::Scope;

/// A change, or a policy, that can be approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvable {
    /// Whose chain of approvals it belongs to.
    pub app: String,
    /// What it is.
    pub change: Approved,
    /// Of which sort.
    pub of: Of,
    /// How many people have to approve it.
    pub need: u32,
    /// What else holds it back now.
    pub holds: Vec<Hold>,
}

impl Approvable {
    /// What holds the change back though it is approved that far.
    pub fn waits(&self, reach: Reach) -> Vec<&Hold> {
        let passed = |hold: &Hold| match hold {
            Hold::Approval { emergency, .. } => !emergency || reach == Reach::Now,
            Hold::Destructive { .. } => true,
            Hold::OutsideWindow { .. }
            | Hold::ChangeFreeze { .. }
            | Hold::OverBudget { .. }
            | Hold::Canary { .. } => reach == Reach::Now,
            _ => false,
        };
        self.holds.iter().filter(|hold| !passed(hold)).collect()
    }
}

/// A person's `apply`, without `--allow-destructive` and with.
const PERSON: Policy = Policy {
    destructive: Allow::No,
    during_rollout: Allow::No,
    apply_immediately: Allow::Yes,
};

impl Engine {
    /// All that could be approved in scope, as the controller and as a person would write it, held
    /// back or not.
    pub async fn approvable(&self, set: &DesiredSet, scope: &Scope) -> Vec<Approvable> {
        let mut found = BTreeMap::new();
        let destructive = |policy: Policy| Policy {
            destructive: Allow::Yes,
            ..policy
        };
        let policies = [
            Policy::CONTROLLER,
            destructive(Policy::CONTROLLER),
            PERSON,
            destructive(PERSON),
        ];
        for policy in policies {
            let plan = self.plan(set, scope, &policy).await;
            for one in self.approvable_of(set, &plan) {
                found.entry(one.change.digest.clone()).or_insert(one);
            }
        }
        let now = self.cell.clock.now();
        let control = self.controlled().clone();
        for app in set.apps() {
            let Some(pending) = control.in_force(set, app, now).pending else {
                continue;
            };
            let ways: Vec<String> = pending.loosened.iter().map(ToString::to_string).collect();
            let change = Approved {
                digest: pending.digest.clone(),
                of: format!("the policy of {app}"),
                what: ways.join(", "),
            };
            let app = app.to_owned();
            let need = pending.need;
            let holds = Vec::new();
            found.insert(
                pending.digest,
                Approvable {
                    app,
                    change,
                    of: Of::Policy,
                    need,
                    holds,
                },
            );
        }
        found.into_values().collect()
    }

    /// The changes of a plan, and those that it holds back.
    pub fn approvable_of(&self, set: &DesiredSet, plan: &Plan) -> Vec<Approvable> {
        let now = self.cell.clock.now();
        let control = self.controlled().clone();
        let mut found = Vec::new();
        for object in &plan.objects {
            let app = &object.key.app;
            let fields: Vec<String> = object.drift.iter().map(|d| d.path.to_string()).collect();
            let mut add = |digest: &str, what: String, need| {
                found.push(Approvable {
                    app: app.clone(),
                    change: Approved {
                        digest: digest.to_owned(),
                        of: object.key.to_string(),
                        what,
                    },
                    of: Of::Change,
                    need,
                    holds: object.holds.clone(),
                });
            };
            for hold in &object.holds {
                if let Hold::Approval {
                    change, why, need, ..
                } = hold
                {
                    add(change, what(&fields, why), *need);
                }
            }
            let told = |digest: &str| {
                let holds = object.holds.iter();
                holds
                    .into_iter()
                    .any(|h| matches!(h, Hold::Approval { change, .. } if change == digest))
            };
            if !object.pin.is_empty() && !told(&object.pin) {
                let risk = object
                    .change
                    .as_ref()
                    .map_or(Risk::Routine, |change| change.risk);
                let need = needed(&control.in_force(set, app, now).policy, risk);
                let why = object
                    .change
                    .as_ref()
                    .map_or("held back until its time", |c| &c.reason);
                add(&object.pin, what(&fields, why), need);
            }
        }
        found
    }
}

/// What a change does, for people. One that creates has no fields that differ.
fn what(fields: &[String], why: &str) -> String {
    match fields {
        [] => why.to_owned(),
        fields => format!("{}: {why}", fields.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_without_fields_says_why_alone() {
        assert_eq!(what(&[], "it does not exist"), "it does not exist");
        let fields = ["spec.cpu".to_owned(), "spec.memory".to_owned()];
        assert_eq!(
            what(&fields, "tasks are replaced"),
            "spec.cpu, spec.memory: tasks are replaced"
        );
    }
}
