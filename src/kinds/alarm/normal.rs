//! Normal: one shape for alarms, however they are written. Pure: trees in, trees out.
//!
//! Three trees share the names of a document's fields: the *desired* one holds what the document
//! names; the *whole* one holds every member of the live alarm as AWS gave it; the *view* is the
//! whole one with AWS's defaults filled in, so that a document may name them.

use serde_json::{Map, json};

use super::spec::{AlarmSpec, MetricEntry};
use crate::model::tree::{Tree, to_tree};

/// Members that say what an alarm on one metric evaluates; `metrics` stands in their place.
const SINGLE: [&str; 7] = [
    "dimensions",
    "extendedStatistic",
    "metricName",
    "namespace",
    "period",
    "statistic",
    "unit",
];

/// Members of which an alarm has at most one.
const EITHER: [[&str; 2]; 2] = [
    ["statistic", "extendedStatistic"],
    ["threshold", "thresholdMetricId"],
];

/// The tree of a filled-in spec, with `metrics` as a map by id.
pub fn desired(spec: &AlarmSpec) -> Tree {
    let mut tree = to_tree(spec);
    if let Some(metrics) = &spec.metrics {
        tree["metrics"] = by_id(metrics);
    }
    tree
}

fn by_id(metrics: &[MetricEntry]) -> Tree {
    let entries = metrics.iter().map(|entry| {
        let mut tree = to_tree(entry);
        if let Some(fields) = tree.as_object_mut() {
            fields.remove("id");
        }
        (entry.id.clone(), tree)
    });
    Tree::Object(entries.collect())
}

/// The whole live alarm with AWS's defaults filled in.
pub fn view(whole: &Tree) -> Tree {
    let mut view = whole.as_object().cloned().unwrap_or_default();
    for (name, default) in [
        ("actionsEnabled", json!(true)),
        ("alarmActions", json!([])),
        ("okActions", json!([])),
        ("insufficientDataActions", json!([])),
        ("description", json!("")),
        ("treatMissingData", json!("missing")),
        ("evaluateLowSampleCountPercentile", json!("evaluate")),
    ] {
        view.entry(name).or_insert(default);
    }
    if let Some(all) = view.get("evaluationPeriods").cloned() {
        view.entry("datapointsToAlarm").or_insert(all);
    }
    if view.contains_key("metricName") {
        view.entry("dimensions").or_insert_with(|| json!({}));
    }
    for entry in entries(&mut view) {
        entry.entry("returnData").or_insert(json!(true));
        if let Some(metric) = entry
            .get_mut("metricStat")
            .and_then(|stat| stat.get_mut("metric"))
            .and_then(Tree::as_object_mut)
        {
            metric.entry("dimensions").or_insert_with(|| json!({}));
        }
    }
    Tree::Object(view)
}

fn entries(alarm: &mut Map<String, Tree>) -> impl Iterator<Item = &mut Map<String, Tree>> {
    alarm
        .get_mut("metrics")
        .and_then(Tree::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Tree::as_object_mut)
}

/// The request that makes `whole` as `desired` wishes: since PutMetricAlarm replaces everything,
/// it repeats every member that the document does not name.
pub fn request(whole: &Tree, desired: &Tree) -> Tree {
    let mut request = whole.as_object().cloned().unwrap_or_default();
    let Some(wishes) = desired.as_object() else {
        return Tree::Object(request);
    };
    if wishes.contains_key("metrics") {
        for member in SINGLE {
            request.remove(member);
        }
    } else if wishes.contains_key("metricName") {
        request.remove("metrics");
    }
    for [one, other] in EITHER {
        if wishes.contains_key(one) {
            request.remove(other);
        } else if wishes.contains_key(other) {
            request.remove(one);
        }
    }
    for (name, wish) in wishes {
        let value = match (name.as_str(), request.get("metrics"), wish.as_object()) {
            ("metrics", Some(live), Some(metrics)) => {
                let merge =
                    |(id, entry): (&String, &Tree)| (id.clone(), merged(live.get(id), entry));
                Tree::Object(metrics.iter().map(merge).collect())
            }
            _ => wish.clone(),
        };
        request.insert(name.clone(), value);
    }
    Tree::Object(request)
}

