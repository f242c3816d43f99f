//! The approach to an object's writes: the rate tokens of all its steps in hand, then a fresh
//! reading and plan, and whether that plan is the one that was shown.

use std::collections::BTreeMap;

use super::app::AppRun;
use super::object::STOPPED;
use crate::aws::budget::RateToken;
use crate::model::change::{Change, Drift, Risk, Step};
use crate::model::key::ResourceKey;
use crate::model::memory::{Memory, ObjectMemory};
use crate::model::operation::operation;
use crate::model::pass::Ended;
use crate::model::plan::ObjectPlan;
use crate::model::scope::Scope;
use crate::model::tree::Tree;

/// What has been done about one object so far, over all attempts at it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Titles of the mutations that AWS accepted, in order.
    pub(super) written: Vec<String>,
    /// Requests that may have had an effect.
    pub(super) sent: usize,
    /// Whether the next attempt repairs what our own write did to another's.
    pub(super) repair: Repair,
    /// Rate tokens in hand, by operation.
    tokens: BTreeMap<String, Vec<RateToken>>,
}

/// Whether a write of ours has overtaken somebody else's unseen, and is to be based anew on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Repair {
    #[default]
    None,
    Due,
}

impl Done {
    /// The operations of `steps` for which no token is in hand.
    fn lacking(&self, steps: &[Step]) -> Vec<String> {
        let mut left: BTreeMap<&str, usize> = self
            .tokens
            .iter()
            .map(|(name, tokens)| (name.as_str(), tokens.len()))
            .collect();
        steps
            .iter()
            .map(|step| step.operation.as_str())
            .filter(|name| match left.get_mut(name) {
                Some(n) if *n > 0 => {
                    *n -= 1;
                    false
                }
                _ => true,
            })
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn spend(&mut self, operation: &str) -> Option<RateToken> {
        self.tokens.get_mut(operation)?.pop()
    }
}

impl AppRun<'_> {
    /// Waits for a rate token, or gives up when told to stop: nothing new is begun then.
    async fn take_token(&self, operation: &str) -> Option<RateToken> {
        tokio::select! {
            biased;
            () = self.options.stop.cancelled() => None,
            token = self.engine.cell.budget.take(operation) => Some(token),
        }
    }

    /// Reads and plans one object with the rate tokens of all its steps in hand, so that nothing
    /// waits between this reading and the writes.
    ///
    /// # Errors
    /// How the object ended instead: the pass was told to stop, or its document is gone.
    pub(super) async fn plan_with_tokens(
        &self,
        planned: &ObjectPlan,
        memory: &ObjectMemory,
        done: &mut Done,
    ) -> Result<ObjectPlan, Ended> {
        // At first the plan at hand says what will be needed; later only a look can tell.
        let mut steps: &[Step] = match &planned.change {
            Some(change) if done.sent == 0 => &change.steps,
            _ => &[],
        };
        let mut fresh;
        loop {
            for operation in scarcest_first(done.lacking(steps)) {
                match self.take_token(&operation).await {
                    Some(token) => done.tokens.entry(operation).or_default().push(token),
                    None => return Err(Ended::Held(STOPPED.to_owned())),
                }
            }
            fresh = self
                .replan(&planned.key, memory)
                .await
                .ok_or_else(|| Ended::Failed("its document is gone".to_owned()))?;
            steps = fresh.change.as_ref().map_or(&[], |c| &c.steps);
            if done.lacking(steps).is_empty() {
                return Ok(fresh);
            }
        }
    }

    /// Reads and plans one object afresh.
    pub(super) async fn replan(
        &self,
        key: &ResourceKey,
        memory: &ObjectMemory,
    ) -> Option<ObjectPlan> {
        let scope = Scope::target(key);
        let snapshot = self.engine.observe(self.set, &scope).await;
        let memory = Memory {
            consulted: true,
            objects: BTreeMap::from([(key.clone(), memory.clone())]),
            control: self.control().clone(),
            ..Memory::default()
        };
        let mut plan = self.engine.plan_from(
            self.set,
            &scope,
            &snapshot,
            &memory,
            &self.options.policy,
            &BTreeMap::new(),
        );
        plan.objects.pop()
    }
}

/// The operations in the order in which their tokens are taken: the slowest bucket first, so that
/// those of quick ones are not held while a slow one is waited for.
fn scarcest_first(mut operations: Vec<String>) -> Vec<String> {
    let rate = |name: &String| operation(name).map_or(0.0, |op| op.class.per_second);
    operations.sort_by(|a, b| rate(a).total_cmp(&rate(b)).then_with(|| a.cmp(b)));
    operations
}

