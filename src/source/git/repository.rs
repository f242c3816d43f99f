//! Repositories: the clone that Evenkeel keeps of a remote, or the work tree that holds a folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};

use super::command::{Git, GitError, LOCAL_LIMIT, REMOTE_LIMIT, refused, setting};
use super::hold::{Ancestry, Signature};
use super::tree::{self, Content};
use super::url;
use crate::model::source::CommitId;

/// Where the newest commit of the branch is kept in the clone.
const HEAD: &str = "refs/evenkeel/head";
/// Held while the clone is written, by whichever process does it.
const LOCK: &str = "evenkeel.lock";

/// A branch of a remote, and a folder in it. The URL may hold a password: it is never shown but
/// through [`Remote::shown`].
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it is.
    pub url: String,
    /// Which branch.
    pub branch: String,
    /// The folder of desired state, from the root; empty for the root.
    pub folder: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Remote {
    /// For people: `https://***@host/estate.git main:desired-state`.
    pub fn shown(&self) -> String {
        format!("{} {}:{}", url::mask(&self.url), self.branch, self.folder)
    }

    /// A name for rows and folders that says nothing of what it names. Another password is no other
    /// source.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&url::mask(&self.url), &self.branch, &self.folder] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut id = hex::encode(hash.finalize());
        id.truncate(16);
        id
    }
}

/// A repository that commits are read from. All of it blocks.
#[derive(Clone, Debug)]
pub struct Repository {
    git: Git,
    dir: PathBuf,
    folder: String,
    /// The branch that [`Repository::fetch`] fetches; `None` for a work tree of a person, which is
    /// only read.
    branch: Option<String>,
}

