//! Reports: what is recorded, and a look of their own at what is there.
//!
//! Reads only. What the look sees and nothing recorded yet (no controller runs, or none has looked
//! since) is told as seen just now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Engine;
use super::drift::generation;
use super::source_news::{IN_FORCE, told};
use super::strangers::{Strangers, claims, is_stranger, strangers};
use crate::kinds::{self, Policy};
use crate::model::document::DesiredSet;
use crate::model::drift::DriftRecord;
use crate::model::key::ResourceKey;
use crate::model::plan::Plan;
use crate::model::report::{Material, Report};
use crate::model::scope::Scope;
use crate::model::status::ObjectStatus;
use crate::model::survey::{Coverage, Sort};
use crate::plan::control::{LEASH, PAUSED};
use crate::plan::sightings::sightings;
use crate::store::StoreError;

/// What a report is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which part of the desired state.
    pub scope: Scope,
    /// Since when.
    pub since: Timestamp,
}

impl Engine {
    /// The report.
    ///
    /// # Errors
    /// The store's. What AWS does not give is told in the report.
    pub async fn report(&self, set: &DesiredSet, asked: &Asked) -> Result<Report, StoreError> {
        let plan = self.plan(set, &asked.scope, &Policy::CONTROLLER).await;
        let mut notes = Vec::new();
        let mut recorded: Vec<DriftRecord> = Vec::new();
        let mut statuses: BTreeMap<ResourceKey, ObjectStatus> = BTreeMap::new();
        match &self.store {
            None => notes.push(
                "no store is configured, so nothing is known of the past: this is what the look \
                 of just now saw"
                    .to_owned(),
            ),
            Some(store) => {
                let mut apps: BTreeSet<String> =
                    plan.objects.iter().map(|o| o.key.app.clone()).collect();
                if asked.scope == Scope::all() {
                    // Those of which no document is left, too.
                    apps.extend(store.apps().await?);
                }
                for app in apps {
                    recorded.extend(store.drift(&app).await?);
                    statuses.extend(store.statuses(&app).await?);
                }
            }
        }
        recorded.retain(|record| asked.scope.holds(&record.key));
        recorded.retain(|record| match &record.end {
            Some(end) => end.at >= asked.since,
            None => true,
        });
        let survey = match asked.scope == Scope::all() {
            true => self.survey(set).await,
            false => self.survey_alarms().await,
        };
        let claims = claims(set);
        let strangers = strangers(&survey, set, &claims);
        let mut records = standing(set, &plan, strangers.as_ref(), recorded);
        let mut unnamed: Vec<DriftRecord> = records.iter().map(|(r, _)| r.clone()).collect();
        if let Some(why) = self.fill_in_authors(set, &mut unnamed).await {
            notes.push(format!("who did it could not be looked up: {why}"));
        }
        for ((record, _), named) in records.iter_mut().zip(unnamed) {
            record.author = named.author;
        }
        // What keeps documents from being what they say stands beside what they said.
        let source = plan.source.as_ref().map(told).unwrap_or_default();
        let lines = source.into_iter().filter(|(what, _)| what != IN_FORCE);
        let mut overrides: Vec<String> = lines.map(|(_, line)| line.text).collect();
        let control = plan
            .findings
            .iter()
            .filter(|f| [PAUSED, LEASH].contains(&f.rule.as_str()));
        overrides.extend(control.map(|finding| finding.message.clone()));
        if plan.summary.errors > 0 {
            overrides.push(
                "documents do not load, and nothing is taken of what belongs to their apps; \
                 `evenkeel check` says what is wrong"
                    .to_owned(),
            );
        }
        for (app, why) in &plan.history_unread {
            notes.push(format!("the history of {app} could not be read: {why}"));
        }
        let coverage = if asked.scope == Scope::all() {
            Some(Coverage::of(&survey, &claims))
        } else {
            let fault = survey.faults.get(&Sort::Alarm);
            notes.extend(fault.map(|why| format!("the alarms could not be listed: {why}")));
            None
        };
        Ok(Report::of(Material {
            place: (&self.cell.account, &self.cell.region),
            app: asked.scope.app.as_deref(),
            plan: &plan,
            records,
            statuses: &statuses,
            coverage,
            since: asked.since,
            overrides,
            notes,
        }))
    }
}

/// What is recorded, each open one with whether `plan` still shows it, and what `plan` shows that is
/// not recorded.
fn standing(
    set: &DesiredSet,
    plan: &Plan,
    strangers: Option<&Strangers>,
    recorded: Vec<DriftRecord>,
) -> Vec<(DriftRecord, bool)> {
    let mut records: Vec<(DriftRecord, bool)> = Vec::new();
    let mut shown = BTreeMap::new();
    for object in &plan.objects {
        let seen = kinds::kind(&object.key.kind).and_then(|kind| sightings(kind, object));
        let beside = strangers.and_then(|all| all.get(&object.key));
        let seen = seen.map(|seen| [seen, beside.cloned().unwrap_or_default()].concat());
        shown.insert(&object.key, seen);
    }
    let mut known = BTreeSet::new();
    for mut record in recorded {
        let mut stands = false;
        if record.end.is_none() {
            let seen = shown.get(&record.key).and_then(Option::as_ref);
            let sighting = seen.and_then(|s| s.iter().find(|s| s.path == record.path));
            if strangers.is_none() && is_stranger(&record.path) {
                // Nothing tells that it is gone.
                stands = true;
                known.insert((record.key.clone(), record.path.clone()));
            } else if let Some(sighting) = sighting {
                stands = true;
                record = record.seen(sighting, plan.made_at).unwrap_or(record);
                record.last_seen = plan.made_at;
                known.insert((record.key.clone(), record.path.clone()));
            }
        }
        records.push((record, stands));
    }
    for (key, seen) in shown {
        for sighting in seen.into_iter().flatten() {
            if known.contains(&(key.clone(), sighting.path.clone())) {
                continue;
            }
            let generation = generation(set, key);
            let record = DriftRecord::open(key, &sighting, None, &generation, plan.made_at);
            records.push((record, true));
        }
    }
    records
}
