//! Pinned folder: a folder that is read again and again, with the pinned apps as their commits say.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use super::commits::{Commits, with_pins};
use super::controller::Desired;
use super::desired::Folder;
use crate::model::document::DesiredSet;
use crate::source::git::Repository;
use crate::store::Store;

/// A folder of desired state, and the pins of its apps.
pub struct PinnedFolder {
    folder: Folder,
    pins: Pins,
}

impl PinnedFolder {
    /// `folder`, whose pins are `pins`.
    pub fn of(folder: Folder, pins: Pins) -> Self {
        Self { folder, pins }
    }
}

impl Desired for PinnedFolder {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async move {
            let set = self.folder.load().await;
            self.pins.heed(set).await
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.folder.changed()
    }
}

/// The pins of a folder's apps, and the repository around it.
pub struct Pins {
    path: PathBuf,
    store: Option<Arc<Store>>,
    environment: Option<String>,
    commits: Option<Commits>,
}

impl Pins {
    /// Those of the folder at `path`, with the values of `environment`.
    pub fn of(path: &Path, store: Option<Arc<Store>>, environment: Option<&str>) -> Self {
        Self {
            path: path.to_owned(),
            store,
            environment: environment.map(str::to_owned),
            commits: None,
        }
    }

    /// `set`, with the pinned apps as their commits say. Where it is not known which they are,
    /// nothing is written.
    pub async fn heed(&mut self, mut set: DesiredSet) -> DesiredSet {
        let Some(store) = &self.store else {
            return set;
        };
        let pins = match store.pins().await {
            Ok(pins) => pins,
            // Drift is told all the same.
            Err(error) => {
                set.unwritable = Some(format!("it is not known which apps are pinned: {error}"));
                return set;
            }
        };
        if pins.is_empty() {
            return set;
        }
        // Looked for again where there was none: a repository may have come meanwhile.
        let mut commits = match self.commits.take() {
            Some(commits) => Ok(commits),
            None => around(&self.path)
                .await
                .map(|commits| commits.in_environment(self.environment.as_deref())),
        };
        let set = with_pins(set, pins, &mut commits).await;
        self.commits = commits.ok();
        set
    }
}

/// The repository whose work tree holds `folder`.
///
/// # Errors
/// Why there is none.
pub async fn around(folder: &Path) -> Result<Commits, String> {
    let folder = folder.to_owned();
    let found = tokio::task::spawn_blocking(move || Repository::around(&folder)).await;
    match found {
        Ok(Ok(repository)) => Ok(Commits::of(repository)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