impl Repository {
    /// The clone of `remote` that is kept below the folder `state`. Nothing is done yet.
    ///
    /// # Errors
    /// A folder whose name is not UTF-8.
    pub fn kept(state: &Path, remote: &Remote) -> Result<Self, GitError> {
        let dir = std::path::absolute(state.join(remote.id())).map_err(|e| run("init", e))?;
        setting(dir.as_os_str()).map_err(|why| run("init", why))?;
        let config = [
            ("remote.origin.url", remote.url.as_str()),
            ("remote.origin.promisor", "true"),
            ("remote.origin.partialclonefilter", "blob:none"),
        ];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Self {
            git: Git::at(&dir, config.into()).bare(),
            dir,
            folder: remote.folder.clone(),
            branch: Some(remote.branch.clone()),
        })
    }

    /// The repository whose work tree holds the folder `folder`.
    ///
    /// # Errors
    /// It lies in none.
    pub fn around(folder: &Path) -> Result<Self, GitError> {
        let git = Git::at(folder, Vec::new());
        let line = |words: &[&str]| {
            let said = git.ask(words, LOCAL_LIMIT)?;
            let text = String::from_utf8_lossy(&said).into_owned();
            Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        };
        let top = line(&["rev-parse", "--show-toplevel"])?;
        let prefix = line(&["rev-parse", "--show-prefix"])?;
        Ok(Self {
            git: Git::at(&top, Vec::new()),
            dir: top.into(),
            folder: prefix.trim_end_matches('/').to_owned(),
            branch: None,
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Fetches the branch, without blobs and with all of its history: no shallow clone can prove that
    /// one commit descends from another.
    ///
    /// # Errors
    /// A remote that cannot be reached, a branch that is gone, a clone that cannot be written.
    pub fn fetch(&self) -> Result<CommitId, GitError> {
        let _lock = self.lock()?;
        self.begin()?;
        let branch = self.branch.as_deref().unwrap_or_default();
        let refspec = format!("+refs/heads/{branch}:{HEAD}");
        self.fetch_of(&refspec)?;
        self.head()?.ok_or_else(|| {
            run(
                "fetch",
                format!("it ended well, and brought no commit of {branch}"),
            )
        })
    }

    /// Fetches one commit that no branch may lead to any more.
    ///
    /// # Errors
    /// The remote does not have it, or does not give it.
    pub fn fetch_commit(&self, commit: &CommitId) -> Result<(), GitError> {
        if self.branch.is_none() {
            return Err(run(
                "fetch",
                format!("commit {} is not here", commit.short()),
            ));
        }
        let _lock = self.lock()?;
        self.begin()?;
        self.fetch_of(commit.as_str())
    }

    fn fetch_of(&self, refspec: &str) -> Result<(), GitError> {
        let words = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--recurse-submodules=no",
            "--filter=blob:none",
            "--end-of-options",
            "origin",
            refspec,
        ];
        self.git.ask(&words, REMOTE_LIMIT).map(drop)
    }

    /// Makes the clone where there is none.
    fn begin(&self) -> Result<(), GitError> {
        if self.dir.join("HEAD").exists() {
            return Ok(());
        }
        let words = ["init", "--quiet", "--bare"];
        self.git.ask(&words, LOCAL_LIMIT).map(drop)
    }

    /// Waits for others that write the clone. Each of them ends within its own limits.
    fn lock(&self) -> Result<File, GitError> {
        std::fs::create_dir_all(&self.dir).map_err(|e| self.unusable(e))?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join(LOCK))
            .map_err(|e| self.unusable(e))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| self.unusable(e))?;
        Ok(file)
    }

    fn unusable(&self, error: impl std::fmt::Display) -> GitError {
        let dir = self.dir.display();
        run(
            "fetch",
            format!("the clone {dir} cannot be written: {error}"),
        )
    }

    /// The newest commit of the branch, as it was fetched last.
    ///
    /// # Errors
    /// A clone that cannot be read.
    pub fn head(&self) -> Result<Option<CommitId>, GitError> {
        if !self.dir.join("HEAD").exists() {
            return Ok(None);
        }
        self.find(HEAD)
    }

    /// The commit that a person's `revision` names; `None` where it names none.
    ///
    /// # Errors
    /// A repository that cannot be read.
    pub fn find(&self, revision: &str) -> Result<Option<CommitId>, GitError> {
        let commit = format!("{}^{{commit}}", self.named(revision));
        let words = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let said = self.git.alone().run(&words, &[], LOCAL_LIMIT)?;
        match said.code {
            Some(0) => {
                let text = String::from_utf8_lossy(&said.out);
                let id = CommitId::parse(text.trim());
                id.map(Some)
                    .ok_or_else(|| run("rev-parse", format!("{revision} is {:?}", text.trim())))
            }
            // Quietly: there is no such commit. Anything else has its words.
            Some(1) => Ok(None),
            _ => Err(refused(&words, &said)),
        }
    }

    /// A revision as this repository knows it. The clone that is kept has one branch, under a name of
    /// its own.
    fn named(&self, revision: &str) -> String {
        let Some(branch) = &self.branch else {
            return revision.to_owned();
        };
        let end = revision.find(['~', '^']).unwrap_or(revision.len());
        let (name, rest) = revision.split_at(end);
        let name = name.strip_prefix("origin/").unwrap_or(name);
        if name == branch || name == "HEAD" {
            format!("{HEAD}{rest}")
        } else {
            revision.to_owned()
        }
    }

    /// Whether the commit is here.
    ///
    /// # Errors
    /// A repository that cannot be read.
    pub fn has(&self, commit: &CommitId) -> Result<bool, GitError> {
        if !self.dir.exists() {
            return Ok(false);
        }
        Ok(self.find(commit.as_str())?.is_some())
    }

    /// How `candidate` stands to `good`. Where `good` is not here, nothing proves a descent.
    ///
    /// # Errors
    /// A repository that cannot be read.
    pub fn ancestry(
        &self,
        good: Option<&CommitId>,
        candidate: &CommitId,
    ) -> Result<Ancestry, GitError> {
        let Some(good) = good else {
            return Ok(Ancestry::First);
        };
        if good == candidate {
            return Ok(Ancestry::Same);
        }
        if !self.has(good)? {
            return Ok(Ancestry::Diverged);
        }
        Ok(if self.is_ancestor(good, candidate)? {
            Ancestry::Descendant
        } else if self.is_ancestor(candidate, good)? {
            Ancestry::Older
        } else {
            Ancestry::Diverged
        })
    }

    fn is_ancestor(&self, older: &CommitId, newer: &CommitId) -> Result<bool, GitError> {
        let words = [
            "merge-base",
            "--is-ancestor",
            "--end-of-options",
            older.as_str(),
            newer.as_str(),
        ];
        let said = self.git.run(&words, &[], LOCAL_LIMIT)?;
        match said.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(refused(&words, &said)),
        }
    }

    /// Whether `commit` is signed by a key that the file `signers` allows (ssh), or one that the
    /// user's own gpg trusts.
    pub fn signature(&self, commit: &CommitId, signers: &Path) -> Signature {
        match self.signed(commit, signers, LOCAL_LIMIT) {
            Ok(signature) => signature,
            // What cannot be told is not trusted.
            Err(error) => Signature::Untrusted(error.to_string()),
        }
    }

    fn signed(
        &self,
        commit: &CommitId,
        signers: &Path,
        limit: Duration,
    ) -> Result<Signature, GitError> {
        let absolute = std::path::absolute(signers).map_err(|e| run("verify-commit", e))?;
        File::open(&absolute).map_err(|error| {
            let file = absolute.display();
            run(
                "verify-commit",
                format!("the allowed signers {file}: {error}"),
            )
        })?;
        let file = setting(absolute.as_os_str()).map_err(|why| run("verify-commit", why))?;
        let git = self.git.with("gpg.ssh.allowedSignersFile", file);
        let words = ["verify-commit", "--end-of-options", commit.as_str()];
        let said = git.run(&words, &[], limit)?;
        if said.code != Some(0) {
            return Ok(Signature::Untrusted(match said.words.as_str() {
                "" => "there is none".to_owned(),
                words => format!(
                    "no key that {} or the keyring allows made it ({words})",
                    absolute.display()
                ),
            }));
        }
        // A good signature of a key that nobody vouches for also ends with 0: `U`.
        let words = [
            "log",
            "-1",
            "--no-show-signature",
            "--format=%G?",
            "--end-of-options",
            commit.as_str(),
        ];
        let grade = git.ask(&words, limit)?;
        Ok(match String::from_utf8_lossy(&grade).trim() {
            "G" => Signature::Trusted,
            _ => Signature::Untrusted(format!("nobody vouches for its key: {}", said.words)),
        })
    }

    /// The files of desired state in `commit`.
    ///
    /// # Errors
    /// Objects that are not here and cannot be fetched.
    pub fn content(&self, commit: &CommitId) -> Result<Content, GitError> {
        // Missing blobs are fetched, and one at a time writes.
        let _lock = match self.branch {
            Some(_) => Some(self.lock()?),
            None => None,
        };
        tree::read(&self.git, commit, &self.folder)
    }
}

fn run(act: &str, why: impl std::fmt::Display) -> GitError {
    GitError::Run {
        act: act.to_owned(),
        why: why.to_string(),
    }
}
