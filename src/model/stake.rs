//! Stakes: what a field puts at risk when it is not as its document says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// What is at risk. Ordered: the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stake {
    /// Nothing but tidiness: names, descriptions, tags.
    Cosmetic,
    /// Money: more runs, or more is kept, than was asked for.
    Cost,
    /// Being told: an alarm that does not ring, or rings for nobody.
    Alarms,
    /// Service: too little runs, or the next deployment takes too much of it away.
    Availability,
    /// Data: backups that are not made or not kept, databases that can be deleted.
    Data,
}

impl Stake {
    /// All of them, the worst first, which is the order of reports.
    pub const ALL: [Stake; 5] = [
        Stake::Data,
        Stake::Availability,
        Stake::Alarms,
        Stake::Cost,
        Stake::Cosmetic,
    ];

    /// How bad that is.
    pub fn severity(self) -> Severity {
        match self {
            Stake::Cosmetic => Severity::Low,
            Stake::Cost => Severity::Medium,
            Stake::Alarms | Stake::Availability | Stake::Data => Severity::High,
        }
    }
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stake::Cosmetic => "cosmetic",
            Stake::Cost => "cost",
            Stake::Alarms => "alarms",
            Stake::Availability => "availability",
            Stake::Data => "data",
        })
    }
}

/// How bad drift is, by its [`Stake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It can wait.
    Low,
    /// It costs.
    Medium,
    /// Somebody or something is hurt by it when the next thing goes wrong.
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        })
    }
}

/// What one field puts at risk; a number may put something else at risk above than below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stakes {
    below: Stake,
    above: Stake,
}

impl Stakes {
    /// The same, whatever it is instead.
    pub const fn always(stake: Stake) -> Self {
        Self {
            below: stake,
            above: stake,
        }
    }

    /// `below` while less is there than the document wants, `above` while there is more.
    pub const fn either(below: Stake, above: Stake) -> Self {
        Self { below, above }
    }

    /// What is at risk while `live` stands where `desired` is wanted. What cannot be compared is
    /// taken for the worse of the two.
    pub fn of(self, desired: &Tree, live: &Tree) -> Stake {
        // A band is left below its least or above its most.
        let least = desired.get("min").unwrap_or(desired).as_f64();
        match (least, live.as_f64()) {
            (Some(least), Some(live)) if live < least => self.below,
            (Some(_), Some(_)) => self.above,
            _ => self.below.max(self.above),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fewer_tasks_are_an_outage_and_more_are_a_bill() {
        let count = Stakes::either(Stake::Availability, Stake::Cost);
        let of = |desired: Tree, live: Tree| count.of(&desired, &live);
        assert_eq!(of(json!(3), json!(1)), Stake::Availability);
        assert_eq!(of(json!(3), json!(9)), Stake::Cost);
        assert_eq!(
            of(json!({"min": 2, "max": 4}), json!(1)),
            Stake::Availability
        );
        assert_eq!(of(json!({"min": 2, "max": 4}), json!(9)), Stake::Cost);
        assert_eq!(of(json!(3), Tree::Null), Stake::Availability);
    }

    #[test]
    fn what_hurts_data_service_or_alarms_is_severe() {
        let high = Stake::ALL
            .iter()
            .filter(|s| s.severity() == Severity::High)
            .count();
        assert_eq!(high, 3);
        assert!(Stake::ALL.windows(2).all(|w| w[0] > w[1]));
    }
}
