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
struct Scheduled {
    schedule: Schedule,
    min: Option<u32>,
    max: Option<u32>,
    /// What a `rate` counts from.
    anchor: Option<Timestamp>,
    /// It did not fire before that.
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Scheduled {
    fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        let horizon = self.until.map_or(now, |until| now.min(until));
        self.schedule
            .latest(horizon, self.anchor)
            .filter(|at| self.from.is_none_or(|from| *at >= from))
    }
}

/// The desired tree with the bounds of now in place of those of `scaling`.
pub fn expected(desired: &Tree, facts: &Facts, now: Timestamp) -> Tree {
    let Some((declared, live)) = declared(desired).zip(facts.scaling.as_ref()) else {
        return desired.clone();
    };
    let actions = actions(desired, live);
    if actions.is_empty() {
        return desired.clone();
    }
    let at = |when| in_force(declared, &actions, when);
    let suspended = live
        .target
        .as_ref()
        .is_some_and(|t| t.suspended.iter().any(|s| s == "ScheduledScaling"));
    let shown = live.target.as_ref().map(|t| Bounds {
        min: t.min,
        max: t.max,
    });
    let bounds = match shown {
        // Nothing fires while an operator holds the schedule: what is there stays.
        Some(shown) if suspended => shown,
        Some(shown) if shown == at(now - FIRING_LATE) || shown == at(now + FIRING_EARLY) => shown,
        _ => at(now),
    };
    let mut tree = desired.clone();
    if let Some(scaling) = tree.get_mut("scaling").and_then(Tree::as_object_mut) {
        scaling.insert("minCapacity".into(), json!(bounds.min));
        scaling.insert("maxCapacity".into(), json!(bounds.max));
        scaling.insert(
            "count".into(),
            json!({"min": bounds.min, "max": bounds.max}),
        );
    }
    tree
}

/// When a scheduled action changes the bounds next, as far as one is known to.
pub fn until(desired: &Tree, live: &Scaling, now: Timestamp) -> Option<Timestamp> {
    actions(desired, live)
        .iter()
        .filter_map(|action| action.schedule.next(now, action.anchor))
        .min()
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

fn actions(desired: &Tree, live: &Scaling) -> Vec<Scheduled> {
    let mut all = BTreeMap::new();
    for (name, action) in &live.actions {
        all.insert(name.clone(), of_live(action));
    }
    let none = serde_json::Map::new();
    let declared = desired
        .get("scaling")
        .and_then(|s| s.get("scheduled"))
        .and_then(Tree::as_object)
        .unwrap_or(&none);
    for (name, action) in declared {
        all.insert(name.clone(), of_declared(action, live.actions.get(name)));
    }
    all.into_values().flatten().collect()
}

fn of_live(action: &Action) -> Option<Scheduled> {
    let schedule = Schedule::parse(&action.schedule, action.timezone.as_deref()).ok()?;
    Some(Scheduled {
        schedule,
        min: action.min,
        max: action.max,
        anchor: action.start.or(action.created),
        from: action.start.max(action.created),
        until: action.end,
    })
}

/// A declared action counts from always, not only from its creation: what the document says of
/// tonight holds in the night in which it was written, too.
fn of_declared(action: &Tree, live: Option<&Action>) -> Option<Scheduled> {
    let text = |field: &str| action.get(field).and_then(Tree::as_str);
    let number = |field: &str| u32::try_from(action.get(field)?.as_u64()?).ok();
    let zone = text("timezone").or(live.and_then(|l| l.timezone.as_deref()));
    let schedule = Schedule::parse(text("schedule")?, zone).ok()?;
    Some(Scheduled {
        schedule,
        min: number("minCapacity").or(live.and_then(|l| l.min)),
        max: number("maxCapacity").or(live.and_then(|l| l.max)),
        anchor: live.and_then(|l| l.start.or(l.created)),
        from: live.and_then(|l| l.start),
        until: live.and_then(|l| l.end),
    })
}

/// The bounds at `now`: each is that of the action which set it last, at first `declared`'s.
fn in_force(declared: Bounds, actions: &[Scheduled], now: Timestamp) -> Bounds {
    let mut min: Option<(Timestamp, u32)> = None;
    let mut max: Option<(Timestamp, u32)> = None;
    for action in actions {
        let Some(at) = action.latest(now) else {
            continue;
        };
        for (bound, newest) in [(action.min, &mut min), (action.max, &mut max)] {
            if let Some(bound) = bound
                && newest.is_none_or(|(when, _)| at > when)
            {
                *newest = Some((at, bound));
            }
        }
    }
    let max = max.map_or(declared.max, |(_, bound)| bound);
    let min = min.map_or(declared.min, |(_, bound)| bound);
    // Bounds of two actions may cross; AWS takes no minimum above the maximum.
    Bounds {
        min: min.min(max),
        max,
    }
}
