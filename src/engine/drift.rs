//! Drift: what looks find out of order is recorded as it begins, changes and ends.
//!
//! Written on change only. A drift that stays as it is, like an estate in order, writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::conditions::READ_ANEW_AFTER;
use crate::kinds;
use crate::model::change::Drift;
use crate::model::document::DesiredSet;
use crate::model::drift::{Authorship, Before, DriftKind, DriftRecord, End, How, Sighting};
use crate::model::key::ResourceKey;
use crate::model::plan::{ObjectPlan, Plan};
use crate::model::status::{ConditionKind, Truth};
use crate::model::trail::{ASKED_AFTER, LOOK_BACK, Question, SKEW};
use crate::model::tree::{self, FieldPath};
use crate::plan::sightings::sightings;
use crate::store::{Opened, Store, StoreError};

/// How long after its end the author of an episode is still looked for.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// One episode: whose, which field, and when it began.
pub(super) type Episode = (ResourceKey, FieldPath, Timestamp);

/// An episode that is open, or whose author is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) record: DriftRecord,
    /// The newest look that saw it.
    seen: Timestamp,
    /// When a pass found its object in order since that look.
    mended: Option<Timestamp>,
    /// How often its author was asked for.
    pub(super) asked: usize,
    /// What CloudTrail is asked; nothing where its document is gone.
    pub(super) question: Option<Question>,
}

/// What is known of drift between looks.
#[derive(Debug, Default)]
pub(super) struct Drifts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Apps whose episodes were read, and when, by the boot clock.
    apps: BTreeMap<String, Duration>,
    /// Open episodes of others that the newest reading found ahead of the clock.
    ahead: BTreeSet<Episode>,
    tracked: BTreeMap<Episode, Tracked>,
    /// When each object was seen in order last, and by which document.
    before: BTreeMap<ResourceKey, Before>,
    /// The newest write of ours that mended a field, by its intent.
    corrections: BTreeMap<(ResourceKey, FieldPath), (Timestamp, String)>,
}

impl Drifts {
    fn known(&self) -> MutexGuard<'_, Known> {
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
    fn in_order(&self, key: &ResourceKey, generation: String, at: Timestamp) {
        let before = Before { at, generation };
        let mut known = self.known();
        // A look takes longer than a pass that ends meanwhile, and knows less.
        let newer = known.before.get(key).is_some_and(|known| known.at > at);
        if !newer {
            known.before.insert(key.clone(), before);
        }
    }

