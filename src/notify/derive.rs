//! Deriving: which changes of state are worth telling. Pure: what was recorded and what is, in;
//! notices out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::drift::{DriftKind, DriftRecord};
use crate::model::key::ResourceKey;
use crate::model::notice::{About, Notice, Topic};
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{ObjectPlan, Plan};
use crate::model::status::{Condition, ConditionKind, Firsts, ObjectStatus, Transition, Truth};
use crate::render::layout::value;

/// What is new at a look, one notice for each app and topic. Only what this process recorded itself
/// is given: of several replicas one tells.
pub fn of_look(plan: &Plan, ours: &Firsts) -> Vec<Notice> {
    let mut found = Grouped::default();
    for transition in &ours.transitions {
        let object = plan.object(&transition.key);
        let asked_for = ours.asked_for.contains(&transition.key);
        for (topic, says) in topics(transition, asked_for) {
            found.add(
                topic,
                &transition.key,
                about(&transition.key, says, object, topic),
            );
        }
    }
    // An object that is in order all the same has no transition for what stands beside it.
    for record in ours.opened.iter().filter(|r| r.kind.is_left_alone()) {
        let about = About {
            key: record.key.to_string(),
            says: left_alone(record),
            drift: Vec::new(),
            steps: Vec::new(),
        };
        found.add(Topic::DriftFound, &record.key, about);
    }
    found.notices(plan.made_at)
}

/// In one sentence, what was found and is not written.
fn left_alone(record: &DriftRecord) -> String {
    let found = match record.kind {
        DriftKind::Suspended => "an operator suspended this",
        _ => "no document names this",
    };
    format!(
        "{found}, and it is left so: {} {}",
        record.path,
        value(&record.live)
    )
}

fn about(key: &ResourceKey, says: String, object: Option<&ObjectPlan>, topic: Topic) -> About {
    let with_diff = !matches!(topic, Topic::Recovered);
    About {
        key: key.to_string(),
        says,
        drift: object
            .filter(|_| with_diff)
            .map(|o| o.drift.clone())
            .unwrap_or_default(),
        steps: Vec::new(),
    }
}

/// What a transition is to be told as. What is the worse of two sayings of one thing is told alone.
fn topics(transition: &Transition, asked_for: bool) -> Vec<(Topic, String)> {
    let was = |kind| holds(transition.before.as_ref(), kind);
    let is = |kind| holds(Some(&transition.now), kind);
    let says = |kind| {
        let condition = transition.now.condition(kind);
        condition.map_or_else(String::new, |c| c.message.clone())
    };
    let mut topics = Vec::new();
    if is(ConditionKind::Stalled) && !was(ConditionKind::Stalled) {
        topics.push((Topic::Contested, says(ConditionKind::Stalled)));
    } else if is(ConditionKind::Blocked)
        && !is(ConditionKind::Stalled)
        && (!was(ConditionKind::Blocked) || reason_changed(transition, ConditionKind::Blocked))
    {
        topics.push((Topic::Blocked, says(ConditionKind::Blocked)));
    } else if is(ConditionKind::Drifted) && drifts_anew(transition, asked_for) {
        let absent = condition(Some(&transition.now), ConditionKind::Drifted)
            .filter(|c| c.reason == "Absent")
            .map(|c| c.message.clone());
        topics.push((Topic::DriftFound, absent.unwrap_or_default()));
    }
    if rollout_failed(Some(&transition.now)) && !rollout_failed(transition.before.as_ref()) {
        topics.push((Topic::RolledBack, says(ConditionKind::Ready)));
    }
    let bad = |status: Option<&ObjectStatus>| {
        holds(status, ConditionKind::Blocked)
            || holds(status, ConditionKind::Stalled)
            || rollout_failed(status)
            || status.is_some_and(|s| s.failed.is_some())
    };
    // What waits for something that passes may be held again after it.
    if bad(transition.before.as_ref())
        && !bad(Some(&transition.now))
        && !is(ConditionKind::Deferred)
    {
        let so = if holds(Some(&transition.now), ConditionKind::Ready) {
            "it is in order"
        } else {
            "it is no longer held back, and not in order yet"
        };
        topics.push((Topic::Recovered, so.to_owned()));
    }
    topics
}

