//! Rollouts: how tasks are replaced as time passes, how they fail, and how the circuit breaker goes back.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TaskDefinition;
use super::deployments::{ServiceDeployment, ServiceDeploymentStatus};
use super::service::{
    Cause, Completed, Deployment, DeploymentStatus, Ramp, RolloutState, Service, TaskHealth,
};
use crate::twin::ids::Ids;

/// Rounds of failing starts before ECS waits longer between them.
const QUICK_ROUNDS: u32 = 10;
/// The longest wait between failing starts (ECS Developer Guide, service throttle logic).
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Whose tasks crash. Every condition that is set must hold; none set means every revision.
#[derive(Clone, Debug, Default)]
pub struct CrashRule {
    /// The family.
    pub family: Option<String>,
    /// The image of any container.
    pub image: Option<String>,
    /// Task memory below this many MiB.
    pub memory_below: Option<i64>,
    /// The revision.
    pub revision: Option<i64>,
}

impl CrashRule {
    fn hits(&self, definition: &TaskDefinition) -> bool {
        let memory = || definition.memory().unwrap_or(i64::MAX);
        self.family.as_ref().is_none_or(|f| *f == definition.family)
            && self.revision.is_none_or(|r| r == definition.revision)
            && self.memory_below.is_none_or(|bound| memory() < bound)
            && self
                .image
                .as_ref()
                .is_none_or(|image| definition.images().any(|i| i == image))
    }
}

/// How long rollouts take and whose tasks crash.
#[derive(Clone, Debug)]
pub struct RolloutRules {
    /// From the start of a rollout to its completion.
    pub duration: Duration,
    /// From a change of the desired count until that many run.
    pub count_change: Duration,
    /// From the start of a crashing task to its end.
    pub crash_after: Duration,
    /// Whose tasks crash. Looked at when a deployment begins.
    pub crashes: Vec<CrashRule>,
}

impl Default for RolloutRules {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(30),
            count_change: Duration::from_secs(5),
            crash_after: Duration::from_secs(10),
            crashes: Vec::new(),
        }
    }
}

impl RolloutRules {
    /// What becomes of the tasks of a deployment of `definition` that begins now.
    pub(super) fn health(&self, definition: &TaskDefinition) -> TaskHealth {
        if self.crashes.iter().any(|rule| rule.hits(definition)) {
            TaskHealth::Crashing
        } else {
            TaskHealth::Healthy
        }
    }
}

/// What the circuit breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Off,
    Stops,
    RollsBack,
}

impl Service {
    /// Begins a deployment of the task definition `arn`, whose tasks fare as `health` says.
    pub(super) fn begin(&mut self, arn: &str, health: TaskHealth, now: Timestamp, ids: &mut Ids) {
        let number = ids.number();
        let revision = self.sibling_arn("service-revision", &ids.number());
        if let Some(last) = self.history.last_mut() {
            last.supersede(now);
        }
        self.history.push(ServiceDeployment::begin(
            self.sibling_arn("service-deployment", &ids.number()),
            self.deployments.first().map(|d| d.revision_arn.clone()),
            revision.clone(),
            arn.to_owned(),
            now,
        ));
        self.put_first(number, arn, revision, health, Cause::Asked, now);
    }

    fn put_first(
        &mut self,
        number: String,
        arn: &str,
        revision_arn: String,
        health: TaskHealth,
        cause: Cause,
        now: Timestamp,
    ) {
        for older in &mut self.deployments {
            older.status = DeploymentStatus::Active;
            older.updated = now;
        }
        let id = format!("ecs-svc/{number}");
        let reason = format!("ECS deployment {id} in progress.");
        arn.clone_into(&mut self.task_definition);
        self.deployments.insert(
            0,
            Deployment {
                id,
                status: DeploymentStatus::Primary,
                task_definition: arn.to_owned(),
                rollout: RolloutState::InProgress,
                reason,
                failed: 0,
                health,
                cause,
                rounds: 0,
                round_began: now,
                revision_arn,
                created: now,
                updated: now,
            },
        );
    }