    /// When it was found in order last before the look at `now`. What a pass found meanwhile is none of
    /// that look's business.
    fn before(&self, key: &ResourceKey, now: Timestamp) -> Option<Before> {
        let known = self.known();
        let before = known.before.get(key).filter(|before| before.at < now);
        before.cloned()
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

    fn tracked(&self, episode: &Episode) -> Option<Tracked> {
        self.known().tracked.get(episode).cloned()
    }

    /// Whether an episode of another replica began before the look at `now`: by its date, or because it
    /// stood there at the reading before, whatever another clock dates it.
    fn began_before(&self, record: &DriftRecord, now: Timestamp) -> bool {
        record.first_seen <= now || self.known().ahead.contains(&episode(record))
    }

    /// Takes note of a reading: when it was, and what it found ahead of the clock.
    fn read(&self, app: &str, at: Duration, ahead: BTreeSet<Episode>) {
        let mut known = self.known();
        known.apps.insert(app.to_owned(), at);
        known.ahead.retain(|(key, ..)| key.app != app);
        known.ahead.extend(ahead);
    }

    fn open_of(&self, key: &ResourceKey) -> Vec<Tracked> {
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

    fn put(&self, record: DriftRecord, question: Option<Question>, seen: Timestamp) {
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

/// The digest of an object's document; empty where there is none.
pub(super) fn generation(set: &DesiredSet, key: &ResourceKey) -> String {
    let document = set.documents.get(key);
    document.map(|d| tree::digest(&d.spec)).unwrap_or_default()
}

pub(super) fn episode(record: &DriftRecord) -> Episode {
    (record.key.clone(), record.path.clone(), record.first_seen)
}

/// What CloudTrail is asked about a record; `None` where no call can be behind it, or its document
/// is gone.
pub(crate) fn question(set: &DesiredSet, record: &DriftRecord) -> Option<Question> {
    if !record.is_drift() || record.kind == DriftKind::Pending {
        return None;
    }
    let kind = kinds::kind(&record.key.kind)?;
    let document = set.documents.get(&record.key)?;
    let desired = kind.desired(document, set);
    let identity = kind.identity().iter();
    let names = identity.filter_map(|path| FieldPath::dotted(path).get(&desired)?.as_str());
    let names: Vec<String> = names
        .chain(kind.named_in_call(&record.path))
        .map(str::to_owned)
        .collect();
    let from = match record.in_order_until {
        Some(at) => at.checked_sub(SKEW),
        None => record.first_seen.checked_sub(LOOK_BACK),
    };
    Some(Question {
        names,
        calls: kind.changed_by(&record.path).to_vec(),
        members: kind.set_by(&record.path),
        from: from.ok()?,
        to: record.first_seen.checked_add(SKEW).ok()?,
    })
}

impl Engine {
    /// Records what `plan` shows of drift: episodes that begin, change or end. What this process was
    /// the first to record the beginning of is put into `opened`, even when not all of it could be
    /// recorded. Needs no lease.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_drift(
        &self,
        set: &DesiredSet,
        plan: &Plan,
        opened: &mut Vec<DriftRecord>,
    ) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let apps: BTreeSet<&str> = plan.objects.iter().map(|o| o.key.app.as_str()).collect();
        for app in apps {
            self.read_drift(store, set, app, plan.made_at).await?;
        }
        for object in &plan.objects {
            self.record_object(store, set, object, plan.made_at, opened)
                .await?;
        }
        self.withdraw_the_undocumented(store, set, plan.made_at)
            .await
    }

    async fn read_drift(
        &self,
        store: &Store,
        set: &DesiredSet,
        app: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let clock = self.cell.clock.boot();
        let read = self.drifts.known().apps.get(app).copied();
        if read.is_some_and(|read| clock.saturating_sub(read) < READ_ANEW_AFTER) {
            return Ok(());
        }
        let mut ahead = BTreeSet::new();
        for record in store.drift(app).await? {
            let ours = match read {
                None => {
                    let ended = record.end.as_ref().map(|end| end.at);
                    let waits = record.author == Authorship::NotYet;
                    ended.is_none_or(|at| waits && now.duration_since(at) < ASKED_FOR)
                }
                Some(_) if record.end.is_some() => false,
                Some(_) => match self.drifts.tracked(&episode(&record)) {
                    // A put that landed late has brought it back.
                    Some(tracked) if tracked.record.end.is_some() => {
                        store.end_drift(&tracked.record).await?;
                        false
                    }
                    Some(_) => false,
                    // Whoever opened it may be gone.
                    None if self.drifts.began_before(&record, now) => true,
                    None => {
                        ahead.insert(episode(&record));
                        false
                    }
                },
            };
            if ours {
                let (question, seen) = (question(set, &record), record.last_seen);
                self.drifts.put(record, question, seen);
            }
        }
        self.drifts.read(app, clock, ahead);
        Ok(())
    }

    async fn record_object(
        &self,
        store: &Store,
        set: &DesiredSet,
        object: &ObjectPlan,
        now: Timestamp,
        opened: &mut Vec<DriftRecord>,
    ) -> Result<(), StoreError> {
        let Some(kind) = kinds::kind(&object.key.kind) else {
            return Ok(());
        };
        let Some(seen) = sightings(kind, object) else {
            return Ok(());
        };
        let generation = generation(set, &object.key);
        let mut open = Vec::new();
        for tracked in self.drifts.open_of(&object.key) {
            // What differs again after a pass had found it in order is another episode.
            let again = tracked.mended.is_some_and(|at| at < now);
            if again || !seen.iter().any(|s| s.path == tracked.record.path) {
                self.end(store, &tracked, &generation, now).await?;
            } else {
                open.push(tracked);
            }
        }
        for sighting in &seen {
            let standing = open.iter().find(|t| t.record.path == sighting.path);
            match standing {
                Some(tracked) => self.saw(store, tracked, sighting, now).await?,
                None => {
                    let before = self.before(&object.key, now);
                    let record =
                        DriftRecord::open(&object.key, sighting, before.as_ref(), &generation, now);
                    let record = match store.open_drift(&record).await? {
                        Opened::New => {
                            opened.push(record.clone());
                            record
                        }
                        Opened::Standing(standing) => *standing,
                    };
                    let question = question(set, &record);
                    self.drifts.put(record, question, now);
                }
            }
        }
        if seen.iter().all(|s| s.kind.is_beside()) {
            self.drifts.in_order(&object.key, generation, now);
        }
        Ok(())
    }

    /// What was known of an object before this look: from this process's looks, else from its
    /// recorded conditions.
    fn before(&self, key: &ResourceKey, now: Timestamp) -> Option<Before> {
        if let Some(before) = self.drifts.before(key, now) {
            return Some(before);
        }
        let status = self.book.get(key)?;
        let drifted = status.condition(ConditionKind::Drifted)?;
        (drifted.status == Truth::False).then(|| Before {
            at: drifted.last_transition,
            generation: drifted.observed_generation.clone(),
        })
    }

    async fn saw(
        &self,
        store: &Store,
        tracked: &Tracked,
        sighting: &Sighting,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = match tracked.record.seen(sighting, now) {
            Some(after) => {
                store.put_drift(&after).await?;
                after
            }
            None => tracked.record.clone(),
        };
        self.drifts.put(record, tracked.question.clone(), now);
        Ok(())
    }

    async fn end(
        &self,
        store: &Store,
        tracked: &Tracked,
        generation: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = &tracked.record;
        let end = match self.correction(store, record).await? {
            // AWS took the value at once, and made it so when its window came.
            Some((_, intent)) if record.kind == DriftKind::Pending => End {
                at: now,
                how: How::Corrected { intent },
            },
            Some((at, intent)) => End {
                at,
                how: How::Corrected { intent },
            },
            None if record.is_of(generation) => End {
                at: now,
                how: How::SetRight,
            },
            None => End {
                at: now,
                how: How::Withdrawn,
            },
        };
        let ended = record.ended(end, Some(tracked.seen));
        store.end_drift(&ended).await?;
        self.drifts
            .put(ended, tracked.question.clone(), tracked.seen);
        Ok(())
    }

    /// The write of ours that mended the record's field since it began: this process's, or, where
    /// another replica may have been it, the object's newest.
    async fn correction(
        &self,
        store: &Store,
        record: &DriftRecord,
    ) -> Result<Option<(Timestamp, String)>, StoreError> {
        // What is told and never written is never corrected either.
        if record.kind.is_left_alone() {
            return Ok(None);
        }
        let field = (record.key.clone(), record.path.clone());
        let ours = self.drifts.known().corrections.get(&field).cloned();
        if let Some((at, intent)) = ours
            && at >= record.first_seen
        {
            return Ok(Some((at, intent)));
        }
        let memory = store.memory(&record.key.app).await?;
        let last = memory.get(&record.key).and_then(|m| m.last_write.clone());
        Ok(last
            .filter(|write| write.at >= record.first_seen)
            .map(|write| (write.at, write.intent)))
    }

    /// Nobody wants any more what has no document.
    async fn withdraw_the_undocumented(
        &self,
        store: &Store,
        set: &DesiredSet,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let gone: Vec<Tracked> = self
            .drifts
            .known()
            .tracked
            .values()
            .filter(|t| t.record.end.is_none())
            .filter(|t| !set.documents.contains_key(&t.record.key))
            .filter(|t| !set.frozen.holds(&t.record.key.app))
            .cloned()
            .collect();
        for tracked in gone {
            let end = End {
                at: now,
                how: How::Withdrawn,
            };
            let ended = tracked.record.ended(end, Some(tracked.seen));
            store.end_drift(&ended).await?;
            self.drifts.put(ended, None, tracked.seen);
        }
        Ok(())
    }
}