/// Whether fields differ that did not, by the same document: what a new document asks for is no drift. Of an object
/// that was always in order nothing is recorded, so there only its drift records tell.
fn drifts_anew(transition: &Transition, asked_for: bool) -> bool {
    let Some(before) = condition(transition.before.as_ref(), ConditionKind::Drifted) else {
        return !asked_for;
    };
    let Some(now) = condition(Some(&transition.now), ConditionKind::Drifted) else {
        return false;
    };
    if before.observed_generation != now.observed_generation {
        return false;
    }
    let fields = |c: &Condition| -> BTreeSet<String> {
        let differ = c.status == Truth::True;
        let fields = c.message.split(", ").filter(|_| differ);
        fields.map(str::to_owned).collect()
    };
    !fields(now).is_subset(&fields(before))
}

fn condition(status: Option<&ObjectStatus>, kind: ConditionKind) -> Option<&Condition> {
    status?.condition(kind)
}

fn holds(status: Option<&ObjectStatus>, kind: ConditionKind) -> bool {
    condition(status, kind).is_some_and(|c| c.status == Truth::True)
}

fn reason_changed(transition: &Transition, kind: ConditionKind) -> bool {
    let reason = |status| condition(status, kind).map(|c| c.reason.as_str());
    reason(transition.before.as_ref()) != reason(Some(&transition.now))
}

fn rollout_failed(status: Option<&ObjectStatus>) -> bool {
    condition(status, ConditionKind::Ready).is_some_and(|c| c.reason == "RolloutFailed")
}

/// What a pass of this process wrote.
pub fn of_pass(
    app: &str,
    planned: &[ObjectPlan],
    done: &[ObjectPass],
    at: Timestamp,
) -> Option<Notice> {
    let objects: Vec<About> = done
        .iter()
        .filter(|pass| !pass.written.is_empty())
        .filter(|pass| !matches!(pass.ended, Ended::Failed(_) | Ended::RolledBack(_)))
        .map(|pass| About {
            key: pass.key.to_string(),
            says: ended(&pass.ended),
            drift: drift_of(planned, &pass.key),
            steps: pass.written.clone(),
        })
        .collect();
    (!objects.is_empty()).then(|| Notice::new(Topic::Corrected, app, at, objects))
}

/// What failed in a pass and was not known to.
pub fn of_failures(
    app: &str,
    planned: &[ObjectPlan],
    done: &[ObjectPass],
    new: &BTreeSet<ResourceKey>,
    at: Timestamp,
) -> Vec<Notice> {
    let mut found = Grouped::default();
    for pass in done.iter().filter(|pass| new.contains(&pass.key)) {
        let topic = match pass.ended {
            Ended::RolledBack(_) => Topic::RolledBack,
            _ => Topic::Failed,
        };
        let about = About {
            key: pass.key.to_string(),
            says: ended(&pass.ended),
            drift: drift_of(planned, &pass.key),
            steps: pass.written.clone(),
        };
        found.add(topic, &pass.key, about);
    }
    debug_assert!(done.iter().all(|pass| pass.key.app == app));
    found.notices(at)
}

/// What is about to be written of an app, and why.
pub fn of_beginning(app: &str, planned: &[ObjectPlan], at: Timestamp) -> Option<Notice> {
    let objects: Vec<About> = planned
        .iter()
        .filter(|object| object.key.app == app)
        .filter_map(|object| {
            let change = object.change.as_ref()?;
            Some(About {
                key: object.key.to_string(),
                says: format!("{}: {}", change.risk, change.reason),
                drift: object.drift.clone(),
                steps: change.steps.iter().map(|step| step.title.clone()).collect(),
            })
        })
        .collect();
    (!objects.is_empty()).then(|| Notice::new(Topic::ChangeBegins, app, at, objects))
}

