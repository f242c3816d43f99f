//! Effects: what a write whose answer was lost has left behind.

use serde_json::json;

use super::aws::ServiceDriver;
use super::facts::{Deployment, family_revision};
use super::look::facts_now;
use super::revision;
use super::size::Size;
use crate::aws::call::AwsError;
use crate::aws::fault::Fault;
use crate::kinds::Applied;
use crate::model::change::Step;
use crate::model::tree::Tree;

/// The effect of `step`, if it shows itself; `None` leaves the answer to the object's drift.
///
/// # Errors
/// AWS's.
pub async fn find(
    driver: &ServiceDriver,
    intent: &str,
    step: &Step,
) -> Result<Option<Applied>, AwsError> {
    let Some(base) = text(step, "base") else {
        return Ok(None);
    };
    match step.operation.as_str() {
        "ecs.RegisterTaskDefinition" => {
            let found = revision::registered_by(&driver.cell, intent, base).await?;
            Ok(found.map(|revision| Applied {
                detail: driver.registered(&revision.arn),
            }))
        }
        "ecs.UpdateService" => deployment(driver, step, base).await,
        _ => Ok(None),
    }
}

fn text<'s>(step: &'s Step, member: &str) -> Option<&'s str> {
    step.detail.get(member).and_then(Tree::as_str)
}

/// The deployment that an UpdateService made. Drift alone would tell that it came, and not when:
/// a roll-back is known by the time of the deployment that was rolled back.
async fn deployment(
    driver: &ServiceDriver,
    step: &Step,
    base: &str,
) -> Result<Option<Applied>, AwsError> {
    let (cluster, service) = (text(step, "cluster"), text(step, "service"));
    let (Some(cluster), Some(service)) = (cluster, service) else {
        return Ok(None);
    };
    let facts = facts_now(&driver.cell, cluster, service).await?;
    // Another one than the newest may be the end of an earlier write, unless it has failed.
    let likely = |d: &&Deployment| d.status == "PRIMARY" || d.rollout_state == "FAILED";
    for made in facts.deployments.iter().filter(likely) {
        if made.task_definition != base && runs_it(driver, step, base, made).await? {
            let detail = json!({
                "taskDefinition": made.task_definition,
                "deployment": made.id,
                "at": made.created_at,
            });
            return Ok(Some(Applied { detail }));
        }
    }
    Ok(None)
}

/// Whether a deployment runs what the step was to deploy: the revision that it names, or the one
/// that an earlier step registered for it.
async fn runs_it(
    driver: &ServiceDriver,
    step: &Step,
    base: &str,
    made: &Deployment,
) -> Result<bool, AwsError> {
    if let Some(named) = text(step, "taskDefinition") {
        return Ok(named == made.task_definition);
    }
    let Some(size) = step.detail.get("size").and_then(Size::of) else {
        return Ok(false);
    };
    let revision = match driver.revisions.get(&made.task_definition) {
        Some(kept) => kept,
        None => match revision::describe(&driver.cell, &made.task_definition).await {
            Ok((_, revision)) => revision,
            // One that is gone is nobody's any more.
            Err(error) if matches!(error.fault, Fault::Terminal | Fault::NotFound) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        },
    };
    let patched = revision.base.as_deref() == Some(family_revision(base));
    Ok(revision.intent.is_some() && patched && size.is_of(&revision))
}
