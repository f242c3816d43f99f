//! Tests of the planner over a kind of its own, so that they break for the planner's reasons only.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Inputs, plan};
use crate::aws::cell::Cell;
use crate::kinds::{Allow, Compare, Decision, Driver, FieldRule, Kind, Policy, Question};
use crate::model::change::{Hold, Risk, Step};
use crate::model::document::{DesiredSet, Document, Frozen, Span};
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;
use crate::model::memory::{Memory, ObjectMemory, OpenIntent, PastWrite};
use crate::model::plan::{Plan, Status, Verdict};
use crate::model::scope::Scope;
use crate::model::snapshot::{Live, Observation, Seen, Snapshot};
use crate::model::stake::{Stake, Stakes};
use crate::model::tree::{FieldPath, Tree};

/// A kind with one number; negative is destructive.
struct Dial;

impl Kind for Dial {
    fn name(&self) -> &'static str {
        "Dial"
    }
    fn about(&self) -> &'static str {
        "a number"
    }
    fn schema(&self) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
    fn example(&self) -> &'static str {
        ""
    }
    fn rules(&self) -> &'static [FieldRule] {
        static RULES: &[FieldRule] = &[FieldRule::new(
            "value",
            Compare::Number,
            Stakes::either(Stake::Availability, Stake::Cost),
        )];
        RULES
    }
    fn stake(&self) -> Stake {
        Stake::Availability
    }
    fn changed_by(&self, _: &FieldPath) -> &'static [&'static str] {
        &["cloudwatch.PutMetricAlarm"]
    }
    fn check(&self, _: &Document, _: &DesiredSet) -> Vec<Finding> {
        Vec::new()
    }
    fn claims(&self, document: &Document, _: &DesiredSet) -> Vec<String> {
        vec![document.key.name.clone()]
    }
    fn desired(&self, document: &Document, _: &DesiredSet) -> Tree {
        document.spec.clone()
    }
    fn identity(&self) -> &'static [&'static str] {
        &["id"]
    }
    fn decide(&self, question: &Question<'_>) -> Decision {
        let mut decision = Decision::default();
        if question.drift.is_empty() && question.live.is_some() {
            return decision;
        }
        let id = question.desired["id"].as_str().unwrap_or("dial").to_owned();
        let risk = match question.desired["value"].as_i64() {
            Some(n) if n < 0 => Risk::Destructive,
            _ => Risk::Routine,
        };
        decision.risk = Some((risk, "the dial is off".to_owned()));
        decision.steps = vec![Step {
            operation: "cloudwatch.PutMetricAlarm".to_owned(),
            object: id,
            title: "turn it".to_owned(),
            detail: question.desired.clone(),
        }];
        if question.desired.get("mute").is_some() {
            decision.steps.clear();
        }
        let why = || "a part of it cannot be written".to_owned();
        match question.desired.get("part").and_then(Tree::as_str) {
            Some("blocked") => decision.holds.push(Hold::Conflict { why: why() }),
            Some("deferred") => decision.holds.push(Hold::Pending { why: why() }),
            _ => {}
        }
        decision
    }
    fn written(
        &self,
        found: &crate::kinds::Found<'_>,
    ) -> Result<crate::model::written::Written, String> {
        Err(format!("{} is a dial of tests", found.key))
    }

    fn driver(&self, _: &Arc<Cell>) -> Box<dyn Driver> {
        unreachable!("the planner never asks for a driver")
    }
    fn reads(&self) -> &'static [&'static str] {
        &["cloudwatch.DescribeAlarms"]
    }
    fn writes(&self) -> &'static [&'static str] {
        &["cloudwatch.PutMetricAlarm"]
    }
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn key() -> ResourceKey {
    ResourceKey::new("shop", "Dial", "a")
}

struct World {
    set: DesiredSet,
    snapshot: Snapshot,
    memory: Memory,
    policy: Policy,
}

