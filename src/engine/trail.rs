//! The trail: who is behind a drift, as CloudTrail has it. Beside the correcting, never before it.
//!
//! LookupEvents takes two calls a second from everybody in the account, so only the calls that can
//! be behind a drift are looked up, each once a round for all drift it can be behind, within the
//! time in which it can have happened, and no more than a few pages of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;

use super::Engine;
use super::drift::question;
use super::episodes::episode;
use crate::aws::call::{AwsError, read};
use crate::aws::fault::Fault;
use crate::model::document::DesiredSet;
use crate::model::drift::{Authorship, DriftRecord};
use crate::model::trail::{Event, Question};
use crate::store::StoreError;

const LOOKUP: &str = "cloudtrail.LookupEvents";
/// Events a page, the most that LookupEvents gives.
const PAGE: i32 = 50;
/// Pages of one call's events a round: the newest 500.
const PAGES: usize = 10;
/// How often those whose author is not known are gone through.
const ROUND: Duration = Duration::from_secs(30);
/// How long after a refusal CloudTrail is asked again: somebody may have granted the right.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// Why CloudTrail is not asked at present.
#[derive(Debug, Default)]
pub(super) struct Trail(Mutex<Option<Refusal>>);

#[derive(Clone, Debug)]
struct Refusal {
    why: String,
    /// On the boot clock.
    until: Duration,
}

impl Trail {
    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What CloudTrail said of some drift.
#[derive(Debug)]
pub struct Told {
    /// By position; those that it has nothing of are missing.
    pub authors: BTreeMap<usize, Authorship>,
    /// Positions that it could not be asked about.
    pub unasked: Vec<usize>,
    /// Why, for people.
    pub fault: Option<String>,
}

impl Engine {
    /// Goes through the drift whose author is not known, for ever. Runs beside the controller, and
    /// is dropped with it.
    pub async fn follow_trail(&self) -> Infallible {
        loop {
            self.cell.clock.sleep(ROUND).await;
            if let Err(error) = self.name_authors().await {
                tracing::warn!(%error, "recording who is behind drift; it is asked for again");
            }
        }
    }

    /// One round: asks CloudTrail about the drift that is due, and records what it says. Gives how
    /// many were named.
    ///
    /// # Errors
    /// The store's.
    pub async fn name_authors(&self) -> Result<usize, StoreError> {
        let Some(store) = &self.store else {
            return Ok(0);
        };
        let now = self.cell.clock.now();
        let due = self.drifts.due(now);
        let questions: Vec<Option<Question>> = due.iter().map(|t| t.question.clone()).collect();
        let mut told = self.ask(&questions).await;
        let mut named = 0;
        for (at, tracked) in due.iter().enumerate() {
            if told.unasked.contains(&at) {
                continue;
            }
            let found = told.authors.remove(&at);
            named += usize::from(found.is_some());
            let record = self.drifts.asked(&episode(&tracked.record), found, now);
            if let Some(record) = record {
                store.put_drift(&record).await?;
            }
        }
        Ok(named)
    }

    /// Names the authors of `records` that have none yet, for one who only reads. Gives why it could
    /// not, if so.
    pub async fn fill_in_authors(
        &self,
        set: &DesiredSet,
        records: &mut [DriftRecord],
    ) -> Option<String> {
        let questions: Vec<Option<Question>> = records
            .iter()
            .map(|record| match record.author {
                Authorship::NotYet => question(set, record),
                Authorship::Named(_) | Authorship::NotFound => None,
            })
            .collect();
        let told = self.ask(&questions).await;
        for (at, author) in told.authors {
            if let Some(record) = records.get_mut(at) {
                record.author = author;
            }
        }
        told.fault
    }

    async fn ask(&self, questions: &[Option<Question>]) -> Told {
        let mut told = Told {
            authors: BTreeMap::new(),
            unasked: Vec::new(),
            fault: None,
        };
        let mut spans: BTreeMap<&'static str, (Timestamp, Timestamp)> = BTreeMap::new();
        for question in questions.iter().flatten() {
            for call in &question.calls {
                let (from, to) = question.span();
                let span = spans.entry(call).or_insert((from, to));
                *span = (span.0.min(from), span.1.max(to));
            }
        }
        let mut events: BTreeMap<&'static str, Vec<Event>> = BTreeMap::new();
        for (call, (from, to)) in spans {
            if let Some(why) = self.refused() {
                told.fault = Some(why);
                break;
            }
            match self.events(call, from, to).await {
                Ok(found) => drop(events.insert(call, found)),
                Err(error) => told.fault = Some(self.note_refusal(&error)),
            }
        }
        for (at, question) in questions.iter().enumerate() {
            let Some(question) = question else {
                continue;
            };
            let all = events.values().flatten();
            let settled = question.is_settled(self.cell.clock.now());
            match question.answer(all, &self.cell.caller, settled) {
                Some(author) => {
                    let author = Authorship::Named(author.clone());
                    told.authors.insert(at, author);
                }
                None if question.calls.iter().any(|call| !events.contains_key(call)) => {
                    told.unasked.push(at);
                }
                None => {}
            }
        }
        told
    }

    fn refused(&self) -> Option<String> {
        let now = self.cell.clock.boot();
        let refusal = self.trail.refusal().clone()?;
        (now < refusal.until).then_some(refusal.why)
    }

    /// Says a refusal once, and keeps it from being asked for again soon.
    fn note_refusal(&self, error: &AwsError) -> String {
        let why = error.to_string();
        if error.fault != Fault::Denied {
            tracing::debug!(%why, "CloudTrail cannot be read now; it is asked again");
            return why;
        }
        let until = self.cell.clock.boot() + REFUSED_FOR;
        let before = self.trail.refusal().replace(Refusal {
            why: why.clone(),
            until,
        });
        if before.is_none() {
            tracing::warn!(
                "{why}; drift is corrected all the same, and nobody is named: allow \
                 cloudtrail:LookupEvents to have it told who did it"
            );
        }
        why
    }

    /// The events of one call within a time, newest first.
    async fn events(
        &self,
        call: &'static str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Event>, AwsError> {
        let name = call.rsplit('.').next().unwrap_or(call);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let answer = read(&self.cell, LOOKUP, call, || {
                let attribute = LookupAttribute::builder()
                    .attribute_key(LookupAttributeKey::EventName)
                    .attribute_value(name)
                    .build();
                self.cell
                    .cloudtrail
                    .lookup_events()
                    .set_lookup_attributes(attribute.ok().map(|a| vec![a]))
                    .start_time(DateTime::from_secs(from.as_second()))
                    .end_time(DateTime::from_secs(to.as_second()))
                    .max_results(PAGE)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
            let texts = answer.events().iter();
            let texts = texts.filter_map(|event| event.cloud_trail_event());
            found.extend(texts.filter_map(Event::parse));
            token = answer.next_token.filter(|next| !next.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
