//! Which bounds are in force: what fires when, and what is told of it.

use super::scaling::{expected_at, live_schedule, nights_and_days};
use super::*;

fn action(name: &str, schedule: &str, bounds: Value) -> Value {
    json!({
        "ScheduledActionName": name, "Schedule": schedule, "ScalableTargetAction": bounds,
    })
}

fn epoch(text: &str) -> Value {
    json!(text.parse::<Timestamp>().unwrap().as_second())
}

#[test]
fn a_star_beside_a_weekday_is_read_as_older_guides_wrote_it() {
    // 23 November 2026 is a Monday.
    let monday = action(
        "old",
        "cron(30 6 * * 2 *)",
        json!({"MinCapacity": 4, "MaxCapacity": 6}),
    );
    let first = action(
        "first",
        "cron(30 6 23 * * *)",
        json!({"MinCapacity": 4, "MaxCapacity": 6}),
    );
    let daily = action(
        "daily",
        "cron(30 6 * * * *)",
        json!({"MinCapacity": 4, "MaxCapacity": 6}),
    );
    for actions in [json!([monday]), json!([first]), json!([daily])] {
        let world = world().scaled(Some((2, 10)), json!([]), actions);
        let bounds = expected_at(&world, scaling(2, 10), "2026-11-23T12:00:00Z");
        assert_eq!(bounds, (json!(4), json!(6)));
    }
}

#[test]
fn bounds_that_an_unreadable_action_may_have_set_are_in_order_and_told() {
    let odd = action(
        "odd",
        "cron(30 6 1 * 2 *)",
        json!({"MinCapacity": 5, "MaxCapacity": 7}),
    );
    let mut world = world().scaled(Some((5, 7)), json!([]), json!([odd]));
    world.service["desiredCount"] = json!(5);
    let (drift, decision) = world.ask(scaling(2, 10));
    assert!(
        drift.is_empty() && decision.steps.is_empty(),
        "{decision:?}"
    );
    let [note] = decision.notes.as_slice() else {
        panic!("{decision:?}");
    };
    assert!(
        note.contains("\"odd\"") && note.contains("5 to 7") && note.contains("cron(30 6 1 * 2 *)"),
        "{note}"
    );
}

#[test]
fn a_start_time_is_a_firing_of_its_own() {
    // Mondays at six, from a Wednesday on: on that Wednesday the bounds are set at once.
    let mut weekly = action(
        "weekly",
        "cron(0 6 ? * MON *)",
        json!({"MinCapacity": 4, "MaxCapacity": 6}),
    );
    weekly["CreationTime"] = epoch("2026-11-16T12:00:00Z");
    weekly["StartTime"] = epoch("2026-11-18T09:00:00Z");
    let mut hourly = action(
        "hourly",
        "rate(12 hours)",
        json!({"MinCapacity": 4, "MaxCapacity": 6}),
    );
    hourly["StartTime"] = weekly["StartTime"].clone();
    for actions in [json!([weekly]), json!([hourly])] {
        let world = world().scaled(Some((9, 9)), json!([]), actions);
        let at = |when| expected_at(&world, scaling(2, 10), when);
        assert_eq!(at("2026-11-18T08:00:00Z"), (json!(2), json!(10)));
        assert_eq!(at("2026-11-18T10:00:00Z"), (json!(4), json!(6)));
    }
}

#[test]
fn a_start_time_that_was_over_when_the_action_was_made_fires_nothing() {
    let mut weekly = action("weekly", "cron(0 6 ? * MON *)", json!({"MinCapacity": 4}));
    weekly["StartTime"] = epoch("2026-11-11T09:00:00Z");
    weekly["CreationTime"] = epoch("2026-11-18T09:00:00Z");
    let world = world().scaled(Some((9, 9)), json!([]), json!([weekly]));
    let at = |when| expected_at(&world, scaling(2, 10), when);
    assert_eq!(at("2026-11-19T00:00:00Z"), (json!(2), json!(10)));
    assert_eq!(at("2026-11-23T12:00:00Z"), (json!(4), json!(10)));
}

#[test]
fn a_rate_counts_from_its_beginning_and_stops_at_its_end() {
    let mut hourly = action("hourly", "rate(2 hours)", json!({"MinCapacity": 4}));
    hourly["CreationTime"] = epoch("2026-11-23T06:00:00Z");
    let mut nights = action("nights", "cron(0 9 * * ? *)", json!({"MinCapacity": 1}));
    nights["EndTime"] = epoch("2026-11-23T00:00:00Z");
    let world = world().scaled(Some((9, 9)), json!([]), json!([hourly, nights]));
    let at = |when| expected_at(&world, scaling(2, 10), when);
    // The last firing of what has ended stays in force until another one.
    assert_eq!(at("2026-11-23T07:00:00Z"), (json!(1), json!(10)));
    assert_eq!(at("2026-11-23T08:30:00Z"), (json!(4), json!(10)));
    // At nine nothing fires any more.
    assert_eq!(at("2026-11-23T09:30:00Z"), (json!(4), json!(10)));
}

#[test]
fn bounds_of_two_actions_that_cross_give_way_to_the_maximum() {
    let actions = json!([
        action("high", "cron(0 8 * * ? *)", json!({"MinCapacity": 6})),
        action("low", "cron(0 9 * * ? *)", json!({"MaxCapacity": 3})),
    ]);
    let world = world().scaled(Some((9, 9)), json!([]), actions);
    let bounds = expected_at(&world, scaling(2, 10), "2026-11-23T12:00:00Z");
    assert_eq!(bounds, (json!(3), json!(3)));
}

