//! What is wrong with documents.

use super::*;

#[test]
fn each_fault_in_a_document_is_one_error() {
    let with = |more: Value| {
        let mut spec = json!({"cluster": "main"});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Service, spec)
    };
    assert_eq!(with(json!({"cpu": 512, "memory": 512})), ["fargate-size"]);
    assert_eq!(
        with(json!({"cpu": 300, "memory": 500, "launchType": "EC2"})),
        Vec::<String>::new()
    );
    assert_eq!(with(scaling(3, 2)), ["min-above-max"]);
    let mut both = scaling(1, 2);
    both["desiredCount"] = json!(1);
    assert_eq!(with(both), ["count-owned-twice"]);
    assert_eq!(with(json!({"tags": {"aws:x": "y"}})), ["bad-tag"]);
    let policies = |list: Value| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["targetTracking"] = list;
        with(spec)
    };
    let memory = "ECSServiceAverageMemoryUtilization";
    assert_eq!(
        policies(json!([
            {"name": "a", "metric": CPU, "targetValue": 70},
            {"name": "a", "metric": memory, "targetValue": 70},
        ])),
        ["named-twice"]
    );
    assert_eq!(
        policies(json!([{"name": "a", "metric": "ALBRequestCountPerTarget", "targetValue": 9}])),
        ["resource-label"]
    );
    let actions = |action: Value| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["scheduled"] = json!([action]);
        with(spec)
    };
    let cron = "cron(0 20 * * ? *)";
    assert_eq!(
        actions(json!({"name": "n", "schedule": cron, "minCapacity": 5})),
        ["min-above-max"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": "cron(0 20 1 * 2 *)", "minCapacity": 1})),
        ["bad-schedule"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": cron, "timezone": "Mars", "minCapacity": 1})),
        ["bad-timezone"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": cron})),
        ["empty-action"]
    );
}

/// The rules of all findings in a document of this `scaling`, 0 to 10 tasks if not said.
fn scaling_rules(more: Value) -> Vec<(String, crate::model::finding::Severity)> {
    let mut spec = scaling(0, 10);
    spec["cluster"] = json!("main");
    for (key, value) in more.as_object().unwrap() {
        spec["scaling"][key] = value.clone();
    }
    let document = document("Service", spec);
    let found = Service.check(&document, &set([document.clone()]));
    found.into_iter().map(|f| (f.rule, f.severity)).collect()
}

fn errors(more: Value) -> Vec<String> {
    scaling_rules(more)
        .into_iter()
        .filter(|(_, severity)| *severity == crate::model::finding::Severity::Error)
        .map(|(rule, _)| rule)
        .collect()
}

fn warnings(more: Value) -> Vec<String> {
    scaling_rules(more)
        .into_iter()
        .filter(|(_, severity)| *severity == crate::model::finding::Severity::Warning)
        .map(|(rule, _)| rule)
        .collect()
}

#[test]
fn an_action_alone_is_a_warning_whatever_its_schedule() {
    for schedule in ["cron(0 20 * * ? *)", "at(2026-12-24T18:00:00)"] {
        let alone = json!([{"name": "nights", "schedule": schedule, "minCapacity": 1}]);
        assert_eq!(warnings(json!({"scheduled": alone})), ["lone-schedule"]);
    }
}

#[test]
fn bounds_of_two_actions_may_stand_together_where_one_alone_may_not() {
    let low = json!({"name": "night-min", "schedule": "cron(0 20 * * ? *)", "minCapacity": 0});
    let high = json!({"name": "night-max", "schedule": "cron(5 20 * * ? *)", "maxCapacity": 1});
    let bounds = |actions: Value| json!({"minCapacity": 2, "scheduled": actions});
    let pair = bounds(json!([low, high]));
    assert_eq!(errors(pair.clone()), Vec::<String>::new());
    // AWS refuses the firing that comes before the one that makes room.
    assert_eq!(warnings(pair), ["bounds-may-cross"]);
    assert_eq!(errors(bounds(json!([high]))), ["min-above-max"]);
    let both = json!({
        "name": "days", "schedule": "cron(0 6 * * ? *)", "minCapacity": 2, "maxCapacity": 10,
    });
    assert_eq!(errors(bounds(json!([both, high]))), ["min-above-max"]);
    let crossed =
        json!({"name": "x", "schedule": "cron(0 6 * * ? *)", "minCapacity": 3, "maxCapacity": 1});
    assert_eq!(errors(bounds(json!([low, crossed]))), ["min-above-max"]);
}

#[test]
fn one_metric_of_two_target_groups_is_two_metrics() {
    let requests = |name: &str, label: &str| {
        json!({
            "name": name, "metric": "ALBRequestCountPerTarget", "targetValue": 9,
            "resourceLabel": label,
        })
    };
    let policies =
        |a: &str, b: &str| errors(json!({"targetTracking": [requests("a", a), requests("b", b)]}));
    let (one, other) = ("app/a/1/targetgroup/one/1", "app/a/1/targetgroup/other/2");
    assert_eq!(policies(one, other), Vec::<String>::new());
    assert_eq!(policies(one, one), ["metric-twice"]);
}

#[test]
fn a_time_zone_is_written_as_aws_knows_it() {
    let zone = |zone: &str| {
        let mut spec = scaling(0, 10);
        spec["cluster"] = json!("main");
        spec["scaling"]["scheduled"] = json!([
            {"name": "a", "schedule": "cron(0 20 * * ? *)", "timezone": zone, "minCapacity": 1},
            {"name": "b", "schedule": "cron(0 6 * * ? *)", "minCapacity": 0},
        ]);
        let document = document("Service", spec);
        Service.check(&document, &set([document.clone()]))
    };
    for known in [
        "Europe/Zurich",
        "UTC",
        "Etc/GMT+9",
        "America/Argentina/Buenos_Aires",
    ] {
        assert_eq!(zone(known), [], "{known}");
    }
    let found = zone("europe/zurich");
    assert_eq!(found[0].rule, "bad-timezone");
    assert!(
        found[0].message.contains("did you mean Europe/Zurich?"),
        "{found:?}"
    );
}

#[test]
fn zones_come_with_the_binary() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(bundled.get("Europe/Zurich").is_ok());
}

#[test]
fn each_rule_of_a_service_finds_its_own_fault() {
    let with = |more: Value| {
        let mut spec = json!({"cluster": "main"});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Service, spec)
    };
    let app = |limits: Value| json!({"cpu": 256, "memory": 512, "containers": {"app": limits}});
    for limits in [
        json!({"memory": 256, "memoryReservation": 257}),
        json!({"memory": 513}),
        json!({"memoryReservation": 513}),
        json!({"cpu": 257}),
    ] {
        assert_eq!(with(app(limits.clone())), ["container-limits"], "{limits}");
    }
    let whole = json!({"cpu": 256, "memory": 512, "memoryReservation": 512});
    assert_eq!(with(app(whole)), Vec::<String>::new());
    let shares = json!({"minimumHealthyPercent": 100, "maximumPercent": 100});
    assert_eq!(with(json!({"deployment": shares})), ["deployment-stuck"]);
    let tags: serde_json::Map<String, Value> =
        (0..51).map(|i| (format!("t{i}"), json!(""))).collect();
    assert_eq!(with(json!({"tags": tags})), ["bad-tag"]);
    let policy = |policy: Value| errors(json!({"targetTracking": [policy]}));
    assert_eq!(
        policy(json!({"name": "a", "metric": CPU, "targetValue": 0})),
        ["target-value"]
    );
    for metric in [CPU, "ECSServiceAverageMemoryUtilization"] {
        let policy = policy(json!({
            "name": "a", "metric": metric, "targetValue": 70, "resourceLabel": "app/a/1",
        }));
        assert_eq!(policy, ["resource-label"]);
    }
    assert_eq!(
        errors(json!({"scheduled": [{
            "name": "a", "schedule": "rate(2 hours)", "timezone": "Europe/Zurich",
            "minCapacity": 1,
        }]})),
        ["bad-timezone"]
    );
}

