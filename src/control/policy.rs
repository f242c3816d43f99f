//! Change policies: what an app is allowed, as one value of which the stricter of two can be told.
//!
//! Pure. The policies form a lattice: [`ChangePolicy::and`] is what both allow, and
//! [`ChangePolicy::loosened`] says in which ways one allows more than another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::spec::Mode;
use super::window::Windows;
use crate::model::change::Risk;

/// What is allowed of an app. By default all that is allowed of one without a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePolicy {
    /// Whether drift is corrected.
    pub mode: Mode,
    /// Risks that need no approval; never the destructive one.
    pub without_approval: BTreeSet<Risk>,
    /// Objects written in any hour.
    pub objects_per_hour: Option<u32>,
    /// Tasks replaced or started in any hour.
    pub tasks_per_hour: Option<u32>,
    /// Each of them has to be open.
    pub windows: BTreeSet<Windows>,
    /// None of them may be on.
    pub freezes: BTreeSet<Freeze>,
    /// Apps that have to be in order, and for how many seconds.
    pub canaries: BTreeMap<String, u64>,
    /// What lets a destructive change pass.
    pub destructive: Destructive,
    /// How many people have to approve a destructive change or a looser policy; at least 1.
    pub approvers: u32,
}

/// What lets a destructive change pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destructive {
    /// An approval of exactly this change.
    ByApproval,
    /// That, or `apply --allow-destructive`: so for an app without a policy.
    ByFlag,
}

/// A time in which nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Freeze {
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl Freeze {
    /// Whether it is on.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

impl Default for ChangePolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Correct,
            without_approval: BTreeSet::from([Risk::Routine, Risk::Disruptive]),
            objects_per_hour: None,
            tasks_per_hour: None,
            windows: BTreeSet::new(),
            freezes: BTreeSet::new(),
            canaries: BTreeMap::new(),
            destructive: Destructive::ByFlag,
            approvers: 1,
        }
    }
}

/// A way in which a policy allows more than another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loosening {
    /// Drift is corrected that was only told.
    Mode,
    /// A risk needs an approval no more.
    Risk(Risk),
    /// More objects may be written in an hour; `None` is any number.
    Objects(Option<u32>),
    /// More tasks may be replaced in an hour; `None` is any number.
    Tasks(Option<u32>),
    /// These windows, or parts of them, bind no more.
    Windows(String),
    /// This freeze is gone, or shorter.
    Freeze(String),
    /// This canary is waited for no more, or not as long.
    Canary(String),
    /// A destructive change needs no approval.
    Destructive,
    /// So many people need to approve, and before so many more.
    Approvers(u32, u32),
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: &Option<u32>| {
            n.map_or_else(|| "any number of".to_owned(), |n| format!("up to {n}"))
        };
        match self {
            Loosening::Mode => f.write_str("drift is corrected, not only reported"),
            Loosening::Risk(risk) => write!(f, "{risk} changes need no approval"),
            Loosening::Objects(n) => write!(f, "{} objects an hour", number(n)),
            Loosening::Tasks(n) => write!(f, "{} tasks an hour", number(n)),
            Loosening::Windows(was) => write!(f, "other times than {was}"),
            Loosening::Freeze(reason) => write!(f, "the freeze {reason:?} ends sooner"),
            Loosening::Canary(app) => write!(f, "{app} is waited for less"),
            Loosening::Destructive => f.write_str("destructive changes need no approval"),
            Loosening::Approvers(n, before) => {
                write!(f, "{n} instead of {before} people approve what destroys")
            }
        }
    }
}

impl ChangePolicy {
    /// What both allow.
    #[must_use]
    pub fn and(&self, other: &ChangePolicy) -> ChangePolicy {
        // Every field is named, so that a new one cannot be forgotten.
        let ChangePolicy {
            mode,
            without_approval,
            objects_per_hour,
            tasks_per_hour,
            windows,
            freezes,
            canaries,
            destructive,
            approvers,
        } = self;
        let mut canaries = canaries.clone();
        for (app, bake) in &other.canaries {
            let longest = canaries.entry(app.clone()).or_default();
            *longest = (*longest).max(*bake);
        }
        ChangePolicy {
            mode: (*mode).min(other.mode),
            without_approval: without_approval & &other.without_approval,
            objects_per_hour: fewest(*objects_per_hour, other.objects_per_hour),
            tasks_per_hour: fewest(*tasks_per_hour, other.tasks_per_hour),
            windows: narrowest(windows | &other.windows),
            freezes: freezes | &other.freezes,
            canaries,
            destructive: (*destructive).min(other.destructive),
            approvers: (*approvers).max(other.approvers),
        }
    }

