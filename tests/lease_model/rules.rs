//! The real rules in ticks: what the code decides at each age, asked of the code itself.

use std::time::Duration;

use evenkeel::aws::door::{CALL_TIMEOUT, LEASE_MARGIN, outlasts_a_write};
use evenkeel::engine::resolve::still_to_wait;
use evenkeel::store::watch::{self, LeaseRow, LeaseState, Patience, Verdict};
use jiff::Timestamp;

/// One tick. As short as the longest wait for AWS, and a divisor of every other bound; what is shorter
/// (a store call, a look at a lease) takes no time here, and comes in any order within the tick.
pub const TICK: Duration = CALL_TIMEOUT;

/// Ages that are asked about. No rule says anything new after half as many.
const ASKED: u8 = 16;

/// A rule that says no up to some age, and yes from then on.
#[derive(Clone, Copy, Debug)]
pub struct From(u8);

impl From {
    fn of(rule: impl Fn(Duration) -> bool) -> Self {
        let says: Vec<bool> = (0..ASKED).map(|age| rule(TICK * u32::from(age))).collect();
        let first = says.iter().position(|yes| *yes).unwrap_or(says.len());
        assert!(
            says[first..].iter().all(|yes| *yes) && first < usize::from(ASKED) / 2,
            "a rule that does not stay with its answer: {says:?}"
        );
        Self(first as u8)
    }

    pub fn holds(self, age: u8) -> bool {
        age >= self.0
    }

    /// One tick later, no further than this rule can tell.
    pub fn grow(self, age: u8) -> u8 {
        (age + 1).min(self.0)
    }
}

#[derive(Clone, Debug)]
pub struct Rules {
    /// A row that stood still for so long belongs to a dead holder.
    pub dead: From,
    /// A holder no longer believes.
    pub disbelieves: From,
    /// A renewal is due.
    pub due: From,
    /// The door lets no write out any more.
    pub shut: From,
    /// The specification's own words for the same (S4).
    pub too_late: From,
    /// An intent of this age can be resolved.
    pub readable: From,
    /// A write has come, or comes no more, unless its sender stopped between the door and the wire.
    pub landed: From,
    /// The specification's bound for taking over a silent holder (L3), but for one poll.
    pub overdue: From,
    /// What the code does with a lease row that moved while it was watched.
    pub moved: Verdict,
    pub released: Verdict,
    pub first_look: Verdict,
}

/// The clock at age 0: later than any age.
const NOW: Duration = Duration::from_secs(1_000_000);

impl Rules {
    pub fn of_the_code() -> Self {
        let row = |version, state| LeaseRow {
            version,
            state,
            ..watch::granted("a", None, "h", "g", Timestamp::UNIX_EPOCH)
        };
        let look = |then: Option<&LeaseRow>, now: &LeaseRow, age| {
            let mut sighting = None;
            if let Some(then) = then {
                watch::judge(Some(then), &mut sighting, NOW - age, Patience::UntilDead);
            }
            watch::judge(Some(now), &mut sighting, NOW, Patience::UntilDead)
        };
        let held = row(1, LeaseState::Held);
        let moved = look(Some(&held), &row(2, LeaseState::Held), TICK);
        let now = Timestamp::from_second(NOW.as_secs() as i64).unwrap();
        Self {
            dead: From::of(|age| look(Some(&held), &held, age) == Verdict::Dead),
            disbelieves: From::of(|age| watch::deadline(NOW - age) <= NOW),
            due: From::of(|age| watch::renewal_due(NOW - age) <= NOW),
            shut: From::of(|age| !outlasts_a_write(watch::deadline(NOW - age), NOW)),
            too_late: From::of(|age| {
                NOW + CALL_TIMEOUT + LEASE_MARGIN > watch::deadline(NOW - age)
            }),
            readable: From::of(|age| still_to_wait(now - age, now).is_zero()),
            landed: From::of(|age| age >= CALL_TIMEOUT),
            overdue: From::of(|age| age >= watch::LEASE_DURATION),
            moved,
            released: look(Some(&held), &row(2, LeaseState::Released), TICK),
            first_look: look(None, &held, TICK),
        }
    }

    /// The token of a grant over a row that has this one.
    pub fn next_token(over: u8) -> u8 {
        let row = LeaseRow {
            token: u64::from(over),
            ..watch::granted("a", None, "h", "g", Timestamp::UNIX_EPOCH)
        };
        let over = (over > 0).then_some(&row);
        watch::granted("a", over, "h", "g", Timestamp::UNIX_EPOCH).token as u8
    }
}
