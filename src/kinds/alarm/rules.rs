//! What an Alarm document means and what to do when the live alarm differs.

use serde_json::json;

use super::check::TARGET_TRACKING;
use super::normal;
use super::preset::{alarm_name, filled, read};
use crate::kinds::{Allow, Compare, Decision, FieldRule, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::document::{DesiredSet, Document};
use crate::model::snapshot::Live;
use crate::model::stake::{Stake, Stakes};
use crate::model::tree::{FieldPath, Tree, digest};

/// The lists whose emptying silences an alarm.
const ACTIONS: [&str; 3] = ["alarmActions", "okActions", "insufficientDataActions"];

const fn rule(path: &'static str, compare: Compare) -> FieldRule {
    FieldRule::new(path, compare, Stakes::always(Stake::Alarms))
}

const fn exact(path: &'static str) -> FieldRule {
    FieldRule::exact(path, Stake::Alarms)
}

/// How the fields compare. A metric's dimensions are one value: one more makes another metric.
pub static RULES: &[FieldRule] = &[
    rule("alarmActions", Compare::Set),
    rule("okActions", Compare::Set),
    rule("insufficientDataActions", Compare::Set),
    rule("threshold", Compare::Number),
    rule("dimensions", Compare::Exact),
    rule("metrics.*.metricStat.metric.dimensions", Compare::Exact),
    FieldRule::exact("description", Stake::Cosmetic),
    exact("metricName"),
    exact("namespace"),
    exact("statistic"),
    exact("extendedStatistic"),
    exact("period"),
    exact("unit"),
    exact("evaluationPeriods"),
    exact("datapointsToAlarm"),
    exact("thresholdMetricId"),
    exact("comparisonOperator"),
    exact("treatMissingData"),
    exact("evaluateLowSampleCountPercentile"),
    exact("actionsEnabled"),
    exact("metrics.*.expression"),
    FieldRule::exact("metrics.*.label", Stake::Cosmetic),
    exact("metrics.*.returnData"),
    exact("metrics.*.period"),
    exact("metrics.*.metricStat.metric.namespace"),
    exact("metrics.*.metricStat.metric.metricName"),
    exact("metrics.*.metricStat.period"),
    exact("metrics.*.metricStat.stat"),
    exact("metrics.*.metricStat.unit"),
];

/// The alarm that the document speaks for.
pub fn claims(document: &Document) -> Vec<String> {
    read(document)
        .map(|spec| vec![format!("cloudwatch:alarm:{}", alarm_name(document, &spec))])
        .unwrap_or_default()
}

/// The document's fields over its preset's, with its reference followed.
pub fn desired(document: &Document, set: &DesiredSet) -> Tree {
    read(document).map_or(Tree::Null, |spec| {
        normal::desired(&filled(document, &spec, set))
    })
}

/// At most one write: PutMetricAlarm with everything.
pub fn decide(question: &Question<'_>) -> Decision {
    let name = question.desired["alarmName"].as_str().unwrap_or_default();
    let Some(live) = question.live else {
        return Decision {
            steps: vec![step(
                name,
                format!("create alarm {name}"),
                Tree::Null,
                question.desired.clone(),
            )],
            risk: Some((Risk::Routine, "the alarm does not exist".to_owned())),
            ..Decision::default()
        };
    };
    let mut decision = Decision {
        more_drift: entries_too_many(question.desired, &live.view),
        ..Decision::default()
    };
    if question.drift.is_empty() && decision.more_drift.is_empty() {
        return decision;
    }
    if let Some(hold) = not_ours(name, live) {
        decision.holds.push(hold);
        return decision;
    }
    let losses = losses(name, question.drift, &live.view);
    let mut wish = question.desired.clone();
    let mut left: Vec<&Drift> = question.drift.iter().chain(&decision.more_drift).collect();
    if question.policy.destructive == Allow::No {
        for (field, why) in &losses {
            // The rest is not kept waiting for a permission that it does not need.
            if let Some(wish) = wish.as_object_mut() {
                wish.remove(*field);
            }
            left.retain(|d| field_of(d) != *field);
            let why = why.clone();
            decision.holds.push(Hold::Destructive { why });
        }
    }
    if left.is_empty() {
        return decision;
    }
    let whole = whole(live);
    let request = normal::request(&whole, &wish);
    if let Some(hold) = contradiction(name, &request) {
        decision.holds.push(hold);
        return decision;
    }
    let mut fields: Vec<&str> = left.iter().map(|d| field_of(d)).collect();
    fields.dedup();
    let title = format!("set {} of alarm {name}", fields.join(", "));
    decision
        .steps
        .push(step(name, title, json!(digest(&whole)), request));
    decision.risk = Some(match question.policy.destructive {
        Allow::Yes if !losses.is_empty() => {
            let whys: Vec<String> = losses.into_iter().map(|(_, why)| why).collect();
            (Risk::Destructive, whys.join("; "))
        }
        _ => (Risk::Routine, "the alarm keeps its state".to_owned()),
    });
    decision
}

/// The facts of a metric alarm: all of it, and the members that this build does not know. The whole
/// is kept as text, a quarter of the size of a tree: an estate has thousands of alarms, and few of
/// them are ever written.
pub(super) fn facts(whole: &Tree, unknown: &[String]) -> Tree {
    json!({"sort": "metric", "alarm": whole.to_string(), "unknown": unknown})
}

/// The whole alarm, as it was read.
pub(super) fn whole(live: &Live) -> Tree {
    let text = live.facts["alarm"].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// `from` is the digest of the live alarm that the request repeats; null for one that is created.
fn step(name: &str, title: String, from: Tree, request: Tree) -> Step {
    Step {
        operation: "cloudwatch.PutMetricAlarm".to_owned(),
        object: format!("alarm:{name}"),
        title,
        detail: json!({"from": from, "request": request}),
    }
}

/// The document's own field that a drift is below.
fn field_of(drift: &Drift) -> &str {
    drift.path.segments().get(1).map_or("", String::as_str)
}

/// Live entries of `metrics` that the document, which owns them all, does not have.
fn entries_too_many(desired: &Tree, view: &Tree) -> Vec<Drift> {
    let (Some(wanted), Some(there)) = (desired["metrics"].as_object(), view["metrics"].as_object())
    else {
        return Vec::new();
    };
    there
        .iter()
        .filter(|(id, _)| !wanted.contains_key(*id))
        .map(|(id, entry)| Drift {
            path: FieldPath::of(["spec", "metrics", id]),
            desired: Tree::Null,
            live: entry.clone(),
        })
        .collect()
}

/// Why a live alarm of this name must not be replaced, if there is a reason.
fn not_ours(name: &str, live: &Live) -> Option<Hold> {
    let sort = live.facts["sort"].as_str().unwrap_or_default();
    if sort != "metric" {
        return Some(Hold::Conflict {
            why: format!(
                "{name} is the name of a {sort} alarm, which this kind does not manage; choose \
                 another `alarmName`"
            ),
        });
    }
    let description = live.view["description"].as_str().unwrap_or_default();
    if name.starts_with(TARGET_TRACKING) || description.contains("DO NOT EDIT OR DELETE") {
        return Some(Hold::OwnedElsewhere {
            why: format!(
                "alarm {name} belongs to a target tracking policy; change the policy, or choose \
                 another `alarmName`"
            ),
        });
    }
    let unknown: Vec<String> = live.facts["unknown"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|member| member.as_str().map(str::to_owned))
        .collect();
    (!unknown.is_empty()).then_some(Hold::UnknownLiveField { members: unknown })
}

/// What of the drift would silence the alarm, by field.
fn losses(name: &str, drift: &[Drift], view: &Tree) -> Vec<(&'static str, String)> {
    let mut losses = Vec::new();
    let drifted = |field: &str| drift.iter().find(|d| field_of(d) == field);
    for field in ACTIONS {
        let emptied = drifted(field)
            .and_then(|d| d.desired.as_array())
            .is_some_and(Vec::is_empty);
        let there = view[field].as_array().map_or(0, Vec::len);
        if emptied && there > 0 {
            losses.push((field, format!("alarm {name} loses all its `{field}`")));
        }
    }
    if drifted("actionsEnabled").is_some_and(|d| d.desired.as_bool() == Some(false)) {
        let why = format!("alarm {name} no longer notifies anybody");
        losses.push(("actionsEnabled", why));
    }
    losses
}

/// What AWS would refuse of a request whose parts come from the document and the live alarm.
fn contradiction(name: &str, request: &Tree) -> Option<Hold> {
    let periods = request["evaluationPeriods"].as_u64()?;
    let datapoints = request["datapointsToAlarm"].as_u64()?;
    (datapoints > periods).then(|| Hold::Conflict {
        why: format!(
            "alarm {name} would ring at {datapoints} of {periods} periods: the live \
             `datapointsToAlarm` is above the document's `evaluationPeriods`; name both"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Alarm;
    use super::super::normal::view;
    use crate::kinds::trial::{ALL_ALLOWED, decide, document, named, set};
    use crate::kinds::{Decision, Kind as _, Policy};
    use crate::model::change::{Hold, Risk};
    use crate::model::tree::Tree;
    use serde_json::{Value, json};

    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alerts";

    fn spec() -> Value {
        json!({"preset": "CpuHigh", "serviceRef": "web", "alarmActions": [TOPIC]})
    }

    /// What AWS holds for that spec, and more.
    fn whole() -> Value {
        json!({
            "alarmName": "shop-it", "metricName": "CPUUtilization", "namespace": "AWS/ECS",
            "dimensions": {"ClusterName": "main", "ServiceName": "shop-web"},
            "statistic": "Average", "period": 300, "evaluationPeriods": 2, "datapointsToAlarm": 2,
            "threshold": 80.0, "comparisonOperator": "GreaterThanThreshold",
            "treatMissingData": "notBreaching", "alarmActions": [TOPIC], "okActions": [TOPIC],
            "unit": "Percent", "evaluationWindow": {"slidingWindow": {}},
        })
    }

    fn decide_on(spec: Value, live: Option<Value>, policy: &Policy) -> Decision {
        let facts = |alarm: &Value| super::facts(alarm, &[]);
        decide_with(spec, live.map(|w| (view(&w), facts(&w))), policy)
    }

    fn decide_with(spec: Value, live: Option<(Value, Value)>, policy: &Policy) -> Decision {
        let alarm = document("Alarm", spec);
        let web = named(
            "Service",
            "web",
            json!({"cluster": "main", "serviceName": "shop-web"}),
        );
        let set = set([alarm.clone(), web]);
        decide(&Alarm, &alarm, &set, live, policy)
    }

    fn with(mut base: Value, but: Value) -> Value {
        for (key, value) in but.as_object().unwrap() {
            base[key] = value.clone();
        }
        base
    }

    #[test]
    fn an_alarm_in_order_needs_nothing_whatever_else_it_has() {
        assert_eq!(
            decide_on(spec(), Some(whole()), &ALL_ALLOWED),
            Decision::default()
        );
    }

    #[test]
    fn defaults_of_aws_may_be_named() {
        let spec = with(
            spec(),
            json!({
                "actionsEnabled": true, "insufficientDataActions": [], "evaluateLowSampleCountPercentile": "evaluate",
            }),
        );
        assert_eq!(
            decide_on(spec, Some(whole()), &ALL_ALLOWED),
            Decision::default()
        );
    }

    #[test]
    fn an_absent_alarm_is_created_as_the_document_says() {
        let decision = decide_on(spec(), None, &Policy::CONTROLLER);
        let request = &decision.steps[0].detail["request"];
        assert_eq!(request["dimensions"]["ServiceName"], "shop-web");
        assert_eq!(request["threshold"], 80.0);
        assert_eq!(decision.steps[0].detail["from"], Tree::Null);
        assert_eq!(decision.risk.unwrap().0, Risk::Routine);
    }

    #[test]
    fn a_write_carries_everything_else_over() {
        let live = with(whole(), json!({"threshold": 95.0}));
        let decision = decide_on(spec(), Some(live), &Policy::CONTROLLER);
        assert_eq!(decision.steps[0].detail["request"], whole());
        assert_eq!(decision.steps[0].title, "set threshold of alarm shop-it");
    }

    #[test]
    fn a_member_that_this_build_does_not_know_blocks_the_write() {
        let live = with(whole(), json!({"threshold": 95.0}));
        let facts = super::facts(&live, &["Novelty".to_owned()]);
        let decision = decide_with(spec(), Some((view(&live), facts)), &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
        assert!(
            matches!(&decision.holds[..], [Hold::UnknownLiveField { members }] if members == &["Novelty"])
        );
    }

    #[test]
    fn silencing_an_alarm_is_destructive_and_the_rest_goes_on_without_it() {
        for silence in [
            json!({"alarmActions": []}),
            json!({"actionsEnabled": false}),
        ] {
            let wish = with(spec(), silence.clone());
            let decision = decide_on(wish.clone(), Some(whole()), &ALL_ALLOWED);
            assert_eq!(decision.risk.unwrap().0, Risk::Destructive, "{silence}");
            let decision = decide_on(wish.clone(), Some(whole()), &Policy::CONTROLLER);
            assert!(decision.steps.is_empty());
            assert!(matches!(decision.holds[..], [Hold::Destructive { .. }]));
            let live = with(whole(), json!({"threshold": 95.0}));
            let decision = decide_on(wish, Some(live), &Policy::CONTROLLER);
            assert_eq!(decision.steps[0].detail["request"], whole());
        }
    }

    #[test]
    fn alarms_of_target_tracking_and_composite_alarms_are_never_touched() {
        let live = with(
            whole(),
            json!({"threshold": 1.0, "description": "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy x."}),
        );
        let decision = decide_on(spec(), Some(live), &ALL_ALLOWED);
        assert!(matches!(decision.holds[..], [Hold::OwnedElsewhere { .. }]));
        let composite = (
            json!({"alarmName": "shop-it"}),
            json!({"sort": "composite"}),
        );
        let decision = decide_with(spec(), Some(composite), &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
        assert!(matches!(decision.holds[..], [Hold::Conflict { .. }]));
    }

    #[test]
    fn metric_math_replaces_a_single_metric_as_a_whole() {
        let spec = json!({"preset": "RunningBelowDesired", "serviceRef": "web"});
        let decision = decide_on(spec.clone(), Some(whole()), &ALL_ALLOWED);
        let request = decision.steps[0].detail["request"].clone();
        for gone in [
            "metricName",
            "namespace",
            "dimensions",
            "period",
            "statistic",
            "unit",
        ] {
            assert!(request.get(gone).is_none(), "{gone}");
        }
        let m_run = &request["metrics"]["m_run"]["metricStat"]["metric"];
        assert_eq!(
            m_run["dimensions"],
            json!({"ClusterName": "main", "ServiceName": "shop-web"})
        );
        assert_eq!(request["okActions"], json!([TOPIC]));
        assert_eq!(
            decide_on(spec, Some(request), &ALL_ALLOWED),
            Decision::default()
        );
    }

    #[test]
    fn an_entry_that_somebody_added_to_metric_math_is_drift() {
        let spec = json!({"preset": "RunningBelowDesired", "serviceRef": "web"});
        let created = decide_on(spec.clone(), None, &ALL_ALLOWED);
        let mut live = created.steps[0].detail["request"].clone();
        live["metrics"]["extra"] = json!({"expression": "m_run * 2", "returnData": false});
        let decision = decide_on(spec, Some(live), &Policy::CONTROLLER);
        assert_eq!(
            decision.more_drift[0].path.to_string(),
            "spec.metrics.extra"
        );
        assert!(
            decision.steps[0].detail["request"]["metrics"]
                .get("extra")
                .is_none()
        );
    }

    #[test]
    fn more_datapoints_than_periods_are_told_and_not_tried() {
        let spec = json!({
            "metricName": "CPUUtilization", "namespace": "AWS/ECS", "statistic": "Average", "period": 300,
            "evaluationPeriods": 1, "threshold": 80, "comparisonOperator": "GreaterThanThreshold",
        });
        let decision = decide_on(spec, Some(whole()), &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
        assert!(matches!(decision.holds[..], [Hold::Conflict { .. }]));
    }

    #[test]
    fn fewer_periods_over_a_preset_bring_their_datapoints_with_them() {
        let wish = with(spec(), json!({"evaluationPeriods": 1}));
        let decision = decide_on(wish, None, &ALL_ALLOWED);
        assert_eq!(decision.steps[0].detail["request"]["datapointsToAlarm"], 1);
    }

    #[test]
    fn an_alarm_is_named_after_app_and_document_by_default() {
        let alarm = document("Alarm", spec());
        assert_eq!(Alarm.claims(&alarm, &set([])), ["cloudwatch:alarm:shop-it"]);
    }
}
