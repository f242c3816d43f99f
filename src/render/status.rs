//! Conditions as text, JSON and Markdown.
//!
//! Pure: values in, text out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::findings;
use super::layout::{BOLD, DIM, GOOD, WARN, clean, hanging, paint};
use super::markdown::escape;
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;
use crate::model::status::{ConditionKind, ObjectStatus, Truth};
use crate::store::{LeaseRow, LeaseState};

/// One object.
#[derive(Clone, Debug)]
pub struct ObjectLine {
    /// Which.
    pub key: ResourceKey,
    /// How it stands.
    pub status: ObjectStatus,
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
    status
        .conditions
        .iter()
        .filter_map(|c| match (c.kind, c.status) {
            (kind, Truth::True) => Some((format!("{kind:?}"), kind == ConditionKind::Ready)),
            (ConditionKind::Ready, Truth::Unknown) => Some(("Unknown".to_owned(), false)),
            _ => None,
        })
        .collect()
}

fn lease(lease: Option<&LeaseRow>) -> String {
    match lease.map(|l| (&l.state, l)) {
        None => "never written".to_owned(),
        Some((LeaseState::Released, _)) => "no lease held".to_owned(),
        Some((LeaseState::Held, l)) => format!("lease held by {}", clean(&l.holder)),
        Some((LeaseState::Corrupt(why), _)) => format!("lease unreadable: {}", clean(why)),
    }
}

/// For people.
pub fn text(apps: &BTreeMap<String, AppStatus>, wrong: &[Finding]) -> String {
    let mut out = findings::text(wrong);
    for (name, app) in apps {
        let held = lease(app.lease.as_ref());
        out.push_str(&format!(
            "{}  {}\n",
            paint(BOLD, &clean(name)),
            paint(DIM, &held)
        ));
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
                .status
                .conditions
                .iter()
                .map(|c| c.last_transition)
                .max()
                .map(|at| at.strftime("%m-%d %H:%MZ").to_string())
                .unwrap_or_default();
            out.push_str(&format!(
                "  {:<width$}  {} {}\n",
                label(object),
                paint(style, &format!("{:<17}", joined.join(","))),
                paint(DIM, &since),
            ));
            for condition in &object.status.conditions {
                // `Ready` says only once more what the others say.
                let told = match condition.kind {
                    ConditionKind::Ready => condition.status == Truth::Unknown,
                    _ => condition.status == Truth::True,
                };
                if !ready && told && !condition.message.is_empty() {
                    hanging(
                        &mut out,
                        6,
                        "",
                        &format!(
                            "{:?} ({}): {}",
                            condition.kind, condition.reason, condition.message
                        ),
                    );
                }
            }
            if let Some(write) = &object.status.last_write {
                let line = format!("last write {} (intent {:.12})", write.at, write.intent);
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
                "conditions": o.status.conditions,
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
pub fn markdown(apps: &BTreeMap<String, AppStatus>) -> String {
    let mut out = String::from("| object | conditions | last write |\n|---|---|---|\n");
    for object in apps.values().flat_map(|app| &app.objects) {
        let words: Vec<String> = words(&object.status).into_iter().map(|(w, _)| w).collect();
        let last = object
            .status
            .last_write
            .as_ref()
            .map_or_else(String::new, |w| w.at.to_string());
        out.push_str(&format!(
            "| {} | {} | {last} |\n",
            escape(&object.key.to_string()),
            words.join(", ")
        ));
    }
    out
}
