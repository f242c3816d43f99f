//! Deploying: how deployments replace tasks, and how long their health checks wait.
//!
//! Pure. No deployment starts from any of it, and one that is stuck may need just these to go on,
//! so they never wait for it. What AWS would refuse is held alone: all fields of one service
//! share a call, and a refused one would take the others down with it.

use serde_json::{Map, json};

use super::decide::Draft;
use super::facts::Facts;
use crate::model::change::Hold;
use crate::model::tree::Tree;

/// Members that say how many tasks a deployment may take away and add.
const SHARES: [&str; 2] = ["minimumHealthyPercent", "maximumPercent"];

/// Decides on deployment rules and grace period.
pub fn decide(draft: &mut Draft<'_>) {
    rules(draft);
    grace(draft);
}

fn rules(draft: &mut Draft<'_>) {
    if draft.drift_of("deployment").is_empty() {
        return;
    }
    let wanted = draft.question.desired.get("deployment");
    let mut merged = live_configuration(draft.facts);
    if let Some(breaker) = wanted
        .and_then(|w| w.get("circuitBreaker"))
        .and_then(Tree::as_object)
    {
        let live = merged
            .entry("deploymentCircuitBreaker")
            .or_insert_with(|| json!({}));
        if let Some(live) = live.as_object_mut() {
            live.extend(breaker.clone());
        }
    }
    let mut with_shares = merged.clone();
    for field in SHARES {
        if let Some(value) = wanted.and_then(|w| w.get(field)) {
            with_shares.insert(field.into(), value.clone());
        }
    }
    match no_room(&with_shares) {
        Some(why) => draft.hold(Hold::Conflict { why }),
        None => merged = with_shares,
    }
    // UpdateService takes the whole of it.
    if merged != live_configuration(draft.facts) {
        draft
            .update
            .insert("deploymentConfiguration".into(), Tree::Object(merged));
    }
}

fn live_configuration(facts: &Facts) -> Map<String, Tree> {
    facts
        .deployment_configuration
        .as_object()
        .cloned()
        .unwrap_or_default()
}

/// Why AWS refuses these shares, if it does: a document names one of them, the other is live.
fn no_room(configuration: &Map<String, Tree>) -> Option<String> {
    let of = |member: &str, default: u64| {
        configuration
            .get(member)
            .and_then(Tree::as_u64)
            .unwrap_or(default)
    };
    let (least, most) = (
        of("minimumHealthyPercent", LEAST_HEALTHY),
        of("maximumPercent", 200),
    );
    (most <= 100 && most <= least).then(|| {
        format!(
            "with minimumHealthyPercent {least} and maximumPercent {most} no task could ever be \
             replaced, which AWS refuses; name both in `deployment`, and lower the one or raise \
             the other"
        )
    })
}

fn grace(draft: &mut Draft<'_>) {
    let [grace] = draft.drift_of("healthCheckGracePeriodSeconds")[..] else {
        return;
    };
    let seconds = grace.desired.clone();
    if !draft.facts.load_balanced {
        draft.hold(Hold::Conflict {
            why: "the service has no load balancer, and AWS takes a grace period only with one; \
                  take `healthCheckGracePeriodSeconds` out, and give a slow container a \
                  `startPeriod` in the health check of its task definition"
                .to_owned(),
        });
        return;
    }
    draft
        .update
        .insert("healthCheckGracePeriodSeconds".into(), seconds);
}

/// What AWS takes for the least share of healthy tasks of a REPLICA service when nothing is said.
const LEAST_HEALTHY: u64 = 100;

/// The least share of healthy tasks, in percent, while the deployment that the draft starts
/// replaces them.
pub fn minimum_healthy(draft: &Draft<'_>) -> u64 {
    draft
        .update
        .get("deploymentConfiguration")
        .unwrap_or(&draft.facts.deployment_configuration)
        .get("minimumHealthyPercent")
        .and_then(Tree::as_u64)
        .unwrap_or(LEAST_HEALTHY)
}
