//! Calm: once the weather has cleared, all comes to rest as the documents say, and stays so.
//!
//! Which law is broken when it does not is told by what keeps it from it.

use std::time::Duration;

use evenkeel::kinds::Allow;
use evenkeel::model::operation::{Effect, operation};
use evenkeel::plan::object::STALL_AFTER;
use serde_json::{Value, json};

use super::dice::Dice;
use super::estate::{App, CLUSTER};
use super::happening::Who;
use super::replica::{File, TABLE};
use super::weather::Frozen;
use super::{Play, estate};

/// Within which time of clear weather all is as the documents say: an hour of being set back again
/// and again by replicas that disagreed, the longest back-off, and a rollout.
const BOUND: Duration = Duration::from_secs(90 * 60);

/// The same for what is contested where wall clocks were set back: corrections from before seem to lie
/// ahead, and count as within the hour until the clock is an hour past them, a slow one later still.
/// Where anything else is restless, too, nothing is added.
fn bound(play: &Play, restless: &[String]) -> Duration {
    let contested = play.stage.ghost(|g| g.corrected_often(STALL_AFTER));
    let fought = |what: &String| contested.iter().any(|name| what.contains(name));
    if !restless.iter().all(fought) {
        return BOUND;
    }
    let set_back = play.replicas.iter().map(|replica| replica.set_back).max();
    BOUND + set_back.unwrap_or_default().unsigned_abs() * 10 / 9
}

/// How often it is asked whether it is.
const STEP: Duration = Duration::from_secs(10);
/// Within which time every replica has read anew what is recorded, and has put it right: five minutes and
/// the longest interval, on the slowest clock, and a look; twice, for what others dated ahead.
const READ_ANEW: Duration = Duration::from_secs(1000);
/// Within which time what was given up is looked for the last time.
const GIVEN_UP: Duration = Duration::from_secs(45 * 60);
/// How long nothing may be written afterwards.
const QUIET: Duration = Duration::from_secs(130);

/// Every law that no single event breaks, and what it says.
pub static LAWS: &[(&str, &str)] = &[
    (
        "L1",
        "within a bound all is as the documents say, asked of the twin's world and not of Evenkeel's own planner",
    ),
    ("L2", "no intent is without an outcome"),
    ("L3", "the lease of a dead holder is taken over"),
    (
        "L4",
        "an app that is denied for good keeps no other from its due",
    ),
    (
        "L5",
        "with a quarter of all calls throttled for good, all comes to rest",
    ),
    (
        "L6",
        "after a size that cannot run, going back to one that can gets there",
    ),
    (
        "L7",
        "the image that CI deployed last runs, at the size that the documents say",
    ),
    (
        "L9",
        "a replica that is lost for good is made up for, and an outage of the store needs no hand",
    ),
    ("S25b", "one intent leaves no two revisions"),
    ("S30", "nothing panics"),
    (
        "S31",
        "an estate in order is not written, and its store neither",
    ),
    (
        "S31b",
        "of an estate in order nothing else is recorded, whoever died after saying so",
    ),
];

