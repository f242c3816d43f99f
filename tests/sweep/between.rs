//! Between: scenarios of two changes in one app, and those in which somebody else is at work in the
//! middle: CI, an autoscaler, a person at the same field.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::model::document::DesiredSet;
use evenkeel::twin::World;
use serde_json::json;

use super::scenario::{Act, Beside, History, Scenario, sized};
use crate::rig::load;

const SIZE: &str = "cpu: 512, memory: 1024";
const REGISTER: &str = "ecs.RegisterTaskDefinition";
const UPDATE: &str = "ecs.UpdateService";

/// Two changes in one app: of two objects, and of two fields of one object that take two steps.
pub fn together() -> Vec<Scenario> {
    let pair = load(
        r#"
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec: {cluster: main, cpu: 512, memory: 1024}
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: shop, name: cpu}
spec: {preset: CpuHigh, serviceRef: web}
"#,
    );
    let twins = load(
        r#"
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec: {cluster: main, desiredCount: 3}
---
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: worker}
spec: {cluster: main, healthCheckGracePeriodSeconds: 30}
"#,
    );
    let stores = load(
        r#"
apiVersion: evenkeel/v1alpha1
kind: Database
metadata: {app: shop, name: orders}
spec: {instance: orders, deletionProtection: true}
---
apiVersion: evenkeel/v1alpha1
kind: Table
metadata: {app: shop, name: sessions}
spec: {tableName: sessions, deletionProtection: true}
"#,
    );
    let table = load(
        r#"
apiVersion: evenkeel/v1alpha1
kind: Table
metadata: {app: shop, name: sessions}
spec: {tableName: sessions, deletionProtection: true, pointInTimeRecovery: {enabled: true}}
"#,
    );
    let bounds = load(
        r#"
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec: {cluster: main, scaling: {minCapacity: 2, maxCapacity: 4, targetTracking: [
  {name: cpu, metric: ECSServiceAverageCPUUtilization, targetValue: 70}]}}
"#,
    );
    let size_and_tag = || sized("cpu: 512, memory: 1024, tags: {team: shop}");
    let no_table = Scenario {
        history: History::NoTable,
        ..Scenario::fresh("a table, and the store is made on the way", table.clone())
    };
    let watched = Scenario {
        wait: Wait::ForRollouts,
        ..Scenario::fresh("a size whose rollout is waited for", sized(SIZE))
    };
    vec![
        Scenario::fresh("a service and its alarm", pair),
        Scenario::fresh("two services", twins),
        Scenario::fresh("a database and a table", stores),
        Scenario::fresh("a size and a tag of one service", size_and_tag()),
        Scenario::fresh(
            "a size and a rule of one service",
            sized("cpu: 512, memory: 1024, deployment: {maximumPercent: 150}"),
        ),
        Scenario::fresh(
            "a size and a count",
            sized("cpu: 512, memory: 1024, desiredCount: 3"),
        ),
        Scenario::fresh("both settings of one table", table),
        Scenario::fresh("bounds and a policy of one service", bounds),
        Scenario::drifted(
            "a size and a tag that were in order",
            size_and_tag(),
            Arc::new(|w| {
                w.resize("main", "web", 256, 512).unwrap();
                tag(w, "nobody");
            }),
        ),
        no_table,
        watched,
    ]
}

fn tag(w: &mut World, value: &str) {
    let arn = w.service("main", "web").unwrap().arn.clone();
    let input = json!({"resourceArn": arn, "tags": [{"key": "team", "value": value}]});
    w.call("ecs", "TagResource", &input).unwrap();
}

fn deploy_live() -> Act {
    Arc::new(|w| {
        w.deploy_image("main", "web", "app:v2").unwrap();
    })
}

fn deploy_template() -> Act {
    Arc::new(|w| {
        w.deploy_changed("main", "web", |definition| {
            definition.insert("cpu".into(), json!("256"));
            definition.insert("memory".into(), json!("512"));
            definition["containerDefinitions"][0]["image"] = json!("app:v2");
        })
        .unwrap();
    })
}

fn count(count: i64) -> Act {
    Arc::new(move |w| w.set_desired_count("main", "web", count).unwrap())
}

/// The same with rollouts that take as long as a load balancer lets go of tasks: five minutes.
fn slow(scenario: &Scenario) -> Scenario {
    let estate = scenario.estate.clone();
    Scenario {
        estate: Arc::new(move |w| {
            estate(w);
            w.ecs.rollouts.duration = Duration::from_secs(300);
        }),
        ..scenario.clone()
    }
}

