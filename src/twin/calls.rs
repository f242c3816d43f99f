//! Calls: the log of every call that reached the twin, for tests to count and question.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::operation::{Effect, operation};

/// How a call ended, as AWS knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was done.
    Done,
    /// It was refused with this code.
    Refused(String),
    /// A scripted fault kept it from having an effect.
    NoEffect,
    /// It is still under way, or hangs for ever.
    Open,
}

/// One call.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// When it arrived.
    pub at: Timestamp,
    /// `ecs.UpdateService`.
    pub name: String,
    /// The input shape.
    pub input: Value,
    /// How it ended.
    pub outcome: CallOutcome,
}

impl std::fmt::Debug for Call {
    /// Leaves the input out: a task definition's environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?}", self.at, self.name, self.outcome)
    }
}

/// Every call, in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    log: Vec<Call>,
    cleared: usize,
}

impl Calls {
    /// Enters a call and gives its number, for [`Calls::end`].
    pub(super) fn begin(&mut self, at: Timestamp, name: String, input: Value) -> usize {
        self.log.push(Call {
            at,
            name,
            input,
            outcome: CallOutcome::Open,
        });
        self.cleared + self.log.len() - 1
    }

    pub(super) fn end(&mut self, number: usize, outcome: CallOutcome) {
        if let Some(call) = number
            .checked_sub(self.cleared)
            .and_then(|at| self.log.get_mut(at))
        {
            call.outcome = outcome;
        }
    }

    /// The calls since the last [`Calls::clear`].
    pub fn all(&self) -> &[Call] {
        &self.log
    }

    /// The calls named `service.Operation`.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Call> {
        self.log.iter().filter(move |call| call.name == name)
    }

    /// How many calls of each name.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.log {
            *counts.entry(call.name.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// The calls that change something at AWS, by the table of operations.
    pub fn writes(&self) -> impl Iterator<Item = &Call> {
        self.log
            .iter()
            .filter(|call| operation(&call.name).is_some_and(|op| op.effect == Effect::Write))
    }

    /// How many calls were refused for being too fast.
    pub fn throttled(&self) -> usize {
        let throttled = |call: &&Call| matches!(&call.outcome, CallOutcome::Refused(code) if code.starts_with("Throttling"));
        self.log.iter().filter(throttled).count()
    }

    /// Forgets the calls so far.
    pub fn clear(&mut self) {
        self.cleared += self.log.len();
        self.log.clear();
    }
}
