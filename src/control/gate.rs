//! The gate: what holds one change back under a policy, and until when.
//!
//! Pure.

use jiff::{SignedDuration, Timestamp};

use super::approval::Reach;
use super::policy::{ChangePolicy, Destructive};
use super::spec::Mode;
use super::state::{AppControl, HOUR, Health, PastChange};
use crate::model::change::{Change, Hold, Risk};
use crate::model::key::ResourceKey;

/// A change that asks to be written.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose.
    pub key: &'a ResourceKey,
    /// What.
    pub change: &'a Change,
    /// Its digest: [`crate::model::plan::ObjectPlan::pin`].
    pub pin: &'a str,
    /// Tasks that it replaces or starts.
    pub tasks: u64,
}

/// How exactly a time is told that hangs on writes which are yet to be made.
const ROUND: SignedDuration = SignedDuration::from_mins(5);

/// A number as far as a budget counts.
fn of(number: Option<u32>) -> u64 {
    number.map_or(u64::MAX, u64::from)
}

/// How many people have to approve a change of that risk.
pub fn needed(policy: &ChangePolicy, risk: Risk) -> u32 {
    match risk {
        Risk::Destructive => policy.approvers.max(1),
        Risk::Routine | Risk::Disruptive => 1,
    }
}

/// Why the change needs an approval; `None` when it needs none.
pub fn why_approval(policy: &ChangePolicy, change: &Change) -> Option<String> {
    if change.risk == Risk::Destructive {
        let asks = policy.destructive == Destructive::ByApproval;
        return asks.then(|| format!("destructive: {}", change.reason));
    }
    if policy.mode == Mode::Report {
        return Some("the policy or the ceiling only reports (mode: report)".to_owned());
    }
    let asks = !policy.without_approval.contains(&change.risk);
    asks.then(|| {
        format!(
            "a {} change needs an approval: {}",
            change.risk, change.reason
        )
    })
}

/// Whether enough people approved the change, that far.
pub fn is_approved(
    policy: &ChangePolicy,
    app: &AppControl,
    asked: &Asked<'_>,
    reach: Reach,
    now: Timestamp,
) -> bool {
    let people = app.approvals.people(asked.pin, reach, now);
    let in_use = app.in_use.get(asked.key);
    people >= needed(policy, asked.change.risk) || in_use.is_some_and(|used| used.reach >= reach)
}

/// Whether writing the change uses an approval up: also one that it did not need, which else would let it
/// pass at another time.
pub fn uses_approval(
    policy: &ChangePolicy,
    app: &AppControl,
    asked: &Asked<'_>,
    now: Timestamp,
) -> bool {
    !app.in_use.contains_key(asked.key) && is_approved(policy, app, asked, Reach::InTime, now)
}

/// All that holds the change back now. `ahead` are changes that go first, at this same look.
pub fn holds(
    policy: &ChangePolicy,
    app: &AppControl,
    asked: &Asked<'_>,
    ahead: &[PastChange],
    now: Timestamp,
) -> Vec<Hold> {
    let mut holds = Vec::new();
    if let Some(why) = why_approval(policy, asked.change)
        && !is_approved(policy, app, asked, Reach::InTime, now)
    {
        holds.push(Hold::Approval {
            change: asked.pin.to_owned(),
            why,
            have: app.approvals.people(asked.pin, Reach::InTime, now),
            need: needed(policy, asked.change.risk),
            emergency: false,
        });
    }
    holds.extend(paused(app, asked.key, now));
    if is_approved(policy, app, asked, Reach::Now, now) {
        return holds;
    }
    let on = |at: Timestamp| {
        let on = policy.freezes.iter().filter(move |f| f.is_on(at));
        on.max_by_key(|f| f.until)
    };
    if let Some(freeze) = on(now) {
        // One that begins as another ends goes on.
        let mut until = freeze.until;
        while let Some(next) = on(until) {
            until = next.until;
        }
        holds.push(Hold::ChangeFreeze {
            until,
            reason: freeze.reason.clone(),
        });
    }
    holds.extend(budget(policy, app, asked, ahead, now));
    holds.extend(canaries(policy, app, asked.key, now));
    // When all else has passed, the next window still has to come.
    let from = holds.iter().filter_map(Hold::due).max().unwrap_or(now);
    let shut = |at| policy.windows.iter().any(|windows| !windows.is_open(at));
    if shut(now) || shut(from) {
        holds.push(Hold::OutsideWindow {
            opens: all_open(policy, from),
        });
    }
    holds
}

/// How often two sets of windows are asked in turn until both are open.
const TURNS: usize = 1000;

/// The first moment from `from` on at which every set of windows is open, and no freeze is on.
fn all_open(policy: &ChangePolicy, from: Timestamp) -> Option<Timestamp> {
    let mut at = from;
    for _ in 0..TURNS {
        let mut next = at;
        for freeze in policy.freezes.iter().filter(|freeze| freeze.is_on(at)) {
            next = next.max(freeze.until);
        }
        for windows in &policy.windows {
            next = next.max(windows.open_from(next)?);
        }
        if next == at {
            return Some(at);
        }
        at = next;
    }
    None
}

/// A pause that is on; no approval passes it.
pub fn paused(app: &AppControl, key: &ResourceKey, now: Timestamp) -> Option<Hold> {
    let on = app.pauses.iter().filter(|p| p.is_on(now) && p.holds(key));
    let longest = on.max_by_key(|pause| pause.until)?;
    Some(Hold::Paused {
        of: longest.of(),
        until: longest.until,
        by: longest.by.clone(),
        reason: longest.reason.clone(),
    })
}