/// How what was announced has ended.
pub fn of_end(app: &str, done: &[ObjectPass], at: Timestamp) -> Notice {
    let touched = |pass: &&ObjectPass| {
        !pass.written.is_empty() || !matches!(pass.ended, Ended::InOrder | Ended::Held(_))
    };
    let objects = done.iter().filter(touched).map(|pass| About {
        key: pass.key.to_string(),
        says: ended(&pass.ended),
        drift: Vec::new(),
        steps: pass.written.clone(),
    });
    let mut notice = Notice::new(Topic::ChangeEnded, app, at, objects.collect());
    if done
        .iter()
        .any(|pass| matches!(pass.ended, Ended::Failed(_) | Ended::RolledBack(_)))
    {
        notice.severity = Topic::Failed.severity();
    }
    notice
}

fn ended(ended: &Ended) -> String {
    match ended {
        Ended::InOrder => "in order".to_owned(),
        Ended::Converged => "written, and it shows".to_owned(),
        Ended::RollingOut(detail) => format!("written, and rolling out: {detail}"),
        Ended::RolledBack(why) => format!("rolled back: {why}"),
        Ended::Held(why) => format!("held: {why}"),
        Ended::Failed(why) => format!("failed: {why}"),
    }
}

fn drift_of(planned: &[ObjectPlan], key: &ResourceKey) -> Vec<crate::model::change::Drift> {
    let object = planned.iter().find(|o| o.key == *key);
    object.map(|o| o.drift.clone()).unwrap_or_default()
}

/// What the store's answers are worth telling: apps whose history cannot be read, and could before.
pub fn of_store(before: &BTreeMap<String, String>, plan: &Plan) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (app, why) in &plan.history_unread {
        if !before.contains_key(app) {
            let mut notice = Notice::new(Topic::StoreUnreachable, app, plan.made_at, Vec::new());
            notice.why = Some(format!(
                "its history cannot be read, so nothing of it is written: {why}"
            ));
            notices.push(notice);
        }
    }
    for app in before.keys() {
        if !plan.history_unread.contains_key(app) {
            let mut notice = Notice::new(Topic::Recovered, app, plan.made_at, Vec::new());
            notice.why = Some("its history can be read again".to_owned());
            notices.push(notice);
        }
    }
    notices
}

/// Objects by app and topic.
#[derive(Default)]
struct Grouped(BTreeMap<(String, Topic), Vec<About>>);

impl Grouped {
    fn add(&mut self, topic: Topic, key: &ResourceKey, about: About) {
        self.0
            .entry((key.app.clone(), topic))
            .or_default()
            .push(about);
    }

    fn notices(self, at: Timestamp) -> Vec<Notice> {
        self.0
            .into_iter()
            .map(|((app, topic), objects)| Notice::new(topic, &app, at, objects))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::{Drift, Hold};
    use crate::model::plan::{Rollout, Status};
    use crate::model::tree::{FieldPath, Tree};
    use crate::render::plan::tests::{mixed, object};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn drifted(key: &str) -> ObjectPlan {
        let mut object = object(key, Status::Drifted);
        object.holds.clear();
        object.rollout = None;
        object.drift = vec![Drift {
            path: FieldPath::dotted("spec.desiredCount"),
            desired: Tree::from(3),
            live: Tree::from(1),
        }];
        object
    }

    fn held(key: &str, hold: Hold) -> ObjectPlan {
        let mut object = drifted(key);
        object.status = Status::Blocked;
        object.change = None;
        object.holds = vec![hold];
        object
    }

    fn quiet(key: &str) -> ObjectPlan {
        let mut object = drifted(key);
        object.status = Status::InSync;
        object.drift.clear();
        object.change = None;
        object
    }

    fn firsts(transitions: impl IntoIterator<Item = Transition>) -> Firsts {
        Firsts {
            transitions: transitions.into_iter().collect(),
            ..Firsts::default()
        }
    }

    /// The notices of one look after another over the same object, as topics.
    fn told(looks: &[ObjectPlan]) -> Vec<Vec<&'static str>> {
        let mut before: Option<ObjectStatus> = None;
        looks
            .iter()
            .map(|object| {
                let now = ObjectStatus::from_plan(object, before.as_ref(), "g", at(1));
                let transition = Transition {
                    key: object.key.clone(),
                    before: before.replace(now.clone()),
                    now,
                };
                let plan = Plan {
                    objects: vec![object.clone()],
                    ..mixed()
                };
                let notices = of_look(&plan, &firsts([transition]));
                notices.iter().map(|n| n.topic.word()).collect()
            })
            .collect()
    }

