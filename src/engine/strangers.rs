//! Strangers: alarms of owned services that no document names, as they were listed now and then.
//!
//! A list of all alarms of an account costs a call for each hundred. So it is made by what runs for
//! long, and not at every look; what is not known meanwhile is neither there nor gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use crate::kinds;
use crate::model::document::{DesiredSet, Frozen};
use crate::model::drift::{DriftKind, Sighting};
use crate::model::key::ResourceKey;
use crate::model::stake::Stake;
use crate::model::survey::{Coverage, Sort, Survey};
use crate::model::tree::{FieldPath, Tree};

/// How long a list of alarms serves, and how long a process runs before it makes its first.
const LISTED_EVERY: Duration = Duration::from_secs(900);

/// What each owned service has of them.
pub(super) type Strangers = BTreeMap<ResourceKey, Vec<Sighting>>;

/// The newest list.
#[derive(Debug, Default)]
pub(super) struct Listing(Mutex<Listed>);

#[derive(Debug, Default)]
struct Listed {
    /// When the next list is due, by the boot clock; before the first look nothing is.
    due: Option<Duration>,
    found: Option<Arc<Found>>,
}

/// A list.
#[derive(Debug)]
pub(super) struct Found {
    /// What it shows.
    pub of: Strangers,
    /// When it was made.
    at: Timestamp,
    /// When the one before it was made, if there was one: what only this one shows came since.
    pub before: Option<Timestamp>,
}

/// Whether the path is that of such an alarm.
pub(super) fn is_stranger(path: &FieldPath) -> bool {
    path.segments().len() == 3 && path.segments()[..2] == ["spec", "alarms"]
}

/// Those that a survey shows; `None` where the alarms could not be listed, or where a document that did
/// not load may name one of them.
pub(super) fn strangers(
    survey: &Survey,
    set: &DesiredSet,
    claims: &BTreeMap<String, ResourceKey>,
) -> Option<Strangers> {
    if survey.faults.contains_key(&Sort::Alarm) || set.frozen != Frozen::None {
        return None;
    }
    let mut found = Strangers::new();
    for unowned in Coverage::of(survey, claims).unowned {
        let Some(key) = unowned.beside else {
            continue;
        };
        let sighting = Sighting {
            kind: DriftKind::Unmanaged,
            path: FieldPath::of(["spec", "alarms", unowned.name.as_str()]),
            desired: Tree::Null,
            live: json!(unowned.name),
            stake: Stake::Alarms,
        };
        found.entry(key).or_default().push(sighting);
    }
    Some(found)
}

/// What the documents speak for.
pub(super) fn claims(set: &DesiredSet) -> BTreeMap<String, ResourceKey> {
    set.documents
        .values()
        .filter_map(|document| Some((document, kinds::kind(&document.key.kind)?)))
        .flat_map(|(document, kind)| {
            let key = &document.key;
            let claims = kind.claims(document, set).into_iter();
            claims.map(|claim| (claim, key.clone()))
        })
        .collect()
}

impl Engine {
    /// The alarms of owned services that no document names, by the newest list; `None` before there is
    /// one. A list that cannot be made leaves the last.
    pub(super) async fn strangers(&self, set: &DesiredSet) -> Option<Arc<Found>> {
        let now = self.cell.clock.boot();
        let listed = || {
            self.listing
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        {
            let mut listed = listed();
            let due = *listed.due.get_or_insert(now + LISTED_EVERY);
            if now < due {
                return listed.found.clone();
            }
            listed.due = Some(now + LISTED_EVERY);
        }
        let found = strangers(&self.survey_alarms().await, set, &claims(set));
        let mut listed = listed();
        if let Some(of) = found {
            let before = listed.found.as_ref().map(|before| before.at);
            let at = self.cell.clock.now();
            listed.found = Some(Arc::new(Found { of, at, before }));
        }
        listed.found.clone()
    }
}