    /// `arn:...:<kind>/<cluster>/<service>/<id>`.
    fn sibling_arn(&self, kind: &str, id: &str) -> String {
        format!(
            "{}/{id}",
            self.arn.replacen(":service/", &format!(":{kind}/"), 1)
        )
    }

    /// Whether time alone will change it.
    pub(super) fn is_moving(&self, now: Timestamp, rules: &RolloutRules) -> bool {
        self.is_rolling_out() || now < self.running.start + rules.count_change
    }

    /// Lets rollouts move until `now`.
    pub(super) fn settle(&mut self, now: Timestamp, rules: &RolloutRules, ids: &mut Ids) {
        loop {
            let (breaker, threshold, desired) = (self.breaker(), self.threshold(), self.desired);
            let Some(primary) = self.deployments.first_mut() else {
                return;
            };
            if primary.rollout != RolloutState::InProgress {
                return;
            }
            if primary.health == TaskHealth::Healthy || desired == 0 {
                let done = primary.created + rules.duration;
                if now >= done {
                    self.complete(done);
                }
                return;
            }
            let wait = if primary.rounds < QUICK_ROUNDS {
                rules.crash_after
            } else {
                LONGEST_WAIT
            };
            let ends = primary.round_began + wait;
            if now < ends {
                return;
            }
            primary.rounds += 1;
            primary.round_began = ends;
            primary.failed += desired;
            primary.updated = ends;
            let failed = primary.failed;
            if let Some(current) = self.history.last_mut() {
                current.failures = failed;
            }
            self.tell(ends, "is unable to consistently start tasks successfully.");
            if failed >= threshold && breaker != Breaker::Off {
                self.fail(ends, breaker, ids);
            }
        }
    }

    /// Ends what moves at once.
    pub(super) fn finish(&mut self, now: Timestamp) {
        self.running = Ramp {
            from: self.desired,
            to: self.desired,
            start: now,
            length: Duration::ZERO,
        };
        if self.is_rolling_out() {
            self.complete(now);
        }
    }

    fn complete(&mut self, at: Timestamp) {
        self.deployments.truncate(1);
        let Some(primary) = self.deployments.first_mut() else {
            return;
        };
        primary.rollout = RolloutState::Completed;
        primary.reason = format!("ECS deployment {} completed.", primary.id);
        primary.updated = at;
        let status = match primary.cause {
            Cause::Asked => ServiceDeploymentStatus::Successful,
            Cause::RolledBack => ServiceDeploymentStatus::RollbackSuccessful,
        };
        let completed = Completed {
            id: primary.id.clone(),
            task_definition: primary.task_definition.clone(),
            revision_arn: primary.revision_arn.clone(),
        };
        let text = format!("(deployment {}) deployment completed.", primary.id);
        self.last_completed = Some(completed);
        if let Some(current) = self.history.last_mut() {
            current.end(status, at);
        }
        self.tell(at, &text);
        self.tell(at, "has reached a steady state.");
    }

    /// The circuit breaker trips.
    fn fail(&mut self, at: Timestamp, breaker: Breaker, ids: &mut Ids) {
        let Some(primary) = self.deployments.first_mut() else {
            return;
        };
        primary.rollout = RolloutState::Failed;
        primary.reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
        primary.updated = at;
        let (id, cause) = (primary.id.clone(), primary.cause);
        self.tell(
            at,
            &format!("(deployment {id}) deployment failed: tasks failed to start."),
        );
        let target = match (breaker, cause) {
            (Breaker::RollsBack, Cause::Asked) => self.last_completed.clone(),
            _ => None,
        };
        let Some(target) = target else {
            // Without a completed deployment there is nothing to go back to.
            let status = match cause {
                Cause::RolledBack => ServiceDeploymentStatus::RollbackFailed,
                Cause::Asked if breaker == Breaker::RollsBack => {
                    ServiceDeploymentStatus::RollbackFailed
                }
                Cause::Asked => ServiceDeploymentStatus::Stopped,
            };
            if let Some(current) = self.history.last_mut() {
                current.trip();
                current.end(status, at);
            }
            return;
        };
        if let Some(current) = self.history.last_mut() {
            current.trip();
            current.roll_back(at, target.revision_arn.clone());
        }
        // What ran before runs still: a rollback to it does not crash.
        self.put_first(
            ids.number(),
            &target.task_definition,
            target.revision_arn,
            TaskHealth::Healthy,
            Cause::RolledBack,
            at,
        );
        if let Some(primary) = self.deployments.first_mut() {
            primary.reason = format!(
                "ECS deployment circuit breaker: rolling back to deploymentId {}.",
                target.id
            );
        }
        self.tell(at, &format!("rolling back to deployment {}.", target.id));
    }