impl World {
    fn new(spec: Tree, seen: Option<Seen>) -> Self {
        let document = Document {
            key: key(),
            spec,
            at: Span {
                file: "a.yaml".into(),
                line: 1,
                column: 1,
            },
            fields: Default::default(),
        };
        let mut snapshot = Snapshot::default();
        if let Some(seen) = seen {
            snapshot
                .objects
                .insert(key(), Observation { seen, at: now() });
        }
        Self {
            set: DesiredSet {
                documents: BTreeMap::from([(key(), document)]),
                ..DesiredSet::default()
            },
            snapshot,
            memory: Memory {
                consulted: true,
                ..Memory::default()
            },
            policy: Policy::CONTROLLER,
        }
    }

    fn remembering(mut self, memory: ObjectMemory) -> Self {
        self.memory.objects.insert(key(), memory);
        self
    }

    fn plan(&self) -> Plan {
        plan(&Inputs {
            kinds: &[&Dial],
            set: &self.set,
            scope: &Scope::all(),
            snapshot: &self.snapshot,
            memory: &self.memory,
            policy: &self.policy,
            now: now(),
            reads: &BTreeMap::new(),
        })
    }
}

fn live(value: i64) -> Option<Seen> {
    Some(Seen::Present(Live {
        view: json!({"value": value, "other": 9}),
        facts: Tree::Null,
    }))
}

#[test]
fn what_is_as_wanted_is_in_sync_and_costs_nothing() {
    let plan = World::new(json!({"value": 1}), live(1)).plan();
    assert_eq!(plan.objects[0].status, Status::InSync);
    assert_eq!((plan.verdict(), plan.summary.steps), (Verdict::InOrder, 0));
}

#[test]
fn what_differs_is_drift_with_a_step() {
    let plan = World::new(json!({"value": 1}), live(2)).plan();
    assert_eq!(plan.objects[0].status, Status::Drifted);
    assert_eq!(plan.calls["cloudwatch.PutMetricAlarm"], 1);
    assert_eq!(plan.verdict(), Verdict::Drift);
}

#[test]
fn what_is_held_in_part_is_counted_as_written_and_as_held() {
    for (part, blocked, deferred) in [("blocked", 1, 0), ("deferred", 0, 1)] {
        let plan = World::new(json!({"value": 1, "part": part}), live(2)).plan();
        assert_eq!(plan.objects[0].status, Status::Drifted);
        let summary = &plan.summary;
        assert_eq!(
            (summary.changes, summary.blocked, summary.deferred),
            (1, blocked, deferred)
        );
        assert_eq!(plan.verdict(), Verdict::Drift);
    }
}

#[test]
fn a_part_of_a_second_that_writes_need_is_told_as_a_second() {
    let mut world = World::new(json!({"value": 1, "id": "0"}), live(2));
    for name in ["b", "c", "d", "e"] {
        let other = ResourceKey::new("shop", "Dial", name);
        let mut document = world.set.documents[&key()].clone();
        document.key = other.clone();
        document.spec = json!({"value": 1, "id": name});
        world.set.documents.insert(other.clone(), document);
        let seen = world.snapshot.objects[&key()].clone();
        world.snapshot.objects.insert(other, seen);
    }
    let summary = world.plan().summary;
    // Three alarms at once, then three a second.
    assert_eq!((summary.steps, summary.least_seconds), (5, 1));
}

#[test]
fn an_unreadable_object_is_held_and_never_written() {
    for seen in [None, Some(Seen::Unreadable("page 2 was lost".into()))] {
        let plan = World::new(json!({"value": 1}), seen).plan();
        assert_eq!(plan.objects[0].status, Status::Unreadable);
        assert_eq!(plan.objects[0].change, None);
        assert_eq!(plan.verdict(), Verdict::Held);
    }
}

#[test]
fn an_absence_inside_the_settling_bound_is_not_believed() {
    let memory = ObjectMemory {
        settling_until: Some(now() + SignedDuration::from_secs(5)),
        ..ObjectMemory::default()
    };
    let world = World::new(json!({"value": 1}), Some(Seen::Absent)).remembering(memory);
    let plan = world.plan();
    assert_eq!(plan.objects[0].status, Status::Deferred);
    assert_eq!(plan.objects[0].change, None);
    let plan = World::new(json!({"value": 1}), Some(Seen::Absent)).plan();
    assert_eq!(plan.objects[0].status, Status::Absent);
}

