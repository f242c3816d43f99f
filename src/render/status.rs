//! Conditions as text, JSON and Markdown.
//!
//! Pure: values in, text out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::findings;
use super::layout::{BOLD, DIM, GOOD, WARN, clean, flow, hanging, paint};
use super::markdown::escape;
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;
use crate::model::status::{Condition, ConditionKind, ObjectStatus, Truth};
use crate::store::{LeaseRow, LeaseState};

/// One object.
#[derive(Clone, Debug)]
pub struct ObjectLine {
    /// Which.
    pub key: ResourceKey,
    /// How it stands. A transition at `looked` is one whose time is not known.
    pub status: ObjectStatus,
    /// When it was looked at.
    pub looked: Timestamp,
}

impl ObjectLine {
    /// Since when it stands so, where that is known.
    fn since(&self) -> Option<Timestamp> {
        let times = self.status.conditions.iter().map(|c| c.last_transition);
        times.max().filter(|at| *at < self.looked)
    }

    /// Its conditions for programs.
    fn conditions(&self) -> Vec<Value> {
        let of = |condition: &Condition| {
            let mut value = json!(condition);
            if condition.last_transition >= self.looked {
                value["lastTransition"] = Value::Null;
            }
            value
        };
        self.status.conditions.iter().map(of).collect()
    }
}

/// One app.
#[derive(Clone, Debug)]
pub struct AppStatus {
    /// Its objects, in key order.
    pub objects: Vec<ObjectLine>,
    /// Its lease; `None` when it was never written.
    pub lease: Option<LeaseRow>,
}

/// The conditions of an object that are true, or `Unknown`, by their words.
fn words(status: &ObjectStatus) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = status
        .conditions
        .iter()
        .filter_map(|c| match (c.kind, c.status) {
            (kind, Truth::True) => Some((format!("{kind:?}"), kind == ConditionKind::Ready)),
            (ConditionKind::Ready, Truth::Unknown) => Some(("Unknown".to_owned(), false)),
            _ => None,
        })
        .collect();
    // Not ready for a reason that no other condition has, such as a rollout on its way.
    if let (true, Some(ready)) = (words.is_empty(), status.condition(ConditionKind::Ready)) {
        words.push((ready.reason.clone(), false));
    }
    words
}

/// Why an object is not ready, for each condition that has something to say.
fn reasons(status: &ObjectStatus) -> Vec<String> {
    if words(status).iter().any(|(_, good)| *good) {
        return Vec::new();
    }
    let holds = |c: &Condition| c.kind != ConditionKind::Ready && c.status == Truth::True;
    let alone = !status.conditions.iter().any(holds);
    let told = |c: &&Condition| match c.kind {
        // Where another one holds, it says why.
        ConditionKind::Ready => c.status == Truth::Unknown || alone,
        _ => c.status == Truth::True,
    };
    status
        .conditions
        .iter()
        .filter(told)
        .filter(|c| !c.message.is_empty())
        .map(|c| format!("{} ({}): {}", c.kind, c.reason, c.message))
        .collect()
}

fn lease(lease: Option<&LeaseRow>) -> String {
    match lease.map(|l| (&l.state, l)) {
        None => "never written".to_owned(),
        Some((LeaseState::Released, l)) => match super::lock::taken(l) {
            Some(taken) => format!("no lease held; {taken}"),
            None => "no lease held".to_owned(),
        },
        Some((LeaseState::Held, l)) => format!("lease held by {}", l.holder),
        Some((LeaseState::Corrupt(why), _)) => format!("lease unreadable: {why}"),
    }
}