    fn breaker_setting(&self, member: &str) -> Option<&Value> {
        self.members
            .get("deploymentConfiguration")?
            .get("deploymentCircuitBreaker")?
            .get(member)
    }

    fn breaker(&self) -> Breaker {
        let on = |member| self.breaker_setting(member) == Some(&json!(true));
        match (on("enable"), on("rollback")) {
            (false, _) => Breaker::Off,
            (true, false) => Breaker::Stops,
            (true, true) => Breaker::RollsBack,
        }
    }

    /// How many failed tasks trip the circuit breaker: half the desired count, from 3 to 200,
    /// unless `thresholdConfiguration` says otherwise.
    pub(super) fn threshold(&self) -> i64 {
        let configured = self.breaker_setting("thresholdConfiguration");
        let kind = configured
            .and_then(|c| c.get("type")?.as_str())
            .unwrap_or("BOUNDED_PERCENT");
        let value = configured
            .and_then(|c| c.get("value")?.as_i64())
            .unwrap_or(50);
        let share = (self.desired * value + 99) / 100;
        match kind {
            "COUNT" => value,
            "UNBOUNDED_PERCENT" => share.max(1),
            _ => share.clamp(3, 200),
        }
    }

    pub(super) fn breaker_is_on(&self) -> bool {
        self.breaker() != Breaker::Off
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::twin::Twin;
    use crate::twin::estate::FargateService;

    async fn twin(desired: i64) -> (Twin, Clock) {
        let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
        let twin = Twin::new(clock.clone(), 7);
        let web = FargateService::new("c", "web").desired(desired);
        twin.world(|w| w.add_service(&web)).unwrap();
        clock.sleep(Duration::from_secs(60)).await;
        (twin, clock)
    }

    fn seen(twin: &Twin) -> Value {
        let input = json!({"cluster": "c", "services": ["web"]});
        let answer = twin.world(|w| w.call("ecs", "DescribeServices", &input));
        answer.unwrap()["services"][0].clone()
    }

    fn latest_deployment(twin: &Twin) -> Value {
        twin.world(|w| {
            let input = json!({"cluster": "c", "service": "web"});
            let listed = w.call("ecs", "ListServiceDeployments", &input).unwrap();
            let arn = &listed["serviceDeployments"][0]["serviceDeploymentArn"];
            let input = json!({"serviceDeploymentArns": [arn]});
            let answer = w.call("ecs", "DescribeServiceDeployments", &input);
            answer.unwrap()["serviceDeployments"][0].clone()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollout_replaces_tasks_as_time_passes_and_completes() {
        let (twin, clock) = twin(4).await;
        twin.world(|w| w.deploy_image("c", "web", "web:2")).unwrap();
        clock.sleep(Duration::from_secs(16)).await;
        let half = seen(&twin);
        assert_eq!(half["runningCount"], 4);
        assert_eq!(half["deployments"][0]["runningCount"], 2);
        assert_eq!(half["deployments"][0]["rolloutState"], "IN_PROGRESS");
        assert_eq!(half["deployments"][1]["runningCount"], 2);
        assert_eq!(latest_deployment(&twin)["status"], "IN_PROGRESS");
        clock.sleep(Duration::from_secs(15)).await;
        let done = seen(&twin);
        assert_eq!(done["deployments"].as_array().unwrap().len(), 1);
        assert_eq!(done["deployments"][0]["rolloutState"], "COMPLETED");
        assert_eq!(latest_deployment(&twin)["status"], "SUCCESSFUL");
    }

    #[tokio::test(start_paused = true)]
    async fn the_circuit_breaker_goes_back_to_the_last_completed_deployment() {
        let (twin, clock) = twin(4).await;
        let before = seen(&twin);
        twin.world(|w| {
            w.ecs.rollouts.crashes.push(CrashRule {
                image: Some("web:bad".to_owned()),
                ..CrashRule::default()
            });
            w.deploy_image("c", "web", "web:bad").unwrap();
        });
        clock.sleep(Duration::from_secs(11)).await;
        let after = seen(&twin);
        assert_eq!(after["taskDefinition"], before["taskDefinition"]);
        assert_eq!(after["runningCount"], 4);
        let (back, failed) = (&after["deployments"][0], &after["deployments"][1]);
        assert_eq!(failed["rolloutState"], "FAILED");
        assert_eq!(failed["failedTasks"], 4);
        assert_eq!(
            failed["rolloutStateReason"],
            "ECS deployment circuit breaker: tasks failed to start."
        );
        let old = before["deployments"][0]["id"].as_str().unwrap();
        let reason = back["rolloutStateReason"].as_str().unwrap();
        assert_eq!(
            reason,
            format!("ECS deployment circuit breaker: rolling back to deploymentId {old}.")
        );
        let history = latest_deployment(&twin);
        assert_eq!(history["status"], "ROLLBACK_IN_PROGRESS");
        assert_eq!(history["deploymentCircuitBreaker"]["status"], "TRIGGERED");
        clock.sleep(Duration::from_secs(30)).await;
        let settled = seen(&twin);
        assert_eq!(settled["deployments"].as_array().unwrap().len(), 1);
        assert_eq!(latest_deployment(&twin)["status"], "ROLLBACK_SUCCESSFUL");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_circuit_breaker_a_size_that_is_too_small_fails_for_ever_and_is_curable() {
        let (twin, clock) = twin(1).await;
        twin.world(|w| {
            let off = json!({"enable": false, "rollback": false});
            let off = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": off}});
            w.update_service("c", "web", off).unwrap();
            w.ecs.rollouts.crashes.push(CrashRule {
                family: Some("web".to_owned()),
                memory_below: Some(1024),
                ..CrashRule::default()
            });
            w.deploy_image("c", "web", "web:2").unwrap();
        });
        clock.sleep(Duration::from_secs(3600)).await;
        let failing = seen(&twin);
        assert_eq!(failing["deployments"][0]["rolloutState"], "IN_PROGRESS");
        assert!(failing["deployments"][0]["failedTasks"].as_i64().unwrap() > 10);
        twin.world(|w| w.resize("c", "web", 256, 1024)).unwrap();
        clock.sleep(Duration::from_secs(31)).await;
        let cured = seen(&twin);
        assert_eq!(cured["deployments"][0]["rolloutState"], "COMPLETED");
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_moves_over_a_few_seconds_and_deploys_nothing() {
        let (twin, clock) = twin(2).await;
        twin.world(|w| w.set_desired_count("c", "web", 12)).unwrap();
        clock.sleep(Duration::from_secs(2)).await;
        let moving = seen(&twin);
        assert_eq!(moving["runningCount"], 6);
        assert_eq!(moving["pendingCount"], 6);
        clock.sleep(Duration::from_secs(4)).await;
        let there = seen(&twin);
        assert_eq!(there["runningCount"], 12);
        assert_eq!(there["deployments"].as_array().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_rollout_takes_the_place_of_one_under_way() {
        let (twin, clock) = twin(2).await;
        twin.world(|w| w.deploy_image("c", "web", "web:2")).unwrap();
        clock.sleep(Duration::from_secs(5)).await;
        twin.world(|w| w.deploy_image("c", "web", "web:3")).unwrap();
        let both = seen(&twin);
        assert_eq!(both["deployments"].as_array().unwrap().len(), 3);
        clock.sleep(Duration::from_secs(31)).await;
        let definition = twin.world(|w| w.task_definition_of("c", "web").cloned());
        let images: Vec<_> = definition.as_ref().unwrap().images().collect();
        assert_eq!(images, ["web:3"]);
        let input = json!({"cluster": "c", "service": "web", "status": ["STOPPED"]});
        let listed = twin.world(|w| w.call("ecs", "ListServiceDeployments", &input));
        let stopped = listed.unwrap()["serviceDeployments"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(stopped, 1);
    }
}
