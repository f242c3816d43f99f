//! Episodes: what this process knows of drift between its looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::change::Drift;
use crate::model::drift::{Authorship, Before, DriftRecord, Origin};
use crate::model::key::ResourceKey;
use crate::model::trail::{ASKED_AFTER, Question};
use crate::model::tree::FieldPath;

/// One episode: whose, which field, and when it began.
pub(super) type Episode = (ResourceKey, FieldPath, Timestamp);

/// An episode that is open, or whose author is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) record: DriftRecord,
    /// The newest look that saw it.
    pub(super) seen: Timestamp,
    /// When a pass found its object in order since that look.
    pub(super) mended: Option<Timestamp>,
    /// How often its author was asked for.
    pub(super) asked: usize,
    /// What CloudTrail is asked; nothing where its document is gone.
    pub(super) question: Option<Question>,
}

/// What is known of drift between looks.
#[derive(Debug, Default)]
pub(super) struct Drifts(Mutex<Known>);

#[derive(Debug, Default)]
pub(super) struct Known {
    /// Apps whose episodes were read, and when, by the boot clock.
    pub(super) apps: BTreeMap<String, Duration>,
    /// Open episodes of others that the newest reading found ahead of the clock.
    pub(super) ahead: BTreeSet<Episode>,
    pub(super) tracked: BTreeMap<Episode, Tracked>,
    /// When each object was seen in order last, and by which document; and the time before that, which
    /// is what a look knows that began before the last.
    pub(super) before: BTreeMap<ResourceKey, [Option<Before>; 2]>,
    /// The newest write of ours that mended a field, by its intent.
    pub(super) corrections: BTreeMap<(ResourceKey, FieldPath), (Timestamp, String)>,
}

impl Drifts {
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write of ours was applied.
    pub(super) fn corrected(
        &self,
        key: &ResourceKey,
        intent: &str,
        mended: &[Drift],
        at: Timestamp,
    ) {
        let mut paths: Vec<FieldPath> = mended.iter().map(|d| d.path.clone()).collect();
        if paths.is_empty() {
            // What is created has no fields that differ.
            paths.push(FieldPath::root());
        }
        let mut known = self.known();
        for path in paths {
            let correction = (at, intent.to_owned());
            known.corrections.insert((key.clone(), path), correction);
        }
    }

    /// A pass found the object in order at `at`, by the document of that generation.
    pub(super) fn mended(&self, key: &ResourceKey, generation: String, at: Timestamp) {
        for tracked in self.known().tracked.values_mut() {
            if tracked.record.key == *key && !tracked.record.kind.is_beside() {
                tracked.mended = Some(at);
            }
        }
        self.in_order(key, generation, at);
    }

    /// The object was found in order at `at`, by the document of that generation.
    pub(super) fn in_order(&self, key: &ResourceKey, generation: String, at: Timestamp) {
        let before = Before { at, generation };
        let mut known = self.known();
        // A look takes longer than a pass that ends meanwhile, and knows less.
        let [last, earlier] = known.before.entry(key.clone()).or_default();
        if last.as_ref().is_none_or(|last| last.at <= at) {
            *earlier = last.replace(before);
        }
    }

    /// When it was found in order last before the look at `now`. What a pass found meanwhile is none of
    /// that look's business.
    pub(super) fn before(&self, key: &ResourceKey, now: Timestamp) -> Option<Before> {
        let known = self.known();
        let both = known.before.get(key)?.iter().flatten();
        both.into_iter().find(|before| before.at < now).cloned()
    }

    /// The episodes whose author is to be asked for at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Vec<Tracked> {
        self.known()
            .tracked
            .values()
            .filter(|t| t.record.author == Authorship::NotYet && t.question.is_some())
            .filter(|t| t.asked < asks_by(&t.record, now))
            .cloned()
            .collect()
    }

    /// Takes note of what was found out of an author at `now`; gives the record if it is to be
    /// written: found, or not to be found any more.
    pub(super) fn asked(
        &self,
        episode: &Episode,
        found: Option<Authorship>,
        now: Timestamp,
    ) -> Option<DriftRecord> {
        let mut known = self.known();
        let tracked = known.tracked.get_mut(episode)?;
        tracked.asked = asks_by(&tracked.record, now);
        let author = match found {
            Some(author) => author,
            None if tracked.asked >= ASKED_AFTER.len() => Authorship::NotFound,
            None => return None,
        };
        tracked.record.author = author;
        let record = tracked.record.clone();
        known.settle(episode);
        Some(record)
    }

    pub(super) fn tracked(&self, episode: &Episode) -> Option<Tracked> {
        self.known().tracked.get(episode).cloned()
    }

    /// Whether an episode of another replica began before the look at `now`: by its date, or because it
    /// stood there at the reading before, whatever another clock dates it.
    pub(super) fn began_before(&self, record: &DriftRecord, now: Timestamp) -> bool {
        record.first_seen <= now || self.known().ahead.contains(&episode(record))
    }

    /// Takes note of a reading: when it was, and what it found ahead of the clock.
    pub(super) fn read(&self, app: &str, at: Duration, ahead: BTreeSet<Episode>) {
        let mut known = self.known();
        known.apps.insert(app.to_owned(), at);
        known.ahead.retain(|(key, ..)| key.app != app);
        known.ahead.extend(ahead);
    }

    pub(super) fn open_of(&self, key: &ResourceKey) -> Vec<Tracked> {
        let first = (key.clone(), FieldPath::root(), Timestamp::MIN);
        self.known()
            .tracked
            .range(first..)
            .take_while(|((of, ..), _)| of == key)
            .map(|(_, tracked)| tracked)
            .filter(|t| t.record.end.is_none())
            .cloned()
            .collect()
    }

    /// Whether an object differs, and in nothing but what a commit asks for.
    pub(super) fn are_asked_for(&self, key: &ResourceKey) -> bool {
        let mut open = self.open_of(key);
        open.retain(|tracked| !tracked.record.kind.is_beside());
        !open.is_empty() && open.iter().all(|t| t.record.origin == Origin::Document)
    }

    pub(super) fn put(&self, record: DriftRecord, question: Option<Question>, seen: Timestamp) {
        let mut known = self.known();
        let episode = episode(&record);
        let asked = known.tracked.get(&episode).map_or(0, |t| t.asked);
        let tracked = Tracked {
            record,
            seen,
            mended: None,
            asked,
            question,
        };
        known.tracked.insert(episode.clone(), tracked);
        known.settle(&episode);
    }
}

impl Known {
    /// Lets go of an episode of which nothing more is to be written.
    fn settle(&mut self, episode: &Episode) {
        let done = self.tracked.get(episode).is_some_and(|t| {
            t.record.end.is_some()
                && (t.record.author != Authorship::NotYet || t.question.is_none())
        });
        if done {
            self.tracked.remove(episode);
        }
    }
}

/// How often an author ought to have been asked for by `now`.
fn asks_by(record: &DriftRecord, now: Timestamp) -> usize {
    let age = now.duration_since(record.first_seen);
    ASKED_AFTER.iter().filter(|after| **after <= age).count()
}

pub(super) fn episode(record: &DriftRecord) -> Episode {
    (record.key.clone(), record.path.clone(), record.first_seen)
}