/// L1 to L7, L9 and S31: what strikes for good goes on striking.
pub async fn come_to_rest(play: &mut Play) {
    play.stage.note("the weather clears");
    play.stage.weather(|w| {
        w.rough = false;
        w.away.clear();
    });
    let now = play.stage.now();
    play.stage
        .ghost(|g| g.resumed.values_mut().for_each(|at| *at = now.min(*at)));
    for replica in &mut play.replicas {
        replica.clock.go_on();
        replica.pause.set(false);
        let newest: Vec<_> = play
            .apps
            .iter()
            .map(|a| {
                (
                    a.name.clone(),
                    File::Whole(a.versions[a.versions.len() - 1].clone()),
                )
            })
            .collect();
        replica
            .folder
            .change(|files| *files = newest.into_iter().collect());
    }
    for replica in &mut play.replicas {
        replica.start(&play.stage);
    }
    let lost = lose_one(play);
    let cleared = play.stage.now();
    loop {
        play.stage.clock().sleep(STEP).await;
        let restless = restless(play);
        if restless.is_empty() {
            break;
        }
        let bound = bound(play, &restless);
        if play.stage.now() - cleared > bound {
            play.stage.break_law(
                kept_by(play, &restless, lost),
                format!(
                    "not at rest after {} min: {restless:?}",
                    bound.as_secs() / 60
                ),
            );
            return;
        }
    }
    play.rested = Some(play.stage.now() - cleared);
    play.stage.note("all is as the documents say");
    let clock = play.stage.clock().clone();
    // Conditions are put right when they are read anew; a revision that was given up is looked for later.
    let looks_again = play.stage.ghost(|g| g.looks_again());
    if denied(play).is_some() {
        // It is tried again and again, as it should be.
        return in_the_end(play);
    }
    // Watching how nothing happens costs more than all the rest of a run: some of them do it.
    let watched = if looks_again { 16 } else { 4 };
    if !play.stage.seed().is_multiple_of(watched) {
        return in_the_end(play);
    }
    clock
        .sleep(if looks_again { GIVEN_UP } else { READ_ANEW })
        .await;
    let before = writes(play);
    clock.sleep(QUIET).await;
    let after = writes(play);
    if before != after {
        play.stage.break_law(
            "S31",
            format!("written in an estate in order: {before:?}, then {after:?}"),
        );
    }
    let restless = self::restless(play);
    if !restless.is_empty() {
        play.stage
            .break_law("L1", format!("it did not stay at rest: {restless:?}"));
    }
    let untrue = untrue(&rows(play));
    if !untrue.is_empty() {
        play.stage.break_law(
            "S31b",
            format!("all is in order, and recorded is: {untrue:?}"),
        );
    }
    in_the_end(play);
}

/// L9: one of several is lost for good, in the middle of whatever it does. The others make up for it.
fn lose_one(play: &mut Play) -> Option<usize> {
    let mut dice = Dice::of(play.stage.seed(), "lost for good");
    let replicas = play.replicas.iter().enumerate();
    let able: Vec<usize> = replicas
        .filter(|(_, r)| r.writes == Allow::Yes)
        .map(|(number, _)| number)
        .collect();
    let lost = (able.len() > 1 && dice.chance(300)).then(|| *dice.pick(&able))?;
    play.stage.note(&format!("replica {lost} is lost for good"));
    play.replicas[lost].kill(&play.stage);
    Some(lost)
}

/// The law that is broken when `restless` stays so: the one that says most of why.
fn kept_by(play: &Play, restless: &[String], lost: Option<usize>) -> &'static str {
    let about = |name: &str| restless.iter().any(|what| what.contains(name));
    let of_the_dead = |app: &App| {
        let holder = play.stage.ghost(|g| {
            let app = g.app(&app.name);
            app.current.as_ref().map(|grant| app.grants[grant].who)
        });
        let dead = |who: Who| {
            play.stage.stations(|s| {
                let station = &s[who.replica];
                !station.alive || station.life != who.life
            })
        };
        about(&app.name) && holder.is_some_and(dead)
    };
    let fragile = |what: &String| {
        let mut fragile = play.apps.iter().filter(|app| app.fragile);
        fragile.any(|app| what.starts_with(&format!("size of {}-s0 ", app.name)))
    };
    let frozen = play.stage.weather(|w| w.frozen.clone());
    if play.apps.iter().any(of_the_dead) {
        "L3"
    } else if about("open intent") {
        "L2"
    } else if restless.iter().all(fragile) {
        "L6"
    } else if let Some(frozen) = frozen {
        match frozen {
            Frozen::Denied(_) => "L4",
            Frozen::Throttled(_) => "L5",
        }
    } else if lost.is_some() {
        "L9"
    } else {
        "L1"
    }
}

