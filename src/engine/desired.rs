//! Desired: the folder as the controller sees it, loaded, checked, and watched.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use super::controller::Desired;
use crate::check::check;
use crate::clock::Clock;
use crate::control::document;
use crate::kinds::KINDS;
use crate::model::document::{DesiredSet, Frozen, Places};
use crate::model::finding::Severity;
use crate::source::{self, KindShape, Watch};

/// How long a folder has to stand still before it is read: longer than an editor or `git
/// checkout` pauses in the middle of a save.
const AT_REST: Duration = Duration::from_millis(300);
/// How often it may turn out not to stand still. Then it is read as it is; what is half-written
/// does not load, and freezes its apps.
const RESTLESS: usize = 20;

/// Every kind's schema, once.
static SCHEMAS: LazyLock<Vec<(&'static str, Value)>> = LazyLock::new(|| {
    let policy = (document::POLICY, document::schema().to_value());
    KINDS
        .iter()
        .map(|kind| (kind.name(), kind.schema().to_value()))
        .chain([policy])
        .collect()
});

/// Loads and checks the folder `root`, with the kinds of this build and no environment.
pub fn load(root: &Path) -> DesiredSet {
    load_in(root, None)
}

/// The same, with the values of `environment`.
pub fn load_in(root: &Path, environment: Option<&str>) -> DesiredSet {
    source::load(root, environment, &shapes(), judged)
}

/// Loads and checks files that are in memory, as `(name, content)`.
pub fn load_files<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> DesiredSet {
    source::load_files(files, &shapes(), judged)
}

/// Loads and checks the files of a commit, with the values of `environment`; `shown` says whose they
/// are.
pub fn load_commit(
    content: &source::git::Content,
    shown: &str,
    environment: Option<&str>,
) -> DesiredSet {
    source::load_commit(content, shown, environment, &shapes(), judged)
}

/// The set, checked. The places of single fields have served then; on a large estate they take more
/// memory than the documents.
fn judged(set: DesiredSet) -> DesiredSet {
    let mut set = check(set, KINDS);
    for document in set.documents.values_mut() {
        document.fields = Places::default();
    }
    set
}

fn shapes() -> Vec<KindShape<'static>> {
    SCHEMAS
        .iter()
        .map(|(name, schema)| KindShape {
            name,
            spec_schema: schema,
        })
        .collect()
}

/// A folder that is read again and again.
pub struct Folder {
    root: PathBuf,
    environment: Option<String>,
    clock: Clock,
    watch: Option<Watch>,
    /// How the files stood when they were read last.
    read: String,
    /// Which apps each file held when it last loaded without an error.
    held: BTreeMap<String, BTreeSet<String>>,
}

impl Folder {
    /// Starts watching. A folder that cannot be watched is read on time alone, which is said in
    /// the log.
    pub fn open(root: &Path, clock: Clock) -> Self {
        let watch = match Watch::start(root) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(
                    folder = %root.display(), %error,
                    "the folder cannot be watched; changes are seen at the next timed look only"
                );
                None
            }
        };
        Self {
            root: root.to_owned(),
            environment: None,
            clock,
            watch,
            read: String::new(),
            held: BTreeMap::new(),
        }
    }

    /// With the values of `environment`.
    #[must_use]
    pub fn of(mut self, environment: Option<&str>) -> Self {
        self.environment = environment.map(str::to_owned);
        self
    }

    /// Whether the files are not as they were read last. A log or a swap file beside the documents
    /// is no reason to look at AWS.
    fn is_stale(&self) -> bool {
        source::fingerprint(&self.root) != self.read
    }

    async fn at_rest(&mut self) {
        self.read = source::fingerprint(&self.root);
        for _ in 0..RESTLESS {
            self.clock.sleep(AT_REST).await;
            let after = source::fingerprint(&self.root);
            if after == self.read {
                return;
            }
            self.read = after;
        }
    }

    /// Freezes the apps that a file held when it last loaded, if it does not load now.
    fn remember(&mut self, set: &mut DesiredSet) {
        let broken: BTreeSet<String> = set
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .filter_map(|f| Some(f.at.as_ref()?.file.to_string()))
            .collect();
        for app in broken
            .iter()
            .filter_map(|file| self.held.get(file))
            .flatten()
        {
            set.frozen.add(app);
        }
        if set.frozen == Frozen::All {
            return;
        }
        let mut now: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let policies = set.policies.values().map(|policy| &policy.document);
        for document in set.documents.values().chain(policies) {
            now.entry(document.at.file.to_string())
                .or_default()
                .insert(document.key.app.clone());
        }
        for (file, apps) in now {
            if !broken.contains(&file) {
                self.held.insert(file, apps);
            }
        }
    }
}

impl Desired for Folder {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async move {
            self.at_rest().await;
            let mut set = load_in(&self.root, self.environment.as_deref());
            self.remember(&mut set);
            set
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                match &mut self.watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
                if self.is_stale() {
                    return;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_a_load_would_read_is_worth_a_look() {
        let root = tempfile::tempdir().unwrap();
        let save = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        save("a.yaml", "# nothing yet\n");
        let mut folder = Folder::open(root.path(), Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH));
        folder.load().await;
        assert!(!folder.is_stale());
        save("notes.txt", "a log grows");
        save(".a.yaml.swp", "an editor is open");
        assert!(!folder.is_stale());
        save("a.yaml", "# something else, and longer\n");
        assert!(folder.is_stale());
        folder.load().await;
        fs::remove_file(root.path().join("a.yaml")).unwrap();
        assert!(folder.is_stale());
    }
}
