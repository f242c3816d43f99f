//! What is wrong with an Alarm document. Pure: documents in, findings out.

use std::collections::BTreeMap;

use super::preset::{LOAD_BALANCER, alarm_name, beyond_reference, filled, read};
use super::spec::{AlarmSpec, Preset};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;

/// Actions for one state, the most that CloudWatch takes.
const MOST_ACTIONS: usize = 5;

/// Where the metrics of services are.
const ECS: &str = "AWS/ECS";

/// What target tracking calls its own alarms.
pub const TARGET_TRACKING: &str = "TargetTracking-";

/// Rules that the schema cannot say, over the document with its preset and reference filled in.
pub fn check(document: &Document, set: &DesiredSet) -> Vec<Finding> {
    let mut found = Findings {
        document,
        list: Vec::new(),
    };
    let written = match read(document) {
        Ok(spec) => spec,
        Err(cause) => {
            let message = format!("the spec of {} cannot be read: {cause}", document.key);
            found.error("bad-spec", "", message, "correct the spec");
            return found.list;
        }
    };
    let spec = filled(document, &written, set);
    found.reference(&written, &spec, set);
    found.name(&alarm_name(document, &written));
    found.watched(&written, &spec);
    found.one_of_a_pair(&written, &spec);
    found.missing(&spec);
    found.periods(&spec);
    found.band(&spec);
    found.values(&written);
    found.metrics(spec.metrics.as_deref().unwrap_or_default(), &spec);
    for (field, actions) in [
        ("alarmActions", &spec.alarm_actions),
        ("okActions", &spec.ok_actions),
        ("insufficientDataActions", &spec.insufficient_data_actions),
    ] {
        found.actions(field, actions.as_deref().unwrap_or_default());
    }
    found.list
}

/// What has been found.
pub struct Findings<'a> {
    document: &'a Document,
    list: Vec<Finding>,
}