fn found(spec: Value) -> Vec<crate::model::finding::Finding> {
    let mut spec = spec;
    spec["cluster"] = json!("main");
    let document = document("Service", spec);
    let found = Service.check(&document, &set([document.clone()]));
    let errors = found.into_iter();
    let errors = errors.filter(|f| f.severity == crate::model::finding::Severity::Error);
    errors.collect()
}

#[test]
fn one_slip_is_one_error() {
    let rules = |spec: Value| -> Vec<String> { found(spec).into_iter().map(|f| f.rule).collect() };
    let mut copied = scaling(1, 2);
    let entry = json!({"name": "a", "metric": CPU, "targetValue": 70});
    copied["scaling"]["targetTracking"] = json!([entry, entry]);
    assert_eq!(rules(copied), ["named-twice"]);
    let mut crossed = scaling(3, 2);
    crossed["scaling"]["scheduled"] = json!([
        {"name": "a", "schedule": "rate(1 day)", "minCapacity": 4},
        {"name": "b", "schedule": "rate(2 days)", "maxCapacity": 1},
    ]);
    assert_eq!(rules(crossed), ["min-above-max"]);
    let limits = json!({"memory": 1024, "memoryReservation": 2048});
    let app = json!({"cpu": 256, "memory": 512, "containers": {"app": limits}});
    assert_eq!(rules(app), ["container-limits"]);
}

#[test]
fn two_policies_for_one_metric_are_not_cured_by_a_name() {
    let mut spec = scaling(1, 2);
    spec["scaling"]["targetTracking"] = json!([
        {"name": "a", "metric": CPU, "targetValue": 70},
        {"name": "b", "metric": CPU, "targetValue": 80},
    ]);
    let found = found(spec);
    assert!(found[0].message.ends_with(CPU), "{}", found[0].message);
    let help = found[0].help.as_deref().unwrap();
    assert!(!help.contains("another name"), "{help}");
}

#[test]
fn names_that_aws_refuses_are_errors() {
    let action = |name: &str| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["scheduled"] =
            json!([{"name": name, "schedule": "rate(1 day)", "minCapacity": 1}]);
        found(spec)
    };
    for name in ["a:b", "a/b", "a|b", " a", "a ", "a\u{7f}"] {
        assert_eq!(action(name)[0].rule, "bad-name", "{name}");
    }
    assert_eq!(action("at night, weekly"), []);
    let policy = |name: &str| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["targetTracking"] =
            json!([{"name": name, "metric": CPU, "targetValue": 70}]);
        found(spec)
    };
    assert_eq!(policy("zürich")[0].rule, "bad-name");
    assert_eq!(policy("cpu: 70/h"), []);
}

#[test]
fn the_help_on_a_schedule_is_about_what_it_was_meant_to_be() {
    for (schedule, word) in [
        ("rate(1 hours)", "rate("),
        ("at(2026-12-24)", "at("),
        ("cron(0 20 * * *)", "day-of-month"),
    ] {
        let mut spec = scaling(1, 2);
        spec["scaling"]["scheduled"] =
            json!([{"name": "n", "schedule": schedule, "minCapacity": 1}]);
        let found = found(spec);
        assert_eq!(found[0].rule, "bad-schedule", "{schedule}");
        let help = found[0].help.as_deref().unwrap();
        assert_eq!(
            help.contains("day-of-month"),
            word == "day-of-month",
            "{help}"
        );
        assert!(help.contains(word), "{help}");
    }
}