/// One entry of `metrics`: what the document does not name of it is carried over, except that it
/// reads either a metric or an expression.
fn merged(live: Option<&Tree>, wish: &Tree) -> Tree {
    let (Some(Tree::Object(live)), Tree::Object(wish)) = (live, wish) else {
        return wish.clone();
    };
    let mut entry = live.clone();
    for [one, other] in [["expression", "metricStat"], ["metricStat", "expression"]] {
        if wish.contains_key(one) {
            entry.remove(other);
        }
    }
    for (name, value) in wish {
        let value = match (name.as_str(), entry.get(name)) {
            // A unit that the document does not name is kept; the metric itself is one value.
            ("metricStat", Some(Tree::Object(there))) => {
                let mut stat = there.clone();
                stat.extend(value.as_object().cloned().unwrap_or_default());
                let dimensions = there.get("metric").and_then(|m| m.get("dimensions"));
                if let (Some(dimensions), Some(metric)) = (
                    dimensions,
                    stat.get_mut("metric").and_then(Tree::as_object_mut),
                ) {
                    metric
                        .entry("dimensions")
                        .or_insert_with(|| dimensions.clone());
                }
                Tree::Object(stat)
            }
            _ => value.clone(),
        };
        entry.insert(name.clone(), value);
    }
    Tree::Object(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind as _;
    use crate::kinds::alarm::Alarm;
    use crate::plan::diff::diff;
    use proptest::prelude::*;

    /// Whether `member` may go because `wishes` name what stands in its place.
    fn gives_way(member: &str, wishes: &Map<String, Tree>) -> bool {
        let single = wishes.contains_key("metrics") && SINGLE.contains(&member);
        let math = member == "metrics" && wishes.contains_key("metricName");
        let either = EITHER.iter().any(|[a, b]| {
            (member == *a && wishes.contains_key(*b)) || (member == *b && wishes.contains_key(*a))
        });
        single || math || either
    }

    fn member() -> impl Strategy<Value = (String, Tree)> {
        let text = "[a-z]{1,6}";
        let number = 1..1000_u32;
        prop_oneof![
            (Just("description"), text.prop_map(Tree::from)),
            (Just("unit"), text.prop_map(Tree::from)),
            (Just("statistic"), text.prop_map(Tree::from)),
            (Just("extendedStatistic"), text.prop_map(Tree::from)),
            (Just("metricName"), text.prop_map(Tree::from)),
            (Just("namespace"), text.prop_map(Tree::from)),
            (Just("treatMissingData"), text.prop_map(Tree::from)),
            (Just("thresholdMetricId"), text.prop_map(Tree::from)),
            (Just("period"), number.clone().prop_map(Tree::from)),
            (
                Just("evaluationPeriods"),
                number.clone().prop_map(Tree::from)
            ),
            (
                Just("datapointsToAlarm"),
                number.clone().prop_map(Tree::from)
            ),
            (
                Just("threshold"),
                number.clone().prop_map(|n| json!(f64::from(n) / 8.0))
            ),
            (Just("actionsEnabled"), any::<bool>().prop_map(Tree::from)),
            (
                Just("alarmActions"),
                prop::collection::vec(text, 0..3).prop_map(|v| json!(v))
            ),
            (
                Just("dimensions"),
                prop::collection::btree_map(text, text, 0..3).prop_map(|m| json!(m))
            ),
            (Just("evaluationWindow"), Just(json!({"slidingWindow": {}}))),
            (
                Just("metrics"),
                prop::collection::btree_map("[a-c]", entry(), 1..3).prop_map(|m| json!(m))
            ),
        ]
        .prop_map(|(name, value)| (name.to_owned(), value))
    }

    fn entry() -> impl Strategy<Value = Tree> {
        prop_oneof![
            ("[a-z]{1,4}", any::<bool>())
                .prop_map(|(e, r)| json!({"expression": e, "returnData": r})),
            ("[a-z]{1,4}", prop::option::of("[a-z]{1,4}"), 1..99_u32).prop_map(|(m, unit, p)| {
                let mut stat = json!({"metric": {"namespace": "n", "metricName": m}, "period": p, "stat": "Sum"});
                if let Some(unit) = unit {
                    stat["unit"] = json!(unit);
                }
                json!({"metricStat": stat})
            }),
        ]
    }

    fn alarm() -> impl Strategy<Value = Tree> {
        prop::collection::vec(member(), 0..10)
            .prop_map(|members| Tree::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_written_alarm_is_as_wished_and_every_other_member_is_untouched(
            live in alarm(), wish in alarm(),
        ) {
            let written = request(&live, &wish);
            // A document names one way of evaluating; check refuses the others.
            let wishes = wish.as_object().unwrap();
            let sane = !(wishes.contains_key("metrics") && SINGLE.iter().any(|m| wishes.contains_key(*m)))
                && EITHER.iter().all(|pair| pair.iter().filter(|m| wishes.contains_key(**m)).count() < 2);
            prop_assume!(sane);
            let drift = diff(&wish, &view(&written), Alarm.rules(), &[]);
            prop_assert!(drift.is_empty(), "{drift:?}");
            for (name, value) in live.as_object().unwrap() {
                if !wishes.contains_key(name) && !gives_way(name, wishes) {
                    prop_assert_eq!(written.get(name), Some(value), "{}", name);
                }
            }
            for name in written.as_object().unwrap().keys() {
                prop_assert!(live.get(name).is_some() || wishes.contains_key(name));
            }
        }
    }

    #[test]
    fn an_entry_keeps_what_the_document_does_not_name_of_it() {
        let stat = |period: u32| json!({"metric": {"namespace": "N", "metricName": "M"}, "period": period, "stat": "Sum"});
        let mut there = stat(60);
        there["unit"] = json!("Count");
        let live = json!({"metrics": {"m": {"label": "mine", "metricStat": there}, "old": {"expression": "m"}}});
        let wish = json!({"metrics": {"m": {"metricStat": stat(300)}}});
        let written = request(&live, &wish);
        assert_eq!(written["metrics"]["m"]["label"], "mine");
        assert_eq!(written["metrics"]["m"]["metricStat"]["unit"], "Count");
        assert_eq!(written["metrics"]["m"]["metricStat"]["period"], 300);
        assert!(written["metrics"].get("old").is_none());
    }
}