#[test]
fn an_open_intent_holds_its_object_even_when_it_is_in_order() {
    for value in [1, 2] {
        let memory = ObjectMemory {
            open: Some(OpenIntent {
                id: "i1".into(),
                at: now(),
                token: 1,
                operation: "cloudwatch.PutMetricAlarm".into(),
                step: Tree::Null,
                drift: Vec::new(),
                commit: None,
            }),
            ..ObjectMemory::default()
        };
        let plan = World::new(json!({"value": 1}), live(value))
            .remembering(memory)
            .plan();
        assert_eq!(plan.objects[0].status, Status::Deferred);
        assert_eq!(plan.objects[0].change, None);
    }
}

#[test]
fn a_frozen_app_is_never_written() {
    let mut world = World::new(json!({"value": 1}), live(2));
    world.set.frozen = Frozen::All;
    let plan = world.plan();
    assert_eq!(plan.objects[0].status, Status::Blocked);
    assert_eq!(plan.objects[0].holds, [Hold::Frozen]);
}

#[test]
fn a_destructive_change_waits_for_a_person() {
    let mut world = World::new(json!({"value": -1}), live(2));
    let plan = world.plan();
    assert!(matches!(
        plan.objects[0].holds[..],
        [Hold::Destructive { .. }]
    ));
    assert_eq!(plan.objects[0].change, None);
    world.policy.destructive = Allow::Yes;
    assert!(world.plan().objects[0].change.is_some());
}

#[test]
fn what_is_set_back_again_and_again_is_stalled_and_tried_again_after_the_window() {
    let drift = World::new(json!({"value": 1}), live(2)).plan().objects[0]
        .drift
        .clone();
    let correction = super::object::correction(&drift);
    let writes = |minutes: i64| {
        (0..3)
            .map(|i| PastWrite {
                at: now() - SignedDuration::from_mins(minutes + i),
                correction: correction.clone(),
            })
            .collect()
    };
    // Made under a clock that has been set back since by an hour, they lie ahead.
    for (minutes, stalled) in [(1, true), (61, false), (-40, true), (-300, false)] {
        let memory = ObjectMemory {
            writes: writes(minutes),
            ..ObjectMemory::default()
        };
        let plan = World::new(json!({"value": 1}), live(2))
            .remembering(memory)
            .plan();
        let held = matches!(plan.objects[0].holds[..], [Hold::Stalled { .. }]);
        assert_eq!(held, stalled);
    }
}

#[test]
fn drift_that_a_kind_says_nothing_about_is_our_bug_and_is_held() {
    let plan = World::new(json!({"value": 1, "mute": true}), live(2)).plan();
    assert!(matches!(plan.objects[0].holds[..], [Hold::Audit { .. }]));
    assert_eq!(plan.objects[0].status, Status::Blocked);
}

#[test]
fn equal_worlds_give_equal_plans_and_a_moved_object_gives_another_pin() {
    let one = World::new(json!({"value": 1}), live(2)).plan();
    assert_eq!(one, World::new(json!({"value": 1}), live(2)).plan());
    let moved = World::new(json!({"value": 1}), live(3)).plan();
    assert_ne!(one.objects[0].pin, moved.objects[0].pin);
    assert_ne!(one.plan_id, moved.plan_id);
}

#[test]
fn two_documents_that_write_one_live_object_are_our_bug_whatever_they_write() {
    for other in [1, 5] {
        let mut world = World::new(json!({"value": 1}), live(2));
        let twin = ResourceKey::new("shop", "Dial", "b");
        let mut document = world.set.documents[&key()].clone();
        document.key = twin.clone();
        document.spec = json!({"value": other});
        world.set.documents.insert(twin.clone(), document);
        let seen = world.snapshot.objects[&key()].clone();
        world.snapshot.objects.insert(twin, seen);
        for object in world.plan().objects {
            assert_eq!(object.change, None, "{other}");
            let [Hold::Audit { why }] = object.holds.as_slice() else {
                panic!("{object:?}");
            };
            assert!(why.contains("two documents write dial"), "{why}");
        }
    }
}
