//! Herald: hears what the controller finds and does, and posts what is worth telling.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::derive;
use super::outbox::Outbox;
use crate::clock::Clock;
use crate::engine::controller::Observer;
use crate::engine::progress::{Event, Progress};
use crate::model::document::DesiredSet;
use crate::model::notice::Notice;
use crate::model::pass::{ObjectPass, Pass};
use crate::model::plan::{ObjectPlan, Plan};

/// Stands between an engine at work and those who watch it, and tells others, too.
pub struct Herald<'a> {
    outbox: &'a Outbox,
    observer: &'a dyn Observer,
    progress: &'a dyn Progress,
    clock: Clock,
    heard: Mutex<Heard>,
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Heard {
    /// What each app's pass has set out to write.
    plans: BTreeMap<String, Vec<ObjectPlan>>,
    /// Apps of which something is being written.
    begun: BTreeSet<String>,
    /// Apps whose history could not be read at the last look, and why.
    unread: BTreeMap<String, String>,
}

/// One who is told of looks and passes and does nothing about it: a command that runs once.
#[derive(Debug)]
pub struct Nobody;

impl Observer for Nobody {
    fn looked(&self, _: &DesiredSet, _: &Plan) {}
    fn converged(&self, _: &str, _: &[ObjectPass]) {}
}

impl<'a> Herald<'a> {
    /// Passes all on to `observer` and `progress`, and posts to `outbox`.
    pub fn new(
        outbox: &'a Outbox,
        observer: &'a dyn Observer,
        progress: &'a dyn Progress,
        clock: &Clock,
    ) -> Self {
        Self {
            outbox,
            observer,
            progress,
            clock: clock.clone(),
            heard: Mutex::default(),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each app's pass of `plan` begins.
    pub fn begins_all(&self, plan: &Plan) {
        let mut plans: BTreeMap<String, Vec<ObjectPlan>> = BTreeMap::new();
        for object in &plan.objects {
            let of_app = plans.entry(object.key.app.clone()).or_default();
            of_app.push(object.clone());
        }
        self.heard().plans.extend(plans);
    }

    /// Each app's pass is over.
    pub fn ended_all(&self, pass: &Pass) {
        let apps: BTreeSet<&str> = pass.objects.iter().map(|o| o.key.app.as_str()).collect();
        for app in apps {
            let of_app = pass.objects.iter().filter(|o| o.key.app == app);
            self.ended(app, &of_app.cloned().collect::<Vec<_>>());
        }
    }

    fn ended(&self, app: &str, objects: &[ObjectPass]) {
        let now = self.clock.now();
        let (begun, planned) = {
            let mut heard = self.heard();
            let planned = heard.plans.remove(app).unwrap_or_default();
            (heard.begun.remove(app), planned)
        };
        if begun {
            self.outbox.post(&derive::of_end(app, objects, now));
        }
        if let Some(notice) = derive::of_pass(app, &planned, objects, now) {
            self.outbox.post(&notice);
        }
    }
}

impl Observer for Herald<'_> {
    fn looked(&self, set: &DesiredSet, plan: &Plan) {
        let before = std::mem::replace(&mut self.heard().unread, plan.history_unread.clone());
        for notice in derive::of_store(&before, plan) {
            self.outbox.post(&notice);
        }
        self.observer.looked(set, plan);
    }

    fn begins(&self, app: &str, planned: &[ObjectPlan]) {
        self.heard().plans.insert(app.to_owned(), planned.to_vec());
        self.observer.begins(app, planned);
    }

    fn converged(&self, app: &str, objects: &[ObjectPass]) {
        self.ended(app, objects);
        self.observer.converged(app, objects);
    }

    fn noticed(&self, notices: Vec<Notice>) {
        for notice in &notices {
            self.outbox.post(notice);
        }
        self.observer.noticed(notices);
    }
}

impl Progress for Herald<'_> {
    fn event(&self, event: &Event) {
        if let Event::Writing { key, .. } = event {
            let begins = {
                let mut heard = self.heard();
                let first = heard.begun.insert(key.app.clone());
                let planned = heard.plans.get(&key.app).filter(|_| first);
                planned.and_then(|p| derive::of_beginning(&key.app, p, self.clock.now()))
            };
            if let Some(notice) = begins {
                self.outbox.post(&notice);
            }
        }
        self.progress.event(event);
    }
}
