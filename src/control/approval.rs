//! Approvals: who said yes to exactly which change, in a hash chain of each app's own.
//!
//! Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::chain::Link;
use crate::model::tree;

/// How long an approval stands when nothing else is said.
pub const STANDS: Duration = Duration::from_secs(24 * 3600);
/// The longest that one may stand: what was approved longer ago, nobody remembers.
pub const STANDS_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// One entry of an app's chain of approvals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalEntry {
    /// Whose chain.
    pub app: String,
    /// From 1, without a gap.
    pub seq: u64,
    /// When it was written, by the writer's wall clock.
    pub at: Timestamp,
    /// Whose credentials wrote it: the ARN that STS gave.
    pub caller: String,
    /// What it says.
    pub record: ApprovalRecord,
    /// Hash of the entry before, or [`crate::model::entry::GENESIS`].
    pub prev: String,
    /// Hash of this one: the SHA-256 of the canonical JSON of all other members.
    pub hash: String,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum ApprovalRecord {
    /// Somebody approved these changes.
    Granted {
        /// Which.
        changes: Vec<Approved>,
        /// Why.
        reason: String,
        /// Until then.
        until: Timestamp,
        /// How far it reaches.
        reach: Reach,
    },
    /// What was granted of a change before is void.
    Revoked {
        /// The change's digest.
        digest: String,
        /// Why.
        reason: String,
    },
    /// What was granted of a change before has served.
    Used {
        /// The change's digest.
        digest: String,
        /// For what: the intent's id, or `policy`.
        by: String,
    },
}

/// A change that was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Its digest.
    pub digest: String,
    /// Of what: `shop/Service/web`, or `the policy of shop`.
    pub of: String,
    /// What it does, for people.
    pub what: String,
}

/// What can be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A change of an object, which is written once.
    Change,
    /// An app's Policy, which comes into force.
    Policy,
}

/// How far an approval reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reach {
    /// To its risk and the mode: it waits for windows, budgets and the canary all the same.
    InTime,
    /// To these as well: an emergency. Never to a pause.
    Now,
}

impl Link for ApprovalEntry {
    fn app(&self) -> &str {
        &self.app
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn prev(&self) -> &str {
        &self.prev
    }

    fn hash(&self) -> &str {
        &self.hash
    }

    fn expected_hash(&self) -> String {
        let mut tree = tree::to_tree(self);
        if let Some(members) = tree.as_object_mut() {
            members.remove("hash");
        }
        tree::digest(&tree)
    }
}

impl ApprovalEntry {
    /// This entry with its hash filled in.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = self.expected_hash();
        self
    }
}

/// The approvals that stand, by digest of the change: who, how far, until when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing(BTreeMap<String, BTreeMap<String, (Reach, Timestamp)>>);

impl Standing {
    /// What stands at `now` of a chain, oldest first.
    pub fn of(chain: &[ApprovalEntry], now: Timestamp) -> Self {
        let mut standing = Standing::default();
        for entry in chain {
            match &entry.record {
                ApprovalRecord::Granted {
                    changes,
                    until,
                    reach,
                    ..
                } if *until > now => {
                    for change in changes {
                        standing.grant(&change.digest, &entry.caller, *reach, *until);
                    }
                }
                ApprovalRecord::Granted { .. } => {}
                ApprovalRecord::Revoked { digest, .. } | ApprovalRecord::Used { digest, .. } => {
                    standing.0.remove(digest);
                }
            }
        }
        standing
    }

    /// Adds one.
    fn grant(&mut self, digest: &str, caller: &str, reach: Reach, until: Timestamp) {
        let people = self.0.entry(digest.to_owned()).or_default();
        let theirs = people.entry(person(caller)).or_insert((reach, until));
        // A second word of the same person counts once, and may only add.
        *theirs = (theirs.0.max(reach), theirs.1.max(until));
    }

