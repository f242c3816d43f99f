//! Laws: the safety invariants, each a named predicate over the past and what happens now.
//!
//! The numbers are those of the list that `docs/reliability.md` gives.

use std::time::Duration;

use evenkeel::aws::door::{CALL_TIMEOUT, LEASE_MARGIN};
use evenkeel::model::change::{Drift, Risk};
use evenkeel::model::entry::{Outcome, Record};
use evenkeel::model::operation::{Effect, operation};
use evenkeel::store::LEASE_DURATION;

use super::announced;
use super::estate::SECRET;
use super::ghost::Ghost;
use super::happening::{Happening, Touch, objects_of};

/// One law. `broken` is asked before the ghost takes note of what happens.
pub struct Law {
    /// `S1`.
    pub number: &'static str,
    /// What holds, in a sentence.
    pub says: &'static str,
    /// How it is broken, if it is.
    pub broken: fn(&Ghost, &Happening) -> Option<String>,
}

/// Every safety law that a single event can break.
pub static LAWS: &[Law] = &[
    Law {
        number: "S1",
        says: "the tokens of an app only grow, and no two grants share one",
        broken: tokens_only_grow,
    },
    Law {
        number: "S2",
        says: "a write is sent only by the holder of the newest grant",
        broken: one_holder_sends,
    },
    Law {
        number: "S2b",
        says: "a lease is taken over only when its row has stood still for a lease",
        broken: only_the_dead_are_followed,
    },
    Law {
        number: "S3",
        says: "an intent carries the newest token of its app",
        broken: no_intent_under_an_old_token,
    },
    Law {
        number: "S4",
        says: "a write is sent only while its answer must come under the lease",
        broken: sent_within_the_lease,
    },
    Law {
        number: "S5",
        says: "nothing succeeds under a lease that was given back or taken over",
        broken: release_is_terminal,
    },
    Law {
        number: "S6",
        says: "no write lands after the next holder has sent one",
        broken: late_effects_come_before_the_next,
    },
    Law {
        number: "S8",
        says: "no intent is made from documents older than those loaded",
        broken: no_write_from_old_documents,
    },
    Law {
        number: "S10",
        says: "no write is sent without an answered reading of its object under its lease before it",
        broken: no_write_from_a_failed_reading,
    },
    Law {
        number: "S14",
        says: "a count is written only if a document asked for it",
        broken: counts_are_asked_for,
    },
    Law {
        number: "S15",
        says: "an app whose documents do not load is not written",
        broken: frozen_apps_are_left_alone,
    },
    Law {
        number: "S16",
        says: "a controller deletes nothing and destroys nothing",
        broken: nothing_is_deleted,
    },
    Law {
        number: "S20",
        says: "what no document names is not changed",
        broken: the_unnamed_stays,
    },
    Law {
        number: "S23",
        says: "a replica that may only look writes nothing",
        broken: read_only_writes_nothing,
    },
    Law {
        number: "S24",
        says: "every write was announced, once, by a committed intent",
        broken: every_write_is_announced,
    },
    Law {
        number: "S24b",
        says: "an intent gets one outcome",
        broken: one_outcome,
    },
    Law {
        number: "S25",
        says: "no intent is made for an object that has one open",
        broken: one_open_intent,
    },
    Law {
        number: "S26",
        says: "an outcome says what really became of the write",
        broken: outcomes_are_true,
    },
    Law {
        number: "S27",
        says: "the chain of an app has no gap, no fork and no wrong hash",
        broken: the_chain_is_whole,
    },
    Law {
        number: "S28",
        says: "one intent is one request",
        broken: one_request_an_intent,
    },
    Law {
        number: "S29",
        says: "no secret leaves the task definition",
        broken: secrets_stay,
    },
    Law {
        number: "K1",
        says: "a killed process does nothing more",
        broken: the_dead_are_silent,
    },
];

fn tokens_only_grow(ghost: &Ghost, now: &Happening) -> Option<String> {
    let (Happening::Granted { app, token, .. } | Happening::Fenced { app, token }) = now else {
        return None;
    };
    let known = ghost.apps.get(app)?;
    // The same grant can arrive twice: late, when somebody has deleted the row that it made at first.
    if let Happening::Granted { grant, .. } = now
        && known.grants.contains_key(grant)
    {
        return None;
    }
    // A row that is deleted before the app was ever written takes its tokens with it, and nothing
    // carries one of them.
    if known.row_lost && known.seq == 0 {
        return None;
    }
    let highest = known.highest;
    (*token <= highest).then(|| format!("{app}: token {token} after {highest}"))
}

