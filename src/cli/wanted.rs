//! Wanted: which desired state a command is about: the folder that was typed, the Git source of the
//! settings, or the usual folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::args::FolderArgs;
use super::context::{Context, environment};
use super::settings::Settings;
use super::settings::source::{GitSettings, UrlFrom};
use crate::clock::Clock;
use crate::engine::commits::Commits;
use crate::engine::controller::Desired;
use crate::engine::desired::{Folder, load_in};
use crate::engine::git_source::{GitOptions, GitSource, Recording};
use crate::engine::pinned_folder::{PinnedFolder, Pins, around};
use crate::entropy::Entropy;
use crate::model::document::DesiredSet;
use crate::source::git::{Remote, url};
use crate::store::Store;

/// The folder where nothing else is said.
pub const FOLDER: &str = "desired-state";
/// Longest time between two fetches, when nothing else says.
const INTERVAL: Duration = Duration::from_secs(60);

/// Where the desired state of a command is.
pub enum Wanted {
    /// In a folder, of which pinned apps are taken from the repository around it.
    Folder {
        /// Where.
        path: PathBuf,
        /// The environment whose values it has.
        environment: Option<String>,
        /// Its pins.
        pins: Pins,
    },
    /// In a Git repository.
    Git(Box<GitSource>, Remote),
}

/// The Git source that is meant, if one is.
pub fn git<'s>(folder: &FolderArgs, settings: &'s Settings) -> Option<&'s GitSettings> {
    settings.source.as_ref().filter(|_| folder.path.is_none())
}

impl Wanted {
    /// What a command over AWS is about.
    ///
    /// # Errors
    /// A source that cannot be opened.
    pub fn of(
        folder: &FolderArgs,
        context: &Context,
        recording: Recording,
    ) -> anyhow::Result<Self> {
        let cell = &context.engine.cell;
        let (store, clock, entropy) = (
            context.engine.store.clone(),
            cell.clock.clone(),
            cell.entropy.clone(),
        );
        Self::open(folder, &context.settings, store, recording, clock, entropy)
    }

    /// What a command without AWS is about: nothing is known of pins and of the commit in force.
    ///
    /// # Errors
    /// A source that cannot be opened.
    pub fn offline(folder: &FolderArgs, settings: &Settings) -> anyhow::Result<Self> {
        let (clock, entropy) = (Clock::system(), Entropy::system());
        Self::open(folder, settings, None, Recording::No, clock, entropy)
    }

    fn open(
        folder: &FolderArgs,
        settings: &Settings,
        store: Option<Arc<Store>>,
        recording: Recording,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        let environment = environment(folder, settings);
        let Some(git) = git(folder, settings) else {
            let path = folder.path().to_owned();
            let pins = Pins::of(&path, store, environment);
            return Ok(Wanted::Folder {
                path,
                environment: environment.map(str::to_owned),
                pins,
            });
        };
        let options = GitOptions {
            environment: environment.map(str::to_owned),
            ..options(git, settings.interval)?
        };
        let remote = options.remote.clone();
        let source = GitSource::open(options, store, recording, clock, entropy)?;
        Ok(Wanted::Git(Box::new(source), remote))
    }

    /// How it is shown.
    pub fn shown(&self) -> PathBuf {
        match self {
            Wanted::Folder { path, .. } => path.clone(),
            Wanted::Git(_, remote) => remote.shown().into(),
        }
    }

    /// Loads it.
    pub async fn load(&mut self) -> DesiredSet {
        match self {
            Wanted::Folder {
                path,
                environment,
                pins,
            } => pins.heed(load_in(path, environment.as_deref())).await,
            Wanted::Git(source, _) => source.load().await,
        }
    }

    /// The repository that its commits are in.
    ///
    /// # Errors
    /// A folder that lies in none, and a remote that cannot be reached and never was.
    pub async fn commits(self) -> anyhow::Result<Commits> {
        match self {
            Wanted::Folder {
                path, environment, ..
            } => {
                let shown = path.display().to_string();
                let commits = around(&path).await.map_err(anyhow::Error::msg);
                let commits = commits.with_context(|| {
                    format!(
                        "the folder {shown} lies in no Git repository, so it has no other commits"
                    )
                })?;
                Ok(commits.in_environment(environment.as_deref()))
            }
            Wanted::Git(mut source, _) => {
                // What was in force is in the clone: the remote may be away just when one has to go back.
                if let Err(error) = source.commits().ask(|r| r.fetch()).await {
                    let head = source.commits().ask(|r| r.head()).await;
                    if !matches!(head, Ok(Some(_))) {
                        return Err(error.into());
                    }
                    anstream::eprintln!(
                        "warning: {error}; what was fetched before is used, so commits that \
                         are newer are not known"
                    );
                }
                Ok(source.commits().clone())
            }
        }
    }
}

/// How the source of the settings is followed.
///
/// # Errors
/// A variable that is not set.
pub fn options(git: &GitSettings, looks: Option<Duration>) -> anyhow::Result<GitOptions> {
    let url = match &git.url {
        UrlFrom::Written(url) => url.clone(),
        UrlFrom::Env(name) => {
            let text = std::env::var(name)
                .with_context(|| format!("source: the environment variable {name}"))?;
            url::url(&text).map_err(|why| anyhow::anyhow!("source: {name}: {why}"))?
        }
    };
    if let Some(signers) = &git.signers {
        std::fs::metadata(signers).with_context(|| {
            format!(
                "source: verify.signatures: {} cannot be read, so no commit could be trusted",
                signers.display()
            )
        })?;
    }
    Ok(GitOptions {
        remote: Remote {
            url,
            branch: git.branch.clone(),
            folder: git.folder.clone(),
        },
        state: git.state.clone(),
        interval: git.interval.or(looks).unwrap_or(INTERVAL),
        vanish: git.vanish,
        signers: git.signers.clone(),
        environment: None,
    })
}

/// What the controller reads again and again.
pub fn followed(wanted: Wanted, clock: Clock) -> Box<dyn Desired> {
    match wanted {
        Wanted::Folder {
            path,
            environment,
            pins,
        } => {
            let folder = Folder::open(&path, clock).of(environment.as_deref());
            Box::new(PinnedFolder::of(folder, pins))
        }
        Wanted::Git(source, _) => source,
    }
}

impl FolderArgs {
    /// The folder that was typed, or the usual one.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(FOLDER))
    }
}
