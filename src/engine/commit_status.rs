//! Commit status: how a commit stands in AWS, as a forge shows it beside the commit.
//!
//! Told on changes only, and beside the controller: a forge that is away holds nobody up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::controller::Observer;
use super::forge::{Forge, Refusal};
use super::in_force::told as reasons;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::model::document::DesiredSet;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{Plan, Rollout, Verdict};
use crate::model::source::CommitId;

/// How often one status is tried.
const ATTEMPTS: u32 = 4;
/// First pause between two attempts; doubled with each.
const PAUSE: Duration = Duration::from_secs(5);
/// Commits of which something is to be told; more are only told of while nobody listens.
const WAITING: usize = 8;

/// How a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    /// It is being written, or waits for something that passes.
    Pending,
    /// All is as it says.
    Converged,
    /// Something is not as it says, though it was, or waits for a person.
    Drifted,
    /// A document of it is wrong, a write of it failed, or it is not taken.
    Failed,
}

/// What is told of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// How it stands.
    pub state: CommitState,
    /// In a few words.
    pub description: String,
}

/// How the commit of `plan` stands. `converged` says whether it was all in order once, and `failed` are
/// the apps whose last pass failed.
pub fn status(plan: &Plan, converged: bool, failed: &BTreeSet<String>) -> CommitStatus {
    let s = &plan.summary;
    let (state, description) = if plan.verdict() == Verdict::Wrong {
        (
            CommitState::Failed,
            format!("{} in the documents", counted(s.errors, "error", "errors")),
        )
    } else if !failed.is_empty() && s.changes > 0 {
        let apps: Vec<&str> = failed.iter().map(String::as_str).collect();
        (
            CommitState::Failed,
            format!("writing failed: {}", apps.join(", ")),
        )
    } else if s.changes > 0 && converged {
        (
            CommitState::Drifted,
            format!("{} drifted", objects(s.changes)),
        )
    } else if s.changes > 0 {
        (
            CommitState::Pending,
            format!("{} to write", objects(s.changes)),
        )
    } else if s.blocked > 0 {
        (
            CommitState::Drifted,
            format!("{} held back", objects(s.blocked)),
        )
    } else if let Some(Rollout::Failed { .. }) = plan.objects.iter().find_map(|o| {
        o.rollout
            .as_ref()
            .filter(|r| matches!(r, Rollout::Failed { .. }))
    }) {
        (CommitState::Failed, "a rollout failed".to_owned())
    } else if s.deferred > 0 || plan.objects.iter().any(|o| o.rollout.is_some()) {
        (
            CommitState::Pending,
            "on its way, or waits for its time".to_owned(),
        )
    } else if let Some(elsewhere) = pinned_elsewhere(plan) {
        (CommitState::Pending, elsewhere)
    } else {
        (
            CommitState::Converged,
            format!("{} as declared", objects(s.in_sync)),
        )
    };
    CommitStatus { state, description }
}

/// The apps that a person keeps at another commit: of them nothing in AWS is as this one says.
fn pinned_elsewhere(plan: &Plan) -> Option<String> {
    let source = plan.source.as_ref()?;
    let elsewhere: Vec<String> = source
        .apps
        .iter()
        .filter(|(_, at)| Some(&at.commit) != source.commit.as_ref())
        .map(|(app, at)| format!("{app} is kept at {}", at.commit.short()))
        .collect();
    (!elsewhere.is_empty()).then(|| elsewhere.join(", "))
}