    #[test]
    fn a_state_is_told_when_it_changes_and_not_while_it_lasts() {
        let web = "shop/Service/web";
        let stalled = || Hold::Stalled {
            why: "set back 3 times".into(),
        };
        let exist = || Hold::MustExist {
            help: "create it".into(),
        };
        let mut failed = quiet(web);
        failed.rollout = Some(Rollout::Failed {
            detail: "tasks stop".into(),
        });
        let looks = [
            quiet(web),
            drifted(web),
            drifted(web),
            held(web, stalled()),
            held(web, stalled()),
            quiet(web),
            held(web, exist()),
            drifted(web),
            quiet(web),
            failed.clone(),
            failed,
            quiet(web),
        ];
        let none: Vec<&str> = Vec::new();
        assert_eq!(
            told(&looks),
            [
                none.clone(),
                vec!["driftFound"],
                none.clone(),
                vec!["contested"],
                none.clone(),
                vec!["recovered"],
                vec!["blocked"],
                vec!["recovered"],
                none.clone(),
                vec!["rolledBack"],
                none,
                vec!["recovered"],
            ]
        );
    }

    fn transition(before: &ObjectPlan, now: &ObjectPlan, documents: (&str, &str)) -> Vec<Notice> {
        let before = ObjectStatus::from_plan(before, None, documents.0, at(1));
        let after = ObjectStatus::from_plan(now, Some(&before), documents.1, at(2));
        let transition = Transition {
            key: now.key.clone(),
            before: Some(before),
            now: after,
        };
        let plan = Plan {
            objects: vec![now.clone()],
            ..mixed()
        };
        of_look(&plan, &firsts([transition]))
    }

    #[test]
    fn drift_in_another_field_is_told_even_while_something_waits_for_a_person() {
        let web = "shop/Service/web";
        let exist = || Hold::MustExist {
            help: "create it".into(),
        };
        let worse = |mut object: ObjectPlan| {
            object.drift.push(Drift {
                path: FieldPath::dotted("spec.cpu"),
                desired: Tree::from(1),
                live: Tree::from(2),
            });
            object
        };
        for before in [drifted(web), held(web, exist())] {
            let notices = transition(&before, &worse(before.clone()), ("g", "g"));
            assert_eq!(notices.len(), 1, "{notices:?}");
            assert_eq!(notices[0].topic, Topic::DriftFound);
            assert_eq!(notices[0].objects[0].drift.len(), 2);
            assert_eq!(transition(&worse(before.clone()), &before, ("g", "g")), []);
        }
    }

    #[test]
    fn what_a_commit_asks_for_is_no_drift_and_what_waits_has_not_recovered() {
        let web = "shop/Service/web";
        assert_eq!(transition(&quiet(web), &drifted(web), ("old", "new")), []);
        let mut waits = held(
            web,
            Hold::Settling {
                until: "soon".into(),
            },
        );
        waits.status = Status::Deferred;
        let blocked = held(
            web,
            Hold::MustExist {
                help: "create it".into(),
            },
        );
        assert_eq!(transition(&blocked, &waits, ("g", "g")), []);
    }

