//! Service deployments: the history of a service's rollouts, as the newer API tells it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Ecs;
use super::cluster::list;
use super::names::{text, texts};
use super::service::{Service, epoch};
use crate::twin::wire::{CallContext, TwinError};

/// How a service deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceDeploymentStatus {
    /// Under way.
    InProgress,
    /// Completed.
    Successful,
    /// Another took its place, or the circuit breaker stopped it without a rollback.
    Stopped,
    /// The circuit breaker goes back.
    RollbackInProgress,
    /// The circuit breaker went back.
    RollbackSuccessful,
    /// There was nothing to go back to, or that failed too.
    RollbackFailed,
}

impl ServiceDeploymentStatus {
    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::Stopped => "STOPPED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }
}

/// Whether the circuit breaker struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tripped {
    No,
    Yes,
}

/// One attempt to bring a service to a revision, with its rollback if there was one.
#[derive(Clone, Debug)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// How it stands.
    pub status: ServiceDeploymentStatus,
    pub(super) failures: i64,
    source_revision: Option<String>,
    target_revision: String,
    target_task_definition: String,
    began: Timestamp,
    updated: Timestamp,
    ended: Option<Timestamp>,
    rollback: Option<(Timestamp, String)>,
    tripped: Tripped,
}

impl ServiceDeployment {
    pub(super) fn begin(
        arn: String,
        source_revision: Option<String>,
        target_revision: String,
        target_task_definition: String,
        now: Timestamp,
    ) -> Self {
        Self {
            arn,
            status: ServiceDeploymentStatus::InProgress,
            failures: 0,
            source_revision,
            target_revision,
            target_task_definition,
            began: now,
            updated: now,
            ended: None,
            rollback: None,
            tripped: Tripped::No,
        }
    }

    pub(super) fn end(&mut self, status: ServiceDeploymentStatus, at: Timestamp) {
        self.status = status;
        self.updated = at;
        self.ended = Some(at);
    }

    pub(super) fn supersede(&mut self, at: Timestamp) {
        if self.ended.is_none() {
            self.end(ServiceDeploymentStatus::Stopped, at);
        }
    }

    pub(super) fn trip(&mut self) {
        self.tripped = Tripped::Yes;
    }

    pub(super) fn roll_back(&mut self, at: Timestamp, to_revision: String) {
        self.status = ServiceDeploymentStatus::RollbackInProgress;
        self.updated = at;
        self.rollback = Some((at, to_revision));
    }

    fn reason(&self) -> Option<String> {
        Some(match (self.status, self.tripped) {
            (ServiceDeploymentStatus::InProgress, _) => return None,
            (ServiceDeploymentStatus::Successful, _) => {
                "Service deployment completed successfully.".to_owned()
            }
            (ServiceDeploymentStatus::Stopped, Tripped::No) => {
                "Service deployment stopped because a newer one was created.".to_owned()
            }
            _ => "Service deployment circuit breaker: tasks failed to start.".to_owned(),
        })
    }

    fn times(&self, view: &mut Value) {
        view["createdAt"] = epoch(self.began);
        view["startedAt"] = epoch(self.began);
        if let Some(ended) = self.ended {
            view["finishedAt"] = epoch(ended);
        }
        if let Some(reason) = self.reason() {
            view["statusReason"] = json!(reason);
        }
    }

    fn brief(&self, service: &Service) -> Value {
        let mut view = json!({
            "serviceDeploymentArn": self.arn,
            "serviceArn": service.arn,
            "clusterArn": service.members.get("clusterArn"),
            "targetServiceRevisionArn": self.target_revision,
            "status": self.status.word(),
        });
        self.times(&mut view);
        view
    }

