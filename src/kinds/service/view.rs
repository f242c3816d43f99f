//! Views: what AWS's answers say, as the tree that documents are compared with, and as facts.
//!
//! Pure: works on the raw JSON of the answers, so that a member which this build does not know
//! is seen and carried over, not lost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, json};

use super::facts::{
    Action, Container, Deployment, Facts, History, PastDeployment, Policy, Revision, Scaling,
    Target,
};
use crate::model::tree::Tree;

/// The tag that names the intent which registered a revision.
pub const INTENT_TAG: &str = "evenkeel:intent";
/// The tag that names the revision which a revision was patched from.
pub const BASE_TAG: &str = "evenkeel:base";

/// Members of a task definition that a registration takes: all that are not answers only
/// (API model: `TaskDefinition` and `RegisterTaskDefinitionRequest`).
const REGISTERED: &[&str] = &[
    "containerDefinitions",
    "cpu",
    "enableFaultInjection",
    "ephemeralStorage",
    "executionRoleArn",
    "family",
    "inferenceAccelerators",
    "ipcMode",
    "memory",
    "networkMode",
    "pidMode",
    "placementConstraints",
    "proxyConfiguration",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
    "volumes",
];

/// Members of a task definition that only answers hold.
pub const ANSWER_ONLY: &[&str] = &[
    "compatibilities",
    "deleteRequestedAt",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
];

const POLICY_MEMBERS: &[&str] = &[
    "Alarms",
    "CreationTime",
    "PolicyARN",
    "PolicyName",
    "PolicyType",
    "PredictiveScalingPolicyConfiguration",
    "ResourceId",
    "ScalableDimension",
    "ServiceNamespace",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
];

const ACTION_MEMBERS: &[&str] = &[
    "CreationTime",
    "EndTime",
    "ResourceId",
    "ScalableDimension",
    "ScalableTargetAction",
    "Schedule",
    "ScheduledActionARN",
    "ScheduledActionName",
    "ServiceNamespace",
    "StartTime",
    "Timezone",
];

fn text(tree: &Tree, member: &str) -> String {
    text_of(tree, member).unwrap_or_default()
}

fn text_of(tree: &Tree, member: &str) -> Option<String> {
    tree.get(member).and_then(Tree::as_str).map(str::to_owned)
}

fn count_of(tree: &Tree, member: &str) -> Option<u32> {
    let value = tree.get(member)?;
    let whole = value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0)
            .map(|n| n as u64)
    })?;
    u32::try_from(whole).ok()
}

/// Seconds since 1970, with or without a fraction, or RFC 3339.
fn instant(tree: &Tree, member: &str) -> Option<Timestamp> {
    match tree.get(member)? {
        Tree::String(text) => text.parse().ok(),
        value => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "milliseconds of a date fit"
            )]
            let millis = (value.as_f64()? * 1000.0).round() as i64;
            Timestamp::from_millisecond(millis).ok()
        }
    }
}

fn list<'t>(tree: &'t Tree, member: &str) -> &'t [Tree] {
    tree.get(member)
        .and_then(Tree::as_array)
        .map_or(&[], Vec::as_slice)
}

fn unknown(tree: &Tree, known: &[&str]) -> Vec<String> {
    tree.as_object().map_or_else(Vec::new, |members| {
        members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .cloned()
            .collect()
    })
}

/// `[{key, value}]` as a map.
fn tags(tree: &Tree) -> BTreeMap<String, String> {
    list(tree, "tags")
        .iter()
        .filter_map(|tag| Some((text_of(tag, "key")?, text(tag, "value"))))
        .collect()
}

/// Whether a tag of a revision is its user's: AWS's own cannot be set, ours are set anew.
pub fn is_users(key: &str) -> bool {
    key != INTENT_TAG && key != BASE_TAG && !key.starts_with("aws:")
}

/// A size as ECS keeps it: a number of units, or `1 vCPU`, `2 GB` as people may have written.
fn size(tree: &Tree, member: &str) -> Option<u32> {
    let value = tree.get(member)?;
    let Some(text) = value.as_str() else {
        return count_of(tree, member);
    };
    let lower = text.to_ascii_lowercase();
    for unit in ["vcpu", "gb"] {
        if let Some(n) = lower.strip_suffix(unit) {
            let n: f64 = n.trim().parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "sizes are small and positive"
            )]
            return Some((n * 1024.0).round() as u32);
        }
    }
    text.trim().parse().ok()
}

