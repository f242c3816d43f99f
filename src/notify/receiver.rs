//! Receivers: who is told what. Pure: values only; where a secret is kept, never the secret.

use std::fmt;

use crate::model::notice::{Notice, Severity, Topic};

/// Notices an hour where the settings name no number.
pub const PER_HOUR: u32 = 60;

/// One receiver, as the settings name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name in logs and metrics.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Which apps; empty: all.
    pub apps: Vec<String>,
    /// How bad it has to be.
    pub severity: Severity,
    /// Which topics; empty: all.
    pub events: Vec<Topic>,
    /// Notices an hour in the long run.
    pub per_hour: u32,
    /// Whether it gets the notices of changes, and no other.
    pub of_changes: bool,
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// An SNS topic, by its ARN.
    Sns(String),
    /// A webhook that takes Slack's messages.
    Slack(Kept),
    /// A webhook that takes our JSON.
    Webhook(Kept),
}

/// Where a URL is kept that is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Env(name) => write!(f, "the environment variable {name}"),
            Kept::File(path) => write!(f, "the file {path}"),
        }
    }
}

impl Receiver {
    /// Whether it is to be told.
    pub fn wants(&self, notice: &Notice) -> bool {
        let all = |empty: bool, named: bool| empty || named;
        notice.topic.is_of_a_change() == self.of_changes
            && all(
                self.apps.is_empty() || notice.app.is_empty(),
                self.apps.contains(&notice.app),
            )
            && (self.of_changes
                || (notice.severity >= self.severity
                    && all(self.events.is_empty(), self.events.contains(&notice.topic))))
    }
}

/// Region of a topic's ARN: `arn:aws:sns:us-east-1:123456789012:alerts`.
pub fn region_of(topic: &str) -> Option<&str> {
    let parts: Vec<&str> = topic.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && !name.is_empty()
                && !name.contains(':') =>
        {
            Some(region)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> Receiver {
        Receiver {
            name: "ops".into(),
            way: Way::Sns("arn:aws:sns:us-east-1:123456789012:ops".into()),
            apps: vec!["shop".into()],
            severity: Severity::Warning,
            events: vec![Topic::DriftFound, Topic::Corrected],
            per_hour: PER_HOUR,
            of_changes: false,
        }
    }

    #[test]
    fn a_receiver_gets_what_it_asked_for_and_no_change_notices() {
        let of =
            |topic, app: &str| Notice::new(topic, app, jiff::Timestamp::UNIX_EPOCH, Vec::new());
        let wants = |topic, app: &str| receiver().wants(&of(topic, app));
        assert!(wants(Topic::DriftFound, "shop"));
        assert!(!wants(Topic::DriftFound, "cart"));
        assert!(!wants(Topic::Corrected, "shop"), "it is not bad enough");
        assert!(!wants(Topic::Contested, "shop"), "it is not named");
        assert!(!wants(Topic::ChangeBegins, "shop"));
        assert!(wants(Topic::DriftFound, ""), "it is about all apps");
        let changes = Receiver {
            of_changes: true,
            ..receiver()
        };
        assert!(changes.wants(&of(Topic::ChangeEnded, "shop")));
        assert!(!changes.wants(&of(Topic::DriftFound, "shop")));
    }

    #[test]
    fn a_topic_says_its_region() {
        assert_eq!(
            region_of("arn:aws-cn:sns:cn-north-1:123456789012:a.fifo"),
            Some("cn-north-1")
        );
        for bad in [
            "alerts",
            "arn:aws:sqs:us-east-1:123456789012:q",
            "arn:aws:sns:us-east-1:1:a",
        ] {
            assert_eq!(region_of(bad), None, "{bad}");
        }
    }
}