    fn view(&self, service: &Service, now: Timestamp) -> Value {
        let current = service
            .history
            .last()
            .is_some_and(|last| last.arn == self.arn);
        let running = if current { service.running_at(now) } else { 0 };
        let requested = if current { service.desired } else { 0 };
        let breaker = match (self.tripped, self.ended, service.breaker_is_on()) {
            (Tripped::Yes, ..) => "TRIGGERED",
            (Tripped::No, _, false) => "DISABLED",
            (Tripped::No, None, true) => "MONITORING",
            (Tripped::No, Some(_), true) => "MONITORING_COMPLETE",
        };
        let source: Vec<Value> = self
            .source_revision
            .iter()
            .map(|arn| {
                json!({"arn": arn, "requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0})
            })
            .collect();
        let mut view = json!({
            "serviceDeploymentArn": self.arn,
            "serviceArn": service.arn,
            "clusterArn": service.members.get("clusterArn"),
            "updatedAt": epoch(self.updated),
            "sourceServiceRevisions": source,
            "targetServiceRevision": {
                "arn": self.target_revision,
                "requestedTaskCount": requested,
                "runningTaskCount": running,
                "pendingTaskCount": (requested - running).max(0),
            },
            "status": self.status.word(),
            "deploymentConfiguration": service.members.get("deploymentConfiguration"),
            "deploymentCircuitBreaker": {
                "status": breaker,
                "failureCount": self.failures,
                "threshold": service.threshold(),
            },
            "alarms": {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []},
        });
        self.times(&mut view);
        if let Some((at, revision)) = &self.rollback {
            view["rollback"] = json!({
                "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
                "startedAt": epoch(*at),
                "serviceRevisionArn": revision,
            });
        }
        view
    }
}

impl Ecs {
    pub(super) fn list_service_deployments(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let cluster = self.cluster_of(input)?;
        let name = text(input, "service").unwrap_or_default();
        let service = self
            .services
            .seen(cx.now, &Self::service_key(&cluster, name))
            .ok_or_else(|| TwinError::client("ServiceNotFoundException", "Service not found."))?;
        let statuses = texts(input, "status");
        let between = |at: Timestamp| {
            let at = at.as_second();
            let bound = |which: &str| {
                let bound = input.get("createdAt")?.get(which)?.as_f64()?;
                #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
                let seconds = bound as i64;
                Some(seconds)
            };
            bound("after").is_none_or(|after| at >= after)
                && bound("before").is_none_or(|before| at <= before)
        };
        let briefs: Vec<Value> = service
            .history
            .iter()
            .rev()
            .filter(|d| statuses.is_empty() || statuses.contains(&d.status.word()))
            .filter(|d| between(d.began))
            .map(|d| d.brief(service))
            .collect();
        list(briefs, "serviceDeployments", 20, input)
    }

    pub(super) fn describe_service_deployments(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let wanted = texts(input, "serviceDeploymentArns");
        if wanted.is_empty() || wanted.len() > 20 {
            return Err(TwinError::client(
                "InvalidParameterException",
                "serviceDeploymentArns can have at most 20 items and at least 1.",
            ));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for arn in wanted {
            let service = owner(arn, ":service-deployment/")
                .and_then(|key| self.services.seen(cx.now, &key))
                .and_then(|s| Some((s, s.history.iter().find(|d| d.arn == arn)?)));
            match service {
                Some((service, deployment)) => found.push(deployment.view(service, cx.now)),
                None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
            }
        }
        Ok(json!({"serviceDeployments": found, "failures": failures}))
    }

    pub(super) fn describe_service_revisions(&self, input: &Value) -> Value {
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for arn in texts(input, "serviceRevisionArns") {
            let service = owner(arn, ":service-revision/")
                .and_then(|key| self.services.get(&key))
                .and_then(|s| Some((s, s.history.iter().find(|d| d.target_revision == arn)?)));
            match service {
                Some((service, deployment)) => found.push(json!({
                    "serviceRevisionArn": arn,
                    "serviceArn": service.arn,
                    "clusterArn": service.members.get("clusterArn"),
                    "taskDefinition": deployment.target_task_definition,
                    "launchType": service.members.get("launchType"),
                    "createdAt": epoch(deployment.began),
                })),
                None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
            }
        }
        json!({"serviceRevisions": found, "failures": failures})
    }
}

/// `cluster/service` in `...:<kind>/cluster/service/id`.
fn owner(arn: &str, kind: &str) -> Option<String> {
    let (_, path) = arn.split_once(kind)?;
    let (key, _) = path.rsplit_once('/')?;
    Some(key.to_owned())
}