    /// How many people approved the change, so far at least.
    pub fn people(&self, digest: &str, reach: Reach, now: Timestamp) -> u32 {
        let all = self.0.get(digest);
        let count = all.map_or(0, |people| {
            let counts = |(far, until): &&(Reach, Timestamp)| *far >= reach && *until > now;
            people.values().filter(counts).count()
        });
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Until when at least `people` stand behind the change, as far as it is approved now.
    pub fn stands_until(&self, digest: &str, reach: Reach, people: u32) -> Option<Timestamp> {
        let all = self.0.get(digest)?.values();
        let ends = all
            .filter(|(far, _)| *far >= reach)
            .map(|(_, until)| *until);
        let mut ends: Vec<Timestamp> = ends.collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let last = usize::try_from(people).ok()?.saturating_sub(1);
        ends.get(last).copied()
    }

    /// What was approved has served.
    pub fn spend(&mut self, digest: &str) {
        self.0.remove(digest);
    }
}

/// The one who stands behind a caller's ARN; two ARNs of one person give one.
///
/// A user is one. A role is one, whoever assumes it: the name of its session is the caller's free
/// choice (STS, AssumeRole, `RoleSessionName`), and proves nothing. But IAM Identity Center sets
/// the session names of its own roles (`AWSReservedSSO_…`) to the user's name, so there the user
/// is one, with whatever permission set. All federated users of an account are one: whoever calls
/// GetFederationToken names them at will.
pub fn person(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &[_, partition, _, _, account, resource] = parts.as_slice() else {
        return arn.to_owned();
    };
    let mut names = resource.splitn(3, '/');
    match (names.next(), names.next(), names.next()) {
        (Some("assumed-role"), Some(role), Some(user)) if role.starts_with("AWSReservedSSO_") => {
            format!(
                "arn:{partition}:sts::{account}:identity-center-user/{}",
                user.to_lowercase()
            )
        }
        (Some("assumed-role"), Some(role), _) => {
            format!("arn:{partition}:iam::{account}:role/{role}")
        }
        (Some("federated-user"), ..) => format!("arn:{partition}:sts::{account}:federated-user"),
        _ => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
    const BOB: &str = "arn:aws:iam::123456789012:user/bob";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(caller: &str, record: ApprovalRecord) -> ApprovalEntry {
        ApprovalEntry {
            app: "shop".into(),
            seq: 1,
            at: at(0),
            caller: caller.into(),
            record,
            prev: String::new(),
            hash: String::new(),
        }
    }

    fn granted(caller: &str, reach: Reach) -> ApprovalEntry {
        let change = Approved {
            digest: "d".into(),
            of: "shop/Service/web".into(),
            what: "a size".into(),
        };
        entry(
            caller,
            ApprovalRecord::Granted {
                changes: vec![change],
                reason: "agreed".into(),
                until: at(100),
                reach,
            },
        )
    }

    fn people(chain: &[ApprovalEntry], now: i64) -> u32 {
        Standing::of(chain, at(now)).people("d", Reach::InTime, at(now))
    }

    #[test]
    fn two_sessions_of_one_role_are_one_and_two_users_are_two() {
        let role = |session: &str| {
            person(&format!(
                "arn:aws:sts::123456789012:assumed-role/admin/{session}"
            ))
        };
        assert_eq!(role("alice"), role("bob"));
        assert_eq!(role("alice"), "arn:aws:iam::123456789012:role/admin");
        let sso = |set: &str, user: &str| {
            person(&format!(
                "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_{set}_0123456789abcdef/{user}"
            ))
        };
        assert_eq!(sso("Admin", "alice@corp.com"), sso("Ops", "Alice@corp.com"));
        assert_ne!(sso("Admin", "alice@corp.com"), sso("Admin", "bob@corp.com"));
        assert_ne!(person(ALICE), person(BOB));
        let federated =
            |name: &str| person(&format!("arn:aws:sts::123456789012:federated-user/{name}"));
        assert_eq!(federated("alice"), federated("bob"));
        let two = [granted(ALICE, Reach::InTime), granted(BOB, Reach::InTime)];
        assert_eq!(people(&two, 0), 2);
        assert_eq!(people(&[two[0].clone(), two[0].clone()], 0), 1);
    }

    #[test]
    fn an_approval_ends_by_time_by_use_and_by_revocation() {
        let given = granted(ALICE, Reach::InTime);
        assert_eq!(
            (people(from_ref(&given), 99), people(from_ref(&given), 100)),
            (1, 0)
        );
        let digest = "d".to_owned();
        let ends = [
            ApprovalRecord::Used {
                digest: digest.clone(),
                by: "i1".into(),
            },
            ApprovalRecord::Revoked {
                digest,
                reason: "no".into(),
            },
        ];
        for end in ends {
            let end = entry(BOB, end);
            assert_eq!(people(&[given.clone(), end.clone()], 0), 0);
            assert_eq!(people(&[given.clone(), end, given.clone()], 0), 1);
        }
    }

    #[test]
    fn a_change_stands_until_the_first_of_those_who_are_needed_ends() {
        let until = |caller, until| {
            let ApprovalEntry {
                record:
                    ApprovalRecord::Granted {
                        changes,
                        reason,
                        reach,
                        ..
                    },
                ..
            } = granted(caller, Reach::InTime)
            else {
                panic!("it is a grant");
            };
            let until = at(until);
            entry(
                caller,
                ApprovalRecord::Granted {
                    changes,
                    reason,
                    until,
                    reach,
                },
            )
        };
        let standing = Standing::of(&[until(ALICE, 20), until(BOB, 90)], at(0));
        let ends = [1, 2, 3].map(|people| standing.stands_until("d", Reach::InTime, people));
        assert_eq!(ends, [Some(at(90)), Some(at(20)), None]);
    }

    #[test]
    fn an_approval_in_time_does_not_reach_beyond_the_windows() {
        let standing = Standing::of(&[granted(ALICE, Reach::InTime)], at(0));
        assert_eq!(standing.people("d", Reach::Now, at(0)), 0);
        let standing = Standing::of(&[granted(ALICE, Reach::Now)], at(0));
        assert_eq!(standing.people("d", Reach::InTime, at(0)), 1);
        assert_eq!(standing.people("another", Reach::InTime, at(0)), 0);
    }
}