/// For people.
pub fn text(apps: &BTreeMap<String, AppStatus>, wrong: &[Finding]) -> String {
    let mut out = findings::text(wrong);
    for (name, app) in apps {
        let held = lease(app.lease.as_ref());
        let lead = format!("{}  ", paint(BOLD, &clean(name)));
        flow(&mut out, &lead, 6, DIM, &held);
        let label = |o: &ObjectLine| clean(&format!("{}/{}", o.key.kind, o.key.name));
        let width = app
            .objects
            .iter()
            .map(|o| label(o).chars().count())
            .max()
            .unwrap_or(0)
            .min(40);
        for object in &app.objects {
            let words = words(&object.status);
            let ready = words.iter().any(|(_, good)| *good);
            let style = if ready { GOOD } else { WARN };
            let joined: Vec<&str> = words.iter().map(|(w, _)| w.as_str()).collect();
            let since = object
                .since()
                .map(|at| at.strftime("%m-%d %H:%MZ").to_string())
                .unwrap_or_default();
            let lead = format!(
                "  {:<width$}  {} ",
                label(object),
                paint(style, &format!("{:<17}", joined.join(",")))
            );
            flow(&mut out, &lead, 6, DIM, &since);
            for reason in reasons(&object.status) {
                hanging(&mut out, 6, "", &reason);
            }
            if let Some(write) = &object.status.last_write {
                let at = write.at.strftime("%Y-%m-%d %H:%M:%SZ");
                let line = format!("last write {at} (intent {:.12})", write.intent);
                out.push_str(&format!("      {}\n", paint(DIM, &line)));
            }
        }
    }
    out
}

/// For programs.
pub fn json(apps: &BTreeMap<String, AppStatus>) -> Value {
    let objects: Vec<Value> = apps
        .values()
        .flat_map(|app| &app.objects)
        .map(|o| {
            json!({
                "key": o.key,
                "conditions": o.conditions(),
                "lastWrite": o.status.last_write,
            })
        })
        .collect();
    let leases: Vec<Value> = apps
        .values()
        .filter_map(|app| app.lease.as_ref())
        .map(super::lock::json)
        .collect();
    json!({"version": 1, "objects": objects, "leases": leases})
}

/// For pull requests.
pub fn markdown(apps: &BTreeMap<String, AppStatus>, wrong: &[Finding]) -> String {
    let mut out = match wrong {
        [] => String::new(),
        wrong => super::markdown::findings(wrong) + "\n",
    };
    out.push_str("| object | conditions | why | last write |\n|---|---|---|---|\n");
    for object in apps.values().flat_map(|app| &app.objects) {
        let words: Vec<String> = words(&object.status).into_iter().map(|(w, _)| w).collect();
        let last = object
            .status
            .last_write
            .as_ref()
            .map_or_else(String::new, |w| {
                w.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
            });
        out.push_str(&format!(
            "| {} | {} | {} | {last} |\n",
            escape(&object.key.to_string()),
            words.join(", "),
            escape(&reasons(&object.status).join("; ")),
        ));
    }
    out.push_str("\n| app | lease |\n|---|---|\n");
    for (name, app) in apps {
        let held = lease(app.lease.as_ref());
        out.push_str(&format!("| {} | {} |\n", escape(name), escape(&held)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Rollout, Status};
    use crate::render::plan::tests::object;

    #[test]
    fn a_rollout_on_its_way_has_a_word_of_its_own() {
        let mut web = object("shop/Service/web", Status::InSync);
        web.rollout = Some(Rollout::InProgress {
            detail: "web:13, 1 of 2 tasks".into(),
        });
        let now = jiff::Timestamp::UNIX_EPOCH;
        let line = ObjectLine {
            key: web.key.clone(),
            status: ObjectStatus::from_plan(&web, None, "g", now),
            looked: now,
        };
        let app = AppStatus {
            objects: vec![line],
            lease: None,
        };
        let text = text(&BTreeMap::from([("shop".to_owned(), app)]), &[]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            plain,
            "shop  never written\n  Service/web  RolloutInProgress \n      \
             Ready (RolloutInProgress): web:13, 1 of 2 tasks\n"
        );
    }
}