    /// In which ways `other` allows more than this, from `now` on; none when it allows no more.
    pub fn loosened(&self, other: &ChangePolicy, now: Timestamp) -> Vec<Loosening> {
        let ChangePolicy {
            mode,
            without_approval,
            objects_per_hour,
            tasks_per_hour,
            windows,
            freezes,
            canaries,
            destructive,
            approvers,
        } = self;
        let mut ways = Vec::new();
        if other.mode > *mode {
            ways.push(Loosening::Mode);
        }
        ways.extend(
            (&other.without_approval - without_approval)
                .into_iter()
                .map(Loosening::Risk),
        );
        if more(*objects_per_hour, other.objects_per_hour) {
            ways.push(Loosening::Objects(other.objects_per_hour));
        }
        if more(*tasks_per_hour, other.tasks_per_hour) {
            ways.push(Loosening::Tasks(other.tasks_per_hour));
        }
        let binds = |was: &&Windows| !other.windows.iter().any(|now| was.hold(now));
        ways.extend(
            windows
                .iter()
                .filter(binds)
                .map(|was| Loosening::Windows(was.to_string())),
        );
        let lifted = |freeze: &&Freeze| !covered(freeze, &other.freezes, now);
        ways.extend(
            freezes
                .iter()
                .filter(lifted)
                .map(|f| Loosening::Freeze(f.reason.clone())),
        );
        let less =
            |(app, bake): &(&String, &u64)| other.canaries.get(*app).is_none_or(|b| b < *bake);
        ways.extend(
            canaries
                .iter()
                .filter(less)
                .map(|(app, _)| Loosening::Canary(app.clone())),
        );
        if other.destructive > *destructive {
            ways.push(Loosening::Destructive);
        }
        if other.approvers < *approvers {
            ways.push(Loosening::Approvers(other.approvers, self.approvers));
        }
        ways
    }

    /// The same without freezes that are over: what is kept does not grow with the years.
    #[must_use]
    pub fn as_of(&self, now: Timestamp) -> ChangePolicy {
        let mut policy = self.clone();
        policy.freezes.retain(|freeze| now < freeze.until);
        policy
    }
}

