//! Estate: the applications of a run, what their documents come to say, and whether it holds.
//!
//! Whether it holds is asked of the twin's world directly, not of Evenkeel's own planner.

use std::fmt::Write as _;

use evenkeel::twin::World;
use evenkeel::twin::ecs::{CrashRule, RolloutState};
use evenkeel::twin::estate::FargateService;
use serde_json::{Value, json};

use super::dice::Dice;

/// The cluster of every service.
pub const CLUSTER: &str = "main";
/// What stands in every container's environment and may be seen nowhere else.
pub const SECRET: &str = "canary-7f3a9c";

const SIZES: [(i64, i64); 5] = [
    (256, 512),
    (256, 1024),
    (512, 1024),
    (512, 2048),
    (1024, 2048),
];

/// What the documents say of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceWish {
    pub name: String,
    pub size: Option<(i64, i64)>,
    pub count: Option<i64>,
    pub grace: Option<i64>,
    pub tag: Option<String>,
    pub bounds: Option<(i64, i64)>,
}

/// What the documents of one app say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppWish {
    pub app: String,
    pub services: Vec<ServiceWish>,
    /// Threshold of the alarm on the first service.
    pub threshold: Option<i64>,
    /// Days of backups of the app's database.
    pub retention: Option<i64>,
    /// Days of point-in-time recovery of the app's table.
    pub recovery: Option<i64>,
}

/// One app: what its documents say from one commit to the next.
#[derive(Clone, Debug)]
pub struct App {
    pub name: String,
    /// Whether its tasks crash with less than a GiB, which one of its commits asks for (L6).
    pub fragile: bool,
    pub versions: Vec<AppWish>,
}

impl App {
    /// Draws an app and its commits. The second of three commits may be one that cannot run.
    pub fn draw(dice: &mut Dice, number: usize) -> Self {
        let name = format!("app{number}");
        let services = 1 + usize::from(dice.chance(200));
        let mut first = AppWish {
            app: name.clone(),
            ..AppWish::default()
        };
        for n in 0..services {
            first.services.push(ServiceWish {
                name: format!("{name}-s{n}"),
                size: None,
                count: None,
                grace: None,
                tag: None,
                bounds: None,
            });
        }
        let kinds = [dice.chance(400), dice.chance(300), dice.chance(300)];
        first.threshold = kinds[0].then_some(70);
        first.retention = kinds[1].then_some(7);
        first.recovery = kinds[2].then_some(14);
        let mut versions = vec![first];
        for _ in 0..1 + dice.between(0..2) {
            let next = versions[versions.len() - 1].committed(dice);
            versions.push(next);
        }
        let fragile = dice.chance(200);
        if fragile {
            let last = versions.len() - 1;
            let mut bad = versions[last].clone();
            let mut good = bad.clone();
            bad.services[0].size = Some((256, 512));
            good.services[0].size = Some((1024, 2048));
            versions.truncate(1);
            versions.extend([bad, good]);
        }
        Self {
            name,
            fragile,
            versions,
        }
    }

    /// Puts what the app runs on into the world, as it stood before Evenkeel came.
    pub fn build(&self, w: &mut World) {
        for service in &self.versions[0].services {
            let fragile = self.fragile && service.name.ends_with("s0");
            if fragile {
                crashes_below(w, &service.name, 1024);
            }
            let fargate = FargateService::new(CLUSTER, &service.name)
                .size(
                    if fragile { 512 } else { 256 },
                    if fragile { 1024 } else { 512 },
                )
                .env("TOKEN", SECRET)
                .tag("team", "none")
                .desired(2);
            w.add_service(&fargate).unwrap();
            let scaled = |v: &AppWish| {
                v.services
                    .iter()
                    .any(|s| s.name == service.name && s.bounds.is_some())
            };
            // One that scales later is registered by Evenkeel itself, where there are two.
            if !self.versions.iter().any(scaled) || service.name.ends_with("s1") {
                continue;
            }
            w.call(
                "application-autoscaling",
                "RegisterScalableTarget",
                &json!({
                    "ServiceNamespace": "ecs",
                    "ResourceId": format!("service/{CLUSTER}/{}", service.name),
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "MinCapacity": 1,
                    "MaxCapacity": 9,
                    "SuspendedState": {"DynamicScalingInSuspended": true},
                }),
            )
            .unwrap();
        }
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": self.database(),
            "Engine": "postgres",
            "BackupRetentionPeriod": 3,
        }));
        w.dynamodb.put_table(json!({"TableName": self.table()}));
        self.put_alarm(w, 60, &self.alarm());
    }

    /// The alarm, with members that no document names.
    pub fn put_alarm(&self, w: &mut World, threshold: i64, name: &str) {
        w.call(
            "cloudwatch",
            "PutMetricAlarm",
            &json!({
                "AlarmName": name,
                "AlarmDescription": "made by hand",
                "Namespace": "AWS/ECS",
                "MetricName": "CPUUtilization",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 3,
                "Threshold": threshold,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
                "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
            }),
        )
        .unwrap();
    }

    pub fn alarm(&self) -> String {
        format!("{}-cpu", self.name)
    }

    pub fn database(&self) -> String {
        format!("{}-db", self.name)
    }

    pub fn table(&self) -> String {
        format!("{}-table", self.name)
    }
}

