//! Leashes: which policy is in force for an app, when its documents say another than the store.
//!
//! Pure. A commit may tighten at once. What it would loosen waits for an approval, and until then
//! holds what both allow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approval::{Reach, Standing};
use super::policy::{ChangePolicy, Destructive, Loosening};
use crate::model::tree;

/// The policy that the store holds for an app: the newest that took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leash {
    /// Grows by one with each change of it.
    pub version: u64,
    /// What is allowed.
    pub policy: ChangePolicy,
}

/// What the documents say of an app's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written<'d> {
    /// Something of the app did not load: nothing is known, least of all that there is none.
    Unknown,
    /// There is no Policy document.
    Nothing,
    /// This.
    Policy(&'d ChangePolicy),
}

/// Which policy is in force, and what is to become of the store's.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// What is allowed now.
    pub policy: ChangePolicy,
    /// What the store is to hold instead of what it holds; `None` when it is that already.
    pub record: Option<ChangePolicy>,
    /// The digest whose approval is used up by recording it.
    pub uses: Option<String>,
    /// What the documents allow more, and waits for an approval.
    pub pending: Option<Pending>,
}

/// A looser policy that waits for its approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What has to be approved.
    pub digest: String,
    /// In which ways it allows more.
    pub loosened: Vec<Loosening>,
    /// How many people have approved it.
    pub have: u32,
    /// How many have to.
    pub need: u32,
}

impl InForce {
    /// Whether a destructive change needs an approval, and no flag is enough.
    pub fn asks(&self) -> bool {
        self.policy.destructive == Destructive::ByApproval
    }
}

/// The digest of a policy, which an approval of it names.
pub fn digest(app: &str, policy: &ChangePolicy) -> String {
    tree::digest_of(&("policy", app, policy))
}

/// What is in force for `app`. An app that the store holds no policy for was free until now, so
/// its first policy only tightens.
pub fn in_force(
    app: &str,
    stored: Option<&ChangePolicy>,
    written: Written<'_>,
    approvals: &Standing,
    ceiling: &ChangePolicy,
    now: Timestamp,
) -> InForce {
    let free = ChangePolicy::default();
    let was = stored.unwrap_or(&free);
    let wanted = match written {
        Written::Unknown => {
            return InForce {
                policy: was.and(ceiling),
                record: None,
                uses: None,
                pending: None,
            };
        }
        Written::Nothing => free.clone(),
        Written::Policy(policy) => policy.as_of(now),
    };
    let loosened = was.loosened(&wanted, now);
    let digest = digest(app, &wanted);
    let (need, have) = (
        was.and(ceiling).approvers,
        approvals.people(&digest, Reach::InTime, now),
    );
    let (policy, uses, pending) = if loosened.is_empty() {
        (wanted, None, None)
    } else if have >= need {
        (wanted, Some(digest), None)
    } else {
        let pending = Pending {
            digest,
            loosened,
            have,
            need,
        };
        (was.and(&wanted).as_of(now), None, Some(pending))
    };
    let changed = !was.loosened(&policy, now).is_empty() || !policy.loosened(was, now).is_empty();
    InForce {
        record: changed.then(|| policy.clone()),
        policy: policy.and(ceiling),
        uses,
        pending,
    }
}

