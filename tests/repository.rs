//! Repository: a real Git repository in a temporary folder, as others push to it.

use std::path::Path;
use std::process::{Command, Stdio};

use evenkeel::model::source::CommitId;
use tempfile::TempDir;

/// A bare repository that is fetched from, and a work tree that pushes to it.
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// One with no commit.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let repository = Self { folder };
        std::fs::create_dir(repository.folder.path().join("work")).unwrap();
        let bare = [
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            "../origin.git",
        ];
        repository.git(&bare);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", "../origin.git"]);
        // As forges allow it.
        for (key, value) in [
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("receive.denyDeleteCurrent", "ignore"),
        ] {
            repository.git(&["-C", "../origin.git", "config", key, value]);
        }
        repository
    }

    /// Where it is fetched from.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().join("origin.git").display())
    }

    /// The folder that holds all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The work tree.
    pub fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    /// Runs git in the work tree, and gives what it says.
    #[track_caller]
    pub fn git(&self, words: &[&str]) -> String {
        let ended = Command::new("git")
            .current_dir(self.work())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(["-c", "protocol.file.allow=always"])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "git {words:?}: {said}");
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    }

    /// Writes a file of the work tree.
    pub fn save(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits the work tree as it is, with more words for `git commit`.
    #[track_caller]
    pub fn commit_with(&self, words: &[&str]) -> CommitId {
        self.git(&["add", "--all"]);
        let mut commit = vec!["commit", "--quiet", "--allow-empty", "--message=change"];
        commit.extend(words);
        self.git(&commit);
        self.head()
    }

    /// The newest commit of the work tree.
    #[track_caller]
    pub fn head(&self) -> CommitId {
        CommitId::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// Pushes it, whatever was there.
    #[track_caller]
    pub fn push(&self) {
        self.git(&[
            "push",
            "--quiet",
            "--force",
            "origin",
            "HEAD:refs/heads/main",
        ]);
    }

    /// Saves one file of desired state, commits and pushes.
    #[track_caller]
    pub fn publish(&self, text: &str) -> CommitId {
        self.save("desired-state/shop.yaml", text);
        let commit = self.commit_with(&[]);
        self.push();
        commit
    }

    /// The same on a branch of its own, which nobody merges.
    #[track_caller]
    pub fn publish_on(&self, branch: &str, text: &str) -> CommitId {
        self.git(&["switch", "--quiet", "--create", branch]);
        self.save("desired-state/shop.yaml", text);
        let commit = self.commit_with(&[]);
        self.git(&["push", "--quiet", "origin", branch]);
        self.git(&["switch", "--quiet", "main"]);
        commit
    }
}
