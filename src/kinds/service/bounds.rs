//! Bounds: which capacity bounds are in force now, given the scheduled actions.
//!
//! Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::facts::{Action, Facts, Scaling};
use super::schedule::Schedule;
use crate::model::tree::Tree;

/// Capacity bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
}

/// How late AWS may be with a firing, and how far our clock may be behind, before live bounds
/// of before the firing count as drift.
const FIRING_LATE: SignedDuration = SignedDuration::from_secs(120);
/// How far our clock may be behind AWS's, or AWS early.
const FIRING_EARLY: SignedDuration = SignedDuration::from_secs(30);

/// One scheduled action, declared, live or both.
#[derive(Debug)]
struct Scheduled {
    name: String,
    origin: Origin,
    schedule: Schedule,
    min: Option<u32>,
    max: Option<u32>,
    /// What a `rate` counts from.
    anchor: Option<Timestamp>,
    /// It did not fire before that.
    from: Option<Timestamp>,
    /// A firing beside those of the schedule: AWS performs an action at its start time, and from
    /// then on by its recurrence (user guide, "Schedule recurring scaling actions").
    start: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Who says that an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A document.
    Declared,
    /// AWS alone.
    Live,
}

impl Scheduled {
    fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        let horizon = self.until.map_or(now, |until| now.min(until));
        let recurring = self
            .schedule
            .latest(horizon, self.anchor)
            .filter(|at| self.from.is_none_or(|from| *at >= from));
        recurring.max(self.start.filter(|at| *at <= horizon))
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let start = self.start.filter(|at| *at > now);
        let recurring = || {
            self.schedule
                .next(now, self.anchor)
                .filter(|at| self.from.is_none_or(|from| *at >= from))
        };
        start
            .or_else(recurring)
            .filter(|at| self.until.is_none_or(|until| *at <= until))
    }
}

/// The scheduled actions of a service.
#[derive(Debug, Default)]
struct Actions {
    read: Vec<Scheduled>,
    /// Names and schedules of those that this build cannot read: they may have fired.
    unread: Vec<(String, String)>,
}

/// The desired tree with the bounds of now in place of those of `scaling`.
pub fn expected(mut desired: Tree, facts: &Facts, now: Timestamp) -> Tree {
    let Some((declared, live)) = declared(&desired).zip(facts.scaling.as_ref()) else {
        return desired;
    };
    let actions = actions(&desired, live);
    if actions.read.is_empty() && actions.unread.is_empty() {
        return desired;
    }
    let at = |when| in_force(declared, &actions.read, when);
    let bounds = match shown(live) {
        // Nothing fires while an operator holds the schedule, and what fired that cannot be read
        // is not known: what is there stays.
        Some(shown) if is_suspended(live) || !actions.unread.is_empty() => shown,
        Some(shown) if shown == at(now - FIRING_LATE) || shown == at(now + FIRING_EARLY) => shown,
        _ => at(now),
    };
    if let Some(scaling) = desired.get_mut("scaling").and_then(Tree::as_object_mut) {
        scaling.insert("minCapacity".into(), json!(bounds.min));
        scaling.insert("maxCapacity".into(), json!(bounds.max));
        scaling.insert(
            "count".into(),
            json!({"min": bounds.min, "max": bounds.max}),
        );
    }
    desired
}

fn shown(live: &Scaling) -> Option<Bounds> {
    live.target.as_ref().map(|t| Bounds {
        min: t.min,
        max: t.max,
    })
}

fn is_suspended(live: &Scaling) -> bool {
    live.target
        .as_ref()
        .is_some_and(|t| t.suspended.iter().any(|s| s == "ScheduledScaling"))
}

/// What of the bounds in force is not as a reader of the document would think: they stay as they
/// are for an action that cannot be read, or they come from one that no document names.
pub fn notes(desired: &Tree, live: &Scaling, now: Timestamp) -> Vec<String> {
    let actions = actions(desired, live);
    if is_suspended(live) {
        return Vec::new();
    }
    if let (Some(Bounds { min, max }), false) = (shown(live), actions.unread.is_empty()) {
        return actions
            .unread
            .iter()
            .map(|(name, schedule)| {
                format!(
                    "this build cannot read {schedule:?}, the schedule of the live action \
                     {name:?}, so it cannot tell which bounds are in force; those that are there, \
                     {min} to {max}, are left; write the schedule in another way, or delete the \
                     action"
                )
            })
            .collect();
    }
    let min = newest(&actions.read, now, |a| a.min).map(|by| ("minCapacity", by));
    let max = newest(&actions.read, now, |a| a.max).map(|by| ("maxCapacity", by));
    let mut held: BTreeMap<&str, (Timestamp, Vec<String>)> = BTreeMap::new();
    for (field, (at, bound, action)) in [min, max].into_iter().flatten() {
        if action.origin == Origin::Live {
            let (_, bounds) = held.entry(&action.name).or_insert((at, Vec::new()));
            bounds.push(format!("{field} {bound}"));
        }
    }
    held.into_iter()
        .map(|(name, (at, bounds))| {
            format!(
                "the live action {name:?}, which no document names, fired at {at} and holds {} \
                 until another one fires, whatever `scaling` says; declare it in \
                 `scaling.scheduled`, or delete it and have its bounds set back",
                bounds.join(" and ")
            )
        })
        .collect()
}

