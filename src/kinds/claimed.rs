//! Claimed: two documents of different names that speak for one live object, of every kind.

use serde_json::json;

use super::trial::{named, set};
use super::{KINDS, Kind};
use crate::check::check;
use crate::model::document::Document;

#[test]
fn two_documents_for_one_live_object_are_an_error_of_both() {
    let pairs: [(Document, Document); 5] = [
        (
            named("Service", "web", json!({"cluster": "main"})),
            named(
                "Service",
                "site",
                json!({"cluster": "main", "serviceName": "web"}),
            ),
        ),
        (
            named("Alarm", "high", alarm(json!({}))),
            named("Alarm", "hot", alarm(json!({"alarmName": "shop-high"}))),
        ),
        (
            named("Database", "db", json!({"instance": "shop-db"})),
            named("Database", "orders", json!({"instance": "Shop-DB"})),
        ),
        (
            named("Database", "docs", json!({"cluster": "docs"})),
            named("Database", "papers", json!({"cluster": "docs"})),
        ),
        (
            named("Table", "carts", json!({"tableName": "carts"})),
            named("Table", "baskets", json!({"tableName": "carts"})),
        ),
    ];
    for (one, other) in pairs {
        let keys = [one.key.clone(), other.key.clone()];
        let found = check(set([one, other]), KINDS).findings;
        let rules: Vec<&str> = found.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, ["claimed-twice", "claimed-twice"], "{keys:?}");
        for key in keys {
            assert!(found.iter().any(|f| f.key.as_ref() == Some(&key)), "{key}");
        }
    }
}

#[test]
fn an_instance_and_a_cluster_of_one_name_are_two_objects() {
    let pair = set([
        named("Database", "one", json!({"instance": "shop"})),
        named("Database", "other", json!({"cluster": "shop"})),
    ]);
    assert_eq!(check(pair, KINDS as &[&dyn Kind]).findings, []);
}

fn alarm(more: serde_json::Value) -> serde_json::Value {
    let mut spec = json!({
        "preset": "CpuHigh", "dimensions": {"ClusterName": "main", "ServiceName": "web"},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}