/// What a task definition says of size; of its environment nothing is kept.
/// `tree` is `taskDefinition` of DescribeTaskDefinition, `answer` the whole answer with `tags`.
pub fn revision(answer: &Tree) -> Option<Revision> {
    let tree = answer.get("taskDefinition")?;
    let known: Vec<&str> = [REGISTERED, ANSWER_ONLY].concat();
    let tags = tags(answer);
    Some(Revision {
        arn: text_of(tree, "taskDefinitionArn")?,
        cpu: size(tree, "cpu"),
        memory: size(tree, "memory"),
        containers: list(tree, "containerDefinitions")
            .iter()
            .filter_map(|c| {
                let limits = Container {
                    cpu: count_of(c, "cpu").unwrap_or(0),
                    memory: count_of(c, "memory"),
                    memory_reservation: count_of(c, "memoryReservation"),
                };
                Some((text_of(c, "name")?, limits))
            })
            .collect(),
        requires: list(tree, "requiresCompatibilities")
            .iter()
            .filter_map(|c| c.as_str().map(str::to_owned))
            .collect(),
        os: tree
            .get("runtimePlatform")
            .map_or_else(String::new, |p| text(p, "operatingSystemFamily")),
        intent: tags.get(INTENT_TAG).cloned(),
        base: tags.get(BASE_TAG).cloned(),
        tags: tags.keys().filter(|key| is_users(key)).count(),
        unknown: unknown(tree, &known),
    })
}

/// What DescribeServices says of one service; `None` when the answer lacks what it must have.
pub fn facts(service: &Tree) -> Option<Facts> {
    let controller = service
        .get("deploymentController")
        .and_then(|c| text_of(c, "type"));
    let or = |member: &str, default: &str| {
        text_of(service, member).unwrap_or_else(|| default.to_owned())
    };
    Some(Facts {
        arn: text_of(service, "serviceArn")?,
        status: text_of(service, "status")?,
        controller: controller.unwrap_or_else(|| "ECS".to_owned()),
        scheduling: or("schedulingStrategy", "REPLICA"),
        managed_by: or("resourceManagementType", "CUSTOMER"),
        task_definition: text(service, "taskDefinition"),
        desired_count: count_of(service, "desiredCount")?,
        running_count: count_of(service, "runningCount").unwrap_or(0),
        load_balanced: is_load_balanced(service),
        deployment_configuration: service
            .get("deploymentConfiguration")
            .cloned()
            .unwrap_or_else(|| json!({})),
        deployments: list(service, "deployments")
            .iter()
            .map(deployment)
            .collect(),
        revision: None,
        others: BTreeMap::new(),
        scaling: None,
        history: History::NotRead,
    })
}

/// Load balancers stand at the service, what VPC Lattice has of it at each deployment.
fn is_load_balanced(service: &Tree) -> bool {
    let lattice = |d: &Tree| !list(d, "vpcLatticeConfigurations").is_empty();
    !list(service, "loadBalancers").is_empty() || list(service, "deployments").iter().any(lattice)
}

fn deployment(tree: &Tree) -> Deployment {
    Deployment {
        id: text(tree, "id"),
        status: text(tree, "status"),
        task_definition: text(tree, "taskDefinition"),
        desired: count_of(tree, "desiredCount").unwrap_or(0),
        running: count_of(tree, "runningCount").unwrap_or(0),
        failed: count_of(tree, "failedTasks").unwrap_or(0),
        created_at: instant(tree, "createdAt"),
        rollout_state: text(tree, "rolloutState"),
        reason: text(tree, "rolloutStateReason"),
    }
}

/// A scalable target of DescribeScalableTargets.
pub fn target(tree: &Tree) -> Option<Target> {
    let suspended = tree.get("SuspendedState");
    let names = ["DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling"];
    Some(Target {
        min: count_of(tree, "MinCapacity")?,
        max: count_of(tree, "MaxCapacity")?,
        suspended: names
            .iter()
            .filter(|name| {
                suspended
                    .and_then(|s| s.get(format!("{name}Suspended")))
                    .is_some_and(|s| *s == json!(true))
            })
            .map(|name| (*name).to_owned())
            .collect(),
    })
}

/// A policy of DescribeScalingPolicies, with its name.
pub fn policy(tree: &Tree) -> Option<(String, Policy)> {
    let configuration = tree
        .get("TargetTrackingScalingPolicyConfiguration")
        .cloned()
        .unwrap_or(Tree::Null);
    let metric = configuration
        .get("PredefinedMetricSpecification")
        .map_or_else(String::new, |m| text(m, "PredefinedMetricType"));
    let policy = Policy {
        policy_type: text(tree, "PolicyType"),
        metric,
        configuration,
        unknown: unknown(tree, POLICY_MEMBERS),
    };
    Some((text_of(tree, "PolicyName")?, policy))
}

/// An action of DescribeScheduledActions, with its name.
pub fn action(tree: &Tree) -> Option<(String, Action)> {
    let bounds = tree.get("ScalableTargetAction");
    let bound = |member| bounds.and_then(|b| count_of(b, member));
    let action = Action {
        schedule: text_of(tree, "Schedule")?,
        timezone: text_of(tree, "Timezone"),
        min: bound("MinCapacity"),
        max: bound("MaxCapacity"),
        start: instant(tree, "StartTime"),
        end: instant(tree, "EndTime"),
        created: instant(tree, "CreationTime"),
        raw: tree.clone(),
        unknown: unknown(tree, ACTION_MEMBERS),
    };
    Some((text_of(tree, "ScheduledActionName")?, action))
}

