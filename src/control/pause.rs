//! Pauses: a person's word that nothing is to be written for a while, apart from the lease.
//!
//! Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::key::ResourceKey;

/// The longest pause. What is to stand still for longer belongs into the app's Policy, where it is
/// reviewed and seen by all: `mode: report`, or a freeze.
pub const PAUSE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// That nothing of an app, or one object of it, is written until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Whose.
    pub app: String,
    /// `Kind/name`; `None` for the whole app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who: the caller's ARN, as AWS gave it.
    pub by: String,
    /// When it was asked for, by the caller's wall clock.
    pub at: Timestamp,
    /// Who ended it sooner, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
}

/// That a pause was ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The caller's ARN.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Pause {
    /// Whether it is on.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.resumed.is_none() && now < self.until
    }

    /// Whether it is about `key`.
    pub fn holds(&self, key: &ResourceKey) -> bool {
        self.app == key.app
            && self
                .object
                .as_ref()
                .is_none_or(|object| *object == format!("{}/{}", key.kind, key.name))
    }

    /// What is paused: `shop`, `shop/Service/web`.
    pub fn of(&self) -> String {
        match &self.object {
            None => self.app.clone(),
            Some(object) => format!("{}/{object}", self.app),
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is paused until {} by {}: {}",
            self.of(),
            self.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.by,
            self.reason
        )
    }
}