/// Somebody else is at work before or after a write of ours.
pub fn in_between() -> Vec<Scenario> {
    use Beside::{After, Before};

    let mut found = Vec::new();
    let size = || Scenario::fresh("a size", sized(SIZE));
    for (operation, side) in [
        (REGISTER, Before),
        (REGISTER, After),
        (UPDATE, Before),
        (UPDATE, After),
    ] {
        found.push(slow(&size()).with("CI deploys", operation, side, deploy_live()));
        // What a write overtook unseen is found as long as it shows: two crashes in a row outlast
        // that where a rollout is over in half a minute.
        let mut quick = size().with("CI deploys fast", operation, side, deploy_live());
        quick.crashes = 1;
        found.push(quick);
        found.push(slow(&size()).with(
            "CI deploys its template",
            operation,
            side,
            deploy_template(),
        ));
        found.push(size().with("an autoscaler counts", operation, side, count(7)));
        let resize: Act = Arc::new(|w| {
            w.resize("main", "web", 1024, 2048).unwrap();
        });
        found.push(size().with("a person resizes", operation, side, resize));
    }
    for side in [Before, After] {
        let counted = Scenario::fresh("a count", sized("desiredCount: 3"));
        found.push(counted.with("a person counts", UPDATE, side, count(9)));
        let tagged = Scenario::fresh("a tag", sized("tags: {team: shop}"));
        let other: Act = Arc::new(|w| tag(w, "nobody"));
        found.push(tagged.with("a person tags", "ecs.TagResource", side, other));
        found.extend(scaled(side));
        found.extend(elsewhere(side));
    }
    found
}

fn scaled(side: Beside) -> [Scenario; 2] {
    const REGISTER_TARGET: &str = "application-autoscaling.RegisterScalableTarget";
    let bounds = || Scenario::fresh("bounds", sized("scaling: {minCapacity: 2, maxCapacity: 4}"));
    let other: Act = Arc::new(|w| {
        let input = json!({
            "ServiceNamespace": "ecs",
            "ResourceId": "service/main/web",
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": 1,
            "MaxCapacity": 9,
        });
        w.call("application-autoscaling", "RegisterScalableTarget", &input)
            .unwrap();
    });
    [
        bounds().with("an autoscaler counts", REGISTER_TARGET, side, count(3)),
        bounds().with("a person sets others", REGISTER_TARGET, side, other),
    ]
}

fn elsewhere(side: Beside) -> [Scenario; 3] {
    let alarm = |threshold: u32| -> DesiredSet {
        load(&format!(
            "apiVersion: evenkeel/v1alpha1\nkind: Alarm\nmetadata: {{app: shop, name: cpu}}\n\
             spec: {{preset: CpuHigh, dimensions: {{ClusterName: main, ServiceName: web}}, \
             threshold: {threshold}}}\n"
        ))
    };
    let set_threshold = |value: u32| -> Act {
        Arc::new(move |w| {
            if let Some(alarm) = w.cloudwatch.alarm_mut("shop-cpu") {
                alarm["Threshold"] = json!(f64::from(value));
            }
        })
    };
    let database = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Database\nmetadata: {app: shop, name: orders}\n\
         spec: {instance: orders, backupRetentionDays: 7}\n",
    );
    let table = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Table\nmetadata: {app: shop, name: sessions}\n\
         spec: {tableName: sessions, deletionProtection: true}\n",
    );
    let days: Act = Arc::new(|w| {
        let members = w.rds.instance_mut("orders").unwrap();
        members.insert("BackupRetentionPeriod".into(), json!(3));
    });
    let off: Act = Arc::new(|w| {
        w.dynamodb.table_mut("sessions").unwrap()["DeletionProtectionEnabled"] = json!(false);
    });
    [
        Scenario::drifted("an alarm", alarm(80), set_threshold(70)).with(
            "a person sets it",
            "cloudwatch.PutMetricAlarm",
            side,
            set_threshold(60),
        ),
        Scenario::fresh("a retention", database).with(
            "a person sets it",
            "rds.ModifyDBInstance",
            side,
            days,
        ),
        Scenario::fresh("a protection", table).with(
            "a person sets it",
            "dynamodb.UpdateTable",
            side,
            off,
        ),
    ]
}