fn one_holder_sends(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    let write = ghost.writes.get(sent.intent.as_ref()?)?;
    let app = ghost.apps.get(&write.app)?;
    let newest = app.grants.values().max_by_key(|g| g.token)?;
    // Each opens a window that docs/reliability.md names.
    let excused = ghost.beyond_bounds(write) || ghost.taken_by_hand(write);
    if excused || ghost.deranged.contains(&newest.who.replica) {
        return None;
    }
    (newest.token > write.token).then(|| {
        format!(
            "{} sent under token {}, and {} was granted",
            write.key, write.token, newest.token
        )
    })
}

fn only_the_dead_are_followed(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Granted { who, app, at, .. } = now else {
        return None;
    };
    let known = ghost.apps.get(app)?;
    let last = known.grants.get(known.current.as_ref()?)?;
    if ghost.deranged.contains(&who.replica) {
        return None;
    }
    let still = at.saturating_sub(last.touched);
    // Clocks may run as much as they are assumed to, and no more.
    (still < LEASE_DURATION * 9 / 10).then(|| {
        format!(
            "{app}: taken over from {:?}, which moved {still:?} ago",
            last.who
        )
    })
}

fn no_intent_under_an_old_token(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { entry, .. } = now else {
        return None;
    };
    let highest = ghost.apps.get(&entry.app).map_or(0, |a| a.highest);
    let is_intent = matches!(entry.record, Record::Intent { .. });
    (is_intent && entry.token != highest).then(|| {
        format!(
            "{}: an intent under token {}, the newest is {highest}",
            entry.app, entry.token
        )
    })
}

fn sent_within_the_lease(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    if sent.boot + CALL_TIMEOUT + LEASE_MARGIN > sent.deadline {
        return Some(format!(
            "{} sent at {:?}, the lease ends at {:?}",
            sent.operation, sent.boot, sent.deadline
        ));
    }
    // The belief itself has to be founded on a renewal that the store knows of.
    let write = ghost.writes.get(sent.intent.as_ref()?)?;
    let app = ghost.apps.get(&write.app)?;
    // A row that was deleted may have had the same token.
    let grants = app.grants.values().filter(|g| g.token == write.token);
    let grant = grants.max_by_key(|g| g.renewed)?;
    (sent.deadline > grant.renewed + LEASE_DURATION).then(|| {
        format!(
            "{} believes in a lease until {:?}; it was renewed at {:?}",
            write.key, sent.deadline, grant.renewed
        )
    })
}

fn release_is_terminal(ghost: &Ghost, now: &Happening) -> Option<String> {
    match now {
        Happening::Touched {
            app, grant, how, ..
        } => {
            let app_ghost = ghost.apps.get(app)?;
            let known = app_ghost.grants.get(grant)?;
            let given_back = known.released && *how != Touch::Released;
            let gone = given_back || known.token < app_ghost.highest;
            gone.then(|| {
                format!(
                    "{app}: {how:?} under token {}, which is no longer the holder's",
                    known.token
                )
            })
        }
        Happening::Sent(sent) => {
            let write = ghost.writes.get(sent.intent.as_ref()?)?;
            let app = ghost.apps.get(&write.app)?;
            let mut grants = app.grants.values().filter(|g| g.token == write.token);
            grants
                .all(|g| g.released)
                .then(|| format!("{} sent after its lease was given back", write.key))
        }
        _ => None,
    }
}

fn late_effects_come_before_the_next(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Landed(landed) = now else {
        return None;
    };
    let sent = &landed.sent;
    // Longer than a call may take on its way: outside what is promised, and looked for afterwards.
    if landed.again || landed.at.saturating_sub(sent.at) > CALL_TIMEOUT {
        return None;
    }
    let write = ghost.writes.get(sent.intent.as_ref()?)?;
    if ghost.beyond_bounds(write) || ghost.taken_by_hand(write) {
        return None;
    }
    let later = ghost.writes.values().find(|w| {
        w.key == write.key
            && w.token > write.token
            && w.sent > 0
            && !ghost.deranged.contains(&w.who.replica)
    })?;
    Some(format!(
        "{} of token {} landed after token {} had sent",
        write.key, write.token, later.token
    ))
}

/// How long what was begun before newer documents came may take to its intent: the store's eight
/// attempts with their pauses, on a clock that runs a tenth too slow.
const BEGUN: Duration = Duration::from_secs(55);