fn fewest(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

/// Whether `now` is more than `was`; `None` is any number.
fn more(was: Option<u32>, now: Option<u32>) -> bool {
    was.is_some_and(|was| now.is_none_or(|now| now > was))
}

/// Windows that say nothing beside a narrower one are left out.
fn narrowest(all: BTreeSet<Windows>) -> BTreeSet<Windows> {
    let idle = |one: &Windows| all.iter().any(|other| other != one && one.hold(other));
    all.iter().filter(|one| !idle(one)).cloned().collect()
}

/// Whether nothing of what is left of `freeze` is free of `freezes`.
fn covered(freeze: &Freeze, freezes: &BTreeSet<Freeze>, now: Timestamp) -> bool {
    let mut open = freeze.from.max(now);
    // By their beginnings: what is not covered when one begins is covered by none after it.
    for other in freezes {
        if other.from <= open {
            open = open.max(other.until);
        }
    }
    open >= freeze.until
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::control::spec::Day;
    use crate::control::window::Opening;
    use proptest::prelude::*;

    const NOW: i64 = 1_770_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn any_windows() -> impl Strategy<Value = Windows> {
        let opening = (0usize..7, 0u16..4, 1u16..4).prop_map(|(day, from, lasts)| Opening {
            zone: "UTC".into(),
            day: Day::ALL[day],
            of_month: None,
            from: from * 60,
            lasts: lasts * 60,
        });
        prop::collection::vec(opening, 1..4).prop_map(Windows::of)
    }

    fn any_freeze() -> impl Strategy<Value = Freeze> {
        (-3i64..6, 1i64..4).prop_map(|(from, lasts)| Freeze {
            from: at(NOW + from * 3600),
            until: at(NOW + (from + lasts) * 3600),
            reason: "sale".into(),
        })
    }

    /// Any policy, of few values in each field, so that two often compare.
    pub(crate) fn any_policy() -> impl Strategy<Value = ChangePolicy> {
        let risks = prop::collection::btree_set(
            prop::sample::select(vec![Risk::Routine, Risk::Disruptive]),
            0..3,
        );
        let number = || prop::option::of(1u32..4);
        let canaries = prop::collection::btree_map("[ab]", 1u64..3, 0..3);
        (
            (any::<bool>(), risks, number(), number()),
            prop::collection::btree_set(any_windows(), 0..3).prop_map(narrowest),
            prop::collection::btree_set(any_freeze(), 0..4),
            canaries,
            (any::<bool>(), 1u32..4),
        )
            .prop_map(
                |(
                    (report, without_approval, objects, tasks),
                    windows,
                    freezes,
                    canaries,
                    (flag, approvers),
                )| {
                    ChangePolicy {
                        mode: if report { Mode::Report } else { Mode::Correct },
                        without_approval,
                        objects_per_hour: objects,
                        tasks_per_hour: tasks,
                        windows,
                        freezes,
                        canaries,
                        destructive: if flag {
                            Destructive::ByFlag
                        } else {
                            Destructive::ByApproval
                        },
                        approvers,
                    }
                },
            )
    }

    /// Whether `one` allows no more than `other`.
    fn within(one: &ChangePolicy, other: &ChangePolicy) -> bool {
        other.loosened(one, at(NOW)).is_empty()
    }

    proptest! {
        #[test]
        fn allowing_no_more_is_an_order(
            (a, b, c) in (any_policy(), any_policy(), any_policy()),
        ) {
            prop_assert!(within(&a, &a));
            if within(&a, &b) && within(&b, &c) {
                prop_assert!(within(&a, &c));
            }
            // What is below both is found by `and`, so this is tried often enough, too.
            let low = a.and(&b).and(&c);
            prop_assert!(within(&low, &a.and(&b)) && within(&a.and(&b), &a) && within(&low, &a));
        }

        #[test]
        fn what_both_allow_is_the_most_that_is_within_both(
            (a, b, c) in (any_policy(), any_policy(), any_policy()),
        ) {
            let both = a.and(&b);
            prop_assert!(within(&both, &a) && within(&both, &b));
            let same = |x: &ChangePolicy, y: &ChangePolicy| within(x, y) && within(y, x);
            prop_assert!(same(&both, &b.and(&a)));
            prop_assert!(same(&a.and(&a), &a));
            prop_assert!(same(&a.and(&b.and(&c)), &both.and(&c)));
            let lower = c.and(&both);
            prop_assert!(within(&lower, &both));
            if within(&c, &a) && within(&c, &b) {
                prop_assert!(within(&c, &both));
            }
            prop_assert_eq!(within(&a, &b), same(&both, &a));
        }

        #[test]
        fn no_policy_allows_more_than_none(a in any_policy()) {
            prop_assert!(within(&a, &ChangePolicy::default()));
            prop_assert!(within(&a.as_of(at(NOW)), &a) && within(&a, &a.as_of(at(NOW))));
        }
    }

    #[test]
    fn a_freeze_may_be_split_but_not_shortened() {
        let freeze = |from, until| Freeze {
            from: at(NOW + from),
            until: at(NOW + until),
            reason: "sale".into(),
        };
        let with = |freezes: &[Freeze]| ChangePolicy {
            freezes: freezes.iter().cloned().collect(),
            ..ChangePolicy::default()
        };
        let was = with(&[freeze(0, 100)]);
        let loosened = |to: &[Freeze]| was.loosened(&with(to), at(NOW));
        assert_eq!(loosened(&[freeze(-10, 50), freeze(50, 120)]), []);
        let sooner = [Loosening::Freeze("sale".into())];
        assert_eq!(loosened(&[freeze(0, 99)]), sooner);
        assert_eq!(loosened(&[freeze(0, 40), freeze(60, 100)]), sooner);
        // One that is over is missed by nobody.
        assert_eq!(was.loosened(&with(&[]), at(NOW + 100)), []);
    }
}
