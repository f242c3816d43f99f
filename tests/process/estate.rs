//! Estate: one small application that is out of order in every kind of write but a database's.

use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use serde_json::json;

/// Its documents. In order they ask for a new size, a scalable target, a policy, an alarm, and
/// protection of a table.
pub const SHOP: &str = r"apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec:
  cluster: main
  cpu: 512
  memory: 1024
  scaling:
    minCapacity: 2
    maxCapacity: 4
    targetTracking:
      - {name: cpu, metric: ECSServiceAverageCPUUtilization, targetValue: 70}
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: shop, name: web-cpu-high}
spec: {preset: CpuHigh, serviceRef: web, threshold: 80}
---
apiVersion: evenkeel/v1alpha1
kind: Table
metadata: {app: shop, name: carts}
spec: {tableName: carts, pointInTimeRecovery: {enabled: true, recoveryPeriodDays: 35}, deletionProtection: true}
";

/// A document about the task count of the same service alone.
pub fn count(count: u32) -> String {
    format!(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {{app: shop, name: web}}\n\
         spec: {{cluster: main, desiredCount: {count}}}\n"
    )
}

/// The application as it is found.
pub fn shop(world: &mut World) {
    let web = FargateService::new("main", "web")
        .size(256, 512)
        .env("TOKEN", SECRET)
        .desired(2);
    world.add_service(&web).unwrap();
    world
        .dynamodb
        .put_table(json!({"TableName": "carts", "DeletionProtectionEnabled": false}));
}

/// What a container of it is told, and nobody else may be.
pub const SECRET: &str = "hush-hush-4711";
