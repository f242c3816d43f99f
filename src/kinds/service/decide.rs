//! Deciding: which writes bring one service in order, and what holds them back.
//!
//! Pure. Fields that share a call share a step: all of UpdateService's go in one.

use jiff::SignedDuration;
use serde_json::{Map, json};

use super::beside;
use super::deploying;
use super::facts::{Facts, family_revision};
use super::past;
use super::scaling;
use super::sizing;
use super::unmoved::{FROM, Mark as _, REPLACES, replaced};
use crate::kinds::{Allow, Decision, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::plan::Rollout;
use crate::model::tree::Tree;

/// How long a deployment's tasks must have failed before a new size may overtake it: a size that
/// is too small has to be curable, and a deployment needs a few minutes to show that it fails.
pub const FAILING_FOR: SignedDuration = SignedDuration::from_mins(10);

const NO_TASKS: &str = "desiredCount 0 stops every task of the service";

/// A decision in the making.
pub struct Draft<'a> {
    /// What was asked.
    pub question: &'a Question<'a>,
    /// The live service.
    pub facts: &'a Facts,
    /// What is decided so far.
    pub out: Decision,
    /// Each step's worst, and why.
    pub risks: Vec<(Risk, String)>,
    /// Members of the one UpdateService, if it is to be sent.
    pub update: Map<String, Tree>,
}

/// What to do about one service.
pub fn decide(question: &Question<'_>) -> Decision {
    let Some(live) = question.live else {
        return held(Hold::MustExist {
            help: format!(
                "Evenkeel never creates services; create {} with Terraform or CDK, or mend \
                 `cluster` and `serviceName`",
                object(question.desired)
            ),
        });
    };
    let Some(facts) = Facts::of(live) else {
        return held(Hold::Unreadable {
            cause: "the snapshot of it was made by another version of evenkeel".to_owned(),
        });
    };
    if facts.status != "ACTIVE" {
        return held(Hold::MustExist {
            help: format!(
                "it is {}: being deleted, or deleted; create it anew with Terraform or CDK, or \
                 take its document out",
                facts.status
            ),
        });
    }
    let mut draft = Draft {
        question,
        facts: &facts,
        out: Decision::default(),
        risks: Vec::new(),
        update: Map::new(),
    };
    draft.notes();
    match forbidden(&facts) {
        Some(why) if !question.drift.is_empty() => {
            draft.hold(Hold::OwnedElsewhere { why });
            return draft.out;
        }
        Some(_) => return draft.out,
        None => {}
    }
    draft.tags();
    scaling::decide(&mut draft);
    deploying::decide(&mut draft);
    draft.count();
    sizing::decide(&mut draft);
    draft.send_update();
    draft.rollout();
    draft.out.moving = !facts.others.is_empty();
    draft.finish()
}

fn held(hold: Hold) -> Decision {
    Decision {
        holds: vec![hold],
        ..Decision::default()
    }
}

/// `cluster/service`, by which steps name it.
pub fn object(desired: &Tree) -> String {
    let text = |field| {
        desired
            .get(field)
            .and_then(Tree::as_str)
            .unwrap_or_default()
    };
    format!("{}/{}", text("cluster"), text("serviceName"))
}

/// Why AWS, or another owner, leaves nothing here to be written.
pub fn forbidden(facts: &Facts) -> Option<String> {
    if facts.managed_by == "ECS" {
        return Some(
            "the service is of ECS Express mode (resourceManagementType ECS), which manages all \
             of its parts itself; change it through Express mode and take this document out"
                .to_owned(),
        );
    }
    if facts.controller != "ECS" {
        return Some(format!(
            "the service's deployment controller is {0}: its deployments are made by {1}, not by \
             UpdateService; change it there, or take this document out",
            facts.controller,
            match facts.controller.as_str() {
                "CODE_DEPLOY" => "CodeDeploy",
                _ => "a controller outside of ECS",
            }
        ));
    }
    (facts.scheduling == "DAEMON").then(|| {
        "the service is a DAEMON: it runs one task on each instance, with no count, size rollout \
         or scaling of its own to keep; take this document out"
            .to_owned()
    })
}

