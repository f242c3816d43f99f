//! Approved: what of a plan made anew may be written when somebody approved an older one.
//!
//! Pure: two plans in, one out.

use crate::model::change::Hold;
use crate::model::key::ResourceKey;
use crate::model::plan::{ObjectPlan, Plan, Status};

/// The objects that `saved` changes, and `fresh` would not change in the same way.
pub fn moved<'p>(saved: &'p Plan, fresh: &Plan) -> Vec<&'p ResourceKey> {
    let changed = saved.objects.iter().filter(|o| o.change.is_some());
    changed
        .filter(|o| fresh.object(&o.key).is_none_or(|f| f.pin != o.pin))
        .map(|o| &o.key)
        .collect()
}

/// `fresh`, in which every object is held that differs now and that `saved` does not change: nobody
/// was shown what would be written.
#[must_use]
pub fn hold_the_rest(mut fresh: Plan, saved: &Plan) -> Plan {
    let approved = |object: &ObjectPlan| {
        let shown = saved.object(&object.key);
        shown.is_some_and(|shown| shown.change.is_some() || was_held(shown, &object.pin))
    };
    // No step is a read, so what is left are the reads; the steps that stay are counted anew.
    for step in fresh
        .objects
        .iter()
        .filter_map(|o| o.change.as_ref())
        .flat_map(|c| &c.steps)
    {
        fresh.calls.remove(&step.operation);
    }
    for object in &mut fresh.objects {
        if object.change.is_some() && !approved(object) {
            object.change = None;
            object.status = Status::Blocked;
            object.pin.clear();
            object.holds.push(Hold::Unapproved);
        }
    }
    super::count(&mut fresh);
    fresh
}

/// Whether the plan showed exactly the change `pin`, held back by change control: who approved it
/// since, or whom the time has come for, was shown what is written now.
fn was_held(shown: &ObjectPlan, pin: &str) -> bool {
    let named = |hold: &Hold| matches!(hold, Hold::Approval { change, .. } if change == pin);
    !pin.is_empty() && (shown.pin == pin || shown.holds.iter().any(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::plan::tests::mixed;

    #[test]
    fn what_has_drifted_since_is_held_and_its_calls_are_not_counted() {
        let fresh = mixed();
        let mut saved = fresh.clone();
        let changed: Vec<usize> = (0..fresh.objects.len())
            .filter(|i| fresh.objects[*i].change.is_some())
            .collect();
        let new = changed[0];
        saved.objects[new].change = None;
        saved.objects[new].status = Status::InSync;
        let held = hold_the_rest(fresh.clone(), &saved);
        assert_eq!(held.objects[new].change, None);
        assert_eq!(held.objects[new].status, Status::Blocked);
        assert!(held.objects[new].holds.contains(&Hold::Unapproved));
        for i in changed.into_iter().skip(1) {
            assert_eq!(held.objects[i].change, fresh.objects[i].change);
        }
        let kept: usize = held
            .objects
            .iter()
            .filter_map(|o| o.change.as_ref())
            .map(|c| c.steps.len())
            .sum();
        assert_eq!(held.summary.steps, kept);
        assert_ne!(held.plan_id, fresh.plan_id);
    }

    #[test]
    fn a_change_that_was_shown_and_held_until_its_approval_is_no_other() {
        let mut fresh = mixed();
        let at = fresh.objects.iter().position(|o| o.change.is_some());
        let at = at.unwrap();
        fresh.objects[at].pin = "digest".into();
        let mut saved = fresh.clone();
        saved.objects[at].change = None;
        saved.objects[at].pin.clear();
        saved.objects[at].holds.push(Hold::Approval {
            change: "digest".into(),
            why: String::new(),
            have: 0,
            need: 1,
            emergency: false,
        });
        let written = hold_the_rest(fresh.clone(), &saved);
        assert_eq!(written.objects[at].change, fresh.objects[at].change);
        fresh.objects[at].pin = "another".into();
        let held = hold_the_rest(fresh, &saved);
        assert_eq!(held.objects[at].change, None);
    }

    #[test]
    fn a_change_that_is_not_the_same_any_more_has_moved() {
        let saved = mixed();
        let mut fresh = saved.clone();
        assert_eq!(moved(&saved, &fresh), Vec::<&ResourceKey>::new());
        let at = fresh.objects.iter().position(|o| o.change.is_some());
        let object = &mut fresh.objects[at.unwrap()];
        object.pin = "another".into();
        let key = object.key.clone();
        assert_eq!(moved(&saved, &fresh), [&key]);
    }
}
