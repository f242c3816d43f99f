//! Git source: the branch of a repository as the controller sees it: fetched, judged, and read by
//! commit. A commit comes into force only after it is recorded, and all replicas go by the record.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::commits::Commits;
use super::controller::Desired;
use super::fetches::{FIRST, Fetches, PATIENCE};
use super::in_force::{apps_behind, behind, is_bad, nothing_in_force, unwritable};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::model::document::DesiredSet;
use crate::model::notice::Notice;
use crate::model::source::{AppCommit, CommitId, Pin as Pinned, SourceRecord, SourceState};
use crate::notify::derive_source::{of_bad, of_source};
use crate::source::git::hold::{Ancestry, Candidate, Signature, judged, of_history, reasons};
use crate::source::git::{GitError, Remote, Repository};
use crate::store::{Sourced, Store};

/// How often a record is judged anew because another replica changed it meanwhile.
const ATTEMPTS: usize = 4;

/// How a source is followed.
#[derive(Clone, Debug)]
pub struct GitOptions {
    /// The branch and its folder.
    pub remote: Remote,
    /// Below which folder the clone is kept.
    pub state: PathBuf,
    /// Longest time between two fetches.
    pub interval: Duration,
    /// Share of the objects in force, in percent, that may be gone from a commit.
    pub vanish: u8,
    /// Allowed signers of commits; `None` where no signature is asked for.
    pub signers: Option<PathBuf>,
    /// The environment whose values documents have.
    pub environment: Option<String>,
}

/// Whether what is found out is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// By one who writes.
    Yes,
    /// By one who only looks: it sees what one who writes would do.
    No,
}

/// A branch that is fetched again and again.
pub struct GitSource {
    options: GitOptions,
    commits: Commits,
    store: Option<Arc<Store>>,
    recording: Recording,
    clock: Clock,
    /// What is known without a store, or by one who records nothing.
    known: Sourced,
    /// What was recorded when it was read last, and which apps were pinned.
    last: Option<SourceRecord>,
    pins: BTreeMap<String, Pinned>,
    fetches: Fetches,
    /// The newest commit at the last load.
    seen: Option<CommitId>,
    /// What became of it that is to be told.
    notices: Vec<Notice>,
    /// The commit of which nothing could be believed, as it was told.
    told_bad: Option<CommitId>,
}

/// What a source comes to at one moment.
struct Judged {
    record: SourceRecord,
    /// Why it is not known what is newest, or what it says.
    unread: Option<String>,
    /// The newest commit, where it did not load as a whole.
    bad: Option<Arc<DesiredSet>>,
}