    #[test]
    fn what_a_commit_asks_for_hides_no_field_that_somebody_changes_while_it_waits() {
        let waits = drifted("shop/Service/web");
        let mut more = waits.clone();
        more.drift.push(Drift {
            path: FieldPath::dotted("spec.cpu"),
            desired: Tree::from(256),
            live: Tree::from(512),
        });
        let recorded = |object, before| ObjectStatus::from_plan(object, before, "g", at(1));
        let first = Transition {
            key: waits.key.clone(),
            before: None,
            now: recorded(&waits, None),
        };
        assert!(drifts_anew(&first, false) && !drifts_anew(&first, true));
        let second = Transition {
            key: waits.key.clone(),
            now: recorded(&more, Some(&first.now)),
            before: Some(first.now),
        };
        assert!(drifts_anew(&second, true));
    }

    #[test]
    fn of_what_is_gone_it_is_said_that_it_is() {
        let mut gone = drifted("shop/Alarm/cpu");
        gone.status = Status::Absent;
        gone.drift.clear();
        let notices = transition(&quiet("shop/Alarm/cpu"), &gone, ("g", "g"));
        assert!(
            notices[0].objects[0].says.contains("does not exist"),
            "{notices:?}"
        );
    }

    #[test]
    fn what_is_found_at_one_look_is_one_notice_for_each_app_and_topic_with_its_diff() {
        let objects = vec![
            drifted("cart/Service/a"),
            drifted("shop/Service/a"),
            drifted("shop/Service/b"),
        ];
        let transitions: Vec<Transition> = objects
            .iter()
            .map(|object| Transition {
                key: object.key.clone(),
                before: None,
                now: ObjectStatus::from_plan(object, None, "g", at(1)),
            })
            .collect();
        let plan = Plan { objects, ..mixed() };
        let notices = of_look(&plan, &firsts(transitions));
        let shown: Vec<(&str, usize)> = notices
            .iter()
            .map(|n| (n.app.as_str(), n.objects.len()))
            .collect();
        assert_eq!(shown, [("cart", 1), ("shop", 2)]);
        assert_eq!(
            notices[1].objects[0].drift[0].path.to_string(),
            "spec.desiredCount"
        );
    }

    #[test]
    fn the_store_is_told_of_when_it_goes_and_when_it_is_back() {
        let mut plan = mixed();
        plan.history_unread = BTreeMap::from([("shop".into(), "no network".into())]);
        let gone = of_store(&BTreeMap::new(), &plan);
        assert_eq!(gone[0].topic, Topic::StoreUnreachable);
        let before = plan.history_unread.clone();
        assert_eq!(of_store(&before, &plan), []);
        plan.history_unread.clear();
        assert_eq!(of_store(&before, &plan)[0].topic, Topic::Recovered);
    }

    #[test]
    fn a_pass_tells_what_it_wrote_and_what_failed_for_the_first_time() {
        let planned = [drifted("shop/Service/a"), drifted("shop/Service/b")];
        let pass = |key: &str, ended, written: &[&str]| ObjectPass {
            key: key.parse().unwrap(),
            ended,
            written: written.iter().map(|w| (*w).to_owned()).collect(),
        };
        let done = [
            pass("shop/Service/a", Ended::Converged, &["update a"]),
            pass(
                "shop/Service/b",
                Ended::Failed("AWS refused it".into()),
                &[],
            ),
        ];
        let corrected = of_pass("shop", &planned, &done, at(1)).unwrap();
        assert_eq!(corrected.objects.len(), 1);
        assert_eq!(corrected.objects[0].steps, ["update a"]);
        assert_eq!(corrected.objects[0].drift.len(), 1);
        let new = BTreeSet::from([done[1].key.clone()]);
        let failed = of_failures("shop", &planned, &done, &new, at(1));
        assert_eq!((failed.len(), failed[0].topic), (1, Topic::Failed));
        assert_eq!(
            of_failures("shop", &planned, &done, &BTreeSet::new(), at(1)),
            []
        );
        assert_eq!(
            of_end("shop", &done, at(1)).severity,
            Topic::Failed.severity()
        );
    }
}
