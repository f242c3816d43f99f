//! A world with one service in it, to ask what is decided for it from what AWS answers.

mod bench;
mod documents;
mod driver;
mod forbidden;
mod meanwhile;
mod ownership;
mod refused;
mod rolled_back;
mod rollouts;
mod scaling;
mod schedules;
mod size;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Service, view};
use crate::kinds::service::facts::{History, PastDeployment};
use crate::kinds::trial::{ALL_ALLOWED, document, rules_found, set};
use crate::kinds::{Decision, Kind as _, Policy, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::memory::ObjectMemory;
use crate::model::plan::Rollout;
use crate::model::snapshot::Live;
use crate::plan::diff::diff;

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn seconds(minutes_ago: i64) -> i64 {
    now().as_second() - minutes_ago * 60
}

fn arn(revision: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:{revision}")
}

fn deployment(status: &str, revision: u32, state: &str, minutes_ago: i64) -> Value {
    json!({
        "id": format!("ecs-svc/{revision}"), "status": status, "taskDefinition": arn(revision),
        "desiredCount": 2, "runningCount": 2, "failedTasks": 0, "rolloutState": state,
        "rolloutStateReason": "because", "createdAt": seconds(minutes_ago),
    })
}

/// A world with one service in it: two tasks of 256 units and 512 MiB, revision 7.
struct World {
    service: Value,
    revision: Value,
    others: Vec<Value>,
    scaling: Option<crate::kinds::service::facts::Scaling>,
    history: History,
    memory: ObjectMemory,
    policy: Policy,
}

fn task_definition(revision: u32, cpu: &str, memory: &str, tags: Value) -> Value {
    json!({
        "taskDefinition": {
            "taskDefinitionArn": arn(revision), "family": "web", "revision": revision,
            "cpu": cpu, "memory": memory, "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [{
                "name": "app", "cpu": 0,
                "environment": [{"name": "PASSWORD", "value": "hunter2"}],
            }],
        },
        "tags": tags,
    })
}

fn world() -> World {
    World {
        service: json!({
            "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/main/web",
            "serviceName": "web", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
            "taskDefinition": arn(7), "schedulingStrategy": "REPLICA",
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100, "maximumPercent": 200, "somethingNew": {"a": 1},
            },
            "deployments": [deployment("PRIMARY", 7, "COMPLETED", 600)],
            "loadBalancers": [{"targetGroupArn": "arn:x", "containerName": "app", "containerPort": 80}],
            "tags": [{"key": "team", "value": "journal"}],
        }),
        revision: task_definition(7, "256", "512", json!([])),
        others: Vec::new(),
        scaling: None,
        history: History::NotRead,
        memory: ObjectMemory::default(),
        policy: Policy::CONTROLLER,
    }
}

impl World {
    fn live(&self) -> Live {
        let mut facts = view::facts(&self.service).unwrap();
        facts.revision = view::revision(&self.revision);
        facts.scaling = self.scaling.clone();
        facts.history = self.history.clone();
        facts.others = self
            .others
            .iter()
            .filter_map(view::revision)
            .map(|r| (r.arn.clone(), r))
            .collect();
        Live {
            view: view::view(&self.service, &facts),
            facts: facts.kept(),
        }
    }

    fn ask(&self, spec: Value) -> (Vec<Drift>, Decision) {
        let mut spec = spec;
        spec["cluster"] = json!("main");
        spec["serviceName"] = json!("web");
        let document = document("Service", spec);
        let set = set([document.clone()]);
        let errors = Service.check(&document, &set);
        assert!(
            errors
                .iter()
                .all(|f| f.severity == crate::model::finding::Severity::Warning),
            "{errors:?}"
        );
        let live = self.live();
        let desired = Service.expected(Service.desired(&document, &set), &live, now());
        let drift = diff(&desired, &live.view, Service.rules(), Service.identity());
        let decision = Service.decide(&Question {
            key: &document.key,
            desired: &desired,
            live: Some(&live),
            drift: &drift,
            memory: &self.memory,
            policy: &self.policy,
            now: now(),
        });
        (drift, decision)
    }

    fn decide(&self, spec: Value) -> Decision {
        self.ask(spec).1
    }

    /// With auto scaling read.
    fn scaled(mut self, target: Option<(u32, u32)>, policies: Value, actions: Value) -> Self {
        let target = target
            .and_then(|(min, max)| view::target(&json!({"MinCapacity": min, "MaxCapacity": max})));
        let mut scaling = crate::kinds::service::facts::Scaling {
            target,
            ..Default::default()
        };
        for policy in policies.as_array().unwrap() {
            scaling.policies.extend(view::policy(policy));
        }
        for action in actions.as_array().unwrap() {
            scaling.actions.extend(view::action(action));
        }
        self.scaling = Some(scaling);
        self
    }

    /// After our write of 512 and 1024 on revision 7, as revision 8, an hour and a half ago.
    fn written(mut self) -> Self {
        self.memory.facts.insert(
            "applied:ecs.UpdateService".into(),
            json!({
                "step": {"base": arn(7), "size": size(512, 1024)},
                "result": {
                    "taskDefinition": arn(8), "deployment": "ecs-svc/8",
                    "at": now() - jiff::SignedDuration::from_mins(90),
                },
            }),
        );
        self
    }
}

fn size(cpu: u32, memory: u32) -> Value {
    json!({"cpu": cpu, "memory": memory, "containers": {}})
}

fn bigger() -> Value {
    json!({"cpu": 512, "memory": 1024})
}

fn operations(decision: &Decision) -> Vec<&str> {
    decision
        .steps
        .iter()
        .map(|s| s.operation.as_str())
        .collect()
}

fn only(decision: &Decision) -> &Step {
    assert_eq!(decision.steps.len(), 1, "{decision:?}");
    &decision.steps[0]
}

fn ours(mut tags: Value) -> Value {
    tags.as_array_mut().unwrap().extend([
        json!({"key": "evenkeel:intent", "value": "i1"}),
        json!({"key": "evenkeel:base", "value": "web:7"}),
    ]);
    tags
}

/// Why the one thing that is held contradicts what is live.
fn conflict(decision: &Decision) -> &str {
    match decision.holds.as_slice() {
        [Hold::Conflict { why }] => why,
        _ => panic!("{decision:?}"),
    }
}

const CPU: &str = "ECSServiceAverageCPUUtilization";

fn scaling(min: u32, max: u32) -> Value {
    json!({"scaling": {"minCapacity": min, "maxCapacity": max}})
}

/// The names that a decision tells of beside the drift, and the decision without them.
fn told_beside(mut decision: Decision) -> (Vec<String>, Decision) {
    let beside = std::mem::take(&mut decision.beside);
    let names = beside
        .iter()
        .filter_map(|b| b.path.segments().last().cloned());
    (names.collect(), decision)
}
