//! Unmoved: whether what a write would replace is still what the write was planned from.
//!
//! AWS knows no versions here, so what somebody else changed since the reading would be set back
//! unseen: each step says in its detail what it was planned from, and it is read once more.

use super::facts::{Action, Facts, Policy, family_revision};
use super::look;
use super::look_scaling;
use crate::aws::cell::Cell;
use crate::kinds::StepError;
use crate::model::change::Step;
use crate::model::tree::{Tree, digest, digest_of};

/// The member of a step's detail that says what it was planned from.
pub const FROM: &str = "from";
/// The member that names the deployment whose tasks it replaces.
pub const REPLACES: &str = "replaces";

/// What a step was planned from, as its detail holds it.
pub trait Mark {
    /// Equal for equal things.
    fn mark(&self) -> String;
}

impl Mark for Policy {
    fn mark(&self) -> String {
        digest_of(self)
    }
}

impl Mark for Action {
    fn mark(&self) -> String {
        digest_of(self)
    }
}

impl Mark for Facts {
    /// Of all that UpdateService replaces whole: the deployment rules.
    fn mark(&self) -> String {
        digest(&self.deployment_configuration)
    }
}

/// The deployment whose tasks a new revision replaces.
pub fn replaced(facts: &Facts) -> Option<&str> {
    facts.primary().map(|d| d.id.as_str())
}

/// Reads once more what `step` replaces.
///
/// # Errors
/// [`StepError::Superseded`] when it moved; AWS's.
pub async fn check(cell: &Cell, step: &Step) -> Result<(), StepError> {
    match step.operation.as_str() {
        "ecs.UpdateService" => service(cell, step).await,
        "application-autoscaling.PutScalingPolicy" => {
            let (id, name) = (text(step, "resourceId"), text(step, "policyName"));
            let now = look_scaling::policies_now(cell, id).await?;
            compare(step, &format!("scaling policy {name}"), now.get(name))
        }
        "application-autoscaling.PutScheduledAction" => {
            let (id, name) = (text(step, "resourceId"), text(step, "scheduledActionName"));
            let now = look_scaling::actions_now(cell, id).await?;
            compare(step, &format!("scheduled action {name}"), now.get(name))
        }
        _ => Ok(()),
    }
}

fn text<'s>(step: &'s Step, member: &str) -> &'s str {
    member_of(step, member).unwrap_or_default()
}

fn member_of<'s>(step: &'s Step, member: &str) -> Option<&'s str> {
    step.detail.get(member).and_then(Tree::as_str)
}

fn superseded(why: String) -> Result<(), StepError> {
    Err(StepError::Superseded(why))
}

fn compare<M: Mark>(step: &Step, what: &str, now: Option<&M>) -> Result<(), StepError> {
    match (member_of(step, FROM), now.map(Mark::mark)) {
        (None, None) => Ok(()),
        (Some(from), Some(now)) if from == now => Ok(()),
        (None, Some(_)) => superseded(format!("{what} has been created meanwhile")),
        (Some(_), None) => superseded(format!("{what} has been deleted meanwhile")),
        (Some(_), Some(_)) => superseded(format!("{what} has been changed meanwhile")),
    }
}

async fn service(cell: &Cell, step: &Step) -> Result<(), StepError> {
    let (deploys, from) = (member_of(step, "base").is_some(), member_of(step, FROM));
    if !deploys && from.is_none() {
        // A count or a grace period: absolute, and beside nothing that it would replace.
        return Ok(());
    }
    let now = look::facts_now(cell, text(step, "cluster"), text(step, "service")).await?;
    let object = &step.object;
    let expected = text(step, "expected");
    if deploys && now.task_definition != expected {
        return superseded(format!(
            "{} was deployed to {object} meanwhile, in place of {}",
            family_revision(&now.task_definition),
            family_revision(expected)
        ));
    }
    if deploys && replaced(&now) != member_of(step, REPLACES) {
        return superseded(format!(
            "another deployment of {} began on {object} meanwhile",
            family_revision(expected)
        ));
    }
    if from.is_some_and(|from| from != now.mark()) {
        return superseded(format!(
            "the deployment rules of {object} have been changed meanwhile"
        ));
    }
    Ok(())
}