/// Whether what is about to be written is what somebody read and approved: at first the very same
/// change, and after a part of it was written no more than the rest of it. A repair of our own write
/// is part of that write: it may touch what `spec`, the document, does not name, such as the revision
/// that a service runs, and is no reason to set back another field that somebody changed meanwhile.
pub(super) fn was_shown(
    fresh: &ObjectPlan,
    change: &Change,
    planned: &ObjectPlan,
    done: &Done,
    spec: &Tree,
) -> bool {
    if done.sent == 0 {
        return fresh.pin == planned.pin;
    }
    let Some(shown) = &planned.change else {
        return false;
    };
    let repair = done.repair == Repair::Due;
    // The same write may be told in other words once a part has changed; a revision is named by
    // its base, and another base is another write, but for a repair, which is about the base.
    let same = |a: &Step, b: &Step| {
        let based = a.operation == "ecs.RegisterTaskDefinition" && !repair;
        a.operation == b.operation && a.object == b.object && (!based || a.title == b.title)
    };
    let unnamed = |d: &Drift| {
        d.path
            .segments()
            .get(1)
            .is_none_or(|s| spec.get(s).is_none())
    };
    let bearable = change.risk <= shown.risk || (repair && change.risk < Risk::Destructive);
    bearable
        && fresh
            .drift
            .iter()
            .all(|d| planned.drift.contains(d) || (repair && unnamed(d)))
        && change
            .steps
            .iter()
            .all(|step| shown.steps.iter().any(|other| same(step, other)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::change::Action;
    use crate::model::plan::Status;
    use crate::model::tree::FieldPath;
    use crate::render::plan::tests::object;

    fn step(operation: &str, title: &str) -> Step {
        Step {
            operation: operation.into(),
            object: "main/web".into(),
            title: title.into(),
            detail: Tree::Null,
        }
    }

    /// A plan that sets `fields` (with the live value of each) in one step a field.
    fn plan(fields: &[(&str, u32)], risk: Risk) -> ObjectPlan {
        let mut plan = object("shop/Service/web", Status::Drifted);
        plan.pin = format!("{fields:?}");
        plan.drift = fields
            .iter()
            .map(|(path, live)| Drift {
                path: FieldPath::dotted(path),
                desired: json!(9),
                live: json!(live),
            })
            .collect();
        plan.change = Some(Change {
            action: Action::Update,
            risk,
            reason: String::new(),
            steps: fields
                .iter()
                .map(|(path, _)| step("ecs.RegisterTaskDefinition", path))
                .collect(),
        });
        plan
    }

    fn shown(fresh: &ObjectPlan, planned: &ObjectPlan, sent: usize) -> bool {
        let done = Done {
            sent,
            ..Done::default()
        };
        let spec = json!({"a": 9, "b": 9, "c": 9});
        was_shown(fresh, fresh.change.as_ref().unwrap(), planned, &done, &spec)
    }

    #[test]
    fn a_repair_touches_what_no_document_names_and_no_other_field() {
        let planned = plan(&[("spec.a", 1)], Risk::Routine);
        let done = Done {
            sent: 1,
            repair: Repair::Due,
            ..Done::default()
        };
        let spec = json!({"a": 9, "b": 9});
        let shown = |fresh: &ObjectPlan| {
            was_shown(
                fresh,
                fresh.change.as_ref().unwrap(),
                &planned,
                &done,
                &spec,
            )
        };
        assert!(shown(&plan(
            &[("spec.taskDefinition", 3)],
            Risk::Disruptive
        )));
        for other in [
            plan(&[("spec.taskDefinition", 3), ("spec.b", 2)], Risk::Routine),
            plan(&[("spec.taskDefinition", 3)], Risk::Destructive),
        ] {
            assert!(!shown(&other));
        }
    }

    #[test]
    fn before_anything_is_sent_only_the_very_plan_counts_as_shown() {
        let planned = plan(&[("spec.a", 1), ("spec.b", 2)], Risk::Routine);
        assert!(shown(&planned, &planned, 0));
        assert!(!shown(&plan(&[("spec.b", 2)], Risk::Routine), &planned, 0));
    }

    #[test]
    fn after_a_part_was_written_the_rest_may_be_written_and_nothing_else() {
        let planned = plan(&[("spec.a", 1), ("spec.b", 2)], Risk::Routine);
        assert!(shown(&plan(&[("spec.b", 2)], Risk::Routine), &planned, 1));
        for other in [
            plan(&[("spec.b", 35)], Risk::Routine),
            plan(&[("spec.c", 2)], Risk::Routine),
            plan(&[("spec.b", 2)], Risk::Destructive),
        ] {
            assert!(!shown(&other, &planned, 1));
        }
    }

    #[test]
    fn a_token_in_hand_is_not_asked_for_again_and_slow_ones_come_first() {
        let steps = [
            step("ecs.TagResource", "tag"),
            step("ecs.RegisterTaskDefinition", "register"),
            step("ecs.UpdateService", "update"),
            step("ecs.UpdateService", "update again"),
        ];
        let mut done = Done::default();
        assert_eq!(
            scarcest_first(done.lacking(&steps)),
            [
                "ecs.RegisterTaskDefinition",
                "ecs.UpdateService",
                "ecs.UpdateService",
                "ecs.TagResource",
            ]
        );
        let token = RateToken::for_test("ecs.UpdateService");
        done.tokens.insert("ecs.UpdateService".into(), vec![token]);
        assert_eq!(done.lacking(&steps).len(), 3);
        assert!(done.spend("ecs.UpdateService").is_some());
        assert!(done.spend("ecs.UpdateService").is_none());
    }
}