fn no_write_from_old_documents(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { who, entry, at } = now else {
        return None;
    };
    let Record::Intent { key, drift, .. } = &entry.record else {
        return None;
    };
    let loaded = ghost.loaded.get(who)?;
    if loaded
        .since
        .get(&entry.app)
        .is_some_and(|since| ghost.lived(*who, *since, *at) < BEGUN)
    {
        return None;
    }
    let Some(wish) = loaded.wishes.get(&entry.app) else {
        return Some(format!(
            "{key}: an intent, and there are no documents of it"
        ));
    };
    drift.iter().find_map(|d| {
        let wanted = wish.field(&key.name, &d.path.to_string())?;
        let same = d
            .desired
            .as_f64()
            .is_some_and(|desired| desired.to_string() == wanted.to_string());
        (!same).then(|| {
            format!(
                "{key}: an intent to set {} to {}, and the documents say {wanted}",
                d.path, d.desired
            )
        })
    })
}

/// What each writing operation has to have read.
fn reading_before(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "ecs.UpdateService" | "ecs.RegisterTaskDefinition" | "ecs.TagResource" => {
            "ecs.DescribeServices"
        }
        "application-autoscaling.RegisterScalableTarget" => {
            "application-autoscaling.DescribeScalableTargets"
        }
        "cloudwatch.PutMetricAlarm" => "cloudwatch.DescribeAlarms",
        "rds.ModifyDBInstance" => "rds.DescribeDBInstances",
        "dynamodb.UpdateTable" => "dynamodb.DescribeTable",
        "dynamodb.UpdateContinuousBackups" => "dynamodb.DescribeContinuousBackups",
        _ => return None,
    })
}

/// How old the reading behind a write may be: the steps of one change, each with its timeouts.
const STALE: Duration = Duration::from_secs(120);

fn no_write_from_a_failed_reading(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    let reading = reading_before(&sent.operation)?;
    let write = ghost.writes.get(sent.intent.as_ref()?)?;
    let granted = ghost.grant_of(write)?.since;
    objects_of(&sent.operation, &sent.input)
        .into_iter()
        .find_map(|object| {
            let read = ghost
                .readings
                .get(&(sent.who, reading.to_owned(), object.clone()));
            let fresh =
                read.is_some_and(|at| *at >= granted && sent.at.saturating_sub(*at) <= STALE);
            (!fresh).then(|| {
                format!(
                    "{} of {object} was sent; {reading} was answered at {read:?}",
                    sent.operation
                )
            })
        })
}

fn counts_are_asked_for(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    let count = sent.input["desiredCount"]
        .as_i64()
        .filter(|_| sent.operation == "ecs.UpdateService")?;
    let service = sent.input["service"].as_str().unwrap_or_default();
    let service = service.rsplit('/').next().unwrap_or_default();
    let asked = ghost
        .counts
        .get(service)
        .is_some_and(|c| c.contains(&count));
    (!asked).then(|| format!("{service}: a count of {count}, which no document asks for"))
}

fn frozen_apps_are_left_alone(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { who, entry, at } = now else {
        return None;
    };
    let intent = matches!(entry.record, Record::Intent { .. });
    let loaded = ghost.loaded.get(who)?;
    // Nothing is begun any more, so what comes under a lease that was granted since is not either.
    let granted_since = |since: &Duration| {
        let grants = ghost.apps.get(&entry.app).map(|app| app.grants.values());
        let mut ours = grants.into_iter().flatten();
        ours.any(|g| g.token == entry.token && g.who == *who && g.since > *since)
    };
    let begun = loaded
        .frozen_since
        .get(&entry.app)
        .is_some_and(|since| ghost.lived(*who, *since, *at) < BEGUN && !granted_since(since));
    let frozen = loaded.frozen.contains(&entry.app) && !begun;
    (intent && frozen).then(|| format!("{}: an intent while its documents do not load", entry.app))
}

/// Whether mending this takes away what cannot be had back, whatever risk the plan saw in it.
fn destroys(drift: &Drift) -> bool {
    let (from, to) = (&drift.live, &drift.desired);
    match drift.path.to_string().as_str() {
        "spec.backupRetentionDays" | "spec.pointInTimeRecovery.recoveryPeriodDays" => {
            to.as_f64() < from.as_f64()
        }
        "spec.deletionProtection" | "spec.pointInTimeRecovery.enabled" => {
            from.as_bool() == Some(true) && to.as_bool() == Some(false)
        }
        "spec.desiredCount" => to.as_f64() == Some(0.0),
        _ => false,
    }
}