impl AppWish {
    /// What the next commit says: never less backup or protection, which a person has to allow.
    fn committed(&self, dice: &mut Dice) -> Self {
        let mut next = self.clone();
        for service in &mut next.services {
            if dice.chance(600) {
                service.size = Some(*dice.pick(&SIZES));
            }
            if dice.chance(400) {
                service.grace = Some(i64::try_from(dice.between(1..6)).unwrap_or(1) * 30);
            }
            if dice.chance(300) {
                service.tag = Some(dice.pick(&["red", "green", "blue"]).to_string());
            }
            // A count and bounds are not both said of one service.
            if dice.chance(400) && service.bounds.is_none() {
                service.count = Some(i64::try_from(dice.between(1..6)).unwrap_or(1));
            } else if dice.chance(400) && service.count.is_none() {
                let low = i64::try_from(dice.between(1..4)).unwrap_or(1);
                service.bounds = Some((low, low + 2));
            }
        }
        next.threshold = next.threshold.map(|t| t + i64::from(dice.chance(500)) * 5);
        next.retention = next.retention.map(|d| d + i64::from(dice.chance(500)) * 7);
        next.recovery = next.recovery.map(|d| d + i64::from(dice.chance(500)) * 7);
        next
    }

    /// The documents.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut document = |kind: &str, name: &str, spec: Value| {
            let _ = writeln!(
                text,
                "---\napiVersion: evenkeel/v1alpha1\nkind: {kind}\n\
                 metadata: {{app: {}, name: {name}}}\nspec: {spec}",
                self.app
            );
        };
        for service in &self.services {
            let mut spec = json!({"cluster": CLUSTER});
            if let Some((cpu, memory)) = service.size {
                spec["cpu"] = json!(cpu);
                spec["memory"] = json!(memory);
            }
            if let Some(count) = service.count {
                spec["desiredCount"] = json!(count);
            }
            if let Some(grace) = service.grace {
                spec["healthCheckGracePeriodSeconds"] = json!(grace);
            }
            if let Some(tag) = &service.tag {
                spec["tags"] = json!({"team": tag});
            }
            if let Some((low, high)) = service.bounds {
                spec["scaling"] = json!({"minCapacity": low, "maxCapacity": high});
            }
            document("Service", &service.name, spec);
        }
        if let Some(threshold) = self.threshold {
            let spec = json!({
                "alarmName": format!("{}-cpu", self.app),
                "namespace": "AWS/ECS",
                "metricName": "CPUUtilization",
                "statistic": "Average",
                "period": 60,
                "evaluationPeriods": 3,
                "comparisonOperator": "GreaterThanThreshold",
                "threshold": threshold,
            });
            document("Alarm", &format!("{}-cpu", self.app), spec);
        }
        if let Some(days) = self.retention {
            let instance = format!("{}-db", self.app);
            let spec = json!({"instance": instance, "backupRetentionDays": days});
            document("Database", &instance, spec);
        }
        if let Some(days) = self.recovery {
            let table = format!("{}-table", self.app);
            let spec = json!({
                "tableName": table,
                "deletionProtection": true,
                "pointInTimeRecovery": {"enabled": true, "recoveryPeriodDays": days},
            });
            document("Table", &table, spec);
        }
        text
    }

    /// What follows the documents in a file that does not load: a line that was cut off, so that
    /// nothing of it can be read, or one more document that is wrong.
    pub fn tear(&self) -> String {
        if self.services[0].grace.is_some() {
            return "spec: [\n".to_owned();
        }
        let header = "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n";
        let app = &self.app;
        format!("{header}metadata: {{app: {app}, name: wrong}}\nspec: {{cluster: main, cpu: -1}}\n")
    }

    /// What the documents say of one field of one object, if it is a number.
    pub fn field(&self, object: &str, path: &str) -> Option<i64> {
        let service = self.services.iter().find(|s| s.name == object);
        match path {
            "spec.cpu" => Some(service?.size?.0),
            "spec.memory" => Some(service?.size?.1),
            "spec.desiredCount" => service?.count,
            "spec.healthCheckGracePeriodSeconds" => service?.grace,
            "spec.scaling.minCapacity" => Some(service?.bounds?.0),
            "spec.scaling.maxCapacity" => Some(service?.bounds?.1),
            "spec.threshold" => self.threshold,
            "spec.backupRetentionDays" => self.retention,
            _ => None,
        }
    }

    /// The fields of one object that the documents name.
    pub fn names(&self, object: &str) -> Vec<String> {
        const NUMBERS: [&str; 6] = [
            "spec.cpu",
            "spec.memory",
            "spec.desiredCount",
            "spec.healthCheckGracePeriodSeconds",
            "spec.scaling.minCapacity",
            "spec.scaling.maxCapacity",
        ];
        let numbers = NUMBERS
            .iter()
            .filter(|path| self.field(object, path).is_some());
        let mut names: Vec<String> = numbers.map(ToString::to_string).collect();
        let mut services = self.services.iter();
        if services.any(|s| s.name == object && s.tag.is_some()) {
            names.push("spec.tags.team".to_owned());
        }
        names
    }

    /// What of the documents does not hold in the world.
    pub fn unmet(&self, w: &mut World) -> Vec<String> {
        let mut unmet = Vec::new();
        for service in &self.services {
            unmet.extend(service.unmet(w));
        }
        let mut other = |what: String, wanted: Option<i64>, found: Option<i64>| {
            if wanted.is_some() && wanted != found {
                unmet.push(format!("{what} is {found:?}, not {wanted:?}"));
            }
        };
        let alarm = format!("{}-cpu", self.app);
        let answer = w.call(
            "cloudwatch",
            "DescribeAlarms",
            &json!({"AlarmNames": [alarm]}),
        );
        let threshold = answer
            .ok()
            .and_then(|a| a["MetricAlarms"][0]["Threshold"].as_f64());
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        other(alarm, self.threshold, threshold.map(|t| t as i64));
        let database = format!("{}-db", self.app);
        let answer = w.call(
            "rds",
            "DescribeDBInstances",
            &json!({"DBInstanceIdentifier": database}),
        );
        let days = answer.ok().and_then(|a| {
            let instance = a["DBInstances"][0].clone();
            let pending = instance["PendingModifiedValues"]["BackupRetentionPeriod"].as_i64();
            pending.or(instance["BackupRetentionPeriod"].as_i64())
        });
        // A person's longer retention stays until a person allows less.
        let kept = days.filter(|days| Some(*days) >= self.retention);
        other(database, self.retention, kept.and(self.retention));
        let table = format!("{}-table", self.app);
        let recovery = *w.dynamodb.recovery_mut(&table);
        other(table, self.recovery, recovery.since.map(|_| recovery.days));
        unmet
    }
}

