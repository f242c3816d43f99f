//! Notices: what people are told of a change of state, and how bad it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::Drift;

/// What a notice tells of. New ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// Something differs from its document that did not before.
    DriftFound,
    /// It was written, and AWS took it.
    Corrected,
    /// Nothing is written until a person does something.
    Blocked,
    /// Set back again and again after being corrected; Evenkeel has stopped.
    Contested,
    /// A write failed.
    Failed,
    /// AWS rolled a change back, or its rollout failed.
    RolledBack,
    /// The store does not answer: nothing is written.
    StoreUnreachable,
    /// What was blocked, contested, failed or unreachable no longer is.
    Recovered,
    /// A change is about to be written; sent to `changeNotices` only.
    ChangeBegins,
    /// How a change ended; sent to `changeNotices` only.
    ChangeEnded,
    /// More happened than a receiver is told of.
    LeftOut,
    /// A commit of the Git source is not taken, for one app or as a whole.
    CommitHeld,
}

impl Topic {
    /// All of them, in the order of the reference.
    pub const ALL: [Topic; 12] = [
        Topic::DriftFound,
        Topic::Corrected,
        Topic::Blocked,
        Topic::Contested,
        Topic::Failed,
        Topic::RolledBack,
        Topic::StoreUnreachable,
        Topic::Recovered,
        Topic::ChangeBegins,
        Topic::ChangeEnded,
        Topic::LeftOut,
        Topic::CommitHeld,
    ];

    /// As in settings and messages: `driftFound`.
    pub fn word(self) -> &'static str {
        match self {
            Topic::DriftFound => "driftFound",
            Topic::Corrected => "corrected",
            Topic::Blocked => "blocked",
            Topic::Contested => "contested",
            Topic::Failed => "failed",
            Topic::RolledBack => "rolledBack",
            Topic::StoreUnreachable => "storeUnreachable",
            Topic::Recovered => "recovered",
            Topic::ChangeBegins => "changeBegins",
            Topic::ChangeEnded => "changeEnded",
            Topic::LeftOut => "leftOut",
            Topic::CommitHeld => "commitHeld",
        }
    }

    /// How bad it is where nothing says otherwise.
    pub fn severity(self) -> Severity {
        match self {
            Topic::Corrected | Topic::Recovered | Topic::ChangeBegins | Topic::ChangeEnded => {
                Severity::Info
            }
            Topic::DriftFound | Topic::Blocked | Topic::LeftOut => Severity::Warning,
            Topic::Contested
            | Topic::Failed
            | Topic::RolledBack
            | Topic::StoreUnreachable
            | Topic::CommitHeld => Severity::Critical,
        }
    }

    /// In a title: `drift found`.
    pub fn said(self) -> &'static str {
        match self {
            Topic::DriftFound => "drift found",
            Topic::Corrected => "corrected",
            Topic::Blocked => "blocked",
            Topic::Contested => "contested",
            Topic::Failed => "failed",
            Topic::RolledBack => "rolled back",
            Topic::StoreUnreachable => "the store does not answer",
            Topic::Recovered => "recovered",
            Topic::ChangeBegins => "a change begins",
            Topic::ChangeEnded => "a change has ended",
            Topic::LeftOut => "notices were left out",
            Topic::CommitHeld => "a commit is not taken",
        }
    }

    /// Whether it goes to the receivers of change notices, and to no other.
    pub fn is_of_a_change(self) -> bool {
        matches!(self, Topic::ChangeBegins | Topic::ChangeEnded)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Worth a look in the next hours.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// As in settings and messages.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// One thing to tell: of one app, one look or pass, and one topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What it tells of.
    pub topic: Topic,
    /// How bad it is.
    pub severity: Severity,
    /// Whose; empty where it is about the Git source, and so about all apps.
    pub app: String,
    /// When it was found or done, by wall clock.
    pub at: Timestamp,
    /// The objects that it is about, in key order; none where it is about the app as a whole.
    pub objects: Vec<About>,
    /// Why, where one sentence says it for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a notice says of one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// `shop/Service/web`.
    pub key: String,
    /// What is so, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// What differs, or differed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// What will be written, or was, each by its title.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
}

impl Notice {
    /// A notice of `topic`, as bad as its topic is.
    pub fn new(topic: Topic, app: &str, at: Timestamp, objects: Vec<About>) -> Self {
        Self {
            topic,
            severity: topic.severity(),
            app: app.to_owned(),
            at,
            objects,
            why: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_spelt_in_one_way() {
        for topic in Topic::ALL {
            assert_eq!(serde_json::json!(topic), topic.word());
        }
        for severity in Severity::ALL {
            assert_eq!(serde_json::json!(severity), severity.word());
        }
    }
}
