//! Fetches: when a Git remote is asked for what is new, and how long anybody waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::commits::Commits;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::model::source::CommitId;
use crate::source::git::{GitError, Repository};

/// Least time between two fetches that somebody asked for: a storm of webhooks is one fetch.
const SOONEST: Duration = Duration::from_secs(2);
/// How long a look waits for a remote.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long the first one does, and whoever has nothing else to do: longer than any fetch takes.
pub(super) const FIRST: Duration = Duration::from_secs(330);

/// The fetches of one clone.
pub(super) struct Fetches {
    clock: Clock,
    entropy: Entropy,
    /// Longest time between two.
    interval: Duration,
    /// When the next one is due, on the boot clock; at once before the first.
    due: Duration,
    /// Not before this, whoever asks.
    soonest: Duration,
    /// The one that is under way. It goes on when nobody waits for it any more.
    fetching: Option<JoinHandle<Result<CommitId, GitError>>>,
    /// Why the last one brought nothing.
    failed: Option<String>,
    /// Somebody says that there is something new.
    ask: Arc<Notify>,
}

impl Fetches {
    /// None was made yet, and one is due.
    pub(super) fn new(clock: Clock, entropy: Entropy, interval: Duration) -> Self {
        let now = clock.boot();
        Self {
            clock,
            entropy,
            interval,
            due: now,
            soonest: now,
            fetching: None,
            failed: None,
            ask: Arc::default(),
        }
    }

    /// Notified, the remote is asked at once.
    pub(super) fn ask(&self) -> Arc<Notify> {
        Arc::clone(&self.ask)
    }

    /// Whether one is due.
    pub(super) fn is_due(&self) -> bool {
        self.clock.boot() >= self.due
    }

    /// Why the last one brought nothing.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Fetches, or sees the fetch through that is under way; for at most `patience`, so that a remote
    /// which hangs does not keep drift from being corrected. Safe to drop and call again.
    pub(super) async fn fetch(&mut self, commits: &Commits, patience: Duration) {
        let commits = commits.clone();
        let fetching = self.fetching.get_or_insert_with(|| {
            tokio::spawn(async move { commits.ask(Repository::fetch).await })
        });
        let fetched = tokio::select! {
            biased;
            fetched = fetching => fetched,
            () = self.clock.sleep(patience) => {
                let seconds = patience.as_secs();
                self.failed = Some(format!("git fetch: no answer for {seconds} s; waited for"));
                return;
            }
        };
        self.fetching = None;
        let now = self.clock.boot();
        self.due = now + self.entropy.jitter(self.interval);
        self.soonest = now + SOONEST;
        self.failed = match fetched {
            Ok(fetched) => fetched.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
    }

    /// Fetches what is there now: one that is under way may have begun before.
    pub(super) async fn fetch_anew(&mut self, commits: &Commits, patience: Duration) {
        if self.fetching.is_some() {
            self.fetch(commits, patience).await;
        }
        if self.fetching.is_none() {
            self.fetch(commits, patience).await;
        }
    }

    /// Returns when one is due, or somebody asked for it. Safe to drop and call again.
    pub(super) async fn wait(&mut self) {
        let due = self.due.saturating_sub(self.clock.boot());
        tokio::select! {
            () = self.ask.notified() => {
                // Kept, should this be dropped before it is fetched.
                self.due = self.due.min(self.soonest);
                let soonest = self.soonest.saturating_sub(self.clock.boot());
                self.clock.sleep(soonest).await;
            }
            () = self.clock.sleep(due) => {}
        }
    }
}