/// Firings that are looked through for one that sets other bounds: a week of hourly ones.
const FIRINGS: usize = 7 * 24;

/// When the schedule sets other bounds than `desired` names, as far as that is known.
pub fn until(desired: &Tree, live: &Scaling, now: Timestamp) -> Option<Timestamp> {
    let bounds = declared(desired)?;
    let actions = actions(desired, live).read;
    let mut at = now;
    for _ in 0..FIRINGS {
        at = actions.iter().filter_map(|action| action.next(at)).min()?;
        if in_force(bounds, &actions, at) != bounds {
            return Some(at);
        }
    }
    None
}

/// The bounds that a desired tree names.
pub fn declared(desired: &Tree) -> Option<Bounds> {
    let scaling = desired.get("scaling")?;
    let bound = |field| u32::try_from(scaling.get(field)?.as_u64()?).ok();
    Some(Bounds {
        min: bound("minCapacity")?,
        max: bound("maxCapacity")?,
    })
}

fn actions(desired: &Tree, live: &Scaling) -> Actions {
    let none = serde_json::Map::new();
    let declared = desired
        .get("scaling")
        .and_then(|s| s.get("scheduled"))
        .and_then(Tree::as_object)
        .unwrap_or(&none);
    let mut actions = Actions::default();
    for (name, action) in &live.actions {
        if declared.contains_key(name) {
            continue;
        }
        match of_live(name, action) {
            Some(read) => actions.read.push(read),
            None => actions.unread.push((name.clone(), action.schedule.clone())),
        }
    }
    for (name, action) in declared {
        match of_declared(name, action, live.actions.get(name)) {
            Some(read) => actions.read.push(read),
            // Its expression has passed the check: it is the live zone that is not known.
            None => actions
                .unread
                .push((name.clone(), text(action, "schedule"))),
        }
    }
    // In the order in which ties have always been decided: by name.
    actions.read.sort_by(|a, b| a.name.cmp(&b.name));
    actions
}

fn text(action: &Tree, field: &str) -> String {
    let text = action.get(field).and_then(Tree::as_str);
    text.unwrap_or_default().to_owned()
}

fn of_live(name: &str, action: &Action) -> Option<Scheduled> {
    let schedule = Schedule::taken(&action.schedule, action.timezone.as_deref()).ok()?;
    Some(Scheduled {
        name: name.to_owned(),
        origin: Origin::Live,
        start: start(action, &schedule),
        schedule,
        min: action.min,
        max: action.max,
        anchor: action.start.or(action.created),
        from: action.start.max(action.created),
        until: action.end,
    })
}

/// The start time as a firing: not one that was over when the action was made, and not that of a
/// schedule which names its single time itself.
fn start(action: &Action, schedule: &Schedule) -> Option<Timestamp> {
    action
        .start
        .filter(|start| action.created.is_none_or(|created| created <= *start))
        .filter(|_| !schedule.fires_once())
}

/// A declared action counts from always, not only from its creation: what the document says of
/// tonight holds in the night in which it was written, too.
fn of_declared(name: &str, action: &Tree, live: Option<&Action>) -> Option<Scheduled> {
    let zone = action.get("timezone").and_then(Tree::as_str);
    let zone = zone.or(live.and_then(|l| l.timezone.as_deref()));
    let number = |field: &str| u32::try_from(action.get(field)?.as_u64()?).ok();
    let schedule = Schedule::taken(&text(action, "schedule"), zone).ok()?;
    Some(Scheduled {
        name: name.to_owned(),
        origin: Origin::Declared,
        start: live.and_then(|l| start(l, &schedule)),
        schedule,
        min: number("minCapacity").or(live.and_then(|l| l.min)),
        max: number("maxCapacity").or(live.and_then(|l| l.max)),
        anchor: live.and_then(|l| l.start.or(l.created)),
        from: live.and_then(|l| l.start),
        until: live.and_then(|l| l.end),
    })
}

/// The action that set a bound last, when, and to what.
fn newest(
    actions: &[Scheduled],
    now: Timestamp,
    bound: fn(&Scheduled) -> Option<u32>,
) -> Option<(Timestamp, u32, &Scheduled)> {
    let mut newest: Option<(Timestamp, u32, &Scheduled)> = None;
    for action in actions {
        if let (Some(bound), Some(at)) = (bound(action), action.latest(now))
            && newest.is_none_or(|(when, ..)| at > when)
        {
            newest = Some((at, bound, action));
        }
    }
    newest
}

/// The bounds at `now`: each is that of the action which set it last, at first `declared`'s.
fn in_force(declared: Bounds, actions: &[Scheduled], now: Timestamp) -> Bounds {
    let max = newest(actions, now, |a| a.max).map_or(declared.max, |(_, bound, _)| bound);
    let min = newest(actions, now, |a| a.min).map_or(declared.min, |(_, bound, _)| bound);
    // Bounds of two actions may cross; AWS takes no minimum above the maximum.
    Bounds {
        min: min.min(max),
        max,
    }
}
