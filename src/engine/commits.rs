//! Commits: what single commits of a repository say, each read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compose::{Moved, compose};
use super::desired::load_commit;
use crate::model::document::DesiredSet;
use crate::model::source::{AppCommit, CommitId, Pin};
use crate::source::git::{GitError, Repository};

/// A repository, and what was read of it.
#[derive(Clone, Debug)]
pub struct Commits {
    repository: Arc<Repository>,
    environment: Option<String>,
    sets: BTreeMap<CommitId, Arc<DesiredSet>>,
}

impl Commits {
    /// Nothing is read yet.
    pub fn of(repository: Repository) -> Self {
        Self {
            repository: Arc::new(repository),
            environment: None,
            sets: BTreeMap::new(),
        }
    }

    /// With the values of `environment`, each commit's own.
    #[must_use]
    pub fn in_environment(mut self, environment: Option<&str>) -> Self {
        self.environment = environment.map(str::to_owned);
        self
    }

    /// Asks the repository, beside the runtime: Git takes its time.
    ///
    /// # Errors
    /// The repository's.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Repository) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let repository = Arc::clone(&self.repository);
        tokio::task::spawn_blocking(move || question(&repository))
            .await
            .unwrap_or_else(|error| {
                Err(GitError::Run {
                    act: "run".to_owned(),
                    why: error.to_string(),
                })
            })
    }

    /// What `commit` says, loaded and checked. One that is not here is fetched.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn set(&mut self, commit: &CommitId) -> Result<Arc<DesiredSet>, GitError> {
        if let Some(set) = self.sets.get(commit) {
            return Ok(Arc::clone(set));
        }
        let (wanted, environment) = (commit.clone(), self.environment.clone());
        let set = self
            .ask(move |repository| {
                if !repository.has(&wanted)? {
                    repository.fetch_commit(&wanted)?;
                }
                let content = repository.content(&wanted)?;
                Ok(load_commit(
                    &content,
                    &format!("of commit {}", wanted.short()),
                    environment.as_deref(),
                ))
            })
            .await?;
        let set = Arc::new(set);
        self.sets.insert(commit.clone(), Arc::clone(&set));
        Ok(set)
    }

    /// Forgets what is not of `commits`.
    pub fn keep(&mut self, commits: &BTreeSet<CommitId>) {
        self.sets.retain(|commit, _| commits.contains(commit));
    }

    /// `base`, with each of `apps` as its own commit says.
    pub async fn compose(
        &mut self,
        base: DesiredSet,
        apps: impl IntoIterator<Item = (String, AppCommit)>,
    ) -> DesiredSet {
        let mut moved = BTreeMap::new();
        for (app, at) in apps {
            let set = self.set(&at.commit).await.map_err(|e| e.to_string());
            moved.insert(app, Moved { at, set });
        }
        compose(base, &moved)
    }
}

/// A folder's set, with the pinned apps as their commits say. `commits` is the repository around the
/// folder, or why there is none. Pins of apps that the folder does not hold are somebody else's.
pub async fn with_pins(
    set: DesiredSet,
    pins: BTreeMap<String, Pin>,
    commits: &mut Result<Commits, String>,
) -> DesiredSet {
    let mut moved = BTreeMap::new();
    for (app, pin) in pins {
        if !set.apps().contains(app.as_str()) && !set.unread.torn.holds(&app) {
            continue;
        }
        let found = match commits {
            Ok(commits) => commits.set(&pin.commit).await.map_err(|e| e.to_string()),
            Err(why) => Err(why.clone()),
        };
        let at = pin.told();
        moved.insert(app, Moved { at, set: found });
    }
    compose(set, &moved)
}
