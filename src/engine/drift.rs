//! Drift: what looks find out of order is recorded as it begins, changes and ends.
//!
//! Written on change only. A drift that stays as it is, like an estate in order, writes nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::conditions::READ_ANEW_AFTER;
use super::episodes::{Tracked, episode};
use super::strangers::{Found, is_stranger};
use crate::kinds;
use crate::model::document::DesiredSet;
use crate::model::drift::{Authorship, Before, DriftKind, DriftRecord, End, How, Sighting};
use crate::model::key::ResourceKey;
use crate::model::plan::{ObjectPlan, Plan};
use crate::model::status::{ConditionKind, Truth};
use crate::model::trail::{LOOK_BACK, Question};
use crate::model::tree::{self, FieldPath};
use crate::plan::sightings::sightings;
use crate::store::{Opened, Store, StoreError};

/// How long after its end the author of an episode is still looked for.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The digest of an object's document; empty where there is none.
pub(super) fn generation(set: &DesiredSet, key: &ResourceKey) -> String {
    let document = set.documents.get(key);
    document.map(|d| tree::digest(&d.spec)).unwrap_or_default()
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
    let after = match record.in_order_until {
        Some(at) => at,
        None => record.first_seen.checked_sub(LOOK_BACK).ok()?,
    };
    Some(Question {
        names,
        calls: kind.changed_by(&record.path).to_vec(),
        members: kind.set_by(&record.path),
        after,
        look: record.first_seen,
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
        let strangers = self.strangers(set).await;
        for object in &plan.objects {
            let beside = strangers.as_deref();
            self.record_object(store, set, (object, beside), plan.made_at, opened)
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
        (object, beside): (&ObjectPlan, Option<&Found>),
        now: Timestamp,
        opened: &mut Vec<DriftRecord>,
    ) -> Result<(), StoreError> {
        let Some(kind) = kinds::kind(&object.key.kind) else {
            return Ok(());
        };
        let Some(mut seen) = sightings(kind, object) else {
            return Ok(());
        };
        let strangers = beside.and_then(|found| found.of.get(&object.key));
        seen.extend(strangers.into_iter().flatten().cloned());
        let generation = generation(set, &object.key);
        let mut open = Vec::new();
        for tracked in self.drifts.open_of(&object.key) {
            if beside.is_none() && is_stranger(&tracked.record.path) {
                continue;
            }
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
                    let before = match is_stranger(&sighting.path) {
                        true => beside.and_then(|found| found.before).map(|at| Before {
                            at,
                            generation: generation.clone(),
                        }),
                        false => self.before(&object.key, now),
                    };
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
