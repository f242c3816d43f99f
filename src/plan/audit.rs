//! The audit: an independent second look at a plan. A violation is a bug of ours, not a user's
//! error, and what breaks a law is not written.

use std::collections::BTreeMap;

use super::Inputs;
use crate::control::approval::Reach;
use crate::control::gate::{needed, paused};
use crate::control::state::AppControl;
use crate::kinds::Allow;
use crate::model::change::{Change, Hold, Risk};
use crate::model::key::ResourceKey;
use crate::model::operation::Effect;
use crate::model::plan::{ObjectPlan, Status};
use crate::model::snapshot::Seen;

/// Takes the change away from every object whose plan breaks a law, and says which.
pub fn hold_violations(objects: &mut [ObjectPlan], inputs: &Inputs<'_>) {
    let writers = writers(objects);
    for object in objects.iter_mut() {
        if let Some(why) = violation(object, inputs, &writers) {
            object.change = None;
            object.status = Status::Blocked;
            object.holds.push(Hold::Audit { why });
        }
    }
}

type Writers = BTreeMap<(String, String), Vec<ResourceKey>>;

/// Which documents write what: by operation and live object. What they write there does not
/// matter: two that differ are the worse case, since they would undo each other for ever.
fn writers(objects: &[ObjectPlan]) -> Writers {
    let mut writers = Writers::new();
    for object in objects {
        for step in object.change.iter().flat_map(|c| &c.steps) {
            writers
                .entry((step.operation.clone(), step.object.clone()))
                .or_default()
                .push(object.key.clone());
        }
    }
    writers
}

fn violation(object: &ObjectPlan, inputs: &Inputs<'_>, writers: &Writers) -> Option<String> {
    let seen = inputs.snapshot.objects.get(&object.key).map(|o| &o.seen);
    match &object.change {
        Some(change) => change_violation(object, change, seen, inputs, writers),
        None => {
            let silent = object.holds.is_empty() && !object.drift.is_empty();
            silent.then(|| format!("{} differs, and nothing is done or said", object.key))
        }
    }
}

fn change_violation(
    object: &ObjectPlan,
    change: &Change,
    seen: Option<&Seen>,
    inputs: &Inputs<'_>,
    writers: &Writers,
) -> Option<String> {
    if !inputs.scope.holds(&object.key) {
        return Some("a write out of scope".to_owned());
    }
    if inputs.set.frozen.holds(&object.key.app) {
        return Some("a write to a frozen app".to_owned());
    }
    if !matches!(seen, Some(Seen::Present(_) | Seen::Absent)) {
        return Some("a write to an object that was not read".to_owned());
    }
    let control = inputs.memory.control.apps.get(&object.key.app);
    if change.risk == Risk::Destructive {
        let known = &inputs.memory.control;
        let force = known.in_force(inputs.set, &object.key.app, inputs.now);
        let need = needed(&force.policy, Risk::Destructive);
        let approved = |app: &AppControl| {
            app.in_use.contains_key(&object.key)
                || app.approvals.people(&object.pin, Reach::InTime, inputs.now) >= need
        };
        let flagged = inputs.policy.destructive == Allow::Yes && !force.asks();
        if !flagged && !control.is_some_and(approved) {
            return Some("a destructive write that nobody allowed".to_owned());
        }
    }
    if control.is_some_and(|app| paused(app, &object.key, inputs.now).is_some()) {
        return Some("a write to what is paused".to_owned());
    }
    let memory = inputs.memory.objects.get(&object.key);
    if memory.is_some_and(|m| m.open.is_some()) {
        return Some("a write over one whose outcome is not known".to_owned());
    }
    if change.steps.is_empty() {
        return Some("a change without a step".to_owned());
    }
    let kind = inputs.kinds.iter().find(|k| k.name() == object.key.kind)?;
    for step in &change.steps {
        let known = step
            .operation()
            .is_some_and(|op| op.effect == Effect::Write);
        if !known || !kind.writes().contains(&step.operation.as_str()) {
            return Some(format!("{} is no write of {}", step.operation, kind.name()));
        }
        if step.object.is_empty() {
            return Some(format!("{} names no object", step.operation));
        }
        let twice = writers
            .get(&(step.operation.clone(), step.object.clone()))
            .is_some_and(|keys| keys.iter().any(|key| *key != object.key));
        if twice {
            return Some(format!("two documents write {}", step.object));
        }
    }
    None
}
