//! Sources: which commit a desired state is of, why a newer one is not taken, and which apps are at
//! another one.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::ResourceKey;

/// The full name of a Git commit: 40 hexadecimal digits, or 64 in a repository of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// Digits of a commit that people are shown.
const SHOWN: usize = 12;

impl CommitId {
    /// The commit that `text` names in full, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let sound = matches!(text.len(), 40 | 64) && text.bytes().all(hex);
        sound.then(|| Self(text.to_owned()))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people are shown it.
    pub fn short(&self) -> &str {
        self.0.get(..SHOWN).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl TryFrom<String> for CommitId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no full commit id"))
    }
}

/// Where a desired state is from, as every plan tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// The commit in force; `None` for a folder, whose files are of no commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// The branch that is followed; `None` for a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Why the newest commit of the branch is not taken, until a person acknowledges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<SourceHold>,
    /// Why it is not known what the newest commit is or says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// The newest commit, where it does not load and nothing tells which app is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<CommitId>,
    /// The apps that are at another commit, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, AppCommit>,
}

impl SourceState {
    /// The commit in force and its branch, for people; nothing for a folder.
    pub fn named(&self) -> Option<String> {
        let (commit, branch) = (self.commit.as_ref()?, self.branch.as_deref()?);
        Some(format!("commit {} of {branch}", commit.short()))
    }

    /// The commit that `app`'s documents are of.
    pub fn commit_of(&self, app: &str) -> Option<&CommitId> {
        self.apps
            .get(app)
            .map(|at| &at.commit)
            .or(self.commit.as_ref())
    }
}

/// A commit that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHold {
    /// Which.
    pub commit: CommitId,
    /// Why: at least one.
    pub reasons: Vec<HoldReason>,
    /// Since when the source is on hold, whatever came meanwhile.
    pub since: Timestamp,
}

/// Why a commit needs a person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum HoldReason {
    /// The commit in force is not among its ancestors: somebody rewrote the branch.
    NotDescendant,
    /// It is an ancestor of the commit in force: the branch was set back, or a mirror lags.
    Older,
    /// It holds no document at all, while the one in force does.
    Empty,
    /// Many objects that the commit in force has are not in it.
    Vanished {
        /// How many.
        gone: usize,
        /// Of how many.
        of: usize,
        /// The first of them.
        some: Vec<ResourceKey>,
    },
    /// Objects in AWS go to another app or another name: policies, pauses and budgets go by these.
    Moved {
        /// How many.
        moved: usize,
        /// The first of them: from which to which.
        some: Vec<(ResourceKey, ResourceKey)>,
    },
    /// A task count falls by more than half.
    CountDrop {
        /// Whose.
        key: ResourceKey,
        /// The field, such as `spec.desiredCount`.
        path: String,
        /// In the commit in force.
        from: u64,
        /// In this one.
        to: u64,
    },
    /// It is not signed by a key that is allowed.
    Signature {
        /// What Git says.
        why: String,
    },
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldReason::NotDescendant => f.write_str(
                "it does not descend from the commit in force: the branch was rewritten",
            ),
            HoldReason::Older => f.write_str(
                "it is older than the commit in force: the branch was set back, or the mirror lags",
            ),
            HoldReason::Empty => f.write_str("it holds no document in the folder of the source"),
            HoldReason::Vanished { gone, of, some } => {
                let named: Vec<String> = some.iter().map(ToString::to_string).collect();
                let more = gone.saturating_sub(named.len());
                write!(f, "{gone} of {of} objects are gone: {}", named.join(", "))?;
                if more > 0 {
                    write!(f, " and {more} more")?;
                }
                Ok(())
            }
            HoldReason::Moved { moved, some } => {
                let named = some.iter().map(|(from, to)| format!("{from} is {to} now"));
                let named: Vec<String> = named.collect();
                write!(
                    f,
                    "it gives objects other names, by which their policy and pauses are not theirs any \
                     more: {}",
                    named.join(", ")
                )?;
                match moved.saturating_sub(some.len()) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            HoldReason::CountDrop {
                key,
                path,
                from,
                to,
            } => write!(f, "{path} of {key} falls from {from} to {to}"),
            HoldReason::Signature { why } => write!(f, "its signature is not trusted: {why}"),
        }
    }
}

/// The commit that one app is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCommit {
    /// Which.
    pub commit: CommitId,
    /// Why.
    pub why: Why,
}

/// Why an app is not at the source's commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Why {
    /// A person set it there.
    Pinned {
        /// Who: `user@host/pid`.
        by: String,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Its documents do not load in the newer one.
    DidNotLoad,
}

/// An app that a person set to one commit, until it is let go again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The app.
    pub app: String,
    /// The commit.
    pub commit: CommitId,
    /// Who: `user@host/pid`.
    pub by: String,
    /// When, by that one's wall clock.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Pin {
    /// As a plan tells it.
    pub fn told(&self) -> AppCommit {
        AppCommit {
            commit: self.commit.clone(),
            why: Why::Pinned {
                by: self.by.clone(),
                at: self.at,
                reason: self.reason.clone(),
            },
        }
    }
}

/// What the store knows of a Git source; every replica reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceRecord {
    /// The commit in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<CommitId>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The commit that is not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<SourceHold>,
    /// A person's word for the held commit, until it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// Apps whose documents do not load in the commit in force, and the last in which they did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub behind: BTreeMap<String, CommitId>,
    /// Acknowledgements that were used, newest last, at most [`ACKNOWLEDGEMENTS_KEPT`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<Acknowledgement>,
}

/// How many used acknowledgements a record keeps, for people.
pub const ACKNOWLEDGEMENTS_KEPT: usize = 20;

/// A person's word that a commit is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Which commit; no other is taken by it.
    pub commit: CommitId,
    /// What it was held for.
    pub reasons: Vec<HoldReason>,
    /// Who: `user@host/pid`.
    pub by: String,
    /// When, by that one's wall clock.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_commit_in_lower_case_is_one() {
        let full = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(CommitId::parse(full).unwrap().short(), "0123456789ab");
        for bad in [
            "",
            "HEAD",
            "0123456",
            "--upload-pack=x",
            &full.to_uppercase(),
        ] {
            assert_eq!(CommitId::parse(bad), None, "{bad}");
        }
        assert!(serde_json::from_str::<CommitId>("\"--x\"").is_err());
    }

    #[test]
    fn an_app_that_is_pinned_is_at_its_own_commit() {
        let [main, pinned] = ["a", "b"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
        let mut state = SourceState {
            commit: Some(main.clone()),
            ..SourceState::default()
        };
        let at = AppCommit {
            commit: pinned.clone(),
            why: Why::DidNotLoad,
        };
        state.apps.insert("shop".to_owned(), at);
        assert_eq!(state.commit_of("shop"), Some(&pinned));
        assert_eq!(state.commit_of("blog"), Some(&main));
    }
}