impl ServiceWish {
    fn unmet(&self, w: &mut World) -> Vec<String> {
        let Some(live) = w.service(CLUSTER, &self.name).cloned() else {
            return vec![format!("{} is gone", self.name)];
        };
        let definition = w.task_definition_of(CLUSTER, &self.name);
        let size = definition.and_then(|d| Some((d.cpu()?, d.memory()?)));
        let mut unmet = Vec::new();
        let mut say = |field: &str, met: bool, found: String| {
            if !met {
                unmet.push(format!("{field} of {} is {found}: {self:?}", self.name));
            }
        };
        say(
            "size",
            self.size.is_none_or(|s| Some(s) == size),
            format!("{size:?}"),
        );
        say(
            "count",
            self.count.is_none_or(|c| c == live.desired),
            live.desired.to_string(),
        );
        say(
            "grace",
            self.grace.is_none_or(|g| grace(&live) == Some(g)),
            format!("{:?}", grace(&live)),
        );
        let tag = live.tags.get("team").cloned();
        say(
            "tag",
            self.tag.is_none() || self.tag == tag,
            format!("{tag:?}"),
        );
        let rolling = live
            .deployments
            .iter()
            .any(|d| d.rollout != RolloutState::Completed);
        say("rollout", !rolling, "not over".to_owned());
        let bounds = bounds(w, &self.name);
        say(
            "bounds",
            self.bounds.is_none() || self.bounds == bounds,
            format!("{bounds:?}"),
        );
        unmet
    }
}

fn grace(live: &evenkeel::twin::ecs::Service) -> Option<i64> {
    live.members.get("healthCheckGracePeriodSeconds")?.as_i64()
}

/// The scalable target's least and most.
pub fn bounds(w: &mut World, service: &str) -> Option<(i64, i64)> {
    let asked = json!({
        "ServiceNamespace": "ecs",
        "ResourceIds": [format!("service/{CLUSTER}/{service}")],
    });
    let answer = w
        .call("application-autoscaling", "DescribeScalableTargets", &asked)
        .ok()?;
    let target = &answer["ScalableTargets"][0];
    Some((
        target["MinCapacity"].as_i64()?,
        target["MaxCapacity"].as_i64()?,
    ))
}

/// Tasks of this family that are smaller than this crash.
fn crashes_below(w: &mut World, family: &str, memory: i64) {
    w.ecs.rollouts.crashes.push(CrashRule {
        family: Some(family.to_owned()),
        memory_below: Some(memory),
        ..CrashRule::default()
    });
}