fn canaries(
    policy: &ChangePolicy,
    app: &AppControl,
    key: &ResourceKey,
    now: Timestamp,
) -> Vec<Hold> {
    let held = |(canary, bake): (&String, &u64)| {
        let hold = |why: String, until| {
            Some(Hold::Canary {
                app: canary.clone(),
                why,
                until,
            })
        };
        match app.canaries.get(canary) {
            None => hold("it was not looked at".to_owned(), None),
            Some(Health::Unknown(why) | Health::Ailing(why)) => hold(why.clone(), None),
            Some(Health::Always) => None,
            Some(Health::JustNow) => hold("it is in order only now".to_owned(), None),
            Some(Health::Since(since)) => {
                let bake = SignedDuration::from_secs(i64::try_from(*bake).unwrap_or(i64::MAX));
                let until = since.saturating_add(bake).unwrap_or(Timestamp::MAX);
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
                (now < until)
                    .then(|| {
                        hold(
                            format!("it has been in order only since {since}"),
                            Some(until),
                        )
                    })
                    .flatten()
            }
        }
    };
    // A ceiling names one canary for all apps, which does not wait for itself.
    let others = policy
        .canaries
        .iter()
        .filter(|(canary, _)| **canary != key.app);
    others.filter_map(held).collect()
}

fn counted(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s} an hour")
}

/// What the hour's budget leaves no room for.
fn budget(
    policy: &ChangePolicy,
    app: &AppControl,
    asked: &Asked<'_>,
    ahead: &[PastChange],
    now: Timestamp,
) -> Option<Hold> {
    let (objects, tasks) = (of(policy.objects_per_hour), of(policy.tasks_per_hour));
    if asked.tasks > tasks {
        // Waiting would never help.
        return Some(Hold::Approval {
            change: asked.pin.to_owned(),
            why: format!(
                "it replaces or starts {} tasks, and the budget is {tasks} an hour: it waits for no \
                 budget, window or canary once it is approved",
                asked.tasks
            ),
            have: app.approvals.people(asked.pin, Reach::Now, now),
            need: needed(policy, asked.change.risk),
            emergency: true,
        });
    }
    // Its own earlier steps are no other change.
    let past = app.past.iter().filter(|p| {
        let own =
            p.key == *asked.key && (p.change == asked.pin || app.under_way.contains(asked.key));
        now.duration_since(p.at) < HOUR && !own
    });
    let mut spent: Vec<&PastChange> = past.chain(ahead).collect();
    spent.sort_by_key(|p| p.at);
    // What waits itself leaves its room to what fits, until its time has come.
    let (now_spent, waiting) = spent.split_at(spent.partition_point(|p| p.at <= now));
    let fits = |spent: &[&PastChange]| {
        let tasks_spent = spent.iter().map(|p| p.tasks).sum::<u64>();
        (spent.len() as u64) < objects && (asked.tasks == 0 || tasks_spent + asked.tasks <= tasks)
    };
    if fits(now_spent) {
        return None;
    }
    let why = if now_spent.len() as u64 >= objects {
        counted(objects, "object")
    } else {
        counted(tasks, "task")
    };
    // It refills as what was written leaves the hour, oldest first, and what goes first after that.
    let refilled = (1..=spent.len()).find(|n| spent.get(*n..).is_some_and(fits));
    let until = refilled
        .and_then(|n| spent.get(n - 1))
        .and_then(|last| last.at.checked_add(HOUR).ok())
        .map(|at| match waiting.is_empty() && ahead.is_empty() {
            true => at,
            // What goes first is yet to be written: a time to the second would be another at each look.
            false => up_to(at, ROUND),
        });
    Some(Hold::OverBudget { why, until })
}

/// The next moment that is a whole number of `step`s.
fn up_to(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs().max(1);
    let second = at.as_second().saturating_add(step - 1).div_euclid(step) * step;
    Timestamp::from_second(second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::control::policy::Freeze;
    use crate::control::state::InUse;
    use crate::model::change::Action;

    fn now() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn change(risk: Risk) -> Change {
        Change {
            action: Action::Update,
            risk,
            reason: "it differs".into(),
            steps: Vec::new(),
        }
    }

    fn held(policy: &ChangePolicy, app: &AppControl, risk: Risk) -> Vec<Hold> {
        let (key, change) = (ResourceKey::new("shop", "Service", "web"), change(risk));
        let asked = Asked {
            key: &key,
            change: &change,
            pin: "pin",
            tasks: 0,
        };
        holds(policy, app, &asked, &[], now())
    }

    #[test]
    fn an_approval_in_use_reaches_as_far_as_it_was_given() {
        let freeze = Freeze {
            from: now(),
            until: now() + HOUR,
            reason: "sale".into(),
        };
        let policy = ChangePolicy {
            without_approval: BTreeSet::new(),
            freezes: BTreeSet::from([freeze]),
            ..ChangePolicy::default()
        };
        let using = |reach| AppControl {
            in_use: BTreeMap::from([(
                ResourceKey::new("shop", "Service", "web"),
                InUse {
                    digest: "pin".into(),
                    reach,
                },
            )]),
            ..AppControl::default()
        };
        assert_eq!(
            held(&policy, &AppControl::default(), Risk::Routine).len(),
            2
        );
        assert_eq!(held(&policy, &using(Reach::InTime), Risk::Routine).len(), 1);
        assert_eq!(held(&policy, &using(Reach::Now), Risk::Routine), []);
    }

    #[test]
    fn a_canary_does_not_wait_for_itself() {
        let waits = |canary: &str| ChangePolicy {
            canaries: BTreeMap::from([(canary.to_owned(), 60)]),
            ..ChangePolicy::default()
        };
        let nobody = AppControl::default();
        assert_eq!(held(&waits("shop"), &nobody, Risk::Routine), []);
        assert_eq!(held(&waits("first"), &nobody, Risk::Routine).len(), 1);
    }
}