impl Findings<'_> {
    /// Adds an error at `field`.
    pub fn error(
        &mut self,
        rule: &str,
        field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.list.push(
            Finding::error(rule, message)
                .help(help)
                .at(self.document.span_of(field))
                .of(&self.document.key),
        );
    }

    fn reference(&mut self, written: &AlarmSpec, spec: &AlarmSpec, set: &DesiredSet) {
        let Some(name) = &written.service_ref else {
            return;
        };
        if let Some(namespace) = beyond_reference(spec) {
            self.error(
                "idle-reference",
                "serviceRef",
                format!(
                    "`serviceRef` fills ClusterName and ServiceName, which metrics of {namespace} \
                     do not have"
                ),
                "take it out, and name in `dimensions` what the metric is of: `{LoadBalancer: \
                 app/<name>/<id>}` for one of a load balancer",
            );
            return;
        }
        let app = &self.document.key.app;
        let wanted = ResourceKey::new(app, "Service", name);
        // One that stands there and did not load has been told of already.
        if set.documents.contains_key(&wanted) || set.unread.may_hold(&wanted) {
            return;
        }
        let services: Vec<&str> = set
            .documents
            .keys()
            .filter(|key| key.app == *app && key.kind == "Service")
            .map(|key| key.name.as_str())
            .collect();
        let near = services
            .iter()
            .map(|other| (strsim::osa_distance(name, other), *other))
            .filter(|(far, other)| *far <= 3 && *far < other.len())
            .min();
        let help = match (near, services.as_slice()) {
            (Some((_, near)), _) => format!("did you mean `{near}`?"),
            (None, []) => format!("add a Service document named {name} to {app}"),
            (None, known) => format!("name one of {}", known.join(", ")),
        };
        let message = format!("`serviceRef` names {name}, but {app} has no Service of that name");
        self.error("dangling-reference", "serviceRef", message, help);
    }

    fn name(&mut self, name: &str) {
        if name.starts_with(TARGET_TRACKING) {
            self.error(
                "reserved-name",
                "alarmName",
                format!("{name} is a name that target tracking gives its own alarms"),
                "choose another `alarmName`; alarms of target tracking are never touched",
            );
        }
        if name.chars().count() > 255 {
            self.error(
                "name-length",
                "alarmName",
                "the alarm's name is longer than 255 characters",
                "write a shorter `alarmName`",
            );
        }
    }

    /// A preset's metrics are told apart by dimensions: without them there is an alarm that
    /// matches nothing, and so never rings, or never stops.
    fn watched(&mut self, written: &AlarmSpec, spec: &AlarmSpec) {
        let Some(preset) = written.preset else {
            return;
        };
        // A document that brings its own metrics says itself what they are of, and a reference to
        // nothing has been told.
        if written.metrics.is_some() || written.service_ref.is_some() {
            return;
        }
        let service = "add `serviceRef: <name of a Service document>`, or `dimensions: \
                       {ClusterName: <cluster>, ServiceName: <service>}`";
        let (needs, what, help): (&[&str], _, _) = match preset {
            Preset::Elb5xx | Preset::ResponseTimeHigh => (
                &[LOAD_BALANCER],
                "load balancer",
                "add `dimensions: {LoadBalancer: app/<name>/<id>}`",
            ),
            // A cluster has a CPU and a memory, too.
            Preset::CpuHigh | Preset::MemoryHigh if spec.namespace.as_deref() == Some(ECS) => {
                (&["ClusterName"], "service", service)
            }
            Preset::CpuHigh | Preset::MemoryHigh => return,
            Preset::RunningBelowDesired => (&["ClusterName", "ServiceName"], "service", service),
        };
        let stats = spec.metrics.iter().flatten();
        let mut all: Vec<&Option<BTreeMap<String, String>>> = stats
            .filter_map(|entry| Some(&entry.metric_stat.as_ref()?.metric.dimensions))
            .collect();
        if all.is_empty() {
            all.push(&spec.dimensions);
        }
        let named = |dimensions: &BTreeMap<String, String>| {
            needs.iter().all(|need| dimensions.contains_key(*need))
        };
        if !all.into_iter().all(|d| d.as_ref().is_some_and(named)) {
            let message = format!("the preset {preset:?} needs to know which {what} it watches");
            self.error("preset-dimension", "preset", message, help);
        }
    }

    fn one_of_a_pair(&mut self, written: &AlarmSpec, spec: &AlarmSpec) {
        if spec.metrics.is_some() {
            let single = [
                ("metricName", spec.metric_name.is_some()),
                ("namespace", spec.namespace.is_some()),
                ("dimensions", spec.dimensions.is_some()),
                ("period", spec.period.is_some()),
                ("statistic", spec.statistic.is_some()),
                ("extendedStatistic", spec.extended_statistic.is_some()),
                ("unit", spec.unit.is_some()),
            ];
            let of_the_preset = written.preset.filter(|_| written.metrics.is_none());
            for (field, _) in single.into_iter().filter(|(_, set)| *set) {
                let (message, help) = match of_the_preset {
                    Some(preset) => (
                        format!(
                            "`{field}` cannot stand beside the preset {preset:?}, which compares \
                             two metrics of its own"
                        ),
                        format!("leave `{field}` out, or write the alarm without the preset"),
                    ),
                    None => (
                        format!("`{field}` and `metrics` cannot stand together"),
                        "keep `metrics` and say it there, or leave `metrics` out".to_owned(),
                    ),
                };
                self.error("one-evaluation", field, message, help);
            }
        }
        if spec.statistic.is_some() && spec.extended_statistic.is_some() {
            self.error(
                "one-statistic",
                "extendedStatistic",
                "`statistic` and `extendedStatistic` cannot stand together",
                "keep one of the two",
            );
        }
        if spec.threshold.is_some() && spec.threshold_metric_id.is_some() {
            self.error(
                "one-threshold",
                "thresholdMetricId",
                "`threshold` and `thresholdMetricId` cannot stand together",
                "keep one of the two",
            );
        }
    }

    /// Since an alarm is created when it is absent, a document says all that creating takes.
    fn missing(&mut self, spec: &AlarmSpec) {
        let mut missing = Vec::new();
        if spec.metrics.is_none() {
            if spec.metric_name.is_none() {
                missing.push("`metricName` (or `metrics`, or `preset`)");
            } else {
                for (field, there) in [
                    ("`namespace`", spec.namespace.is_some()),
                    ("`period`", spec.period.is_some()),
                    (
                        "`statistic` (or `extendedStatistic`)",
                        spec.statistic.is_some() || spec.extended_statistic.is_some(),
                    ),
                ] {
                    if !there {
                        missing.push(field);
                    }
                }
            }
        }
        for (field, there) in [
            ("`evaluationPeriods`", spec.evaluation_periods.is_some()),
            ("`comparisonOperator`", spec.comparison_operator.is_some()),
            (
                "`threshold` (or `thresholdMetricId`)",
                spec.threshold.is_some() || spec.threshold_metric_id.is_some(),
            ),
        ] {
            if !there {
                missing.push(field);
            }
        }
        if !missing.is_empty() {
            let key = &self.document.key;
            let message = format!(
                "{key} could not be created: it lacks {}",
                missing.join(", ")
            );
            self.error(
                "incomplete-alarm",
                "",
                message,
                "add them, since an alarm is created when it is absent; or start from a `preset`",
            );
        }
    }

    fn actions(&mut self, field: &str, actions: &[String]) {
        if actions.len() > MOST_ACTIONS {
            self.error(
                "too-many-actions",
                field,
                format!("`{field}` lists {} actions", actions.len()),
                "CloudWatch takes at most 5; let one SNS topic notify the rest",
            );
        }
        for (i, arn) in actions.iter().enumerate() {
            if let Some(fault) = arn_fault(arn) {
                self.error(
                    "bad-arn",
                    &format!("{field}.{i}"),
                    format!("`{field}` lists {arn:?}, which is no ARN: {fault}"),
                    "write it like arn:aws:sns:us-east-1:123456789012:alerts",
                );
            }
        }
    }
}