#[cfg(test)]
mod tests {
    use super::super::approval::{ApprovalEntry, ApprovalRecord, Approved};
    use super::super::policy::tests::any_policy;
    use super::super::spec::Mode;
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_770_000_000).unwrap()
    }

    fn force(stored: Option<&ChangePolicy>, written: Written<'_>, approvals: &Standing) -> InForce {
        in_force(
            "shop",
            stored,
            written,
            approvals,
            &ChangePolicy::default(),
            now(),
        )
    }

    fn approved(policy: &ChangePolicy, callers: &[&str]) -> Standing {
        let change = Approved {
            digest: digest("shop", &policy.as_of(now())),
            of: "the policy of shop".into(),
            what: String::new(),
        };
        let entry = |caller: &&str| ApprovalEntry {
            app: "shop".into(),
            seq: 1,
            at: now(),
            caller: (*caller).to_owned(),
            record: ApprovalRecord::Granted {
                changes: vec![change.clone()],
                reason: String::new(),
                until: now() + std::time::Duration::from_secs(1),
                reach: Reach::InTime,
            },
            prev: String::new(),
            hash: String::new(),
        };
        Standing::of(&callers.iter().map(entry).collect::<Vec<_>>(), now())
    }

    proptest! {
        #[test]
        fn nothing_looser_is_in_force_without_an_approval(
            (first, commits) in (any_policy(), prop::collection::vec(prop::option::of(any_policy()), 1..6)),
        ) {
            let mut stored = first;
            for commit in &commits {
                let written = commit.as_ref().map_or(Written::Nothing, Written::Policy);
                let force = force(Some(&stored), written, &Standing::default());
                prop_assert_eq!(stored.loosened(&force.policy, now()), []);
                // And it is as tight as the commit says, at once.
                let wanted = commit.clone().unwrap_or_default();
                prop_assert_eq!(wanted.loosened(&force.policy, now()), []);
                let waits = !stored.loosened(&wanted, now()).is_empty();
                prop_assert_eq!(force.pending.is_some(), waits);
                if let Some(next) = force.record {
                    prop_assert_eq!(stored.loosened(&next, now()), []);
                    stored = next;
                }
            }
        }

        #[test]
        fn no_document_passes_the_ceiling(
            (stored, written, ceiling) in (any_policy(), any_policy(), any_policy()),
        ) {
            let approvals = approved(&written, &["arn:aws:iam::1:user/a", "arn:aws:iam::1:user/b", "arn:aws:iam::1:user/c"]);
            let force = in_force("shop", Some(&stored), Written::Policy(&written), &approvals, &ceiling, now());
            prop_assert_eq!(ceiling.loosened(&force.policy, now()), []);
            prop_assert_eq!(force.pending, None);
        }

        #[test]
        fn what_is_recorded_is_in_order_at_the_next_look(
            (stored, written) in (prop::option::of(any_policy()), any_policy()),
        ) {
            let first = force(stored.as_ref(), Written::Policy(&written), &Standing::default());
            let next = first.record.clone().or(stored);
            let second = force(next.as_ref(), Written::Policy(&written), &Standing::default());
            prop_assert_eq!(second.record, None);
            let (a, b) = (&first.policy, &second.policy);
            prop_assert!(a.loosened(b, now()).is_empty() && b.loosened(a, now()).is_empty());
        }
    }

    #[test]
    fn a_looser_policy_takes_as_many_people_as_the_old_one_asks_for() {
        let strict = ChangePolicy {
            mode: Mode::Report,
            approvers: 2,
            ..ChangePolicy::default()
        };
        let loose = ChangePolicy::default();
        let one = approved(&loose, &["arn:aws:iam::1:user/a"]);
        let held = force(Some(&strict), Written::Policy(&loose), &one);
        let pending = held.pending.unwrap();
        assert_eq!((pending.have, pending.need), (1, 2));
        assert_eq!(held.policy.mode, Mode::Report);
        let two = approved(&loose, &["arn:aws:iam::1:user/a", "arn:aws:iam::1:user/b"]);
        let free = force(Some(&strict), Written::Policy(&loose), &two);
        assert_eq!((free.policy.mode, free.pending), (Mode::Correct, None));
        assert!(free.uses.is_some());
    }

    #[test]
    fn a_policy_that_does_not_load_is_not_one_that_is_gone() {
        let strict = ChangePolicy {
            mode: Mode::Report,
            ..ChangePolicy::default()
        };
        let force = force(Some(&strict), Written::Unknown, &Standing::default());
        assert_eq!(
            (force.policy, force.record, force.pending),
            (strict, None, None)
        );
    }
}