/// What keeps the run from being at rest.
fn restless(play: &Play) -> Vec<String> {
    let denied = denied(play);
    let open = play.stage.ghost(|g| g.unresolved());
    let mut restless: Vec<String> = open
        .into_iter()
        .map(|i| format!("open intent {i}"))
        .collect();
    play.stage.twin().world(|w| {
        for app in play
            .apps
            .iter()
            .filter(|app| Some(&app.name) != denied.as_ref())
        {
            restless.extend(app.versions[app.versions.len() - 1].unmet(w));
        }
    });
    restless
}

/// The app whose writes are denied for good.
fn denied(play: &Play) -> Option<String> {
    play.stage.weather(|w| match &w.frozen {
        Some(Frozen::Denied(app)) => Some(app.clone()),
        _ => None,
    })
}

/// Every row of the store.
fn rows(play: &Play) -> Vec<Value> {
    let asked = json!({"TableName": TABLE, "ConsistentRead": true});
    let all = play
        .stage
        .twin()
        .world(|w| w.call("dynamodb", "Scan", &asked));
    let items = all.ok().and_then(|all| all["Items"].as_array().cloned());
    items.unwrap_or_default()
}

/// The rows that tell people of something out of order. A database may be held for good, since backups
/// that somebody keeps longer are not taken away; scaling that was suspended before a run still is.
fn untrue(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, name: &str| row[name]["S"].as_str().unwrap_or_default().to_owned();
    let told = |row: &&Value| {
        let (sk, body) = (text(row, "sk"), text(row, "body"));
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let of_a_database = sk.contains("#Database/") || body["key"]["kind"] == "Database";
        if of_a_database {
            false
        } else if sk.starts_with("STATUS#") {
            let mut conditions = body["conditions"].as_array().into_iter().flatten();
            conditions.any(|c| c["type"] == "Ready" && c["status"] != "True")
        } else {
            let is_over = !body["end"].is_null() || body["kind"] == "suspended";
            sk.starts_with("DRIFT#") && !is_over
        }
    };
    let untrue = rows.iter().filter(told);
    untrue
        .map(|row| format!("{}: {}", text(row, "sk"), text(row, "body")))
        .collect()
}

/// Writes so far: to AWS, and to the store by anyone.
fn writes(play: &Play) -> (usize, usize) {
    play.stage.twin().world(|w| {
        let is_aws = |name: &str| operation(name).is_some_and(|op| op.effect == Effect::Write);
        let aws = w.calls.all().iter().filter(|c| is_aws(&c.name)).count();
        let store = [
            "dynamodb.PutItem",
            "dynamodb.UpdateItem",
            "dynamodb.TransactWriteItems",
        ];
        let stored = w
            .calls
            .all()
            .iter()
            .filter(|c| store.contains(&c.name.as_str()))
            .count();
        (aws, stored)
    })
}

/// What is to be seen at the end of a run only: no revision made twice, no secret in the store, and
/// nothing of an image that CI deployed last lost.
fn in_the_end(play: &Play) {
    let doubles = play.stage.twin().world(|w| {
        let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for definition in w.ecs.all_task_definitions() {
            if let Some(intent) = definition.tags.get("evenkeel:intent") {
                *seen.entry(intent.clone()).or_default() += 1;
            }
        }
        seen.retain(|_, n| *n > 1);
        seen
    });
    if !doubles.is_empty() {
        play.stage.break_law(
            "S25b",
            format!("revisions made twice for one intent: {doubles:?}"),
        );
    }
    if rows(play)
        .iter()
        .any(|row| row.to_string().contains(estate::SECRET))
    {
        play.stage
            .break_law("S29", "a secret in a row of the store".to_owned());
    }
    let overtaken = play.stage.ghost(|g| g.overtaken.clone());
    let deployed = play.deployed.iter();
    for (service, image) in deployed.filter(|(service, _)| !overtaken.contains(*service)) {
        let images: Vec<String> = play.stage.twin().world(|w| {
            w.task_definition_of(CLUSTER, service)
                .map(|d| d.images().map(str::to_owned).collect())
                .unwrap_or_default()
        });
        if images != [image.clone()] {
            play.stage.break_law(
                "L7",
                format!("{service} runs {images:?}; CI deployed {image} last"),
            );
        }
    }
}