fn nothing_is_deleted(_: &Ghost, now: &Happening) -> Option<String> {
    if let Happening::Appended { entry, .. } = now
        && let Record::Intent {
            key,
            risk,
            step,
            drift,
            ..
        } = &entry.record
        && (*risk == Risk::Destructive || drift.iter().any(destroys))
    {
        return Some(format!(
            "{key}: {} was intended, which destroys",
            step.title
        ));
    }
    let Happening::Sent(sent) = now else {
        return None;
    };
    let known = operation(&sent.operation).is_some_and(|op| op.effect == Effect::Write);
    let verb = sent.operation.rsplit('.').next().unwrap_or_default();
    let deletes = ["Delete", "Deregister", "Remove", "Stop", "Untag"]
        .iter()
        .any(|v| verb.starts_with(v));
    (!known || deletes).then(|| format!("{} was sent", sent.operation))
}

fn the_unnamed_stays(_: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Landed(landed) = now else {
        return None;
    };
    let [before, after] = &landed.unnamed;
    (before != after).then(|| {
        format!(
            "{} changed what no document names, from {before} to {after}",
            landed.sent.operation
        )
    })
}

fn read_only_writes_nothing(ghost: &Ghost, now: &Happening) -> Option<String> {
    let (who, what) = match now {
        Happening::Sent(sent) => (sent.who, &sent.operation),
        Happening::Granted { who, app, .. } => (*who, app),
        _ => return None,
    };
    ghost
        .read_only
        .contains(&who.replica)
        .then(|| format!("{what}, by {who:?}"))
}

fn every_write_is_announced(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    let Some(intent) = &sent.intent else {
        return Some(format!("{} carries no permit", sent.operation));
    };
    let Some(write) = ghost.writes.get(intent) else {
        return Some(format!(
            "{} was sent under an intent that nobody committed",
            sent.operation
        ));
    };
    let excused = ghost.beyond_bounds(write) || ghost.taken_by_hand(write);
    announced::otherwise(sent, write, excused)
}

fn one_outcome(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { entry, .. } = now else {
        return None;
    };
    let Record::Outcome {
        intent, outcome, ..
    } = &entry.record
    else {
        return None;
    };
    let Some(write) = ghost.writes.get(intent) else {
        return Some(format!("an outcome of {intent}, which nobody intended"));
    };
    write
        .outcome
        .map(|first| format!("{}: {outcome:?} after {first:?}", write.key))
}

fn one_open_intent(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Opened {
        key,
        intent: Some(intent),
    } = now
    else {
        return None;
    };
    let other = ghost.apps.get(&key.app)?.open.get(key)?;
    Some(format!("{key}: {intent} while {other} is open"))
}

fn outcomes_are_true(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { who, entry, .. } = now else {
        return None;
    };
    let Record::Outcome {
        intent, outcome, ..
    } = &entry.record
    else {
        return None;
    };
    let write = ghost.writes.get(intent)?;
    // A revision is made or not. Other writes may have been brought about, or undone, by others.
    let registers = write.operation == "ecs.RegisterTaskDefinition";
    match outcome {
        Outcome::Applied if write.landed == 0 && registers => Some("it never landed"),
        Outcome::Applied if write.landed == 0 && !ghost.resolves(*who, entry.token, write) => {
            Some("its sender has no answer to say so")
        }
        Outcome::NotApplied if write.landed > 0 && registers && !write.beyond => {
            Some("it had landed")
        }
        _ => None,
    }
    .map(|why| format!("{outcome:?} of {} of {}: {why}", write.operation, write.key))
}

fn the_chain_is_whole(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Appended { entry, .. } = now else {
        return None;
    };
    let (seq, hash) = match ghost.apps.get(&entry.app) {
        Some(app) => (app.seq, app.hash.as_str()),
        None => (0, evenkeel::model::entry::GENESIS),
    };
    if entry.seq != seq + 1 || entry.prev != hash {
        return Some(format!(
            "{}: entry {} does not follow {seq}",
            entry.app, entry.seq
        ));
    }
    (entry.hash != entry.expected_hash())
        .then(|| format!("{}: entry {} has a wrong hash", entry.app, entry.seq))
}

fn one_request_an_intent(ghost: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Sent(sent) = now else {
        return None;
    };
    let write = ghost.writes.get(sent.intent.as_ref()?)?;
    (write.sent > 0).then(|| format!("{} of {} was sent twice", write.operation, write.key))
}

fn secrets_stay(_: &Ghost, now: &Happening) -> Option<String> {
    let Happening::Said { place, text, .. } = now else {
        return None;
    };
    text.contains(SECRET)
        .then(|| format!("a secret in {place}: {text:.200}"))
}

fn the_dead_are_silent(_: &Ghost, now: &Happening) -> Option<String> {
    let Happening::FromTheDead { who, operation } = now else {
        return None;
    };
    Some(format!("{operation} from {who:?}"))
}