fn objects(count: usize) -> String {
    counted(count, "object", "objects")
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Watches the controller, and says to whom tells the forge what changed.
#[derive(Default)]
pub struct StatusObserver {
    known: Mutex<Known>,
    news: Notify,
}

#[derive(Default)]
struct Known {
    /// The commit in force, and whether it was all in order once.
    commit: Option<CommitId>,
    converged: bool,
    failed: BTreeSet<String>,
    /// What was told last, or waits to be, of each commit.
    told: BTreeMap<CommitId, CommitState>,
    waiting: BTreeMap<CommitId, CommitStatus>,
}

impl Known {
    fn say(&mut self, commit: &CommitId, status: CommitStatus) {
        if self.told.get(commit) == Some(&status.state) {
            return;
        }
        self.told.insert(commit.clone(), status.state);
        self.waiting.insert(commit.clone(), status);
        while self.waiting.len() > WAITING {
            self.waiting.pop_first();
        }
    }
}

impl StatusObserver {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits to be told, and is not told twice.
    fn take(&self) -> Option<(CommitId, CommitStatus)> {
        self.known().waiting.pop_first()
    }

    /// Whether something newer waits to be told of the same commit.
    fn is_overtaken(&self, commit: &CommitId) -> bool {
        self.known().waiting.contains_key(commit)
    }

    /// Tells the forge what there is to tell, for as long as it is polled.
    pub async fn tell(&self, forge: &Forge, clock: &Clock, telemetry: &Telemetry) {
        loop {
            let Some((commit, status)) = self.take() else {
                self.news.notified().await;
                continue;
            };
            let mut pause = PAUSE;
            for attempt in 1..=ATTEMPTS {
                match forge.post(&commit, &status).await {
                    Ok(()) => {
                        telemetry.status_told("told");
                        break;
                    }
                    Err(Refusal { why, lasting }) if lasting || attempt == ATTEMPTS => {
                        telemetry.status_told("failed");
                        tracing::warn!(commit = commit.short(), "the forge was not told: {why}");
                        // Told with its next change, or if it stands so again.
                        self.known().told.remove(&commit);
                        break;
                    }
                    Err(_) => {
                        clock.sleep(pause).await;
                        pause = pause.saturating_mul(2);
                        if self.is_overtaken(&commit) {
                            break;
                        }
                    }
                }
            }
        }
    }
}

impl Observer for StatusObserver {
    fn looked(&self, _set: &DesiredSet, plan: &Plan) {
        let Some(source) = &plan.source else {
            return;
        };
        let mut known = self.known();
        if let Some(held) = &source.held {
            let description = format!("not taken: {}", reasons(&held.reasons));
            let state = CommitState::Failed;
            known.say(&held.commit, CommitStatus { state, description });
        }
        // What is wrong with a commit that is not taken is nothing that the one in force did.
        if let Some(bad) = &source.bad {
            let description = "it does not load, so none of it is taken".to_owned();
            let state = CommitState::Failed;
            known.say(bad, CommitStatus { state, description });
        } else if let Some(commit) = &source.commit {
            if known.commit.as_ref() != Some(commit) {
                known.commit = Some(commit.clone());
                known.converged = false;
                known.failed.clear();
                let held = source.held.as_ref().map(|held| held.commit.clone());
                known
                    .told
                    .retain(|told, _| Some(told) == held.as_ref() || told == commit);
            }
            let status = status(plan, known.converged, &known.failed);
            known.converged |= status.state == CommitState::Converged;
            known.say(commit, status);
        }
        drop(known);
        self.news.notify_one();
    }

    fn converged(&self, app: &str, objects: &[ObjectPass]) {
        let failed = |o: &ObjectPass| matches!(o.ended, Ended::Failed(_) | Ended::RolledBack(_));
        let mut known = self.known();
        if !objects.iter().any(failed) {
            known.failed.remove(app);
            return;
        }
        known.failed.insert(app.to_owned());
        if let Some(commit) = known.commit.clone() {
            let state = CommitState::Failed;
            let description = format!("writing failed: {app}");
            known.say(&commit, CommitStatus { state, description });
        }
        drop(known);
        self.news.notify_one();
    }
}

/// Several that are told the same.
pub struct All(pub Vec<Arc<dyn Observer>>);

impl Observer for All {
    fn looked(&self, set: &DesiredSet, plan: &Plan) {
        for observer in &self.0 {
            observer.looked(set, plan);
        }
    }

    fn converged(&self, app: &str, objects: &[ObjectPass]) {
        for observer in &self.0 {
            observer.converged(app, objects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Status, Summary};
    use crate::model::source::{AppCommit, HoldReason, SourceHold, SourceState, Why};
    use crate::render::plan::tests::{mixed, object};

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    fn plan(changes: usize, blocked: usize, deferred: usize) -> Plan {
        Plan {
            objects: vec![object("shop/Service/web", Status::InSync)],
            summary: Summary {
                in_sync: 1,
                changes,
                blocked,
                deferred,
                ..Summary::default()
            },
            source: Some(SourceState {
                commit: Some(commit("a")),
                ..SourceState::default()
            }),
            ..mixed()
        }
    }

    fn told(observer: &StatusObserver) -> Vec<CommitState> {
        std::iter::from_fn(|| observer.take())
            .map(|(_, status)| status.state)
            .collect()
    }

    #[test]
    fn a_commit_goes_from_pending_to_converged_and_is_drifted_only_after_that() {
        let observer = StatusObserver::default();
        let look = |plan: &Plan| {
            observer.looked(&DesiredSet::default(), plan);
            told(&observer)
        };
        assert_eq!(look(&plan(2, 0, 0)), [CommitState::Pending]);
        assert_eq!(look(&plan(1, 0, 0)), [], "only changes are told");
        assert_eq!(look(&plan(0, 0, 0)), [CommitState::Converged]);
        assert_eq!(look(&plan(1, 0, 0)), [CommitState::Drifted]);
        assert_eq!(look(&plan(0, 0, 1)), [CommitState::Pending]);
        assert_eq!(look(&plan(0, 1, 0)), [CommitState::Drifted]);
    }

    #[test]
    fn a_failed_pass_is_told_until_one_does_not_fail() {
        let observer = StatusObserver::default();
        observer.looked(&DesiredSet::default(), &plan(1, 0, 0));
        told(&observer);
        let pass = |ended| {
            vec![ObjectPass {
                key: "shop/Service/web".parse().unwrap(),
                ended,
                written: Vec::new(),
            }]
        };
        observer.converged("shop", &pass(Ended::Failed("no".into())));
        assert_eq!(told(&observer), [CommitState::Failed]);
        observer.looked(&DesiredSet::default(), &plan(1, 0, 0));
        assert_eq!(told(&observer), []);
        observer.converged("shop", &pass(Ended::Converged));
        observer.looked(&DesiredSet::default(), &plan(0, 0, 0));
        assert_eq!(told(&observer), [CommitState::Converged]);
    }

    #[test]
    fn a_commit_that_does_not_load_is_told_as_failed_and_the_one_in_force_stays_as_it_was() {
        let observer = StatusObserver::default();
        observer.looked(&DesiredSet::default(), &plan(0, 0, 0));
        told(&observer);
        let mut wrong = plan(0, 0, 0);
        wrong.summary.errors = 1;
        wrong.source.as_mut().unwrap().bad = Some(commit("b"));
        observer.looked(&DesiredSet::default(), &wrong);
        let (of, status) = observer.take().unwrap();
        assert_eq!((of, status.state), (commit("b"), CommitState::Failed));
        assert_eq!(observer.take(), None);
    }

    #[test]
    fn a_commit_is_not_converged_while_an_app_is_pinned_to_another() {
        let observer = StatusObserver::default();
        let mut pinned = plan(0, 0, 0);
        let at = |digit| AppCommit {
            commit: commit(digit),
            why: Why::DidNotLoad,
        };
        let mut look = |digit| {
            let source = pinned.source.as_mut().unwrap();
            source.apps = [("shop".to_owned(), at(digit))].into();
            observer.looked(&DesiredSet::default(), &pinned);
            observer.take().map(|(_, status)| status)
        };
        let status = look("c").unwrap();
        assert_eq!(status.state, CommitState::Pending);
        assert_eq!(status.description, "shop is kept at cccccccccccc");
        // Pinned to the very commit that is in force.
        assert_eq!(look("a").unwrap().state, CommitState::Converged);
    }

    #[test]
    fn a_commit_that_is_not_taken_is_told_as_failed_beside_the_one_in_force() {
        let observer = StatusObserver::default();
        let mut plan = plan(0, 0, 0);
        plan.source.as_mut().unwrap().held = Some(SourceHold {
            commit: commit("b"),
            reasons: vec![HoldReason::Empty],
            since: jiff::Timestamp::UNIX_EPOCH,
        });
        observer.looked(&DesiredSet::default(), &plan);
        assert_eq!(
            told(&observer),
            [CommitState::Converged, CommitState::Failed]
        );
    }
}
