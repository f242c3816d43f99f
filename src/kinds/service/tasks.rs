//! Tasks: how many of a service's tasks a change replaces or starts.
//!
//! Pure.

use super::facts::Facts;
use crate::model::change::Change;
use crate::model::snapshot::Live;
use crate::model::tree::Tree;

/// Tasks that `change` replaces or starts. A new revision replaces all that the service is to have;
/// a count, or a lower bound above it, starts what is missing.
pub(super) fn moved(change: &Change, live: &Live) -> u64 {
    let Some(facts) = Facts::of(live) else {
        return 0;
    };
    let count = u64::from(facts.desired_count);
    let wanted = |member: &str| {
        let numbers = change
            .steps
            .iter()
            .filter_map(|step| step.detail.get(member));
        numbers.filter_map(Tree::as_u64).max()
    };
    let after = wanted("desiredCount")
        .or(wanted("minCapacity"))
        .unwrap_or(count);
    let deploys = change
        .steps
        .iter()
        .any(|step| step.operation == "ecs.UpdateService" && step.detail.get("base").is_some());
    if deploys {
        count.max(after)
    } else {
        after.saturating_sub(count)
    }
}
