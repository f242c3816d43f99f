//! Watch: when the folder is worth another look, and whether it is at rest.
//!
//! Events only say where to look: one that is lost costs a delay, never a wrong result.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{self, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::walk::{Met, Mind, walk};

/// Events this near to each other are one: an editor's save is a handful of them.
const QUIET: Duration = Duration::from_millis(200);

/// A watch on a folder of desired state that outlives the folder.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    changes: watch::Receiver<u64>,
    debouncer: Debouncer<RecommendedWatcher, NoCache>,
    armed: Armed,
}

/// What is watched now.
#[derive(Debug, PartialEq, Eq, Default)]
struct Armed {
    /// The folder, with all below it, by device and inode.
    root: Option<(i128, i128)>,
    /// The nearest folder above it that exists, to see it come and go.
    above: Option<PathBuf>,
}

impl Watch {
    /// Starts watching `root`, which need not exist yet.
    ///
    /// # Errors
    /// When the system gives no more watches; on Linux `fs.inotify.max_user_watches` and
    /// `max_user_instances` bound them. The caller can go on with timed looks alone.
    pub fn start(root: impl AsRef<Path>) -> notify::Result<Self> {
        let root = std::path::absolute(root.as_ref()).map_err(notify::Error::io)?;
        let (sender, changes) = watch::channel(0_u64);
        let of_interest: Arc<Path> = Arc::from(root.as_path());
        let handler = move |result: DebounceEventResult| {
            let told = match result {
                Ok(events) => events
                    .iter()
                    .any(|event| concerns(&of_interest, event.kind, &event.paths)),
                // Events may be lost: look.
                Err(_) => true,
            };
            if told {
                sender.send_modify(|count| *count = count.wrapping_add(1));
            }
        };
        let debouncer = new_debouncer_opt(
            QUIET,
            None,
            handler,
            NoCache::new(),
            notify::Config::default(),
        )?;
        let mut watch = Self {
            root,
            changes,
            debouncer,
            armed: Armed::default(),
        };
        watch.arm()?;
        Ok(watch)
    }

    /// Waits until something in the folder changed since the last call; a change between two
    /// calls is not lost. Cancel safe.
    pub async fn changed(&mut self) {
        // The folder may have come back without an event, by a mount for example.
        if self.rearm() {
            return;
        }
        // An error means that the sender is gone, which it is not while we hold the debouncer.
        if self.changes.changed().await.is_ok() {
            self.rearm();
        }
    }

    /// Arms anew if the folder is another than before; says whether it was.
    fn rearm(&mut self) -> bool {
        // With no watch to be had, the caller's timed looks go on.
        self.arm().unwrap_or(false)
    }

    fn arm(&mut self) -> notify::Result<bool> {
        let now = Armed {
            root: identity(&self.root),
            above: self
                .root
                .ancestors()
                .skip(1)
                .find(|path| identity(path).is_some())
                .map(Path::to_owned),
        };
        if now == self.armed {
            return Ok(false);
        }
        let was = std::mem::take(&mut self.armed);
        if now.above != was.above {
            if let Some(above) = &was.above {
                // It may be gone already, and its watch with it.
                let _ = self.debouncer.unwatch(above);
            }
            if let Some(above) = &now.above {
                self.debouncer.watch(above, RecursiveMode::NonRecursive)?;
            }
        }
        if now.root != was.root {
            if was.root.is_some() {
                let _ = self.debouncer.unwatch(&self.root);
            }
            if now.root.is_some() {
                self.debouncer.watch(&self.root, RecursiveMode::Recursive)?;
            }
        }
        self.armed = now;
        Ok(true)
    }
}

/// Whether an event is one of the folder: in it, or of it and the folders it lies in.
fn concerns(root: &Path, kind: EventKind, paths: &[PathBuf]) -> bool {
    // Our own reading is an event too; only the end of someone's writing counts.
    if let EventKind::Access(access) = kind
        && access != AccessKind::Close(AccessMode::Write)
    {
        return false;
    }
    paths.is_empty()
        || paths
            .iter()
            .any(|path| path.starts_with(root) || root.starts_with(path))
}

fn identity(path: &Path) -> Option<(i128, i128)> {
    let stat = rustix::fs::stat(path).ok()?;
    Some((i128::from(stat.st_dev), i128::from(stat.st_ino)))
}

/// A hash of the names, sizes, times and inodes of all files that a load would read. Two equal
/// ones a moment apart mean that nobody is writing.
pub fn fingerprint(root: &Path) -> String {
    let mut hash = Sha256::new();
    walk(root, Mind::Look, &mut |met| match met {
        Met::File { name, stat, .. } => {
            let state = format!(
                "{name}\0{}\0{}.{}\0{}\n",
                stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ino
            );
            hash.update(state.as_bytes());
        }
        Met::Odd(finding) => hash.update(format!("!{}\n", finding.message).as_bytes()),
    });
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    async fn soon(watch: &mut Watch) {
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, watch.changed())
            .await
            .expect("a change is seen");
    }

    #[tokio::test]
    async fn a_save_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(dir.path()).unwrap();
        fs::write(dir.path().join("a.yaml"), "a: 1").unwrap();
        soon(&mut watch).await;
    }

    #[tokio::test]
    async fn a_folder_that_vanishes_and_comes_back_is_still_watched() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("deep/desired-state");
        let mut watch = Watch::start(&root).unwrap();
        for round in 0..3 {
            fs::create_dir_all(&root).unwrap();
            let seen = async {
                // Creating may come as several events; the watch is armed when its inode is known.
                while watch.armed.root != identity(&root) {
                    watch.changed().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), seen)
                .await
                .unwrap();
            fs::write(root.join("a.yaml"), format!("a: {round}")).unwrap();
            soon(&mut watch).await;
            fs::remove_dir_all(dir.path().join("deep")).unwrap();
            soon(&mut watch).await;
        }
    }

    #[test]
    fn a_fingerprint_changes_with_a_file_and_not_with_a_look() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, "a: 1").unwrap();
        let first = fingerprint(dir.path());
        assert_eq!(first, fingerprint(dir.path()));
        fs::write(&file, "a: 12").unwrap();
        let second = fingerprint(dir.path());
        assert_ne!(first, second);
        fs::write(dir.path().join(".a.yaml.swp"), "x").unwrap();
        assert_eq!(second, fingerprint(dir.path()));
        fs::remove_dir_all(dir.path()).unwrap();
        assert_ne!(second, fingerprint(dir.path()));
    }

    #[test]
    fn reading_is_no_change() {
        let root = Path::new("/r");
        let file = [PathBuf::from("/r/a.yaml")];
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(!concerns(root, open, &file));
        assert!(concerns(root, closed, &file));
        assert!(!concerns(root, EventKind::Any, &[PathBuf::from("/other")]));
    }
}