/// A service deployment of ListServiceDeployments.
pub fn past(tree: &Tree) -> PastDeployment {
    PastDeployment {
        created_at: instant(tree, "createdAt").or_else(|| instant(tree, "startedAt")),
        status: text(tree, "status"),
        reason: text(tree, "statusReason"),
    }
}

/// What of DescribeServices' word on a service [`view`] reads beside its facts. The whole of it is
/// ten times as large, and a look holds thousands.
pub fn viewed(service: &Tree) -> Tree {
    let members = ["serviceName", "healthCheckGracePeriodSeconds", "tags"];
    let kept = members.iter().filter_map(|member| {
        let value = service.get(member)?;
        Some(((*member).to_owned(), value.clone()))
    });
    Tree::Object(kept.collect())
}

/// The live tree: the shape of the desired one, from an answer of DescribeServices and facts.
pub fn view(service: &Tree, facts: &Facts) -> Tree {
    let mut view = Map::new();
    view.insert("serviceName".into(), json!(text(service, "serviceName")));
    view.insert("desiredCount".into(), json!(facts.desired_count));
    let configuration = &facts.deployment_configuration;
    let breaker = configuration.get("deploymentCircuitBreaker");
    let on = |member| breaker.and_then(|b| b.get(member)) == Some(&json!(true));
    // The defaults are those of a REPLICA service (API reference, DeploymentConfiguration).
    view.insert(
        "deployment".into(),
        json!({
            "minimumHealthyPercent": count_of(configuration, "minimumHealthyPercent").unwrap_or(100),
            "maximumPercent": count_of(configuration, "maximumPercent").unwrap_or(200),
            "circuitBreaker": {"enable": on("enable"), "rollback": on("rollback")},
        }),
    );
    let grace = count_of(service, "healthCheckGracePeriodSeconds").unwrap_or(0);
    view.insert("healthCheckGracePeriodSeconds".into(), json!(grace));
    view.insert("tags".into(), json!(tags(service)));
    if let Some(revision) = &facts.revision {
        view.insert("cpu".into(), json!(revision.cpu));
        view.insert("memory".into(), json!(revision.memory));
        view.insert("containers".into(), json!(revision.containers));
    }
    if let Some(scaling) = &facts.scaling {
        view.insert("scaling".into(), scaling_view(scaling, facts.desired_count));
    }
    Tree::Object(view)
}

fn scaling_view(scaling: &Scaling, count: u32) -> Tree {
    let mut view = Map::new();
    if let Some(target) = &scaling.target {
        view.insert("minCapacity".into(), json!(target.min));
        view.insert("maxCapacity".into(), json!(target.max));
    }
    // Tasks run with or without a target.
    view.insert("count".into(), json!(count));
    let policies: BTreeMap<&String, Tree> = scaling
        .policies
        .iter()
        .map(|(name, policy)| (name, policy_view(policy)))
        .collect();
    view.insert("targetTracking".into(), json!(policies));
    let actions: BTreeMap<&String, Tree> = scaling
        .actions
        .iter()
        .map(|(name, action)| (name, action_view(action)))
        .collect();
    view.insert("scheduled".into(), json!(actions));
    Tree::Object(view)
}

/// A scheduled action in the shape of the desired tree.
pub fn action_view(action: &Action) -> Tree {
    let mut view = Map::new();
    view.insert("schedule".into(), json!(spaced(&action.schedule)));
    let zone = action.timezone.as_deref().unwrap_or("UTC");
    view.insert("timezone".into(), json!(zone));
    if let Some(min) = action.min {
        view.insert("minCapacity".into(), json!(min));
    }
    if let Some(max) = action.max {
        view.insert("maxCapacity".into(), json!(max));
    }
    Tree::Object(view)
}

/// A policy in the shape of the desired tree.
pub fn policy_view(policy: &Policy) -> Tree {
    let mut view = Map::new();
    let metric = match (policy.policy_type.as_str(), policy.metric.as_str()) {
        ("TargetTrackingScaling", "") => "a metric of its own",
        ("TargetTrackingScaling", metric) => metric,
        (other, _) => other,
    };
    view.insert("metric".into(), json!(metric));
    let configuration = &policy.configuration;
    if let Some(label) = policy.label() {
        view.insert("resourceLabel".into(), json!(label));
    }
    for (member, field) in POLICY_FIELDS {
        if let Some(value) = configuration.get(member) {
            view.insert((*field).into(), value.clone());
        }
    }
    view.entry("disableScaleIn").or_insert_with(|| json!(false));
    Tree::Object(view)
}

/// Members of a target-tracking configuration, and the fields that speak for them.
pub const POLICY_FIELDS: &[(&str, &str)] = &[
    ("TargetValue", "targetValue"),
    ("ScaleInCooldown", "scaleInCooldown"),
    ("ScaleOutCooldown", "scaleOutCooldown"),
    ("DisableScaleIn", "disableScaleIn"),
];

/// `schedule` with single spaces, as AWS compares it.
pub fn spaced(schedule: &str) -> String {
    schedule.split_whitespace().collect::<Vec<_>>().join(" ")
}