impl Draft<'_> {
    /// Drift at or below `spec.<first>`.
    pub fn drift_of(&self, first: &str) -> Vec<&Drift> {
        self.question
            .drift
            .iter()
            .filter(|d| d.path.segments().get(1).is_some_and(|s| s == first))
            .collect()
    }

    /// Holds something back.
    pub fn hold(&mut self, hold: Hold) {
        if !self.out.holds.contains(&hold) {
            self.out.holds.push(hold);
        }
    }

    /// Adds a step.
    pub fn step(&mut self, operation: &str, object: String, title: String, detail: Tree) {
        self.out.steps.push(Step {
            operation: operation.to_owned(),
            object,
            title,
            detail,
        });
    }

    /// The hold for what must not happen while tasks are being replaced; `None` when it may.
    pub fn rollout_hold(&self) -> Option<Hold> {
        let primary = self.facts.rollout()?;
        let passes = self.question.policy.during_rollout == Allow::Yes || self.is_failing();
        (!passes).then(|| Hold::RolloutInProgress {
            deployment: format!(
                "{}, {} of {} tasks run {}",
                primary.id,
                primary.running,
                primary.desired,
                family_revision(&primary.task_definition)
            ),
        })
    }

    /// Whether the deployment under way has had failing tasks for longer than the bound.
    pub fn is_failing(&self) -> bool {
        self.facts.rollout().is_some_and(|primary| {
            primary.failed > 0
                && primary
                    .created_at
                    .is_some_and(|at| at + FAILING_FOR <= self.question.now)
        })
    }

    fn notes(&mut self) {
        let target = self.facts.scaling.as_ref().and_then(|s| s.target.as_ref());
        if let Some(target) = target.filter(|t| !t.suspended.is_empty()) {
            self.out.notes.push(format!(
                "auto scaling is suspended by an operator and left so: {}",
                target.suspended.join(", ")
            ));
            self.out.beside.push(beside::suspended(target));
        }
    }

    fn tags(&mut self) {
        let tags: Map<String, Tree> = self
            .drift_of("tags")
            .iter()
            .filter_map(|d| Some((d.path.segments().get(2)?.clone(), d.desired.clone())))
            .collect();
        if tags.is_empty() {
            return;
        }
        let names: Vec<&str> = tags.keys().map(String::as_str).collect();
        let title = format!("tag the service: {}", names.join(", "));
        let detail = json!({"resourceArn": self.facts.arn, "tags": tags});
        self.step(
            "ecs.TagResource",
            object(self.question.desired),
            title,
            detail,
        );
        self.risks
            .push((Risk::Routine, "tags change nothing that runs".to_owned()));
    }

    fn count(&mut self) {
        let Some(wanted) = self
            .question
            .desired
            .get("desiredCount")
            .and_then(Tree::as_u64)
        else {
            return;
        };
        let target = self.facts.scaling.as_ref().and_then(|s| s.target.as_ref());
        if let Some(target) = target {
            self.hold(Hold::OwnedElsewhere {
                why: format!(
                    "Application Auto Scaling owns the task count (a scalable target with bounds \
                     {} to {} exists); write `scaling` instead of `desiredCount`, or deregister \
                     the target",
                    target.min, target.max
                ),
            });
            return;
        }
        if self.drift_of("desiredCount").is_empty() {
            return;
        }
        let live = u64::from(self.facts.desired_count);
        if wanted == 0 && self.question.policy.destructive == Allow::No {
            // The rest is not kept waiting for a permission that it does not need.
            self.hold(Hold::Destructive {
                why: NO_TASKS.to_owned(),
            });
            return;
        }
        self.update.insert("desiredCount".into(), json!(wanted));
        self.risks.push(match wanted {
            0 => (Risk::Destructive, NO_TASKS.to_owned()),
            n if n < live => (
                Risk::Disruptive,
                format!("{} of {live} tasks are stopped", live - n),
            ),
            n => (Risk::Routine, format!("{} tasks are added", n - live)),
        });
    }

    /// Whether a rollout forbids what starts another one; if so, says it. Only a size does: counts
    /// and bounds change how many tasks run of whatever revision, as auto scaling does meanwhile.
    pub fn waits_for_rollout(&mut self) -> bool {
        let hold = self.rollout_hold();
        let waits = hold.is_some();
        if let Some(hold) = hold {
            self.hold(hold);
        }
        waits
    }

    /// The one UpdateService.
    fn send_update(&mut self) {
        if self.update.is_empty() {
            return;
        }
        let words: Vec<&str> = [
            ("base", "new revision"),
            ("desiredCount", "desired count"),
            ("deploymentConfiguration", "deployment rules"),
            ("healthCheckGracePeriodSeconds", "grace period"),
        ]
        .iter()
        .filter(|(member, _)| self.update.contains_key(*member))
        .map(|(_, word)| *word)
        .collect();
        let object = object(self.question.desired);
        let title = format!("update {object}: {}", words.join(", "));
        let mut detail = std::mem::take(&mut self.update);
        detail.insert("expected".into(), json!(self.facts.task_definition.clone()));
        if detail.contains_key("base") {
            detail.insert(REPLACES.into(), json!(replaced(self.facts)));
        }
        if detail.contains_key("deploymentConfiguration") {
            detail.insert(FROM.into(), json!(self.facts.mark()));
        }
        for (member, field) in [("cluster", "cluster"), ("service", "serviceName")] {
            if let Some(value) = self.question.desired.get(field) {
                detail.insert(member.into(), value.clone());
            }
        }
        if self.risks.is_empty() {
            self.risks
                .push((Risk::Routine, "no deployment starts from it".to_owned()));
        }
        self.step("ecs.UpdateService", object, title, Tree::Object(detail));
    }

    fn rollout(&mut self) {
        if self.out.rollout.is_some() {
            return;
        }
        let (Some(written), Some(primary)) =
            (past::written(self.question.memory), self.facts.primary())
        else {
            return;
        };
        if primary.task_definition != written.revision {
            return;
        }
        let revision = family_revision(&primary.task_definition);
        if primary.rollout_state == "FAILED" {
            self.out.rollout = Some(Rollout::Failed {
                detail: format!("the deployment of {revision} failed: {}", primary.reason),
            });
        } else if self.facts.rollout().is_some() {
            self.out.rollout = Some(Rollout::InProgress {
                detail: format!(
                    "{} of {} tasks run {revision}",
                    primary.running, primary.desired
                ),
            });
        }
    }

    fn finish(mut self) -> Decision {
        if !self.out.steps.is_empty() {
            let worst = self.risks.iter().map(|(risk, _)| *risk).max();
            let mut reasons: Vec<&str> = Vec::new();
            for (risk, why) in &self.risks {
                // Steps of one sort share their reason.
                if Some(*risk) == worst && !reasons.contains(&why.as_str()) {
                    reasons.push(why);
                }
            }
            self.out.risk = worst.map(|worst| (worst, reasons.join("; ")));
        }
        self.out
    }
}