#[test]
fn a_live_action_that_overrides_the_document_is_named() {
    let mut sale = action(
        "sale",
        "at(2026-11-20T18:00:00)",
        json!({"MinCapacity": 2, "MaxCapacity": 4}),
    );
    sale["CreationTime"] = epoch("2026-11-19T00:00:00Z");
    let world = world().scaled(Some((2, 4)), json!([]), json!([sale]));
    let (drift, decision) = world.ask(scaling(2, 20));
    assert!(drift.is_empty() && decision.steps.is_empty());
    let [note] = decision.notes.as_slice() else {
        panic!("{decision:?}");
    };
    for word in [
        "\"sale\"",
        "2026-11-20T18:00:00Z",
        "minCapacity 2",
        "maxCapacity 4",
    ] {
        assert!(note.contains(word), "{note}");
    }
    // What the document names itself overrides nothing.
    let mut world = super::world().scaled(Some((3, 8)), json!([]), live_schedule());
    world.service["desiredCount"] = json!(3);
    assert_eq!(world.decide(nights_and_days()), Decision::default());
}

#[test]
fn a_count_out_of_bounds_beside_a_suspended_policy_is_brought_in_and_the_suspension_left() {
    let mut world = world().scaled(Some((2, 10)), json!([]), json!([]));
    world.service["desiredCount"] = json!(12);
    if let Some(scaling) = &mut world.scaling {
        scaling.target = view::target(&json!({
            "MinCapacity": 2, "MaxCapacity": 10,
            "SuspendedState": {"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": true},
        }));
    }
    let decision = world.decide(scaling(2, 10));
    // Bounds are all that is sent, so AWS keeps what is suspended.
    assert_eq!(
        only(&decision).detail,
        json!({"resourceId": "service/main/web", "minCapacity": 2, "maxCapacity": 10})
    );
    assert!(decision.notes[0].contains("DynamicScalingIn, DynamicScalingOut"));
}

#[tokio::test(start_paused = true)]
async fn what_a_start_time_sets_at_aws_is_in_order_from_then_on() {
    let bench = super::bench::bench().await;
    let spec = scaling(1, 10);
    let call = |operation: &str, members: Value| {
        let mut input = json!({
            "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
            "ScalableDimension": "ecs:service:DesiredCount",
        });
        for (member, value) in members.as_object().unwrap() {
            input[member] = value.clone();
        }
        bench.twin.world(|w| {
            w.call("application-autoscaling", operation, &input)
                .unwrap();
        });
    };
    call(
        "RegisterScalableTarget",
        json!({"MinCapacity": 1, "MaxCapacity": 10}),
    );
    // Mondays at noon; it starts tomorrow, a Tuesday.
    call(
        "PutScheduledAction",
        json!({
            "ScheduledActionName": "weekly", "Schedule": "cron(0 12 ? * MON *)",
            "StartTime": now().as_second() + 86_400,
            "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 4},
        }),
    );
    // Every three hours through that week and the next.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..80 {
        let (drift, decision) = bench.plan(&spec).await;
        assert!(drift.is_empty() && decision.steps.is_empty(), "{drift:?}");
        let target = bench.twin.world(|w| {
            let target = w.autoscaling.target("main", "web").unwrap();
            (target.min, target.max)
        });
        seen.insert(target);
        bench
            .cell
            .clock
            .sleep(std::time::Duration::from_secs(3 * 3600))
            .await;
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(1, 10), (2, 4)]);
}

#[test]
fn an_action_that_will_stop_every_task_is_destructive_and_the_rest_goes_on() {
    let mut spec = scaling(0, 10);
    spec["scaling"]["scheduled"] = json!([
        {"name": "nights", "schedule": "cron(0 20 * * ? *)", "minCapacity": 0, "maxCapacity": 0},
        {"name": "days", "schedule": "cron(0 6 * * ? *)", "minCapacity": 2, "maxCapacity": 10},
    ]);
    let mut world = world().scaled(Some((2, 10)), json!([]), json!([]));
    let decision = world.decide(spec.clone());
    assert_eq!(only(&decision).detail["scheduledActionName"], json!("days"));
    assert_eq!(decision.risk.as_ref().unwrap().0, Risk::Routine);
    let [Hold::Destructive { why }] = decision.holds.as_slice() else {
        panic!("{decision:?}");
    };
    assert!(
        why.contains("nights") && why.contains("every task"),
        "{why}"
    );
    world.policy = ALL_ALLOWED;
    let decision = world.decide(spec);
    assert_eq!(decision.steps.len(), 2);
    assert_eq!(decision.risk.unwrap().0, Risk::Destructive);
    assert_eq!(decision.holds, []);
}

#[test]
fn a_reason_is_told_once_however_many_actions_share_it() {
    let world = world().scaled(Some((2, 10)), json!([]), json!([]));
    let decision = world.decide(nights_and_days());
    let (_, why) = decision.risk.unwrap();
    assert_eq!(why.matches("before they fire").count(), 1, "{why}");
}

#[test]
fn a_lone_action_sets_no_other_bounds_by_firing_again() {
    let nights = json!([
        {"name": "nights", "schedule": "cron(0 20 * * ? *)", "minCapacity": 1, "maxCapacity": 4},
    ]);
    let mut spec = scaling(2, 10);
    spec["scaling"]["scheduled"] = nights;
    let world = world().scaled(Some((2, 10)), json!([]), json!([]));
    let (_, why) = world.decide(spec).risk.unwrap();
    assert!(!why.contains("other bounds"), "{why}");
    // Those of the day are set in the evening.
    let world = self::world().scaled(Some((9, 9)), json!([]), live_schedule());
    let (_, why) = world.decide(nights_and_days()).risk.unwrap();
    assert!(
        why.contains("other bounds at 2026-11-23T19:00:00Z"),
        "{why}"
    );
}