/// What is wrong with an action's ARN, if anything.
fn arn_fault(arn: &str) -> Option<&'static str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, _region, account, resource] = parts.as_slice() else {
        return Some("it has fewer than six parts");
    };
    let twelve_digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if *prefix != "arn" || !partition.starts_with("aws") {
        Some("it does not start with arn:aws")
    } else if service.is_empty() || resource.is_empty() {
        Some("its service or its resource is empty")
    } else if arn.chars().any(char::is_whitespace) {
        Some("it holds a space")
    } else if *service == "automate" || twelve_digits {
        // EC2's own actions (arn:aws:automate:<region>:ec2:stop) name no account.
        None
    } else {
        Some("its account is not 12 digits")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Alarm;
    use crate::kinds::Kind as _;
    use crate::kinds::trial::{document, named, rules_found, set};
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "metricName": "CPUUtilization", "namespace": "AWS/ECS", "statistic": "Average",
            "period": 300, "evaluationPeriods": 2, "datapointsToAlarm": 2, "threshold": 80,
            "comparisonOperator": "GreaterThanThreshold",
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
        })
    }

    fn but(changes: Value) -> Vec<String> {
        let mut spec = spec();
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Alarm, spec)
    }

    #[test]
    fn a_whole_alarm_and_every_preset_are_in_order() {
        assert_eq!(but(json!({})), [""; 0]);
        for preset in ["RunningBelowDesired", "CpuHigh", "MemoryHigh"] {
            let dimensions = json!({"ClusterName": "main", "ServiceName": "web"});
            let spec = json!({"preset": preset, "dimensions": dimensions});
            assert_eq!(rules_found(&Alarm, spec), [""; 0]);
        }
        for preset in ["Elb5xx", "ResponseTimeHigh"] {
            let spec = json!({"preset": preset, "dimensions": {"LoadBalancer": "app/a/1"}});
            assert_eq!(rules_found(&Alarm, spec), [""; 0]);
            assert_eq!(
                rules_found(&Alarm, json!({"preset": preset})),
                ["preset-dimension"]
            );
        }
    }

    #[test]
    fn a_preset_that_is_not_told_what_it_watches_is_an_error() {
        let with = |preset: &str, more: Value| {
            let mut spec = json!({"preset": preset});
            for (key, value) in more.as_object().unwrap() {
                spec[key] = value.clone();
            }
            rules_found(&Alarm, spec)
        };
        let cluster = json!({"dimensions": {"ClusterName": "main"}});
        for preset in ["RunningBelowDesired", "CpuHigh", "MemoryHigh"] {
            assert_eq!(with(preset, json!({})), ["preset-dimension"], "{preset}");
            let service = json!({"dimensions": {"ServiceName": "web"}});
            assert_eq!(with(preset, service), ["preset-dimension"], "{preset}");
            // What the reference names is asked first.
            let dangling = json!({"serviceRef": "web"});
            assert_eq!(with(preset, dangling), ["dangling-reference"]);
        }
        // A cluster has a CPU, and no tasks to be missed.
        assert_eq!(with("CpuHigh", cluster.clone()), [""; 0]);
        assert_eq!(with("RunningBelowDesired", cluster), ["preset-dimension"]);
        let alarm = document(
            "Alarm",
            json!({"preset": "RunningBelowDesired", "serviceRef": "web"}),
        );
        let web = named("Service", "web", json!({"cluster": "main"}));
        assert_eq!(Alarm.check(&alarm, &set([alarm.clone(), web])), []);
        // Metrics of one's own say themselves what they are of.
        let own = json!({"namespace": "Shop", "metricName": "Load"});
        assert_eq!(with("CpuHigh", own), [""; 0]);
    }

    #[test]
    fn what_does_not_go_with_a_preset_is_said_in_terms_of_the_preset() {
        let spec = json!({
            "preset": "RunningBelowDesired", "namespace": "Shop",
            "dimensions": {"ClusterName": "main", "ServiceName": "web"},
        });
        let document = document("Alarm", spec);
        let found = Alarm.check(&document, &set([document.clone()]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].rule, "one-evaluation");
        assert!(found[0].message.contains("the preset RunningBelowDesired"));
        assert!(!found[0].message.contains("`metrics`"));
    }

    #[test]
    fn a_band_is_compared_as_a_band_and_a_number_as_a_number() {
        let stat =
            json!({"metric": {"namespace": "N", "metricName": "M"}, "period": 60, "stat": "Sum"});
        let with = |operator: &str, band: Option<&str>| {
            let mut spec = json!({
                "metrics": [
                    {"id": "m", "returnData": band.is_some(), "metricStat": stat},
                    {"id": "band", "expression": "ANOMALY_DETECTION_BAND(m, 2)"},
                ],
                "evaluationPeriods": 1, "comparisonOperator": operator,
            });
            match band {
                Some(band) => spec["thresholdMetricId"] = json!(band),
                None => spec["threshold"] = json!(5),
            }
            rules_found(&Alarm, spec)
        };
        assert_eq!(with("GreaterThanUpperThreshold", Some("band")), [""; 0]);
        assert_eq!(with("GreaterThanThreshold", None), [""; 0]);
        assert_eq!(with("GreaterThanUpperThreshold", None), ["band-operator"]);
        assert_eq!(
            with("GreaterThanThreshold", Some("band")),
            ["band-operator"]
        );
        assert_eq!(
            with("GreaterThanUpperThreshold", Some("bend")),
            ["dangling-reference"]
        );
    }

    #[test]
    fn each_rule_finds_its_own_fault() {
        let many: Vec<_> = (0..6)
            .map(|i| format!("arn:aws:sns:eu-west-1:123456789012:t{i}"))
            .collect();
        for (changes, rule) in [
            (json!({"period": 45}), "period-length"),
            (json!({"datapointsToAlarm": 3}), "datapoints-range"),
            (
                json!({"evaluationPeriods": 300, "datapointsToAlarm": 1}),
                "evaluation-range",
            ),
            (json!({"extendedStatistic": "p99"}), "one-statistic"),
            (json!({"alarmName": "TargetTracking-x"}), "reserved-name"),
            (
                json!({"alarmActions": ["arn:aws:sns:us-east-1:12345:alerts"]}),
                "bad-arn",
            ),
            (json!({"okActions": ["alerts"]}), "bad-arn"),
            (json!({"okActions": many}), "too-many-actions"),
            (json!({"serviceRef": "web"}), "dangling-reference"),
        ] {
            assert_eq!(but(changes.clone()), [rule], "{changes}");
        }
    }

    #[test]
    fn one_topic_listed_twice_is_an_error() {
        let text = "apiVersion: evenkeel/v1alpha1\n\
                    kind: Alarm\n\
                    metadata: {app: shop, name: high}\n\
                    spec:\n  \
                      preset: CpuHigh\n  \
                      dimensions: {ClusterName: main, ServiceName: web}\n  \
                      alarmActions: [\"arn:aws:sns:us-east-1:123456789012:a\", \
                                     \"arn:aws:sns:us-east-1:123456789012:a\"]\n";
        let set = crate::engine::desired::load_files([("alarm.yaml", text.as_bytes())]);
        let found: Vec<&str> = set.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(found, ["duplicate-item"]);
    }

    #[test]
    fn an_alarm_that_could_not_be_created_says_what_it_lacks() {
        let document = document("Alarm", json!({"metricName": "X", "threshold": 1}));
        let found = Alarm.check(&document, &set([document.clone()]));
        for field in [
            "namespace",
            "period",
            "statistic",
            "evaluationPeriods",
            "comparisonOperator",
        ] {
            assert!(found[0].message.contains(field), "{field}");
        }
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_reference_with_a_slip_is_asked_back() {
        let alarm = document(
            "Alarm",
            json!({"preset": "CpuHigh", "serviceRef": "bakend"}),
        );
        let service = named("Service", "backend", json!({"cluster": "c"}));
        let found = Alarm.check(&alarm, &set([alarm.clone(), service]));
        assert_eq!(found[0].help.as_deref(), Some("did you mean `backend`?"));
    }

    #[test]
    fn a_reference_that_fills_no_metric_is_an_error() {
        let web = named("Service", "web", json!({"cluster": "main"}));
        let rules = |spec: Value| -> Vec<String> {
            let alarm = document("Alarm", spec);
            let found = Alarm.check(&alarm, &set([alarm.clone(), web.clone()]));
            found.into_iter().map(|f| f.rule).collect()
        };
        let elb = json!({"preset": "Elb5xx", "serviceRef": "web"});
        assert_eq!(rules(elb), ["idle-reference"]);
        let mut own = spec();
        own["serviceRef"] = json!("web");
        assert_eq!(rules(own.clone()), [""; 0]);
        own["namespace"] = json!("AWS/ApplicationELB");
        assert_eq!(rules(own.clone()), ["idle-reference"]);
        // A namespace of one's own may well tell services apart.
        own["namespace"] = json!("Shop");
        assert_eq!(rules(own), [""; 0]);
    }

    #[test]
    fn metric_math_returns_one_value_from_named_sources() {
        let math = |metrics: Value| {
            rules_found(
                &Alarm,
                json!({
                    "metrics": metrics, "evaluationPeriods": 1, "threshold": 0,
                    "comparisonOperator": "GreaterThanThreshold",
                }),
            )
        };
        let stat =
            json!({"metric": {"namespace": "N", "metricName": "M"}, "period": 60, "stat": "Sum"});
        let source = json!({"id": "m", "returnData": false, "metricStat": stat});
        assert_eq!(
            math(json!([source, {"id": "e", "expression": "m * 2"}])),
            [""; 0]
        );
        assert_eq!(math(json!([source])), ["one-value"]);
        assert_eq!(
            math(json!([source, source, {"id": "e", "expression": "m"}])),
            ["duplicate-id"]
        );
        assert_eq!(math(json!([source, {"id": "e"}])), ["one-source"]);
        assert_eq!(
            math(json!([source, {"id": "e", "expression": "m", "period": 45}])),
            ["period-length"]
        );
        let mut many: Vec<Value> = (0..11)
            .map(|i| json!({"id": format!("m{i}"), "returnData": false, "metricStat": stat}))
            .collect();
        many.push(json!({"id": "e", "expression": "m0"}));
        assert_eq!(math(json!(many)), ["too-many-metrics"]);
    }
}
