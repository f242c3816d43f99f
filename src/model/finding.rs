//! Findings: what is wrong with a desired state, where, and what to do about it.

use serde::{Deserialize, Serialize};

use super::document::Span;
use super::key::ResourceKey;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The app is frozen until it is mended.
    Error,
    /// Worth a look; nothing is stopped by it.
    Warning,
}

/// One thing to tell about the desired state.
///
/// `message` names the object and the fault; `help` says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// A stable word for the rule, such as `unknown-field`.
    pub rule: String,
    /// What is wrong, in one sentence without a final full stop.
    pub message: String,
    /// What to do, in one sentence without a final full stop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Span>,
    /// Whose, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<ResourceKey>,
    /// How many findings it stands for: one, but for the one that tells how many are not shown.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub stands_for: usize,
    /// The lines around `at`, already drawn with a caret; text only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snippet: Option<String>,
}

/// The rule of the finding that stands for those of a file that are not shown.
pub const MORE_FINDINGS: &str = "more-findings";

fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a field over by reference"
)]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Finding {
    /// An error of `rule`.
    pub fn error(rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule: rule.to_owned(),
            message: message.into(),
            help: None,
            at: None,
            key: None,
            stands_for: 1,
            snippet: None,
        }
    }

    /// A warning of `rule`.
    pub fn warning(rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(rule, message)
        }
    }

    /// With what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With its place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.at = Some(span);
        self
    }

    /// With its object.
    #[must_use]
    pub fn of(mut self, key: &ResourceKey) -> Self {
        self.key = Some(key.clone());
        self
    }
}