impl GitSource {
    /// A source of which nothing was fetched yet.
    ///
    /// # Errors
    /// A folder for the clone that cannot be one.
    pub fn open(
        options: GitOptions,
        store: Option<Arc<Store>>,
        recording: Recording,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, GitError> {
        let repository = Repository::kept(&options.state, &options.remote)?;
        Ok(Self {
            commits: Commits::of(repository).in_environment(options.environment.as_deref()),
            fetches: Fetches::new(clock.clone(), entropy, options.interval),
            options,
            store,
            recording,
            clock,
            known: Sourced::default(),
            last: None,
            pins: BTreeMap::new(),
            seen: None,
            notices: Vec::new(),
            told_bad: None,
        })
    }

    /// Notified, the source looks for something new at once.
    pub fn ask(&self) -> Arc<Notify> {
        self.fetches.ask()
    }

    /// Its commits.
    pub fn commits(&mut self) -> &mut Commits {
        &mut self.commits
    }

    async fn head(&self) -> Result<Option<CommitId>, GitError> {
        self.commits.ask(Repository::head).await
    }

    async fn recorded(&self) -> Result<Sourced, String> {
        let Some(store) = &self.store else {
            return Ok(self.known.clone());
        };
        let read = store.source(&self.options.remote.id()).await;
        let read = read.map_err(|error| error.to_string())?;
        // Where nobody records, one who only looks goes by what it saw itself.
        Ok(match (self.recording, &read.record.good) {
            (Recording::No, None) => {
                let mut known = self.known.clone();
                // A person's word counts before anybody has recorded what comes of it.
                known.record.acknowledged = read.record.acknowledged;
                known
            }
            _ => read,
        })
    }

    /// Keeps what was judged; says whether nobody else was faster.
    async fn record(&mut self, read: &Sourced, next: &SourceRecord) -> Result<bool, String> {
        if *next == read.record {
            return Ok(true);
        }
        match (&self.store, self.recording) {
            (Some(store), Recording::Yes) => store
                .put_source(&self.options.remote.id(), read, next)
                .await
                .map_err(|error| error.to_string()),
            (Some(_), Recording::No) | (None, _) => {
                self.known.record = next.clone();
                Ok(true)
            }
        }
    }

    /// Judges the newest commit, and records what comes of it.
    async fn judge(&mut self) -> Result<Judged, String> {
        let mut fresh = false;
        if self.fetches.is_due() {
            let first = self.head().await.map_err(|error| error.to_string())?;
            let patience = first.map_or(FIRST, |_| PATIENCE);
            self.fetches.fetch(&self.commits, patience).await;
        }
        for _ in 0..ATTEMPTS {
            let read = self.recorded().await?;
            let mut head = self.head().await.map_err(|error| error.to_string())?;
            if !fresh && self.may_lag(&read.record, head.as_ref()).await? {
                // Another replica may have seen something newer: this clone may be what is old.
                self.fetches.fetch_anew(&self.commits, PATIENCE).await;
                fresh = true;
                head = self.head().await.map_err(|error| error.to_string())?;
            }
            let told = Judged {
                record: read.record.clone(),
                unread: self.fetches.failed().map(str::to_owned),
                bad: None,
            };
            let Some(head) = head else {
                return Ok(told);
            };
            self.seen = Some(head.clone());
            // What could not be fetched is not judged by what was here before.
            if self.fetches.failed().is_some() && told.record.good.is_some() {
                return Ok(told);
            }
            let judged = self.judged(told, &head).await?;
            if self.record(&read, &judged.record).await? {
                self.note(&read.record, &judged, &head);
                return Ok(judged);
            }
        }
        Err("another replica changed the record of the source each time; tried again".to_owned())
    }

    /// Puts by what is to be told of a judgement that was recorded.
    fn note(&mut self, before: &SourceRecord, judged: &Judged, head: &CommitId) {
        if self.store.is_some() && self.recording == Recording::No {
            return;
        }
        let now = self.clock.now();
        let good = judged.record.good.as_ref();
        let bad = judged.bad.as_ref().map(|_| head);
        let told = std::mem::replace(&mut self.told_bad, bad.cloned());
        self.notices.extend(of_bad(told.as_ref(), bad, good, now));
        self.notices.extend(of_source(before, &judged.record, now));
    }

    /// Whether `head` is no descendant of the commit in force, and not known to be held.
    async fn may_lag(
        &self,
        record: &SourceRecord,
        head: Option<&CommitId>,
    ) -> Result<bool, String> {
        let (Some(good), Some(head)) = (record.good.clone(), head.cloned()) else {
            return Ok(false);
        };
        if record.held.as_ref().is_some_and(|held| held.commit == head) {
            return Ok(false);
        }
        let ancestry = self.commits.ask(move |r| r.ancestry(Some(&good), &head));
        let ancestry = ancestry.await.map_err(|error| error.to_string())?;
        Ok(matches!(ancestry, Ancestry::Older | Ancestry::Diverged))
    }

    /// What becomes of the record with `head` as the newest commit.
    async fn judged(&mut self, told: Judged, head: &CommitId) -> Result<Judged, String> {
        let record = told.record.clone();
        let now = self.clock.now();
        if record.good.as_ref() == Some(head) {
            let record = judged(&record, head, Vec::new(), &record.behind, now);
            return Ok(Judged { record, ..told });
        }
        let set = match self.commits.set(head).await {
            Ok(set) => set,
            Err(error) => {
                let unread = Some(format!("commit {}: {error}", head.short()));
                return Ok(Judged { unread, ..told });
            }
        };
        let (good, newest) = (record.good.clone(), head.clone());
        let signers = self.options.signers.clone();
        let (ancestry, signature) = self
            .commits
            .ask(move |repository| {
                let ancestry = repository.ancestry(good.as_ref(), &newest)?;
                let signature = signers.map_or(Signature::NotAsked, |signers| {
                    repository.signature(&newest, &signers)
                });
                Ok((ancestry, signature))
            })
            .await
            .map_err(|error| error.to_string())?;
        if is_bad(&set) {
            let unread = Some(format!(
                "commit {} does not load: nothing tells which app is concerned, so none of it is \
                 taken",
                head.short()
            ));
            // What somebody did to the branch is told whatever its files say; a word for it does not
            // make them load.
            let history = of_history(ancestry, &signature);
            let word = record.acknowledged.as_ref();
            let record = match history.is_empty() || word.is_some_and(|w| w.commit == *head) {
                true => record,
                false => judged(&record, head, history, &record.behind, now),
            };
            return Ok(Judged {
                record,
                unread,
                bad: Some(set),
            });
        }
        let in_force = self.in_force(&record).await;
        let candidate = Candidate {
            commit: head,
            ancestry,
            signature: &signature,
            set: &set,
            in_force: in_force.as_ref(),
        };
        let reasons = reasons(&candidate, self.options.vanish);
        let behind = behind(&set, in_force.as_ref());
        let record = judged(&record, head, reasons, &behind, now);
        Ok(Judged { record, ..told })
    }

    /// What is in force, apps that are behind included; `None` where nothing is, or where it cannot
    /// be read.
    async fn in_force(&mut self, record: &SourceRecord) -> Option<DesiredSet> {
        let good = record.good.clone()?;
        let set = self.commits.set(&good).await.ok()?;
        let base = DesiredSet {
            source: Some(SourceState {
                commit: Some(good),
                branch: Some(self.options.remote.branch.clone()),
                ..SourceState::default()
            }),
            ..DesiredSet::clone(&set)
        };
        Some(self.commits.compose(base, apps_behind(record)).await)
    }

    async fn wanted(&mut self) -> Result<DesiredSet, String> {
        let mut unwritable = None;
        let Judged {
            record,
            unread,
            bad,
        } = match (self.judge().await, &self.last) {
            (Ok(judged), _) => judged,
            // Drift is told all the same, by what was in force.
            (Err(why), Some(last)) => {
                unwritable = Some(format!(
                    "what of the source is in force is not known: {why}"
                ));
                Judged {
                    record: last.clone(),
                    unread: Some(why),
                    bad: None,
                }
            }
            (Err(why), None) => return Err(why),
        };
        self.last = Some(record.clone());
        if let Some(store) = &self.store {
            match store.pins().await {
                Ok(pins) => self.pins = pins,
                Err(error) => {
                    unwritable = Some(format!("it is not known which apps are pinned: {error}"));
                }
            }
        }
        let pins = self.pins.clone();
        let mut set = match (self.in_force(&record).await, &bad) {
            (Some(set), bad) => {
                let mut set = set;
                if let Some(bad) = bad {
                    set.findings.extend(bad.findings.iter().cloned());
                }
                set
            }
            (None, Some(bad)) if record.good.is_none() => DesiredSet::clone(bad),
            (None, _) => nothing_in_force(&self.options.remote, &record, unread.as_deref()),
        };
        let pinned: Vec<(String, AppCommit)> = pins
            .into_iter()
            .filter(|(app, _)| {
                let known = set.apps().contains(app.as_str());
                known || set.unread.torn.holds(app)
            })
            .map(|(app, pin)| (app, pin.told()))
            .collect();
        set = self.commits.compose(set, pinned).await;
        set.unwritable = unwritable;
        let state = set.source.get_or_insert_default();
        state.commit = record.good.clone();
        state.branch = Some(self.options.remote.branch.clone());
        state.held = record.held.clone();
        state.unread = unread;
        state.bad = bad.and(self.seen.clone());
        let mut kept: BTreeSet<CommitId> =
            state.apps.values().map(|at| at.commit.clone()).collect();
        kept.extend(record.good);
        kept.extend(record.behind.into_values());
        kept.extend(record.held.map(|held| held.commit));
        kept.extend(self.seen.clone());
        self.commits.keep(&kept);
        Ok(set)
    }
}

impl Desired for GitSource {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async move {
            match self.wanted().await {
                Ok(set) => set,
                Err(why) => {
                    let shown = self.options.remote.shown();
                    let mut set = unwritable(
                        format!("what of {shown} is in force is not known: {why}"),
                        "nothing is written until it is; check the store and the clone",
                    );
                    set.source = Some(SourceState {
                        branch: Some(self.options.remote.branch.clone()),
                        unread: Some(why),
                        ..SourceState::default()
                    });
                    set
                }
            }
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                self.fetches.wait().await;
                let before = self.fetches.failed().is_some();
                self.fetches.fetch(&self.commits, FIRST).await;
                let after = self.fetches.failed().is_some();
                let head = self.head().await.ok().flatten();
                if head != self.seen || before != after {
                    return;
                }
            }
        })
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
