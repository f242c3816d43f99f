//! Trace: what a run did, as one hash, and as text for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The events of a run.
#[derive(Default)]
pub struct Trace {
    hash: Sha256,
    /// Lines for people; `None` while nobody reads them.
    pub lines: Option<Vec<String>>,
    pub events: u64,
}

impl Trace {
    /// Enters one event: when, who, what, with which canonical detail.
    pub fn enter(&mut self, at: Duration, who: &str, what: &str, detail: &Value) {
        self.events += 1;
        let detail = detail.to_string();
        for part in [at.as_millis().to_string().as_str(), who, what, &detail] {
            self.hash.update(part.as_bytes());
            self.hash.update([0]);
        }
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{:>9.3} {who:<6} {what}", at.as_secs_f64());
            if detail != "null" {
                let short: String = detail.chars().take(160).collect();
                let _ = write!(line, " {short}");
            }
            lines.push(line);
        }
    }

    /// The hash of all that was entered.
    pub fn hash(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}
